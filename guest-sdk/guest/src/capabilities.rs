//! What a kernel may ask of its host beyond its arrays: one module an interface of the WIT.
//!
//! Using a function makes the component import the interface, and the host refuses a component whose
//! imports were not granted. `log` and `control` are granted by default, `clock` and `random` are not.
//! Natively each has a stand-in, so that kernels run under `cargo test`.

/// Lines for the operator's log.
pub mod log {
    /// Of use to the kernel's author only.
    pub fn debug(message: &str) {
        host::emit(host::Level::Debug, message);
    }

    /// Worth knowing.
    pub fn info(message: &str) {
        host::emit(host::Level::Info, message);
    }

    /// Something looks wrong; the result may still be right.
    pub fn warn(message: &str) {
        host::emit(host::Level::Warn, message);
    }

    /// Something is wrong.
    pub fn error(message: &str) {
        host::emit(host::Level::Error, message);
    }

    #[cfg(target_arch = "wasm32")]
    use crate::abi::log as host;

    #[cfg(not(target_arch = "wasm32"))]
    mod host {
        pub(super) use crate::abi::log::Level;

        pub(super) fn emit(level: Level, message: &str) {
            eprintln!("{level:?}: {message}");
        }
    }
}

/// The launch seen from inside.
pub mod control {
    /// True once the host would like the kernel to return what it has. Natively always false.
    pub fn should_stop() -> bool {
        #[cfg(target_arch = "wasm32")]
        return crate::abi::control::should_stop();
        #[cfg(not(target_arch = "wasm32"))]
        false
    }

    /// Tells how far the work has come: `done` of `total`, in any unit. Natively does nothing.
    pub fn progress(done: u64, total: u64) {
        #[cfg(target_arch = "wasm32")]
        crate::abi::control::progress(done, total);
        #[cfg(not(target_arch = "wasm32"))]
        let _ = (done, total);
    }
}

/// Elapsed time; the capability `clock`, not granted by default.
pub mod clock {
    /// Nanoseconds since the launch began, rounded down to a whole millisecond. Natively since the
    /// first call.
    pub fn elapsed_ns() -> u64 {
        #[cfg(target_arch = "wasm32")]
        return crate::abi::clock::elapsed_ns();
        #[cfg(not(target_arch = "wasm32"))]
        {
            static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
            let millis = START
                .get_or_init(std::time::Instant::now)
                .elapsed()
                .as_millis();
            u64::try_from(millis).map_or(u64::MAX, |millis| millis.saturating_mul(1_000_000))
        }
    }
}

/// Random bytes; the capability `random`, not granted by default.
pub mod random {
    /// The next `len` bytes of the stream, at most 1 MiB a call.
    ///
    /// Natively the stream is one fixed sequence a thread (SplitMix64 from 0), so that tests repeat.
    pub fn bytes(len: u32) -> Vec<u8> {
        #[cfg(target_arch = "wasm32")]
        return crate::abi::random::bytes(len);
        #[cfg(not(target_arch = "wasm32"))]
        return (0..len).map(|_| native::next_byte()).collect();
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod native {
        use std::cell::Cell;

        /// SplitMix64: Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014.
        pub(super) fn next_byte() -> u8 {
            thread_local!(static STATE: Cell<u64> = const { Cell::new(0) });
            let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            STATE.set(state);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)).to_le_bytes()[7]
        }
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn native_bytes_are_many_and_differ() {
            let bytes = super::bytes(4096);
            let mut seen = [false; 256];
            bytes.iter().for_each(|&b| seen[usize::from(b)] = true);
            assert_eq!(bytes.len(), 4096);
            assert!(seen.iter().filter(|seen| **seen).count() > 250);
        }
    }
}
