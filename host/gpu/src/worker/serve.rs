//! Serving launches, one after the other.

use crate::worker::bounds::CommandBounds;
use crate::worker::watch::{HangUpWatch, Watched};
use crate::worker::{arrays, send};
use hotcell_gpu::device::Device;
use hotcell_gpu::session::{Checks, Session, SessionEnd, SessionOrder};
use hotcell_model::frame::{self, FromGpu, GpuRequest, ToGpu};
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuError};
use hotcell_model::stop::StopSignal;
use hotcell_sandbox::channel::{Channel, Received};
use hotcell_sandbox::lockdown::Confined;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A locked worker. Only a [`Confined`] process can make one.
pub(crate) struct GpuServer {
    pub(crate) confined: Confined,
    pub(crate) channel: Arc<Channel>,
    pub(crate) device: Arc<Device>,
    pub(crate) watch: HangUpWatch,
}

impl GpuServer {
    /// Serves launches until the supervisor or the device is gone. What is no request ends the process: it is a bug, or somebody
    /// else's channel.
    pub(crate) fn serve(&self) -> io::Result<()> {
        let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
        loop {
            match self.channel.receive(&mut buffer, &mut descriptors)? {
                Received::Frame => {}
                _ => return Ok(()),
            }
            let request = frame::decode(&buffer).map_err(io::Error::other)?;
            let descriptors = std::mem::take(&mut descriptors);
            let answer = match request {
                ToGpu::Begin(request) => self.launch(&request, descriptors)?,
                ToGpu::Attempt(attempt) => FromGpu::Attempted(self.confined.attempt(attempt)),
            };
            send(&self.channel, &answer)?;
            if self.device.is_lost() {
                // Nothing more can be done here; the supervisor starts another.
                return Ok(());
            }
        }
    }

    /// Serves a launch until somebody hangs up. When this returns, no array is mapped any more.
    fn launch(&self, request: &GpuRequest, mut descriptors: Vec<OwnedFd>) -> io::Result<FromGpu> {
        let time = Duration::from_nanos(request.time_ns);
        let deadline = Instant::now().checked_add(time);
        let deadline = deadline.ok_or_else(|| invalid("a deadline beyond the clock"))?;
        if descriptors.len() < 2 {
            return Err(invalid("a launch without a channel or a ledger"));
        }
        let channel = Channel::from(descriptors.remove(0));
        let ledger = arrays::ledger(descriptors.remove(0))?;
        let shaders = arrays::shaders(&request.shaders, &mut descriptors)?;
        let (inputs, outputs) = arrays::map(&request.inputs, &request.outputs, descriptors)?;
        let signal = Arc::new(StopSignal::default());
        let watched = self.watch.begin(&channel, &signal)?;
        let order = SessionOrder {
            limits: request.limits.clone(),
            deadline,
            signal,
            has_profile: request.has_profile,
            shaders,
            has_text: request.has_text,
            inputs,
            outputs,
            checks: Checks::Full,
        };
        let mut session = Session::begin(&self.device, order);
        session.keep_ledger(ledger);
        converse(&channel, &watched, &mut session)?;
        drop(watched);
        let SessionEnd { usage, end } = session.finish();
        Ok(FromGpu::Ended {
            id: request.id,
            usage: Box::new(usage),
            end,
        })
    }
}

/// Does a runner's commands until it is gone or the launch is cancelled.
fn converse(channel: &Channel, watched: &Watched<'_>, session: &mut Session) -> io::Result<()> {
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    let mut bounds = CommandBounds::default();
    while channel.receive(&mut buffer, &mut descriptors)? == Received::Frame {
        if !descriptors.is_empty() {
            return Err(invalid("a descriptor beside a command"));
        }
        let command = frame::decode(&buffer).map_err(io::Error::other)?;
        let Some(answer) = watched.during(|| answer(command, &mut bounds, session)) else {
            return Ok(());
        };
        encode(&answer, &mut buffer)?;
        match channel.send(&buffer, &[]) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            sent => sent?,
        }
    }
    Ok(())
}

fn answer(command: GpuCommand, bounds: &mut CommandBounds, session: &mut Session) -> GpuAnswer {
    match bounds.admit(&command) {
        Ok(admitted) => {
            let answer = session.command(command);
            bounds.settle(admitted, &answer);
            answer
        }
        Err(error) => {
            // All of a batch or nothing.
            session.forget_batch();
            *bounds = CommandBounds::default();
            GpuAnswer::Refused(error)
        }
    }
}

/// Writes an answer. Data fits, since it was bounded when it was asked for; words may be as long as a shader is.
fn encode(answer: &GpuAnswer, buffer: &mut Vec<u8>) -> io::Result<()> {
    let Err(error) = frame::encode(answer, buffer) else {
        return Ok(());
    };
    let GpuAnswer::Refused(refused) = answer else {
        return Err(io::Error::other(error));
    };
    let short = match refused {
        GpuError::Shader { line, column, .. } => GpuError::Shader {
            line: *line,
            column: *column,
            message: "refused, with more words than can be passed on".to_owned(),
        },
        _ => GpuError::Misuse("refused, with more words than can be passed on".to_owned()),
    };
    frame::encode(&GpuAnswer::Refused(short), buffer).map_err(io::Error::other)
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
