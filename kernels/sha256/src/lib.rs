//! The SHA-256 digest of a stream of bytes (NIST, FIPS 180-4, sections 4.1.2, 5 and 6.2).
//!
//! The input is read in blocks of `STREAM_BYTES`, so it may be larger than the guest's memory.

#[cfg(test)]
mod reference;

mod compression;

use compression::{INITIAL, compress};
use hotcell_guest::prelude::*;

hotcell_guest::export!(sha256);

/// Bytes read from the host at once: a multiple of the 64 that are compressed at once.
const STREAM_BYTES: usize = 256 * 1024;

/// Computes the 32-byte digest of `data`.
#[kernel(sig = "(n)->(32)", cost = "34*n + 2200")]
pub fn sha256(data: Chunks<u8>, digest: &mut [u8]) {
    let mut state = INITIAL;
    let mut tail = Vec::new();
    for block in data.blocks(STREAM_BYTES) {
        let (whole, rest) = block.as_chunks::<64>();
        whole
            .iter()
            .for_each(|message| compress(&mut state, message));
        // Only the last block can have a rest, since the others are multiples of 64 bytes.
        tail = rest.to_vec();
    }
    pad(&mut tail, data.len() as u64);
    tail.as_chunks::<64>()
        .0
        .iter()
        .for_each(|message| compress(&mut state, message));
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
}

/// Ends the message: a one bit, zeros, and its length in bits, up to a multiple of 64 bytes.
fn pad(tail: &mut Vec<u8>, message_bytes: u64) {
    tail.push(0x80);
    tail.resize((tail.len() + 8).next_multiple_of(64) - 8, 0);
    tail.extend_from_slice(&message_bytes.wrapping_mul(8).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_values::Case;

    fn digest(message: &[u8]) -> String {
        let mut bytes = [0; 32];
        sha256(Chunks::from_slice(message), &mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn gives_the_digests_that_nist_published() {
        for (message, want) in reference::nist_vectors() {
            assert_eq!(digest(&message), want, "{} bytes", message.len());
        }
    }

    #[test]
    fn agrees_with_hashlib() {
        let case = Case::of(include_str!("../expected/hashlib.json"));
        let mut bytes = [0; 32];
        sha256(Chunks::from_slice(&case.input::<u8>("data")), &mut bytes);
        assert_eq!(bytes[..], case.output::<u8>("digest"));
    }

    #[test]
    fn agrees_with_the_reference_around_every_block_boundary() {
        let edges = [0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 127, 128, 129];
        let streamed = [
            STREAM_BYTES - 1,
            STREAM_BYTES,
            STREAM_BYTES + 1,
            2 * STREAM_BYTES + 77,
            16 << 20,
        ];
        for len in edges.into_iter().chain(streamed) {
            let message: Vec<u8> = (0..=250).cycle().take(len).collect();
            let want = reference::sha256(&message)
                .map(|byte| format!("{byte:02x}"))
                .concat();
            assert_eq!(digest(&message), want, "{len} bytes");
        }
    }
}
