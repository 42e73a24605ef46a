//! FIPS 180-4 as it is written: the whole message padded, the whole schedule expanded, and the
//! constants derived from primes (sections 4.2.2 and 5.3.3) instead of listed.

/// The digest of a message.
pub(crate) fn sha256(message: &[u8]) -> [u8; 32] {
    let mut hash: [u32; 8] = std::array::from_fn(|i| root_fraction(prime(i), 2));
    let k: [u32; 64] = std::array::from_fn(|i| root_fraction(prime(i), 3));
    for block in padded(message).chunks_exact(64) {
        fold(&mut hash, block, &k);
    }
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(hash) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// Messages and digests from NIST's *Examples with Intermediate Values* and the long test of
/// FIPS 180-2, appendix B.3.
pub(crate) fn nist_vectors() -> [(Vec<u8>, &'static str); 4] {
    let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    [
        (
            vec![],
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            b"abc".to_vec(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            two_blocks.to_vec(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            vec![b'a'; 1_000_000],
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
        ),
    ]
}

fn padded(message: &[u8]) -> Vec<u8> {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    padded
}

fn fold(hash: &mut [u32; 8], block: &[u8], k: &[u32; 64]) {
    let mut w: Vec<u32> = Vec::with_capacity(64);
    w.extend(
        block
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| u32::from_be_bytes(*bytes)),
    );
    for t in 16..64 {
        let (x, y) = (w[t - 15], w[t - 2]);
        let s0 = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
        let s1 = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
        w.push(
            [s1, w[t - 7], s0, w[t - 16]]
                .into_iter()
                .fold(0, u32::wrapping_add),
        );
    }
    let mut v = *hash;
    for t in 0..64 {
        let [a, b, c, _, e, f, g, h] = v;
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let t1 = [h, s1, choice, k[t], w[t]]
            .into_iter()
            .fold(0, u32::wrapping_add);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        v.rotate_right(1);
        v[4] = v[4].wrapping_add(t1);
        v[0] = t1.wrapping_add(s0).wrapping_add(majority);
    }
    for (word, added) in hash.iter_mut().zip(v) {
        *word = word.wrapping_add(added);
    }
}

/// Prime number `i`, counted from 0.
fn prime(i: usize) -> u128 {
    let is_prime = |n: &u128| (2..*n).all(|d| !n.is_multiple_of(d));
    (2..).filter(is_prime).nth(i).expect("primes do not end")
}

/// The first 32 bits of the fractional part of a square (2) or cube (3) root.
fn root_fraction(n: u128, degree: u32) -> u32 {
    let scaled = n << (32 * degree);
    let (mut low, mut high) = (0_u128, 1 << 40);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if middle.pow(degree) <= scaled {
            low = middle
        } else {
            high = middle
        }
    }
    u32::try_from(low & 0xffff_ffff).expect("masked to 32 bits")
}
