//! Mutations: of a format's own fields, with lengths and checksums made right again, and of any bytes.

use crate::seeds::{Kind, Seed, dictionary, npy, npz};
use flate2::Crc;
use zip::CompressionMethod;

/// Marsaglia's xorshift64.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Values at the edges of what a length or count can be.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x100,
    0x1000,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_fffe,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

const GOOD_DESCRS: &[&str] = &["<f4", ">f8", "|b1", "|u1", "<V2", ">c16", "<i2"];

const BAD_DESCRS: &[&str] = &[
    "|O",
    "<U9",
    "|V0",
    "<M8[ns]",
    "f",
    "<",
    "",
    "<f99999999999",
    "\\x00",
];

const SHAPES: &[&str] = &[
    "()",
    "(3,)",
    "(2, 3, 4)",
    "(0, 9223372036854775807)",
    "(4294967296, 4294967296)",
    "(1048576, 1048576)",
    "(262144,)",
    "(512, 2, 512)",
    "(-1,)",
    "(99999999999999999999999,)",
    "((((((((",
    "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)",
    "[3]",
    "(3",
];

/// One input: a few mutations of a seed.
pub(crate) fn mutate(rng: &mut Rng, seed: &Seed) -> Vec<u8> {
    let mut bytes = match (seed.kind, rng.below(3)) {
        (Kind::Npy, 0) => generated_npy(rng),
        (Kind::Npz, 0) => {
            let method = [CompressionMethod::Stored, CompressionMethod::Deflated];
            npz(*rng.pick(&method), &generated_npy(rng))
        }
        _ => seed.bytes.clone(),
    };
    for _ in 0..rng.below(4) {
        match (seed.kind, rng.below(2)) {
            (Kind::Png, 0) => mutate_chunk(rng, &mut bytes),
            (Kind::Npz, 0) => mutate_record(rng, &mut bytes),
            _ => mutate_bytes(rng, &mut bytes),
        }
    }
    bytes
}

/// A `.npy` of any of the listed dtypes and shapes, now and then with as much data as the limit allows.
fn generated_npy(rng: &mut Rng) -> Vec<u8> {
    let descrs = if rng.below(4) == 0 {
        BAD_DESCRS
    } else {
        GOOD_DESCRS
    };
    let (descr, shape): (&&str, &&str) = (rng.pick(descrs), rng.pick(SHAPES));
    let text = dictionary(descr, rng.below(2) == 0, shape);
    let len = match rng.below(200) {
        0 => 1 << 20,
        _ => *rng.pick(&[0, 15, 24, 4096]),
    };
    npy(&text, &vec![rng.byte() & 1; len])
}

/// Changes, removes, doubles or invents one chunk of a PNG; its checksum is right afterwards.
fn mutate_chunk(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let chunks = chunks_of(bytes);
    if chunks.is_empty() {
        return;
    }
    let (start, end) = *rng.pick(&chunks);
    match rng.below(6) {
        0 => drop(bytes.drain(start..end)),
        1 => {
            let copy = bytes[start..end].to_vec();
            let (to, _) = *rng.pick(&chunks);
            bytes.splice(to..to, copy);
        }
        2 => {
            let names = [
                b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"iCCP", b"zTXt",
            ];
            let mut chunk = (*rng.pick(&names)).to_vec();
            chunk.extend((0..rng.below(64)).map(|_| rng.byte()));
            let len = u32::try_from(chunk.len() - 4).expect("short").to_be_bytes();
            bytes.splice(start..start, [len.to_vec(), chunk, vec![0; 4]].concat());
            fix_checksum(bytes, start);
        }
        _ if end - start > 12 => {
            let at = start + 8 + rng.below(end - start - 12);
            if rng.below(2) == 0 {
                bytes[at] = rng.byte();
            } else {
                let edge = rng.pick(&EDGES).to_be_bytes();
                let len = 4.min(end - 4 - at);
                bytes[at..at + len].copy_from_slice(&edge[8 - len..]);
            }
            fix_checksum(bytes, start);
        }
        _ => {}
    }
}

/// Where each chunk of a PNG starts and ends, as far as lengths can be followed.
fn chunks_of(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut chunks, mut start) = (Vec::new(), 8);
    while let Some(len) = bytes.get(start..).and_then(|rest| rest.first_chunk()) {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        let end = start.saturating_add(12).saturating_add(len);
        if end > bytes.len() {
            break;
        }
        chunks.push((start, end));
        start = end;
    }
    chunks
}

/// Makes the checksum of the chunk at `start` right.
fn fix_checksum(bytes: &mut [u8], start: usize) {
    let found = chunks_of(bytes).into_iter().find(|chunk| chunk.0 == start);
    if let Some((_, end)) = found {
        let mut crc = Crc::new();
        crc.update(&bytes[start + 4..end - 4]);
        bytes[end - 4..end].copy_from_slice(&crc.sum().to_be_bytes());
    }
}

/// Overwrites a field near one of a zip file's signatures.
fn mutate_record(rng: &mut Rng, bytes: &mut [u8]) {
    let pairs = bytes.windows(2).enumerate();
    let starts: Vec<_> = pairs
        .filter(|(_, pair)| pair == b"PK")
        .map(|(at, _)| at)
        .collect();
    if starts.is_empty() {
        return;
    }
    let at = rng.pick(&starts) + 4 + rng.below(48);
    let edge = rng.pick(&EDGES).to_le_bytes();
    let len = *rng.pick(&[1, 2, 4, 8]);
    if let Some(field) = bytes.get_mut(at..at + len) {
        field.copy_from_slice(&edge[..len]);
    }
}

/// Changes that know nothing of the format.
fn mutate_bytes(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.below(bytes.len());
    match rng.below(6) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = rng.byte(),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, rng.byte()),
        4 => {
            let end = (at + rng.below(64)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            let to = rng.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        _ => {
            let edge = rng.pick(&EDGES).to_le_bytes();
            let len = 8.min(bytes.len() - at);
            bytes[at..at + len].copy_from_slice(&edge[..len]);
        }
    }
}
