//! The C symbols that `export!` gives a native build with the feature `symbols`, called as a loader calls them.

use hotcell_guest::native::{self, Bytes, ManifestFn, NativeArray, Request};
use hotcell_guest::prelude::*;

/// Adds one to each element.
#[kernel(sig = "(n)->(n)", split = "n")]
pub fn increment(x: &[i64], out: &mut [i64]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = x + 1;
    }
}

/// Kernels may stand in modules.
pub mod filters {
    use hotcell_guest::prelude::*;

    /// Turns every value round.
    #[kernel(sig = "(h,w)->(h,w)")]
    pub fn invert(image: &[u8], out: &mut [u8]) {
        for (out, image) in out.iter_mut().zip(image) {
            *out = !image;
        }
    }
}

hotcell_guest::export!(increment, filters::invert);

unsafe extern "C" {
    fn hotcell_native_launch(request: *const Request) -> i32;
    safe fn hotcell_native_manifest() -> Bytes;
}

#[test]
fn the_launch_symbol_runs_an_entry() {
    let (mut x, mut out) = (vec![1_i64, 2, 3], vec![0_i64; 3]);
    let array = |elements: &mut Vec<i64>| NativeArray {
        ptr: elements.as_mut_ptr().cast(),
        len_bytes: size_of_val(elements.as_slice()),
    };
    let arrays = [array(&mut x), array(&mut out)];
    let (entry, dims) = (b"increment", [3_u64]);
    let request = Request {
        entry: Bytes::of(entry),
        dims: dims.as_ptr(),
        dims_len: 1,
        scalars: std::ptr::null(),
        scalars_len: 0,
        arrays: arrays.as_ptr(),
        arrays_len: 2,
        chunk_start: 0,
        chunk_len: 3,
        chunk_total: 3,
    };
    // SAFETY: the request points to arrays that live here; the two do not overlap.
    let code = unsafe { hotcell_native_launch(&raw const request) };
    assert_eq!(code, native::OK);
    assert_eq!(out, [2, 3, 4]);
}

#[test]
fn the_manifest_symbol_names_the_package_and_every_kernel() {
    let manifest: ManifestFn = hotcell_native_manifest;
    let bytes = manifest();
    // SAFETY: the symbol's bytes are a static of this binary.
    let section = unsafe { std::slice::from_raw_parts(bytes.ptr, bytes.len) };
    let manifest = hotcell_manifest::Manifest::decode(section).unwrap();
    assert_eq!(manifest.component().name, "hotcell-guest");
    assert_eq!(manifest.component().version, env!("CARGO_PKG_VERSION"));
    let names: Vec<&str> = manifest
        .kernels()
        .iter()
        .map(|kernel| kernel.name())
        .collect();
    assert_eq!(names, ["increment", "invert"]);
}
