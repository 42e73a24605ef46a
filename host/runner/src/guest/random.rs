//! The capability `random`: a stream of bytes for each chunk, of the request's seed or of a secret of this process.

use super::Guest;
use super::imports::Store;
use crate::stop::Stop;
use bytes::Bytes;
use hotcell_model::grant::Capability;
use wasmtime::Result;
use wasmtime::component::LinkerInstance;

/// The most random bytes in one call.
pub(super) const RANDOM_BYTES: u32 = 1 << 20;

pub(super) fn link(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("bytes", |mut store: Store<'_>, (len,): (u32,)| {
        let guest = store.data_mut();
        guest.charge_granted_call(Capability::Random)?;
        if len > RANDOM_BYTES {
            let misuse = format!("the kernel asked for {len} random bytes at once, at most {RANDOM_BYTES} are allowed");
            return Err(Stop::Misuse(misuse).into());
        }
        guest.charge_bytes_in(len.into())?;
        let mut buffer = vec![0; len as usize];
        guest.capabilities.random.fill(&mut buffer);
        Ok((Bytes::from(buffer),))
    })
}

/// Where the random bytes of instances come from: the request's seed, or a secret of this process.
#[derive(Clone, Copy)]
pub(crate) enum RandomSource {
    /// The streams are a function of the seed and the chunk.
    Seeded(u64),
    /// The streams are a function of a secret, the launch and the chunk. The secret is drawn once, since a
    /// confined runner cannot ask the operating system for more.
    Secret { secret: [u8; 32], launch: u64 },
}

/// Where the bytes of a guest come from that has no random ones: anybody can compute them.
#[derive(Clone, Copy)]
pub(crate) struct SeededSource(u64);

impl RandomSource {
    /// What stands in its place for guests without the capability.
    pub(crate) fn without_secret(self) -> SeededSource {
        match self {
            Self::Seeded(seed) => SeededSource(seed),
            Self::Secret { .. } => SeededSource(0),
        }
    }
}

impl SeededSource {
    /// The stream of a chunk, apart from that of the capability.
    pub(crate) fn stream(self, chunk: usize) -> Random {
        let mut hasher = blake3::Hasher::new_derive_key("hotcell 2026 guest stream without random");
        hasher.update(&self.0.to_le_bytes());
        hasher.update(&(chunk as u64).to_le_bytes());
        Random(Box::new(hasher.finalize_xof()))
    }
}

/// An instance's random bytes: BLAKE3 in its extendable-output mode.
pub(crate) struct Random(Box<blake3::OutputReader>);

impl Random {
    /// The stream of a chunk.
    pub(crate) fn new(source: RandomSource, chunk: usize) -> Self {
        let mut hasher = match source {
            RandomSource::Seeded(seed) => {
                let mut hasher = blake3::Hasher::new_derive_key("hotcell 2026 guest random stream");
                hasher.update(&seed.to_le_bytes());
                hasher
            }
            RandomSource::Secret { secret, launch } => {
                let mut hasher = blake3::Hasher::new_keyed(&secret);
                hasher.update(&launch.to_le_bytes());
                hasher
            }
        };
        hasher.update(&(chunk as u64).to_le_bytes());
        Self(Box::new(hasher.finalize_xof()))
    }

    /// Fills `buffer`.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }
}

/// A fresh secret of the operating system's.
///
/// # Errors
/// It gives no random bytes.
pub(crate) fn draw_secret() -> std::io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    let mut rest = &mut secret[..];
    while !rest.is_empty() {
        let flags = rustix::rand::GetRandomFlags::empty();
        let filled = rustix::rand::getrandom(&mut *rest, flags)?;
        rest = &mut rest[filled..];
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(source: RandomSource, chunk: usize) -> [u8; 32] {
        let mut buffer = [0; 32];
        Random::new(source, chunk).fill(&mut buffer);
        buffer
    }

    #[test]
    fn seeded_streams_depend_on_seed_and_chunk_alone() {
        let seeded = RandomSource::Seeded;
        assert_eq!(bytes(seeded(1), 0), bytes(seeded(1), 0));
        assert_ne!(bytes(seeded(1), 0), bytes(seeded(1), 1));
        assert_ne!(bytes(seeded(1), 0), bytes(seeded(2), 0));
    }

    #[test]
    fn who_has_no_random_bytes_gets_others_than_who_has() {
        let stream = |source: RandomSource, chunk| {
            let mut buffer = [0; 32];
            source.without_secret().stream(chunk).fill(&mut buffer);
            buffer
        };
        let secret = RandomSource::Secret {
            secret: draw_secret().unwrap(),
            launch: 3,
        };
        let seeded = RandomSource::Seeded;
        assert_eq!(stream(secret, 0), stream(seeded(0), 0));
        assert_ne!(stream(seeded(1), 0), stream(seeded(0), 0));
        assert_ne!(stream(seeded(1), 0), stream(seeded(1), 1));
        assert_ne!(stream(seeded(1), 0), bytes(seeded(1), 0));
    }

    #[test]
    fn streams_without_a_seed_differ_by_process_launch_and_chunk() {
        let secret = draw_secret().unwrap();
        let source = |secret, launch| RandomSource::Secret { secret, launch };
        let first = bytes(source(secret, 0), 0);
        assert_ne!(first, bytes(source(secret, 1), 0));
        assert_ne!(first, bytes(source(secret, 0), 1));
        assert_ne!(first, bytes(source(draw_secret().unwrap(), 0), 0));
    }
}
