//! `wasi:random`: the stream of the capability `random` where that is granted; else one of the request's seed, or of none,
//! which anybody can compute: enough for hash maps, and for nothing that must not be guessed.

use crate::guest::Guest;
use crate::guest::imports::Store;
use crate::guest::random::RANDOM_BYTES;
use crate::stop::Stop;
use bytes::Bytes;
use hotcell_model::grant::Capability;
use wasmtime::Result;
use wasmtime::component::LinkerInstance;

pub(super) fn random(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-random-bytes", bytes)?;
    interface.func_wrap("get-random-u64", number)
}

pub(super) fn insecure(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-insecure-random-bytes", bytes)?;
    interface.func_wrap("get-insecure-random-u64", number)
}

pub(super) fn insecure_seed(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("insecure-seed", |mut store: Store<'_>, (): ()| {
        let guest = store.data_mut();
        guest.charge_wasi_call()?;
        Ok(((guest.wasi_number()?, guest.wasi_number()?),))
    })
}

fn bytes(mut store: Store<'_>, (len,): (u64,)) -> Result<(Bytes,)> {
    let guest = store.data_mut();
    guest.charge_wasi_call()?;
    if len > RANDOM_BYTES.into() {
        let misuse = format!(
            "the kernel asked for {len} random bytes at once, at most {RANDOM_BYTES} are allowed"
        );
        return Err(Stop::Misuse(misuse).into());
    }
    let mut buffer = vec![0; usize::try_from(len)?];
    guest.wasi_random(&mut buffer)?;
    Ok((Bytes::from(buffer),))
}

fn number(mut store: Store<'_>, (): ()) -> Result<(u64,)> {
    let guest = store.data_mut();
    guest.charge_wasi_call()?;
    Ok((guest.wasi_number()?,))
}

impl Guest {
    fn wasi_number(&mut self) -> Result<u64, Stop> {
        let mut bytes = [0; 8];
        self.wasi_random(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn wasi_random(&mut self, buffer: &mut [u8]) -> Result<(), Stop> {
        self.charge_bytes_in(buffer.len() as u64)?;
        match self.grants.has(Capability::Random) {
            true => self.capabilities.random.fill(buffer),
            false => {
                let (source, chunk) = (self.capabilities.seeded, self.chunk);
                let seeded = &mut self.capabilities.wasi.seeded;
                seeded
                    .get_or_insert_with(|| source.stream(chunk))
                    .fill(buffer);
            }
        }
        Ok(())
    }
}
