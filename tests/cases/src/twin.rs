//! Native twins: a kernel's own source as a shared library for the host.
//!
//! The C interface is that of `hotcell_guest::native`.

use crate::arguments::Arguments;
use crate::target;
use anyhow::{Context, Result, ensure};
use hotcell_guest::native::{
    self, Bytes, LAUNCH_SYMBOL, LaunchFn, MANIFEST_SYMBOL, ManifestFn, NativeArray, Request,
};
use hotcell_model::manifest::{Manifest, ScalarValue};
use libloading::Library;
use std::path::{Path, PathBuf};

/// The instructions that a twin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The architecture's baseline; SSE2 on x86-64.
    Baseline,
    /// Everything this machine has: `-C target-cpu=native`.
    Native,
}

impl Level {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Baseline, Self::Native];

    /// The name of the folder that its twins are in.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Native => "native",
        }
    }
}

/// A kernel, compiled for the host and loaded.
pub struct Twin {
    launch: LaunchFn,
    manifest: Manifest,
    /// What the function pointer points into.
    _library: Library,
}

impl Twin {
    /// Where `cargo xtask twins` puts a kernel's twin.
    pub fn path(kernel: &str, level: Level) -> PathBuf {
        let name = format!(
            "{}{kernel}{}",
            std::env::consts::DLL_PREFIX,
            std::env::consts::DLL_SUFFIX
        );
        target().join("twins").join(level.name()).join(name)
    }

    /// Loads a kernel's twin.
    ///
    /// # Errors
    /// If it is not there: `cargo xtask twins` makes it.
    pub fn load(kernel: &str, level: Level) -> Result<Self> {
        let path = Self::path(kernel, level);
        Self::open(&path).with_context(|| {
            format!(
                "{}: `cargo xtask twins` makes the native twins",
                path.display()
            )
        })
    }

    fn open(path: &Path) -> Result<Self> {
        // SAFETY: twins are this workspace's kernels, whose initialisers do nothing.
        let library = unsafe { Library::new(path) }?;
        // SAFETY: the symbols of hotcell-guest's native shim have these types.
        let (launch, manifest) = unsafe {
            (
                *library.get::<LaunchFn>(LAUNCH_SYMBOL)?,
                *library.get::<ManifestFn>(MANIFEST_SYMBOL)?,
            )
        };
        let bytes = manifest();
        // SAFETY: the bytes are a static of the library.
        let section = unsafe { std::slice::from_raw_parts(bytes.ptr, bytes.len) };
        let manifest = Manifest::decode(section)?;
        Ok(Self {
            launch,
            manifest,
            _library: library,
        })
    }

    /// What the kernel says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Runs the entry on the arguments, in place: outputs hold the results afterwards.
    ///
    /// # Errors
    /// If the kernel fails; why is on standard error.
    pub fn run(&self, arguments: &mut Arguments) -> Result<()> {
        let entry = arguments.kernel.name().to_owned();
        let dims: Vec<u64> = arguments.dims.iter().map(|(_, extent)| *extent).collect();
        let scalars: Vec<u64> = arguments
            .scalars
            .iter()
            .map(|(_, value)| bits(*value))
            .collect();
        let arrays: Vec<NativeArray> = arguments.arrays.iter_mut().map(native_array).collect();
        let total = split_extent(arguments);
        let request = Request {
            entry: Bytes {
                ptr: entry.as_ptr(),
                len: entry.len(),
            },
            dims: dims.as_ptr(),
            dims_len: dims.len(),
            scalars: scalars.as_ptr(),
            scalars_len: scalars.len(),
            arrays: arrays.as_ptr(),
            arrays_len: arrays.len(),
            chunk_start: 0,
            chunk_len: total,
            chunk_total: total,
        };
        // SAFETY: every pointer is to memory that lives until the call returns, of the length beside it;
        // buffers are aligned to 64, initialised, and no two of them overlap.
        let code = unsafe { (self.launch)(&raw const request) };
        ensure!(
            code == native::OK,
            "the native twin of `{entry}` ended with code {code}"
        );
        Ok(())
    }
}

fn native_array(argument: &mut crate::Argument) -> NativeArray {
    let bytes = argument.data.bytes_mut();
    NativeArray {
        ptr: bytes.as_mut_ptr(),
        len_bytes: bytes.len(),
    }
}

/// The extent of the dimension that may be cut; 1 where none may.
fn split_extent(arguments: &Arguments) -> u64 {
    let split = arguments.kernel.split();
    let dim = arguments
        .dims
        .iter()
        .find(|(name, _)| Some(name.as_str()) == split);
    dim.map_or(1, |(_, extent)| *extent)
}

/// A scalar in 64 bits: integers as their own bits, numbers as their IEEE 754 bits, zero above.
fn bits(value: ScalarValue) -> u64 {
    match value {
        ScalarValue::Bool(value) => value.into(),
        ScalarValue::I32(value) => value.cast_unsigned().into(),
        ScalarValue::I64(value) => value.cast_unsigned(),
        ScalarValue::U32(value) => value.into(),
        ScalarValue::U64(value) => value,
        ScalarValue::F32(value) => value.to_bits().into(),
        ScalarValue::F64(value) => value.to_bits(),
    }
}
