//! Bytes between a guest's memory and a buffer.

use super::fault::GpuCallFailure;
use super::handles::Buffer;
use super::pieces::{len_of, pieces};
use crate::arrays::{Charged, as_index};
use crate::guest::Guest;
use crate::guest::imports::Store;
use bytes::Bytes;
use hotcell_model::gpu::{GpuCommand, Payload};
use wasmtime::component::{Resource, WasmList};

/// Writes bytes of the guest into a buffer. One copy on this side, which the buffer's own size bounds.
pub(super) fn write(
    store: &mut Store<'_>,
    buffer: &Resource<Buffer>,
    offset: u64,
    data: &WasmList<u8>,
) -> Result<(), GpuCallFailure> {
    let guest = store.data_mut();
    let len = data.len() as u64;
    let target = guest.handles.get(buffer)?;
    target.check_words(offset, len)?;
    let buffer = target.held.id();
    guest.charge_bytes_out(len)?;
    let line = guest.capabilities.gpu.line()?;
    for piece in pieces(len, line.link().piece_bytes()) {
        let range = as_index(piece.start)..as_index(piece.end);
        let bytes = Bytes::copy_from_slice(&data.as_le_slice(&*store)[range]);
        line.done(GpuCommand::WriteBuffer {
            buffer,
            offset_bytes: offset + piece.start,
            data: Payload(bytes),
        })?;
    }
    Ok(())
}

/// Reads a range of a buffer. Where it comes in pieces, the buffer that they are put together in is charged to the
/// launch's memory until the guest has its copy.
pub(super) fn read(
    guest: &mut Guest,
    buffer: &Resource<Buffer>,
    offset: u64,
    len: u32,
) -> Result<Bytes, GpuCallFailure> {
    let source = guest.handles.get(buffer)?;
    source.check_words(offset, len.into())?;
    let buffer = source.held.id();
    guest.check_can_hold(len)?;
    guest.charge_bytes_in(len.into())?;
    let line = guest.capabilities.gpu.line()?;
    let mut cut = pieces(len.into(), line.link().piece_bytes()).peekable();
    match cut.peek() {
        None => return Ok(Bytes::new()),
        Some(first) if len_of(first) == len => return line.read(buffer, offset, len.into()),
        Some(_) => {}
    }
    let mut whole = Charged::zeroed(len, guest.meter.memory.held(), &guest.meter)?;
    for piece in cut {
        let bytes = line.read(buffer, offset + piece.start, piece.end - piece.start)?;
        let range = as_index(piece.start)..as_index(piece.end);
        whole.as_mut()[range].copy_from_slice(&bytes);
    }
    Ok(whole.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, Setup};
    use super::*;
    use crate::stop::Stop;
    use hotcell_model::gpu::GpuError;
    use hotcell_model::job::Source;
    use hotcell_model::limit::{Limit, LimitSource, Limits};

    const BYTES: &[u8] = b"0123456789abcdef";

    /// A guest whose one buffer holds `BYTES`.
    fn setup(piece_bytes: usize, limits: Limits) -> (Setup, Resource<Buffer>) {
        let source = Source::Memory(Bytes::new());
        let mut setup = Setup::new(Fake::new(piece_bytes), limits, source, 0);
        let line = setup.guest.capabilities.gpu.line().unwrap();
        let size_bytes = BYTES.len() as u64;
        let held = line.created(GpuCommand::CreateBuffer { size_bytes });
        let held = held.unwrap();
        setup.fake.load(held.id(), BYTES);
        let buffer = setup.guest.handles.push(Buffer { held, size_bytes });
        (setup, buffer.unwrap())
    }

    fn limits() -> Limits {
        Limits::defaults(Default::default())
    }

    #[test]
    fn a_range_is_read_whole_or_in_pieces() {
        for piece_bytes in [usize::MAX, 16, 8, 4] {
            let (mut setup, buffer) = setup(piece_bytes, limits());
            let bytes = read(&mut setup.guest, &buffer, 4, 12).unwrap();
            assert_eq!(bytes, BYTES[4..]);
            assert!(read(&mut setup.guest, &buffer, 16, 0).unwrap().is_empty());
            assert_eq!(setup.guest.meter.totals().bytes_in, 12);
            drop(bytes);
            assert_eq!(setup.guest.meter.memory.held(), 0);
        }
    }

    #[test]
    fn ranges_that_leave_the_buffer_or_its_words_are_refused() {
        let (mut setup, buffer) = setup(8, limits());
        for (offset, len) in [(0, 20), (16, 4), (u64::MAX - 3, 4)] {
            let refused = read(&mut setup.guest, &buffer, offset, len).unwrap_err();
            let is_range = matches!(
                refused,
                GpuCallFailure::Refused(GpuError::OutOfRange { .. })
            );
            assert!(is_range, "{refused:?}");
        }
        for (offset, len) in [(1, 4), (0, 3)] {
            let refused = read(&mut setup.guest, &buffer, offset, len).unwrap_err();
            let is_misuse = matches!(refused, GpuCallFailure::Refused(GpuError::Misuse(_)));
            assert!(is_misuse, "{refused:?}");
        }
    }

    #[test]
    fn the_last_word_of_a_buffer_may_be_one_in_part() {
        for piece_bytes in [usize::MAX, 8, 4] {
            let (mut setup, buffer) = setup(piece_bytes, limits());
            setup.guest.handles.get_mut(&buffer).unwrap().size_bytes = 15;
            assert_eq!(
                read(&mut setup.guest, &buffer, 4, 11).unwrap(),
                BYTES[4..15]
            );
            for (offset, len) in [(4, 10), (8, 5)] {
                let refused = read(&mut setup.guest, &buffer, offset, len).unwrap_err();
                let is_misuse = matches!(refused, GpuCallFailure::Refused(GpuError::Misuse(_)));
                assert!(is_misuse, "{refused:?}");
            }
            let refused = read(&mut setup.guest, &buffer, 4, 12).unwrap_err();
            let is_range = matches!(
                refused,
                GpuCallFailure::Refused(GpuError::OutOfRange { .. })
            );
            assert!(is_range, "{refused:?}");
        }
    }

    #[test]
    fn more_than_the_guest_may_hold_is_not_read() {
        let mut limits = limits();
        limits
            .try_set(Limit::Memory, 8, LimitSource::Request)
            .unwrap();
        let (mut setup, buffer) = setup(usize::MAX, limits);
        setup.fake.heard();
        let stopped = read(&mut setup.guest, &buffer, 0, 12).unwrap_err();
        assert!(matches!(stopped, GpuCallFailure::Stopped(Stop::Limit(_))));
        assert_eq!(setup.fake.heard(), []);
    }
}
