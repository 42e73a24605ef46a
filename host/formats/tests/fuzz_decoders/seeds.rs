//! Valid files to start from, one for each way through the decoders.

use hotcell_formats::ReadLimits;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A valid file.
pub(crate) struct Seed {
    pub(crate) name: &'static str,
    /// The name that it is read under.
    pub(crate) file: &'static str,
    /// `:member`, or nothing.
    pub(crate) member: &'static str,
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

/// Which structure the mutations may count on.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Npy,
    Npz,
    Png,
}

impl Kind {
    /// The most that may be held while a file is read: the array and the workspace that is documented.
    pub(crate) fn peak_bytes(self, limits: ReadLimits) -> usize {
        let array = usize::try_from(limits.max_bytes).expect("a small limit");
        let header_and_paths = 256 << 10;
        match self {
            Self::Npy => 2 * array + header_and_paths,
            Self::Npz => 2 * array + header_and_paths + (2 << 20),
            Self::Png => array + header_and_paths + (8 << 20),
        }
    }
}

/// A `.npy` file of version 1.0 with the given dictionary.
pub(crate) fn npy(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(dictionary.len()).unwrap_or(u16::MAX);
    let (magic, len) = (b"\x93NUMPY\x01\x00", len.to_le_bytes());
    [magic, len.as_slice(), dictionary.as_bytes(), data].concat()
}

pub(crate) fn dictionary(descr: &str, fortran: bool, shape: &str) -> String {
    let order = if fortran { "True" } else { "False" };
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}      \n")
}

/// A `.npz` with the array as its second member.
pub(crate) fn npz(method: CompressionMethod, array: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, data) in [("other.npy", &b"not read"[..]), ("m.npy", array)] {
        zip.start_file(name, options).expect("a new name");
        zip.write_all(data).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

fn png(color: png::ColorType, depth: png::BitDepth, width: u32, frames: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, 2);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette((0..48).collect::<Vec<u8>>());
        encoder.set_trns(vec![0, 128, 255]);
    }
    if frames > 1 {
        encoder.set_animated(frames, 0).expect("some frames");
    }
    let row_bytes = (width as usize * color.samples() * depth as usize).div_ceil(8);
    let data: Vec<u8> = (0..row_bytes * 2)
        .map(|i| (i % 13).to_le_bytes()[0])
        .collect();
    let mut writer = encoder.write_header().expect("memory");
    for _ in 0..frames {
        writer.write_image_data(&data).expect("memory");
    }
    writer.finish().expect("memory");
    bytes
}

pub(crate) fn all() -> Vec<Seed> {
    use png::{BitDepth, ColorType};
    let plain = npy(&dictionary("<f4", false, "(4, 8)"), &[1; 128]);
    let fortran = npy(&dictionary(">c8", true, "(2, 3, 4)"), &[2; 192]);
    let bools = npy(&dictionary("|b1", true, "(3, 5)"), &[1; 15]);
    let npys = [
        ("plain", plain),
        ("fortran", fortran.clone()),
        ("bools", bools),
    ];
    let npys = npys.map(|(name, bytes)| (name, "x.npy", "", Kind::Npy, bytes));
    let npzs = [
        ("stored", npz(CompressionMethod::Stored, &fortran)),
        ("deflated", npz(CompressionMethod::Deflated, &fortran)),
    ];
    let npzs = npzs.map(|(name, bytes)| (name, "x.npz", ":m", Kind::Npz, bytes));
    let pngs = [
        ("gray", png(ColorType::Grayscale, BitDepth::Four, 24, 1)),
        ("rgba16", png(ColorType::Rgba, BitDepth::Sixteen, 24, 1)),
        ("wide", png(ColorType::Rgba, BitDepth::Sixteen, 16_384, 1)),
        ("palette", png(ColorType::Indexed, BitDepth::Four, 24, 1)),
        ("animation", png(ColorType::Rgb, BitDepth::Eight, 24, 3)),
    ];
    let pngs = pngs.map(|(name, bytes)| (name, "x.png", "", Kind::Png, bytes));
    let all = npys.into_iter().chain(npzs).chain(pngs);
    all.map(|(name, file, member, kind, bytes)| Seed {
        name,
        file,
        member,
        kind,
        bytes,
    })
    .collect()
}
