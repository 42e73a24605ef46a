//! Arrays that the host owns, as a launch sees them: by handle. In tests the host is made of vectors; natively there is
//! none, and no handle either.

pub(crate) use crate::abi::arrays::{Input, Output};

#[cfg(not(any(target_arch = "wasm32", test)))]
impl Input {
    pub(crate) fn read(self, _: u64, _: u32) -> Vec<u8> {
        unreachable!("there is no host outside a component")
    }
}

#[cfg(not(any(target_arch = "wasm32", test)))]
impl Output {
    pub(crate) fn write(self, _: u64, _: &[u8]) {
        unreachable!("there is no host outside a component")
    }
}

/// Ends the launch for want of memory, with a message first: the trap lets the host see that its limit was refused.
///
/// # Panics
/// Natively; a component traps.
#[cfg(any(target_arch = "wasm32", test))]
#[cold]
pub(crate) fn no_memory(name: &str, len_bytes: usize) -> ! {
    let mut room = [0; 192];
    let mut words = crate::words::Words::new(&mut room);
    words.text("no memory for the ").number(len_bytes as u64);
    words.text(" bytes of `").text(name).text("`");
    #[cfg(target_arch = "wasm32")]
    {
        crate::abi::failure::explain(words.into_str());
        std::arch::wasm32::unreachable()
    }
    #[cfg(not(target_arch = "wasm32"))]
    panic!("{}", words.into_str())
}
