//! A launch's shared arrays, mapped: what the session copies from and into. The texts of its shaders come in the same way.

use bytes::Bytes;
use hotcell_model::gpu::{LEDGER_BYTES, NamedShader};
use hotcell_sandbox::memory::{OutputMemory, SealedMemory};
use std::io;
use std::os::fd::OwnedFd;

/// As a session takes them.
pub(crate) type Inputs = Vec<Option<Box<dyn AsRef<[u8]> + Send + Sync>>>;
/// As a session takes them.
pub(crate) type Outputs = Vec<Option<Box<dyn AsMut<[u8]> + Send>>>;

/// Maps what the supervisor handed over, after a look at its size and seals: in the places where a size is said,
/// and in that order.
///
/// # Errors
/// There are more or fewer descriptors than sizes, one is no such memory, or there are no addresses left.
pub(crate) fn map(
    inputs: &[Option<u64>],
    outputs: &[Option<u64>],
    descriptors: Vec<OwnedFd>,
) -> io::Result<(Inputs, Outputs)> {
    let shared = inputs.iter().chain(outputs).flatten().count();
    if descriptors.len() != shared {
        let message = format!("{} descriptors for {shared} arrays", descriptors.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut descriptors = descriptors.into_iter();
    let inputs = taken(inputs, &mut descriptors);
    let outputs = taken(outputs, &mut descriptors);
    Ok((
        inputs.into_iter().map(input).collect::<io::Result<_>>()?,
        outputs.into_iter().map(output).collect::<io::Result<_>>()?,
    ))
}

/// Maps where a session is to write what it has used so far.
///
/// # Errors
/// It is no such memory, or there are no addresses left.
pub(crate) fn ledger(file: OwnedFd) -> io::Result<Box<dyn AsMut<[u8]> + Send>> {
    let memory = OutputMemory::adopt(file, LEDGER_BYTES as u64)?;
    Ok(Box::new(memory.map()?))
}

/// Maps the texts of the component's shaders, which are in the first of these descriptors, if there are any.
///
/// # Errors
/// It is not there or no such memory, or there are no addresses left.
pub(crate) fn shaders(
    sizes: &[(String, u64)],
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<Vec<NamedShader>> {
    if sizes.is_empty() {
        return Ok(Vec::new());
    }
    if descriptors.is_empty() {
        let message = "shaders without their texts";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let total = sizes
        .iter()
        .fold(0, |total: u64, (_, size)| total.saturating_add(*size));
    let memory = SealedMemory::adopt(descriptors.remove(0), total)?;
    let mut texts = Bytes::from_owner(memory.map()?);
    let shader = |(name, size): &(String, u64)| {
        let size = usize::try_from(*size).map_err(io::Error::other)?;
        Ok(NamedShader {
            name: name.clone(),
            text: texts.split_to(size),
        })
    };
    sizes.iter().map(shader).collect()
}

/// Memory, and what its size is said to be.
type ArrayPlace = Option<(u64, OwnedFd)>;

fn taken(
    sizes: &[Option<u64>],
    descriptors: &mut impl Iterator<Item = OwnedFd>,
) -> Vec<ArrayPlace> {
    let take = |size: &Option<u64>| Some(((*size)?, descriptors.next()?));
    sizes.iter().map(take).collect()
}

fn input(place: ArrayPlace) -> io::Result<Option<Box<dyn AsRef<[u8]> + Send + Sync>>> {
    let Some((size, file)) = place else {
        return Ok(None);
    };
    Ok(Some(Box::new(SealedMemory::adopt(file, size)?.map()?)))
}

fn output(place: ArrayPlace) -> io::Result<Option<Box<dyn AsMut<[u8]> + Send>>> {
    let Some((size, file)) = place else {
        return Ok(None);
    };
    Ok(Some(Box::new(OutputMemory::adopt(file, size)?.map()?)))
}
