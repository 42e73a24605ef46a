//! Compute on the launch's GPU: WGSL beside the Rust source, buffers, and batches of work.
//!
//! The capability `gpu`, not granted by default; the feature `gpu` of this crate. A kernel that takes
//! its large arrays as [`Chunks`](crate::Chunks), [`ChunksMut`](crate::ChunksMut) and
//! [`ChunksInOut`](crate::ChunksInOut) moves them between host and device by handle, without a copy
//! in the guest's memory. One batch is one call to the host; its steps run in order and see each
//! other's effects. Whatever is asked for is checked and charged first, and what is refused was not
//! done, not even half.
//!
//! ```no_run
//! # const SAXPY: &str = "";
//! use hotcell_guest::{gpu, prelude::*};
//!
//! /// Adds `a` times `x` to `y`, on the GPU.
//! #[kernel(sig = "(n),(n)->(n)", cost = "2*n")]
//! pub fn saxpy(a: f32, x: Chunks<f32>, y: Chunks<f32>, mut out: ChunksMut<f32>) -> Result<(), gpu::Error> {
//!     let device = gpu::Device::get()?;
//! #   let shader = gpu::Shader::new("saxpy.wgsl", SAXPY);
//! #   let kernel = device.kernel(shader, "main")?;
//! #   /*
//!     let kernel = device.kernel(gpu::wgsl!("saxpy.wgsl"), "main")?;
//! #   */
//!     let parameters = device.parameters(&[gpu::extent(x.len())?.into(), a.into()])?;
//!     let (vx, vy) = (device.buffer_for(&x)?, device.buffer_for(&y)?);
//!     let bound = kernel.bind(&[(0, &parameters), (1, &vx), (2, &vy)])?;
//!     let groups = device.spread(x.len().div_ceil(256))?;
//!     device
//!         .batch()
//!         .fill(&x, &vx)
//!         .fill(&y, &vy)
//!         .dispatch(&bound, groups)
//!         .read(&vy, &mut out)
//!         .run()
//! }
//! # fn main() {}
//! ```
//!
//! Natively there is no device: [`Device::get`] says so, and the crate's other functions run as ever.

mod batch;
mod buffer;
#[cfg(target_arch = "wasm32")]
mod component;
mod kernel;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod shader;
mod streams;

pub use crate::__gpu_wgsl as wgsl;
pub use crate::gpu_error::Error;
pub use batch::{Batch, Submission};
pub use buffer::{Buffer, Word};
pub use kernel::{BindSet, Binding, Kernel};
pub use shader::Shader;
pub use streams::{Destination, Source};

#[cfg(target_arch = "wasm32")]
use component as host;
#[cfg(not(target_arch = "wasm32"))]
use native as host;

/// The launch's device.
pub struct Device(host::Device);

/// What a kernel may use of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Properties {
    /// Whether subgroup operations are to be had.
    pub has_subgroups: bool,
    /// Subgroups have at least so many invocations; 0 without subgroups.
    pub min_subgroup_size: u32,
    /// Subgroups have at most so many invocations; 0 without subgroups.
    pub max_subgroup_size: u32,
    /// Workgroup memory of one kernel, in bytes.
    pub max_workgroup_bytes: u32,
    /// Invocations of one workgroup.
    pub max_workgroup_invocations: u32,
    /// Workgroups along one axis of a dispatch.
    pub max_workgroups_per_axis: u32,
    /// The size of one buffer that is bound, in bytes.
    pub max_binding_bytes: u64,
}

/// A limit that a kernel may lower for the rest of its launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Bytes on the device, staging included.
    Bytes,
    /// Dispatches.
    Dispatches,
    /// Invocations over all dispatches.
    Invocations,
    /// GPU fuel.
    Fuel,
}

impl Device {
    /// The launch's device: always the same one.
    ///
    /// # Errors
    /// Where the host has none for this launch; natively always.
    pub fn get() -> Result<Self, Error> {
        host::get().map(Self)
    }

    /// What the device offers to this launch.
    pub fn properties(&self) -> Properties {
        host::properties(&self.0)
    }

    /// Lowers a limit for the rest of the launch.
    ///
    /// # Errors
    /// If `value` is above the present limit.
    pub fn lower_quota(&self, quota: Quota, value: u64) -> Result<(), Error> {
        host::lower_quota(&self.0, quota, value)
    }

    /// Admits and compiles one entry point of a shader.
    ///
    /// # Errors
    /// A [`Shader`](Error::Shader) error names the place in the author's file.
    pub fn kernel(&self, shader: Shader, entry: &str) -> Result<Kernel, Error> {
        let made = shader.make(&self.0, entry);
        made.map(Kernel)
            .map_err(|error| error.in_file(shader.file()))
    }

    /// A buffer of zeros, of exactly so many bytes: what a shader calls `arrayLength` follows from them.
    ///
    /// # Errors
    /// If a limit would be passed.
    pub fn buffer(&self, size_bytes: u64) -> Result<Buffer, Error> {
        host::create_buffer(&self.0, size_bytes).map(Buffer)
    }

    /// A buffer of zeros as large as an array.
    ///
    /// A shader sees as many elements as the array has, if they are as large in WGSL: 4 bytes each, or
    /// vectors and structures as WGSL lays them out. Elements of 1 and 2 bytes come packed in words of
    /// `u32`, and zeros complete the last word.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub fn buffer_for<'a>(&self, array: &impl Source<'a>) -> Result<Buffer, Error> {
        self.buffer(array.size_bytes())
    }

    /// A buffer that holds `elements`.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer) and [`Buffer::write`].
    pub fn buffer_of<T: crate::Element>(&self, elements: &[T]) -> Result<Buffer, Error> {
        let buffer = self.buffer(size_of_val(elements) as u64)?;
        buffer.write(elements)?;
        Ok(buffer)
    }

    /// A small buffer of numbers, four bytes each, to bind as a uniform `struct` of scalars.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub fn parameters(&self, words: &[Word]) -> Result<Buffer, Error> {
        let words: Vec<u32> = words.iter().map(|word| word.to_bits()).collect();
        self.buffer_of(&words)
    }

    /// `workgroups` laid out over x and y so that neither axis is too long.
    ///
    /// There may be a few too many: the shader computes `id.y * count.x + id.x` from `workgroup_id` and
    /// `num_workgroups`, and leaves what lies beyond its data alone.
    ///
    /// # Errors
    /// If two axes do not hold as many.
    pub fn spread(&self, workgroups: usize) -> Result<[u32; 3], Error> {
        spread(workgroups as u64, self.properties().max_workgroups_per_axis)
    }

    /// An empty batch.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(&self.0)
    }
}

/// A number of elements as WGSL counts them.
///
/// # Errors
/// If it does not fit 32 bits.
pub fn extent(elements: usize) -> Result<u32, Error> {
    u32::try_from(elements).map_err(|_| Error::OutOfRange {
        offset_bytes: 0,
        len_bytes: elements as u64,
        size_bytes: u32::MAX.into(),
    })
}

fn spread(workgroups: u64, per_axis: u32) -> Result<[u32; 3], Error> {
    let rows = workgroups.div_ceil(per_axis.max(1).into()).max(1);
    match (
        u32::try_from(workgroups.div_ceil(rows)),
        u32::try_from(rows),
    ) {
        (Ok(columns), Ok(rows)) if rows <= per_axis => Ok([columns.max(1), rows, 1]),
        _ => Err(Error::Limit {
            name: "workgroups of a dispatch over two axes".to_owned(),
            requested: workgroups,
            maximum: u64::from(per_axis) * u64::from(per_axis),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workgroups_spread_over_two_axes_without_many_to_spare() {
        assert_eq!(spread(0, 65_535).unwrap(), [1, 1, 1]);
        assert_eq!(spread(65_535, 65_535).unwrap(), [65_535, 1, 1]);
        assert_eq!(spread(65_536, 65_535).unwrap(), [32_768, 2, 1]);
        assert_eq!(spread(1_000_001, 65_535).unwrap(), [62_501, 16, 1]);
        assert_eq!(spread(9, 3).unwrap(), [3, 3, 1]);
        let refused = spread(10, 3).unwrap_err().to_string();
        assert!(refused.contains("10") && refused.contains('9'), "{refused}");
    }

    #[test]
    fn natively_there_is_no_device_and_that_is_said() {
        let refused = Device::get().err().expect("there is none").to_string();
        assert_eq!(refused, "there is no GPU outside a component");
    }

    #[test]
    fn extents_fit_32_bits_or_are_refused() {
        assert_eq!(extent(7).unwrap(), 7);
        assert!(extent(1 << 32).is_err());
    }
}
