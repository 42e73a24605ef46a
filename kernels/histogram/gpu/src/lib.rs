//! histogram on the GPU: counts and means of samples in equal bins of their radius.
//!
//! Bins are decided and sums are kept in integers alone, which no device rounds: a radius is compared
//! with the smallest `f32` of each bin, computed here in `f64`, and values are added up as 64-bit
//! fixed-point numbers scaled to the largest of them. So counts are exact, the result is one set of
//! bits however the invocations meet, and a mean differs from that of the form for the CPU only where
//! a value is smaller than the largest by more than that scale holds, a factor of 2²⁰ for 400 000.

use hotcell_guest::{gpu, prelude::*};

mod sample;
mod sums;

use sample::{Extent, lower_edges};
use sums::{Bin, Scale};

/// Samples of a workgroup: 256 invocations of 16.
const GROUP: usize = 4096;

/// Bins that a workgroup counts in at once.
const WINDOW: usize = 1024;

/// Counts the samples in each of `bins` equal bins of their radius, and averages their values.
#[kernel(sig = "(n),(n)->(bins),(bins)", cost = "12*n+3*bins")]
pub fn histogram(
    data: Chunks<f32>,
    radius: Chunks<f32>,
    mean: &mut [f32],
    counts: &mut [u32],
) -> Result<(), String> {
    if counts.is_empty() {
        return Err("bins is 0, but samples need one bin at least".to_owned());
    }
    if data.is_empty() {
        mean.fill(f32::NAN);
        return Ok(());
    }
    let device = gpu::Device::get()?;
    let samples = Samples::fill(&device, data, radius)?;
    let extent = samples.extent(&radius)?;
    let scale = Scale::new(extent.exponent, data.len());
    let bins = samples.bins(&extent, scale, counts.len())?;
    for ((mean, count), bin) in mean.iter_mut().zip(counts).zip(bins) {
        *mean = bin.mean(scale);
        *count = bin.count;
    }
    Ok(())
}

/// The samples on the device.
struct Samples<'a> {
    device: &'a gpu::Device,
    data: gpu::Buffer,
    radius: gpu::Buffer,
    len: usize,
}

impl<'a> Samples<'a> {
    fn fill(
        device: &'a gpu::Device,
        data: Chunks<f32>,
        radius: Chunks<f32>,
    ) -> Result<Self, gpu::Error> {
        let samples = Self {
            device,
            data: device.buffer_for(&data)?,
            radius: device.buffer_for(&radius)?,
            len: data.len(),
        };
        let batch = device.batch().fill(&data, &samples.data);
        batch.fill(&radius, &samples.radius).run()?;
        Ok(samples)
    }

    /// The range of the radii and the scale of the data.
    fn extent(&self, radius: &Chunks<f32>) -> Result<Extent, String> {
        let kernel = self.device.kernel(gpu::wgsl!("extent.wgsl"), "main")?;
        let count = self.device.parameters(&[gpu::extent(self.len)?.into()])?;
        let found = self.device.buffer_of(&Extent::NONE)?;
        let buffers = [(0, &count), (1, &self.data), (2, &self.radius), (3, &found)];
        let bound = kernel.bind(&buffers)?;
        let groups = self.device.spread(self.len.div_ceil(GROUP))?;
        self.device.batch().dispatch(&bound, groups).run()?;
        let found = found.read::<u32>()?;
        Extent::new(&found, |at| radius.block(at..at + 1)[0])
    }

    /// Every bin's samples.
    fn bins(&self, extent: &Extent, scale: Scale, bins: usize) -> Result<Vec<Bin>, gpu::Error> {
        let device = self.device;
        let kernel = device.kernel(gpu::wgsl!("bins.wgsl"), "main")?;
        let edges = device.buffer_of(&lower_edges(extent, bins))?;
        let words = [
            gpu::extent(self.len)?.into(),
            gpu::extent(bins)?.into(),
            extent.exponent.into(),
            scale.shift().into(),
        ];
        let parameters = device.parameters(&words)?;
        let sums = device.buffer(Bin::WORDS as u64 * 4 * bins as u64)?;
        let buffers = [
            (0, &parameters),
            (1, &self.data),
            (2, &self.radius),
            (3, &edges),
            (4, &sums),
        ];
        let bound = kernel.bind(&buffers)?;
        let [columns, rows, _] = device.spread(self.len.div_ceil(GROUP))?;
        let windows = gpu::extent(bins.div_ceil(WINDOW))?;
        device
            .batch()
            .dispatch(&bound, [columns, rows, windows])
            .run()?;
        let sums = sums.read_at::<u32>(0, Bin::WORDS * bins)?;
        Ok(sums.as_chunks().0.iter().map(Bin::from_words).collect())
    }
}

hotcell_guest::export!(histogram);

#[cfg(test)]
mod tests;
