//! What a kernel asks of its GPU, kept to be asked again.
//!
//! A [`Recorder`] stands between a runner and the launch's session, which does the work and answers. What the kernel
//! writes before its first dispatch is where a replay begins; from there on every step is kept in order, reads
//! aside.

use hotcell_gpu::session::Session;
use hotcell_model::gpu::{
    GpuAnswer, GpuBinding, GpuCommand, GpuId, GpuLink, GpuShader, GpuStep, NamedShader,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What a kernel was made of.
#[derive(Clone, Debug)]
pub(super) struct KernelSource {
    pub(super) wgsl: String,
    pub(super) entry: String,
    pub(super) constants: Vec<(String, f64)>,
}

/// Everything that one launch asked for, by the session's ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Recording {
    /// What each buffer holds before the first dispatch.
    pub(super) buffers: BTreeMap<GpuId, Vec<u8>>,
    pub(super) kernels: BTreeMap<GpuId, KernelSource>,
    /// Kernels with what is bound to them.
    pub(super) bind_sets: BTreeMap<GpuId, (GpuId, Vec<GpuBinding>)>,
    /// The dispatches, and what happens between them on the device.
    pub(super) steps: Vec<GpuStep>,
}

/// Records a launch.
pub(super) struct Recorder(Mutex<State>);

struct State {
    session: Session,
    recording: Recording,
    /// The shaders of the component.
    shaders: Vec<NamedShader>,
    /// WGSL of the next kernel, where it is in none of them.
    wgsl: String,
}

impl Recorder {
    /// Records what the session is asked for from now on.
    pub(super) fn new(session: Session, shaders: Vec<NamedShader>) -> Self {
        Self(Mutex::new(State {
            session,
            recording: Recording::default(),
            shaders,
            wgsl: String::new(),
        }))
    }

    /// What was recorded.
    pub(super) fn take(&self) -> Recording {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.recording)
    }
}

impl GpuLink for Recorder {
    fn call(&self, command: GpuCommand) -> GpuAnswer {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = state.session.command(command.clone());
        state.note(command, &answer);
        answer
    }
}

impl State {
    /// The text of a shader that the session knows.
    fn text(&mut self, shader: &GpuShader) -> String {
        let said = std::mem::take(&mut self.wgsl);
        let GpuShader::Named(name) = shader else {
            return said;
        };
        let named = self.shaders.iter().find(|shader| shader.name == *name);
        named.map_or(said, |shader| {
            String::from_utf8_lossy(&shader.text).into_owned()
        })
    }

    fn note(&mut self, command: GpuCommand, answer: &GpuAnswer) {
        match (command, answer) {
            (_, GpuAnswer::Refused(_) | GpuAnswer::Ended(_)) => {}
            (GpuCommand::CreateBuffer { size_bytes }, GpuAnswer::Created(id)) => {
                // As the session makes it.
                let held_bytes = size_bytes.max(1).next_multiple_of(16);
                let size = usize::try_from(held_bytes).unwrap_or(0);
                self.recording.buffers.insert(*id, vec![0; size]);
            }
            (GpuCommand::Shader(piece), _) => self.wgsl.push_str(&piece),
            (
                GpuCommand::CreateKernel {
                    shader,
                    entry,
                    constants,
                },
                GpuAnswer::Kernel { id, .. },
            ) => {
                let source = KernelSource {
                    wgsl: self.text(&shader),
                    entry,
                    constants,
                };
                self.recording.kernels.insert(*id, source);
            }
            (GpuCommand::Bind { kernel, bindings }, GpuAnswer::Created(id)) => {
                self.recording.bind_sets.insert(*id, (kernel, bindings));
            }
            (
                GpuCommand::WriteBuffer {
                    buffer,
                    offset_bytes,
                    data,
                },
                _,
            ) => self.recording.step(GpuStep::Write {
                buffer,
                offset_bytes,
                data,
            }),
            (GpuCommand::Record(steps) | GpuCommand::Submit { steps, .. }, _) => {
                steps.into_iter().for_each(|step| self.recording.step(step));
            }
            _ => {}
        }
    }
}

impl Recording {
    /// Adds a step, or applies a write that comes before every dispatch.
    pub(super) fn step(&mut self, step: GpuStep) {
        match &step {
            GpuStep::Read { .. } => return,
            GpuStep::Write {
                buffer,
                offset_bytes,
                data,
            } if self.steps.is_empty() => {
                let start = usize::try_from(*offset_bytes).unwrap_or(usize::MAX);
                let end = start.saturating_add(data.0.len());
                let held = self.buffers.get_mut(buffer);
                if let Some(place) = held.and_then(|held| held.get_mut(start..end)) {
                    place.copy_from_slice(&data.0);
                    return;
                }
            }
            _ => {}
        }
        self.steps.push(step);
    }
}
