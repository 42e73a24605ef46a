//! What the expansion of `export!` and `#[kernel]` calls at compile time and around a launch.

use std::fmt::Display;

/// The length of all records together.
pub const fn total_len(records: &[&[u8]]) -> usize {
    let mut len = 0;
    let mut at = 0;
    while at < records.len() {
        len += records[at].len();
        at += 1;
    }
    len
}

/// All records, one after the other; `LEN` is their [`total_len`].
pub const fn concat<const LEN: usize>(records: &[&[u8]]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let (mut end, mut at) = (0, 0);
    while at < records.len() {
        let (place, _) = bytes.split_at_mut(end).1.split_at_mut(records[at].len());
        place.copy_from_slice(records[at]);
        end += records[at].len();
        at += 1;
    }
    bytes
}

/// The length of a shader's record.
pub const fn shader_len(name: &str, text: &str) -> usize {
    total_len(&[&[0; 12], name.as_bytes(), text.as_bytes()])
}

/// A record of the section `hotcell:shaders`; `LEN` is its [`shader_len`].
pub const fn shader_record<const LEN: usize>(name: &str, text: &str) -> [u8; LEN] {
    const SCHEMA: u32 = 1;
    let head = [SCHEMA, len(name), len(text)];
    let head = [
        head[0].to_le_bytes(),
        head[1].to_le_bytes(),
        head[2].to_le_bytes(),
    ];
    concat(&[head.as_flattened(), name.as_bytes(), text.as_bytes()])
}

#[expect(clippy::cast_possible_truncation, reason = "it was looked at")]
const fn len(text: &str) -> u32 {
    assert!(text.len() <= 1 << 20, "a shader is at most 1 MiB long");
    text.len() as u32
}

/// What a kernel may return beside nothing.
#[diagnostic::on_unimplemented(
    message = "a kernel returns nothing or `Result<(), E>` where `E: Display`",
    label = "this is neither"
)]
pub trait KernelResult {
    /// The failure's message.
    fn failure(self) -> Option<String>;
}

impl<E: Display> KernelResult for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// The failure of a kernel's result.
pub fn failure(result: impl KernelResult) -> Option<String> {
    result.failure()
}

/// The component's manifest and its export, which implements the WIT's `entries` for the kernels.
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($entries:ident, $records:expr) => {
        const RECORDS: &[&[u8]] = $records;

        #[used]
        #[unsafe(link_section = "hotcell:manifest")]
        static MANIFEST: [u8; $crate::__private::total_len(RECORDS)] =
            $crate::__private::concat(RECORDS);

        /// `launch` of the WIT's `entries`, as the canonical ABI lowers it.
        #[unsafe(export_name = "hotcell:kernel/entries@0.2.0#launch")]
        unsafe extern "C" fn launch(
            entry: *const u8,
            entry_len: usize,
            dims: *const $crate::__private::Dimension<'static>,
            dims_len: usize,
            scalars: *const $crate::__private::Scalar<'static>,
            scalars_len: usize,
            sources: *const $crate::__private::Source<'static>,
            sources_len: usize,
            destinations: *const $crate::__private::Destination<'static>,
            destinations_len: usize,
            chunk_start: u64,
            chunk_len: u64,
            chunk_total: u64,
        ) -> *const $crate::__private::Answer {
            // SAFETY: the host calls with what the canonical ABI says.
            let request = unsafe {
                $crate::__private::ComponentRequest::new(
                    (entry, entry_len),
                    (dims, dims_len),
                    (scalars, scalars_len),
                    (sources, sources_len),
                    (destinations, destinations_len),
                    [chunk_start, chunk_len, chunk_total],
                )
            };
            $crate::__private::launch($entries, request)
        }
    };
}

/// The shared library's symbols: see [`native`](crate::native).
#[cfg(all(feature = "symbols", not(target_arch = "wasm32")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($entries:ident, $records:expr) => {
        const RECORDS: &[&[u8]] = $records;

        static MANIFEST: [u8; $crate::__private::total_len(RECORDS)] =
            $crate::__private::concat(RECORDS);

        /// Runs an entry; a `hotcell_guest::native::LaunchFn`.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn hotcell_native_launch(
            request: *const $crate::__private::Request,
        ) -> i32 {
            // SAFETY: the caller's.
            unsafe { $crate::__private::launch_native($entries, request) }
        }

        /// The manifest; a `hotcell_guest::native::ManifestFn`.
        #[unsafe(no_mangle)]
        extern "C" fn hotcell_native_manifest() -> $crate::__private::Bytes {
            $crate::__private::Bytes::of(&MANIFEST)
        }
    };
}

/// Nothing: natively the entries are all that there is.
#[cfg(not(any(feature = "symbols", target_arch = "wasm32")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($entries:ident, $records:expr) => {};
}
