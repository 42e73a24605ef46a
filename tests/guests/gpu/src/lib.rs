//! A guest for tests: it runs whatever WGSL it is handed, and misuses the interface as it is told.

use hotcell_guest::gpu::{self, Device, Error, Shader};
use hotcell_guest::prelude::*;

/// Runs entry point `main` of `source` over a copy of `x`, which it finds at `@group(0) @binding(0)`.
#[kernel(sig = "(s),(n)->(n)")]
pub fn shader(
    x_groups: u32,
    y_groups: u32,
    z_groups: u32,
    source: &[u8],
    x: Chunks<u32>,
    mut out: ChunksMut<u32>,
) -> Result<(), Error> {
    let device = Device::get()?;
    let kernel = device.kernel(text(source), "main")?;
    let buffer = device.buffer_for(&x)?;
    let bound = kernel.bind(&[(0, &buffer)])?;
    device
        .batch()
        .fill(&x, &buffer)
        .dispatch(&bound, [x_groups, y_groups, z_groups])
        .read(&buffer, &mut out)
        .run()
}

/// Runs entry point `main` of `source` on one workgroup: it finds the bytes of `x` at `@binding(0)`, and gives eight
/// words at `@binding(1)`.
#[kernel(sig = "(s),(n)->(8)")]
pub fn answer(source: &[u8], x: Chunks<u8>, mut out: ChunksMut<u32>) -> Result<(), Error> {
    let device = Device::get()?;
    let kernel = device.kernel(text(source), "main")?;
    let (given, found) = (device.buffer_for(&x)?, device.buffer(32)?);
    let bound = kernel.bind(&[(0, &given), (1, &found)])?;
    let batch = device.batch().fill(&x, &given);
    batch
        .dispatch(&bound, [1, 1, 1])
        .read(&found, &mut out)
        .run()
}

/// Takes bytes to a buffer, to another and back, all of them each time.
#[kernel(sig = "(n)->(n)")]
pub fn carry(x: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let device = Device::get()?;
    let buffer = device.buffer_of(x)?;
    let other = device.buffer(buffer.size_bytes())?;
    let len_bytes = buffer.size_bytes();
    let batch = device
        .batch()
        .copy((&buffer, 0), (&other, 0), len_bytes)
        .clear(&buffer);
    batch.run()?;
    let (cleared, back) = (buffer.read::<u8>()?, other.read::<u8>()?);
    for (out, (back, cleared)) in out.iter_mut().zip(back.iter().zip(cleared.iter())) {
        *out = back | cleared;
    }
    Ok(())
}

/// As [`shader`] on one workgroup, so many times, each a batch of its own that is read back.
#[kernel(sig = "(s),(n)->(n)")]
pub fn repeat(
    times: u32,
    source: &[u8],
    x: Chunks<u32>,
    mut out: ChunksMut<u32>,
) -> Result<(), Error> {
    let device = Device::get()?;
    let kernel = device.kernel(text(source), "main")?;
    let buffer = device.buffer_for(&x)?;
    let bound = kernel.bind(&[(0, &buffer)])?;
    device.batch().fill(&x, &buffer).run()?;
    for _ in 0..times {
        let batch = device.batch().dispatch(&bound, [1, 1, 1]);
        batch.read(&buffer, &mut out).run()?;
    }
    Ok(())
}

/// As [`repeat`], so many times in batches of `size`, and read back once.
#[kernel(sig = "(s),(n)->(n)")]
pub fn batches(
    times: u32,
    size: u32,
    source: &[u8],
    x: Chunks<u32>,
    mut out: ChunksMut<u32>,
) -> Result<(), Error> {
    let device = Device::get()?;
    let kernel = device.kernel(text(source), "main")?;
    let buffer = device.buffer_for(&x)?;
    let bound = kernel.bind(&[(0, &buffer)])?;
    device.batch().fill(&x, &buffer).run()?;
    for _ in 0..times {
        let mut batch = device.batch();
        for _ in 0..size {
            batch = batch.dispatch(&bound, [1, 1, 1]);
        }
        batch.run()?;
    }
    device.batch().read(&buffer, &mut out).run()
}

/// Queues the work and returns without waiting for it.
#[kernel(sig = "(s),(n)->(n)")]
pub fn leave(source: &[u8], x: Chunks<u32>, mut out: ChunksMut<u32>) -> Result<(), Error> {
    let device = Device::get()?;
    let kernel = device.kernel(text(source), "main")?;
    let buffer = device.buffer_for(&x)?;
    let bound = kernel.bind(&[(0, &buffer)])?;
    let batch = device.batch().fill(&x, &buffer);
    batch
        .dispatch(&bound, [1, 1, 1])
        .read(&buffer, &mut out)
        .submit()
        .map(drop)
}

/// Goes through the guest's own memory: writes what it read, and reads it back.
#[kernel(sig = "(n)->(n)")]
pub fn echo(x: &[u32], out: &mut [u32]) -> Result<(), Error> {
    let device = Device::get()?;
    let buffer = device.buffer_of(x)?;
    let back = buffer.read::<u32>()?;
    out.copy_from_slice(&back[..out.len()]);
    Ok(())
}

/// Does one thing that it should not.
#[kernel(sig = "->(n)")]
pub fn misuse(what: u32, out: ChunksMut<u32>) -> Result<(), Error> {
    // Never written: no launch gets that far.
    let _ = out;
    let device = Device::get()?;
    match what {
        0 => device.buffer(LARGE).map(drop),
        1 => hold(|| device.buffer(16)),
        2 => {
            let kernel = device.kernel(text(NOTHING), "main")?;
            let buffer = device.buffer(16)?;
            hold(|| kernel.bind(&[(0, &buffer)]).map(drop))
        }
        3 => hold(|| device.kernel(text(NOTHING), "main").map(drop)),
        4 => dispatches(&device),
        5 => volume(&device),
        6 => device.lower_quota(gpu::Quota::Bytes, u64::MAX),
        7 => device.kernel(text(NOTHING), "main")?.bind(&[]).map(drop),
        8 => device.kernel(text(b"fn main( {"), "main").map(drop),
        9 => {
            let buffer = device.buffer(16)?;
            device.batch().clear_range(&buffer, 8, 1 << 40).run()
        }
        10 => {
            // A refusal that the kernel can live with.
            if device.buffer(LARGE).is_err() {
                return Ok(());
            }
            Ok(())
        }
        11 => {
            device.lower_quota(gpu::Quota::Bytes, 4096)?;
            device.buffer(8192).map(drop)
        }
        _ => panic!("nothing {what} to misuse"),
    }
}

/// More than a launch may have, and less than devices cannot have at all.
const LARGE: u64 = 3 << 29;

const NOTHING: &[u8] = b"@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1) fn main() { x[0] += 1u; }";

fn text(source: &[u8]) -> Shader {
    // A launch is short, and its memory is gone with it.
    Shader::new(
        "given.wgsl",
        String::from_utf8_lossy(source).into_owned().leak(),
    )
}

/// Makes one after the other and keeps them all, until there are no more.
fn hold<T>(make: impl Fn() -> Result<T, Error>) -> Result<(), Error> {
    let mut held = Vec::new();
    loop {
        held.push(make()?);
    }
}

fn dispatches(device: &Device) -> Result<(), Error> {
    let kernel = device.kernel(text(NOTHING), "main")?;
    let buffer = device.buffer(16)?;
    let bound = kernel.bind(&[(0, &buffer)])?;
    loop {
        let mut batch = device.batch();
        for _ in 0..1000 {
            batch = batch.dispatch(&bound, [1, 1, 1]);
        }
        batch.run()?;
    }
}

fn volume(device: &Device) -> Result<(), Error> {
    let kernel = device.kernel(text(NOTHING), "main")?;
    let buffer = device.buffer(16)?;
    let bound = kernel.bind(&[(0, &buffer)])?;
    device.batch().dispatch(&bound, [65_535; 3]).run()
}

hotcell_guest::export!(shader, answer, carry, repeat, batches, leave, echo, misuse);
