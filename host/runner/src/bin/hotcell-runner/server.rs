//! Serving launches, one after the other.

use crate::arrays::Arrays;
use crate::stop::Stopper;
use bytes::Bytes;
use hotcell_model::frame::{
    self, FromRunner, LINE_BYTES, LaunchRequest, LogPiece, OutputPlace, ToRunner,
};
use hotcell_model::gpu::Payload;
use hotcell_model::grant::Grants;
use hotcell_model::job::{Job, Observer, RunEnd};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::LogLine;
use hotcell_runner::{LoadedKernel, OutputBuffer, Runner, SharedArrays, attach};
use hotcell_sandbox::channel::{Channel, Received};
use hotcell_sandbox::lockdown::Confined;
use hotcell_sandbox::worker::{send, words};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a guest's progress is passed on at most.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(10);

/// A locked runner. Only a [`Confined`] process can make one.
pub(crate) struct RunnerServer {
    pub(crate) confined: Confined,
    pub(crate) channel: Arc<Channel>,
    pub(crate) runner: Arc<Runner>,
    pub(crate) stopper: Arc<Stopper>,
    pub(crate) kernel: Arc<LoadedKernel>,
    pub(crate) grants: Grants,
}

impl RunnerServer {
    /// Runs launches until the supervisor is gone.
    pub(crate) fn serve(self) -> io::Result<()> {
        let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
        loop {
            match self.channel.receive(&mut buffer, &mut descriptors)? {
                Received::Frame => {}
                _ => return Ok(()),
            }
            let request = frame::decode(&buffer).map_err(io::Error::other)?;
            let descriptors = std::mem::take(&mut descriptors);
            let answer = match request {
                ToRunner::Launch(request) => FromRunner::Ended {
                    id: request.id,
                    end: Box::new(self.launch(*request, descriptors)),
                },
                ToRunner::Attempt(attempt) => FromRunner::Attempted(self.confined.attempt(attempt)),
                ToRunner::Load(_) => return Err(io::Error::other("an artifact is loaded already")),
            };
            send(&self.channel, &answer)?;
        }
    }

    fn launch(&self, request: LaunchRequest, mut descriptors: Vec<OwnedFd>) -> RunEnd<Payload> {
        let LaunchRequest {
            id,
            job,
            sessions,
            inputs,
            outputs,
        } = request;
        let job = Job {
            grants: self.grants.clone(),
            ..job
        };
        if sessions.len() > descriptors.len() {
            return failed(&"the channel of a session is missing");
        }
        let shared = SharedArrays::of(&inputs, &outputs);
        let channels: Vec<OwnedFd> = descriptors.drain(..sessions.len()).collect();
        let arrays = match Arrays::new(&job, inputs, &outputs, descriptors) {
            Ok(arrays) => arrays,
            Err(error) => return failed(&error),
        };
        let signal = self.stopper.begin(id);
        let channel = Arc::clone(&self.channel);
        let observer = Arc::new(Reporter {
            id,
            channel,
            progress: Mutex::default(),
        });
        let Arrays {
            mut data,
            outputs: buffers,
        } = arrays;
        for (capability, channel) in sessions.into_iter().zip(channels) {
            if !attach(&mut data, capability, channel.into(), &shared) {
                return failed(&format!("{capability} is no capability with a session"));
            }
        }
        let mut end = self
            .runner
            .run(&self.kernel, Arc::new(job), data, buffers, signal, observer);
        self.stopper.end();
        if let Some(samples) = end.samples.take() {
            // Less is known of a launch without them, and nothing else. A supervisor that is gone ends this process elsewhere.
            let _ = send(&self.channel, &FromRunner::Samples { id, samples });
        }
        told(end, &outputs)
    }
}

/// The end of a launch as it crosses. Its outputs are unmapped when this returns: the supervisor will seal them. Its log
/// lines have gone before.
fn told(end: RunEnd<OutputBuffer>, places: &[OutputPlace]) -> RunEnd<Payload> {
    let is_inline = |(_, place): &(OutputBuffer, &OutputPlace)| **place == OutputPlace::Inline;
    let inline = |outputs: Vec<OutputBuffer>| {
        let inline = outputs.into_iter().zip(places).filter(is_inline);
        inline
            .map(|(buffer, _)| Payload(Bytes::copy_from_slice(buffer.as_ref())))
            .collect()
    };
    let mut end = end.map_outputs(inline);
    end.log.clear();
    end.outcome = tellable(end.outcome).clean();
    end
}

/// The end as this process can tell it. Any other is an error of its own.
fn tellable(outcome: Outcome) -> Outcome {
    if outcome.is_of_runner() {
        return outcome;
    }
    let (kind, message) = (outcome.kind, outcome.message);
    let message = format!("the runner cannot know that the launch ended as {kind}: {message}");
    Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
}

/// The end of a launch that this process could not begin.
fn failed(error: &impl ToString) -> RunEnd<Payload> {
    let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Host, words(error));
    RunEnd::not_run(outcome)
}

/// Passes on at once what a launch's user may want to see.
struct Reporter {
    id: u64,
    channel: Arc<Channel>,
    /// When progress was last passed on.
    progress: Mutex<Option<Instant>>,
}

impl Observer for Reporter {
    fn log(&self, line: &LogLine) {
        let mut rest = line.message.as_str();
        loop {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(LINE_BYTES));
            let piece = LogPiece {
                id: self.id,
                level: line.level,
                text: piece.to_owned(),
                is_end: behind.is_empty(),
            };
            let is_end = piece.is_end;
            // A supervisor that is gone ends this process elsewhere.
            let _ = send(&self.channel, &FromRunner::Log(piece));
            if is_end {
                return;
            }
            rest = behind;
        }
    }

    fn progress(&self, done: u64, total: u64) {
        let mut last = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_due = last.is_none_or(|last| now - last >= PROGRESS_INTERVAL);
        if is_due {
            *last = Some(now);
            let id = self.id;
            let _ = send(&self.channel, &FromRunner::Progress { id, done, total });
        }
    }
}
