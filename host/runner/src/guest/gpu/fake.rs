//! A session for tests: buffers in this process, steps done at once, nothing checked but that frames are not too
//! long.

use super::Line;
use crate::arrays::{Input, Output, as_index};
use crate::guest::capabilities::InstanceCapabilities;
use crate::guest::{BodyClock, Guest};
use crate::limiter::Limiter;
use crate::meter::{ChunkSpent, CpuClock, Meter};
use crate::output::OutputBuffer;
use bytes::Bytes;
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuId, GpuLink, GpuStep, Payload};
use hotcell_model::job::Source;
use hotcell_model::limit::Limits;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use wasmtime::component::{Resource, ResourceTable};

/// A session.
pub(super) struct Fake {
    piece_bytes: usize,
    /// The whole input and output, if they are shared.
    shared: Option<(Vec<u8>, Mutex<Vec<u8>>)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    heard: Vec<GpuCommand>,
    answers: VecDeque<GpuAnswer>,
    buffers: HashMap<GpuId, Vec<u8>>,
    recorded: Vec<GpuStep>,
    results: HashMap<GpuId, Vec<Payload>>,
    made: u32,
}

impl Fake {
    pub(super) fn new(piece_bytes: usize) -> Self {
        Self {
            piece_bytes,
            shared: None,
            state: Mutex::default(),
        }
    }

    /// A session that shares an input, and an output of its size.
    pub(super) fn sharing(input: &[u8]) -> Self {
        let output = Mutex::new(vec![0; input.len()]);
        Self {
            shared: Some((input.to_vec(), output)),
            ..Self::new(16)
        }
    }

    /// The whole output, if it is shared.
    pub(super) fn output(&self) -> Option<Vec<u8>> {
        let (_, output) = self.shared.as_ref()?;
        Some(output.lock().unwrap().clone())
    }

    /// The next command is answered with this, and not done.
    pub(super) fn answer_next(&self, answer: GpuAnswer) {
        self.state().answers.push_back(answer);
    }

    /// What was asked since the last time.
    pub(super) fn heard(&self) -> Vec<GpuCommand> {
        std::mem::take(&mut self.state().heard)
    }

    /// Puts bytes into a buffer.
    pub(super) fn load(&self, buffer: GpuId, bytes: &[u8]) {
        self.state().buffers.insert(buffer, bytes.to_vec());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn check_frame(&self, steps: &[GpuStep]) {
        let data = |step: &GpuStep| match step {
            GpuStep::Write { data, .. } => data.0.len(),
            _ => 0,
        };
        let bytes: usize = steps.iter().map(data).sum();
        assert!(bytes <= self.piece_bytes, "{bytes} bytes in one frame");
    }
}

impl GpuLink for Fake {
    fn call(&self, mut command: GpuCommand) -> GpuAnswer {
        carry(&mut command);
        let state = &mut *self.state();
        state.heard.push(command.clone());
        if let Some(answer) = state.answers.pop_front() {
            return answer;
        }
        match command {
            GpuCommand::CreateBuffer { size_bytes } => {
                let id = state.make();
                state.buffers.insert(id, vec![0; as_index(size_bytes)]);
                GpuAnswer::Created(id)
            }
            GpuCommand::Drop(id) => {
                state.buffers.remove(&id);
                GpuAnswer::Done
            }
            GpuCommand::ReadBuffer {
                buffer,
                offset_bytes,
                len_bytes,
            } => {
                assert!(len_bytes <= self.piece_bytes as u64);
                GpuAnswer::Bytes(state.read(buffer, offset_bytes, len_bytes))
            }
            GpuCommand::Record(steps) => {
                self.check_frame(&steps);
                state.recorded.extend(steps);
                GpuAnswer::Done
            }
            GpuCommand::Submit { steps, wait } => {
                self.check_frame(&steps);
                state.recorded.extend(steps);
                let results = state.execute(self);
                if wait {
                    return GpuAnswer::Waited(results);
                }
                let id = state.make();
                state.results.insert(id, results);
                GpuAnswer::Created(id)
            }
            GpuCommand::Wait(id) => GpuAnswer::Waited(state.results.remove(&id).unwrap()),
            _ => GpuAnswer::Done,
        }
    }

    fn shares_input(&self, _input: usize) -> bool {
        self.shared.is_some()
    }

    fn shares_output(&self, _output: usize) -> bool {
        self.shared.is_some()
    }

    fn piece_bytes(&self) -> usize {
        self.piece_bytes
    }
}

/// Copies what a batch carries, as a channel does: the other side has no share in memory of this one.
fn carry(command: &mut GpuCommand) {
    let (GpuCommand::Record(steps) | GpuCommand::Submit { steps, .. }) = command else {
        return;
    };
    for step in steps {
        if let GpuStep::Write { data, .. } = step {
            data.0 = Bytes::copy_from_slice(&data.0);
        }
    }
}

impl State {
    fn make(&mut self) -> GpuId {
        self.made += 1;
        GpuId(self.made)
    }

    fn range(&mut self, buffer: GpuId, offset: u64, len: u64) -> &mut [u8] {
        assert!(offset.is_multiple_of(4));
        let buffer = self.buffers.get_mut(&buffer).unwrap();
        &mut buffer[as_index(offset)..as_index(offset + len)]
    }

    fn read(&mut self, buffer: GpuId, offset: u64, len: u64) -> Payload {
        Payload(Bytes::copy_from_slice(self.range(buffer, offset, len)))
    }

    fn write(&mut self, buffer: GpuId, offset: u64, bytes: &[u8]) {
        let len = bytes.len() as u64;
        self.range(buffer, offset, len).copy_from_slice(bytes);
    }

    fn execute(&mut self, fake: &Fake) -> Vec<Payload> {
        let steps = std::mem::take(&mut self.recorded);
        let results = steps.into_iter().filter_map(|step| self.step(fake, step));
        results.collect()
    }

    /// Does a step; returns what it gives.
    fn step(&mut self, fake: &Fake, step: GpuStep) -> Option<Payload> {
        match step {
            GpuStep::Write {
                buffer,
                offset_bytes,
                data: Payload(data),
            } => {
                assert!(data.len().is_multiple_of(4));
                self.write(buffer, offset_bytes, &data);
            }
            GpuStep::Read {
                buffer,
                offset_bytes,
                len_bytes,
            } => return Some(self.read(buffer, offset_bytes, len_bytes)),
            GpuStep::Clear {
                buffer,
                offset_bytes,
                len_bytes,
            } => self.range(buffer, offset_bytes, len_bytes).fill(0),
            GpuStep::Copy {
                source,
                source_offset_bytes,
                destination,
                destination_offset_bytes,
                len_bytes,
            } => {
                assert!(len_bytes.is_multiple_of(4));
                let Payload(bytes) = self.read(source, source_offset_bytes, len_bytes);
                self.write(destination, destination_offset_bytes, &bytes);
            }
            GpuStep::Fill {
                input: 0,
                input_offset_bytes,
                buffer,
                offset_bytes,
                len_bytes,
            } => {
                let (input, _) = fake.shared.as_ref().unwrap();
                let range = as_index(input_offset_bytes)..as_index(input_offset_bytes + len_bytes);
                self.write(buffer, offset_bytes, &input[range]);
            }
            GpuStep::ReadArray {
                output: 0,
                output_offset_bytes,
                buffer,
                offset_bytes,
                len_bytes,
            } => {
                let (_, output) = fake.shared.as_ref().unwrap();
                let Payload(bytes) = self.read(buffer, offset_bytes, len_bytes);
                let start = as_index(output_offset_bytes);
                output.lock().unwrap()[start..start + bytes.len()].copy_from_slice(&bytes);
            }
            other => panic!("not a step of these tests: {other:?}"),
        }
        None
    }
}

/// A guest with a session, one input and one output.
pub(super) struct Setup {
    pub(super) fake: Arc<Fake>,
    pub(super) guest: Guest,
    pub(super) input: Resource<Input>,
    pub(super) output: Resource<Output>,
}

impl Setup {
    /// A guest whose chunk sees `source`, which begins at `start_bytes` of the whole, and as much of the output.
    pub(super) fn new(fake: Fake, limits: Limits, source: Source, start_bytes: u64) -> Self {
        let fake = Arc::new(fake);
        let link: Arc<dyn GpuLink> = Arc::<Fake>::clone(&fake);
        let grace = Duration::ZERO;
        let meter = Arc::new(Meter::new(limits, grace, Arc::default(), Arc::new(()), 1));
        let line = Arc::new(Line::new(link, Arc::clone(&meter)));
        let len = usize::try_from(source.len_bytes()).unwrap();
        let mut handles = ResourceTable::new();
        let input = handles.push(Input {
            source,
            pages: None,
            position: 0,
            start_bytes,
        });
        let output = handles.push(Output {
            position: 0,
            start_bytes,
        });
        let guest = Guest {
            grants: hotcell_model::grant::Grants::none()
                .with(hotcell_model::grant::Capability::Gpu),
            chunk: 0,
            limiter: Limiter::new(Arc::clone(&meter)),
            meter,
            handles,
            outputs: vec![OutputBuffer::zeroed(len).unwrap()],
            mappings: crate::mapping::SharedMappings::new(0, usize::MAX),
            capabilities: InstanceCapabilities::of_gpu(line),
            explanation: None,
            body: BodyClock::default(),
            cpu: CpuClock::start(),
            spent: ChunkSpent::default(),
            sampling: None,
            lines_seen: 0,
            unchecked_bytes: 0,
        };
        Self {
            fake,
            guest,
            input: input.unwrap(),
            output: output.unwrap(),
        }
    }
}
