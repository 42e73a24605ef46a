//! Files by hand, and short ways to read and write them.

use hotcell_formats::{
    ArrayReader, Durability, Locator, ReadError, ReadLimits, WriteError, commit_all, open, prepare,
};
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::DType;
use std::path::{Path, PathBuf};

pub(crate) const LIMITS: ReadLimits = ReadLimits { max_bytes: 1 << 20 };

pub(crate) fn ty(dtype: DType, shape: &[u64]) -> ArrayType {
    ArrayType::new(dtype, shape).unwrap()
}

pub(crate) fn locator(directory: &Path, name: &str) -> Locator {
    Locator::parse(&format!("@{}/{name}", directory.display())).unwrap()
}

/// `len` bytes that are valid for every dtype and differ from their neighbours.
pub(crate) fn bytes_for(dtype: DType, len: u64) -> Vec<u8> {
    let modulus = if dtype == DType::Bool { 2 } else { 251 };
    (0..len)
        .map(|i| u8::try_from(i % modulus).unwrap())
        .collect()
}

pub(crate) fn npy(text: &str, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", len.as_slice(), text.as_bytes(), data].concat()
}

/// A `.npy` file of a dtype string, an order and a shape as NumPy spells them.
pub(crate) fn npy_of(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    npy(&text, data)
}

pub(crate) fn open_in(directory: &Path, name: &str) -> Result<ArrayReader, ReadError> {
    open(&locator(directory, name), &LIMITS)
}

pub(crate) fn read_in(directory: &Path, name: &str) -> Result<(ArrayType, Vec<u8>), ReadError> {
    let reader = open_in(directory, name)?;
    let ty = reader.ty().clone();
    Ok((ty, reader.read_all()?))
}

/// Puts the bytes into a new directory under `name` and reads them as `@name`.
pub(crate) fn read_bytes(name: &str, bytes: &[u8]) -> Result<(ArrayType, Vec<u8>), ReadError> {
    let directory = tempfile::tempdir().unwrap();
    let file = name.split_once(':').map_or(name, |(file, _)| file);
    std::fs::write(directory.path().join(file), bytes).unwrap();
    read_in(directory.path(), name)
}

pub(crate) fn write_in(
    directory: &Path,
    outputs: &[(&str, ArrayType, &[u8])],
) -> Result<Vec<PathBuf>, WriteError> {
    let sinks: Result<Vec<_>, _> = outputs
        .iter()
        .map(|(name, ty, data)| Ok((prepare(&locator(directory, name), ty)?, *data)))
        .collect();
    commit_all(sinks?, Durability::Written)
}

/// The names in a directory, sorted.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// An error with all its causes, as the command prints it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
