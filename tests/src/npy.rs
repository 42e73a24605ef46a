//! `.npy` files of bytes, written and read without the code under test.

use std::path::Path;

/// A version 1.0 file: `descr` as NumPy writes it, C order, and `data` whether or not it fits.
pub fn npy(descr: &str, shape: &[u64], data: &[u8]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent},")).collect();
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    // The data begins at a multiple of 64 bytes; 10 come before the header, a line break ends it.
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let len = u16::try_from(header.len()).expect("headers of tests are short");
    [
        b"\x93NUMPY\x01\0",
        &len.to_le_bytes()[..],
        header.as_bytes(),
        data,
    ]
    .concat()
}

/// The data of a version 1.0 file.
///
/// # Panics
/// If the file cannot be read or is none.
pub fn read_npy(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\0", "{}", path.display());
    let len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[10 + len..].to_vec()
}
