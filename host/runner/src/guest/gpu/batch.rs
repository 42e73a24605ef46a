//! A guest's batch: checked and charged as a whole, then sent as steps.
//!
//! What the runner can see is refused before the session hears of anything, so that a batch is done as a whole or
//! not at all. The ranges of what a session does not share are translated here: bytes of an input become writes
//! of pieces, each read when it is sent; results become reads.

use super::fault::GpuCallFailure;
use super::handles::{Buffer, Submission, check_within};
use super::landing::{Landing, Landings};
use super::line::{Line, out_of_turn};
use super::pieces::{Recorder, len_of, pieces};
use super::types::{BufferCopy, Clear, Command, Dispatch, Fill, ReadArray};
use crate::arrays;
use crate::guest::Guest;
use hotcell_model::gpu::{GpuCommand, GpuId, GpuStep};
use hotcell_model::job::Source;
use std::sync::Arc;
use wasmtime::component::{Resource, ResourceTable};

/// The most commands in one batch: what the runner keeps of it stays below some 10 MiB.
pub(super) const MAX_COMMANDS: usize = 65_536;
/// The most that is read of a file at once, on its way to a buffer.
const FILE_PIECE_BYTES: usize = 1 << 20;

/// Queues a batch.
pub(super) fn submit(
    guest: &mut Guest,
    commands: Vec<Command>,
) -> Result<Submission, GpuCallFailure> {
    let line = guest.capabilities.gpu.line()?;
    let (steps, landings) = Batch::new(guest, &line, commands)?.record(guest, &line)?;
    let wait = false;
    Ok(Submission {
        held: line.created(GpuCommand::Submit { steps, wait })?,
        landings: Some(landings),
    })
}

/// Queues a batch and waits for its end.
pub(super) fn run(guest: &mut Guest, commands: Vec<Command>) -> Result<(), GpuCallFailure> {
    let line = guest.capabilities.gpu.line()?;
    let (steps, landings) = Batch::new(guest, &line, commands)?.record(guest, &line)?;
    let wait = true;
    let payloads = line.waited(GpuCommand::Submit { steps, wait })?;
    landings.land(guest, &line, payloads)
}

/// Waits for a batch; a second time there is nothing to wait for.
pub(super) fn wait(
    guest: &mut Guest,
    submission: &Resource<Submission>,
) -> Result<(), GpuCallFailure> {
    let line = guest.capabilities.gpu.line()?;
    let id = match guest.handles.get(submission)? {
        Submission {
            held,
            landings: Some(_),
        } => held.id(),
        _ => return Ok(()),
    };
    let payloads = line.waited(GpuCommand::Wait(id))?;
    let landings = guest.handles.get_mut(submission)?.landings.take();
    landings.unwrap_or_default().land(guest, &line, payloads)
}

/// A checked batch.
#[derive(Default)]
struct Batch {
    work: Vec<BatchStep>,
    landings: Landings,
    bytes_in: u64,
    bytes_out: u64,
}

/// A command of it.
enum BatchStep {
    Step(GpuStep),
    Fill(Filling),
    /// The next of the landings.
    Read,
}

/// Bytes of an input that the session does not share.
struct Filling {
    source: Source,
    source_offset_bytes: u64,
    len_bytes: u64,
    buffer: GpuId,
    offset_bytes: u64,
}

impl Batch {
    /// Checks the commands and charges what they move.
    fn new(guest: &mut Guest, line: &Line, commands: Vec<Command>) -> Result<Self, GpuCallFailure> {
        let mut batch = Self {
            work: Vec::with_capacity(commands.len()),
            ..Self::default()
        };
        for command in commands {
            match command {
                Command::Dispatch(dispatch) => batch.dispatch(&guest.handles, &dispatch)?,
                Command::Copy(copy) => batch.copy(&guest.handles, &copy)?,
                Command::Clear(clear) => batch.clear(&guest.handles, &clear)?,
                Command::Fill(fill) => batch.fill(&guest.handles, line, &fill)?,
                Command::ReadArray(read) => batch.read_array(guest, line, &read)?,
            }
        }
        guest.charge_bytes_in(batch.bytes_in)?;
        guest.charge_bytes_out(batch.bytes_out)?;
        Ok(batch)
    }

    fn step(&mut self, step: GpuStep) {
        self.work.push(BatchStep::Step(step));
    }

    fn dispatch(
        &mut self,
        handles: &ResourceTable,
        dispatch: &Dispatch,
    ) -> Result<(), GpuCallFailure> {
        self.step(GpuStep::Dispatch {
            bind_set: handles.get(&dispatch.bind_set)?.0.id(),
            workgroups: [dispatch.x, dispatch.y, dispatch.z],
        });
        Ok(())
    }

    fn copy(&mut self, handles: &ResourceTable, copy: &BufferCopy) -> Result<(), GpuCallFailure> {
        self.step(GpuStep::Copy {
            source: handles.get(&copy.source)?.held.id(),
            source_offset_bytes: copy.source_offset_bytes,
            destination: handles.get(&copy.destination)?.held.id(),
            destination_offset_bytes: copy.destination_offset_bytes,
            len_bytes: copy.len_bytes,
        });
        Ok(())
    }

    fn clear(&mut self, handles: &ResourceTable, clear: &Clear) -> Result<(), GpuCallFailure> {
        self.step(GpuStep::Clear {
            buffer: handles.get(&clear.buffer)?.held.id(),
            offset_bytes: clear.offset_bytes,
            len_bytes: clear.len_bytes,
        });
        Ok(())
    }

    fn fill(
        &mut self,
        handles: &ResourceTable,
        line: &Line,
        fill: &Fill,
    ) -> Result<(), GpuCallFailure> {
        let input = handles.get(&fill.source)?;
        let buffer: &Buffer = handles.get(&fill.destination)?;
        let (offset_bytes, len_bytes) = (fill.destination_offset_bytes, fill.len_bytes);
        check_within(
            fill.source_offset_bytes,
            len_bytes,
            input.source.len_bytes(),
        )?;
        // Filled up to whole words it still fits: a buffer is whole words.
        buffer.check_range(offset_bytes, len_bytes)?;
        self.bytes_in = self.bytes_in.saturating_add(len_bytes);
        self.work.push(if line.link().shares_input(input.position) {
            BatchStep::Step(GpuStep::Fill {
                input: position(input.position)?,
                // The session knows whole arrays, the guest its chunk's part.
                input_offset_bytes: input.start_bytes + fill.source_offset_bytes,
                buffer: buffer.held.id(),
                offset_bytes,
                len_bytes,
            })
        } else {
            BatchStep::Fill(Filling {
                source: input.source.clone(),
                source_offset_bytes: fill.source_offset_bytes,
                len_bytes,
                buffer: buffer.held.id(),
                offset_bytes,
            })
        });
        Ok(())
    }

    fn read_array(
        &mut self,
        guest: &Guest,
        line: &Line,
        read: &ReadArray,
    ) -> Result<(), GpuCallFailure> {
        let output = *guest.handles.get(&read.destination)?;
        let buffer = guest.handles.get(&read.source)?;
        let (start_bytes, len_bytes) = (read.destination_offset_bytes, read.len_bytes);
        let array = guest.outputs.get(output.position);
        let size_bytes = array.map_or(0, |array| array.len() as u64);
        check_within(start_bytes, len_bytes, size_bytes)?;
        buffer.check_range(read.source_offset_bytes, len_bytes)?;
        self.bytes_out = self.bytes_out.saturating_add(len_bytes);
        self.landings.note_array();
        let (buffer, offset_bytes) = (buffer.held.id(), read.source_offset_bytes);
        if line.link().shares_output(output.position) {
            self.step(GpuStep::ReadArray {
                output: position(output.position)?,
                output_offset_bytes: output.start_bytes + start_bytes,
                buffer,
                offset_bytes,
                len_bytes,
            });
        } else {
            self.work.push(BatchStep::Read);
            self.landings.push(Landing {
                buffer,
                offset_bytes,
                len_bytes,
                position: output.position,
                start_bytes,
            });
        }
        Ok(())
    }

    /// Records the steps; returns those that go with the submission itself, and where its results will go.
    fn record(
        mut self,
        guest: &Guest,
        line: &Arc<Line>,
    ) -> Result<(Vec<GpuStep>, Landings), GpuCallFailure> {
        self.landings.prepare(line)?;
        let mut recorder = Recorder::new(line);
        let mut reads = self.landings.steps();
        for work in self.work {
            match work {
                BatchStep::Step(step) => recorder.push(step)?,
                BatchStep::Fill(filling) => filling.record(guest, line, &mut recorder)?,
                BatchStep::Read => recorder.push(reads.next().ok_or_else(out_of_turn)?)?,
            }
        }
        let steps = recorder.finish();
        drop(reads);
        Ok((steps, self.landings))
    }
}

impl Filling {
    fn record(
        self,
        guest: &Guest,
        line: &Line,
        recorder: &mut Recorder<'_>,
    ) -> Result<(), GpuCallFailure> {
        let most = line.link().piece_bytes();
        let most = match self.source {
            Source::Memory(_) | Source::Sealed { .. } => most,
            Source::File { .. } => most.min(FILE_PIECE_BYTES),
        };
        let meter = &guest.meter;
        for piece in pieces(self.len_bytes, most) {
            let (offset, len) = (self.source_offset_bytes + piece.start, len_of(&piece));
            // Chunks with a GPU run one at a time, so all that is held is this one's, pieces on their way included.
            let held = meter.memory.held();
            let bytes = arrays::read(&self.source, offset, len, held, meter)?;
            recorder.write(self.buffer, self.offset_bytes + piece.start, bytes)?;
        }
        Ok(())
    }
}

/// A position in a job's list, as the session numbers it.
fn position(position: usize) -> Result<u32, GpuCallFailure> {
    u32::try_from(position).map_err(|_| out_of_turn())
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, Setup};
    use super::*;
    use crate::stop::Stop;
    use bytes::Bytes;
    use hotcell_model::gpu::GpuError;
    use hotcell_model::limit::{Limit, LimitSource, Limits};
    use std::io::Write as _;

    /// The whole input; the chunk sees what begins at `START`.
    const WHOLE: &[u8] = b"12345678abcdefghijklmnopqrstuvwxyz";
    const START: usize = 8;

    fn setup(fake: Fake, source: Source) -> Setup {
        Setup::new(fake, limits(), source, START as u64)
    }

    fn limits() -> Limits {
        Limits::defaults(Default::default())
    }

    fn memory() -> Source {
        Source::Memory(Bytes::from_static(&WHOLE[START..]))
    }

    fn file() -> Source {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(WHOLE).unwrap();
        Source::File {
            file: Arc::new(file),
            offset_bytes: START as u64,
            len_bytes: (WHOLE.len() - START) as u64,
        }
    }

    fn borrow<T: 'static>(resource: &Resource<T>) -> Resource<T> {
        Resource::new_borrow(resource.rep())
    }

    fn fill(setup: &Setup, from: u64, to: (&Resource<Buffer>, u64), len_bytes: u64) -> Command {
        Command::Fill(Fill {
            source: borrow(&setup.input),
            source_offset_bytes: from,
            destination: borrow(to.0),
            destination_offset_bytes: to.1,
            len_bytes,
        })
    }

    fn read(setup: &Setup, from: (&Resource<Buffer>, u64), to: u64, len_bytes: u64) -> Command {
        Command::ReadArray(ReadArray {
            source: borrow(from.0),
            source_offset_bytes: from.1,
            destination: borrow(&setup.output),
            destination_offset_bytes: to,
            len_bytes,
        })
    }

    fn clear(buffer: &Resource<Buffer>) -> Command {
        Command::Clear(Clear {
            buffer: borrow(buffer),
            offset_bytes: 0,
            len_bytes: 32,
        })
    }

    fn buffer(setup: &mut Setup) -> Resource<Buffer> {
        let line = setup.guest.capabilities.gpu.line().unwrap();
        let size_bytes = 32;
        let held = line.created(GpuCommand::CreateBuffer { size_bytes });
        let held = held.unwrap();
        let pushed = setup.guest.handles.push(Buffer { held, size_bytes });
        pushed.unwrap()
    }

    /// What the guest's part of the output holds, wherever the session put it.
    fn output(setup: &Setup) -> Vec<u8> {
        match setup.fake.output() {
            Some(whole) => whole[START..].to_vec(),
            None => setup.guest.outputs[0].as_ref().to_vec(),
        }
    }

    #[test]
    fn the_same_bytes_arrive_however_they_travel() {
        let mut expected = vec![0; WHOLE.len() - START];
        expected[5..18].copy_from_slice(b"hijklmnopqrst");
        expected[18..20].copy_from_slice(b"lm");
        let fakes = || {
            [
                Fake::new(usize::MAX),
                Fake::new(16),
                Fake::new(4),
                Fake::sharing(WHOLE),
            ]
        };
        let memory = fakes().map(|fake| setup(fake, memory()));
        let file = fakes().map(|fake| setup(fake, file()));
        for mut setup in memory.into_iter().chain(file) {
            let buffer = buffer(&mut setup);
            let commands = vec![
                fill(&setup, 3, (&buffer, 4), 21),
                read(&setup, (&buffer, 8), 5, 13),
                read(&setup, (&buffer, 8 + 4), 18, 2),
                // Too late to be seen by either.
                clear(&buffer),
            ];
            let submission = submit(&mut setup.guest, commands).unwrap();
            run(&mut setup.guest, vec![clear(&buffer)]).unwrap();
            let submission = setup.guest.handles.push(submission).unwrap();
            wait(&mut setup.guest, &submission).unwrap();
            assert_eq!(output(&setup), expected);
            // There is nothing left to wait for.
            setup.fake.heard();
            wait(&mut setup.guest, &submission).unwrap();
            assert_eq!(setup.fake.heard(), []);
            assert_eq!(setup.guest.meter.totals().bytes_in, 21);
            assert_eq!(setup.guest.meter.totals().bytes_out, 15);
        }
    }

    #[test]
    fn a_batch_with_an_error_is_not_begun() {
        let mut setup = setup(Fake::new(16), memory());
        let buffer = buffer(&mut setup);
        setup.fake.heard();
        let len = (WHOLE.len() - START) as u64;
        let wrong = [
            fill(&setup, len - 3, (&buffer, 0), 4),
            fill(&setup, u64::MAX, (&buffer, 0), 4),
            fill(&setup, 0, (&buffer, 16), 17),
            fill(&setup, 0, (&buffer, 2), 4),
            read(&setup, (&buffer, 0), len - 3, 4),
            read(&setup, (&buffer, 16), 0, 17),
            read(&setup, (&buffer, 1), 0, 4),
        ];
        for command in wrong {
            let commands = vec![fill(&setup, 0, (&buffer, 0), 4), command];
            let refused = run(&mut setup.guest, commands).unwrap_err();
            let is_typed = matches!(
                refused,
                GpuCallFailure::Refused(GpuError::OutOfRange { .. } | GpuError::Misuse(_))
            );
            assert!(is_typed, "{refused:?}");
        }
        assert_eq!(setup.fake.heard(), []);
        assert_eq!(setup.guest.meter.totals().bytes_in, 0);
    }

    #[test]
    fn what_a_batch_moves_is_charged_before_it_moves() {
        for limit in [Limit::BytesIn, Limit::BytesOut] {
            let mut limits = limits();
            limits.try_set(limit, 20, LimitSource::Request).unwrap();
            let mut setup = Setup::new(Fake::new(16), limits, memory(), 0);
            let buffer = buffer(&mut setup);
            setup.fake.heard();
            let half = || match limit {
                Limit::BytesIn => fill(&setup, 0, (&buffer, 0), 12),
                _ => read(&setup, (&buffer, 0), 0, 12),
            };
            let commands = vec![half(), half()];
            let stopped = run(&mut setup.guest, commands).unwrap_err();
            assert!(
                matches!(&stopped, GpuCallFailure::Stopped(Stop::Limit(breach)) if breach.limit == limit),
                "{stopped:?}"
            );
            assert_eq!(setup.fake.heard(), []);
        }
    }

    #[test]
    fn a_chunks_ranges_are_those_of_the_whole_array() {
        let mut setup = setup(Fake::sharing(WHOLE), memory());
        let buffer = buffer(&mut setup);
        let id = setup.guest.handles.get(&buffer).unwrap().held.id();
        setup.fake.heard();
        let commands = vec![
            fill(&setup, 3, (&buffer, 4), 8),
            read(&setup, (&buffer, 0), 5, 4),
        ];
        run(&mut setup.guest, commands).unwrap();
        let expected = [
            GpuStep::Fill {
                input: 0,
                input_offset_bytes: 8 + 3,
                buffer: id,
                offset_bytes: 4,
                len_bytes: 8,
            },
            GpuStep::ReadArray {
                output: 0,
                output_offset_bytes: 8 + 5,
                buffer: id,
                offset_bytes: 0,
                len_bytes: 4,
            },
        ];
        let steps = |command| match command {
            GpuCommand::Record(steps) | GpuCommand::Submit { steps, .. } => steps,
            other => panic!("{other:?}"),
        };
        let heard = setup.fake.heard().into_iter().flat_map(steps);
        assert_eq!(heard.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_files_bytes_are_held_one_piece_at_a_time() {
        let mut setup = setup(Fake::new(8), file());
        let buffer = buffer(&mut setup);
        let commands = vec![fill(&setup, 0, (&buffer, 0), 24)];
        run(&mut setup.guest, commands).unwrap();
        let memory = &setup.guest.meter.memory;
        assert!(memory.peak() <= 16, "{} bytes at once", memory.peak());
        assert_eq!(memory.held(), 0);
    }
}
