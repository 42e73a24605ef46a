//! The way to a launch's session: one command, one answer, and what each answer may be.

use super::fault::{GpuCallFailure, broken};
use super::handles::HeldHandle;
use crate::meter::Meter;
use crate::stop::Stop;
use bytes::Bytes;
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuEnd, GpuId, GpuLink, GpuProperties, Payload};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A launch's line to its session. Chunks use it one after the other.
pub(crate) struct Line {
    link: Arc<dyn GpuLink>,
    meter: Arc<Meter>,
    properties: OnceLock<GpuProperties>,
    /// What was dropped since the last command. The session hears of it before it is asked for anything else, and
    /// not at all at the launch's end, when everything goes at once.
    dropped: Mutex<Vec<GpuId>>,
}

impl Line {
    pub(crate) fn new(link: Arc<dyn GpuLink>, meter: Arc<Meter>) -> Self {
        Self {
            link,
            meter,
            properties: OnceLock::new(),
            dropped: Mutex::default(),
        }
    }

    /// Who serves it, for what it shares.
    pub(super) fn link(&self) -> &dyn GpuLink {
        &*self.link
    }

    /// Forgets a thing of the session's, before the next command.
    pub(super) fn forget(&self, id: GpuId) {
        self.dropped().push(id);
    }

    fn dropped(&self) -> std::sync::MutexGuard<'_, Vec<GpuId>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the device offers, asked once a launch.
    pub(super) fn properties(&self) -> Result<GpuProperties, GpuCallFailure> {
        if let Some(properties) = self.properties.get() {
            return Ok(*properties);
        }
        match self.ask(GpuCommand::Open)? {
            GpuAnswer::Properties(properties) => Ok(*self.properties.get_or_init(|| properties)),
            _ => Err(out_of_turn()),
        }
    }

    /// A command that gives nothing back.
    pub(super) fn done(&self, command: GpuCommand) -> Result<(), GpuCallFailure> {
        match self.ask(command)? {
            GpuAnswer::Done => Ok(()),
            _ => Err(out_of_turn()),
        }
    }

    /// A command that makes something.
    pub(super) fn created(
        self: &Arc<Self>,
        command: GpuCommand,
    ) -> Result<HeldHandle, GpuCallFailure> {
        match self.ask(command)? {
            GpuAnswer::Created(id) => Ok(HeldHandle::new(id, self)),
            _ => Err(out_of_turn()),
        }
    }

    /// A command that makes a kernel, with the size of its workgroups.
    pub(super) fn kernel(
        self: &Arc<Self>,
        command: GpuCommand,
    ) -> Result<(HeldHandle, [u32; 3]), GpuCallFailure> {
        match self.ask(command)? {
            GpuAnswer::Kernel { id, workgroup_size } => {
                Ok((HeldHandle::new(id, self), workgroup_size))
            }
            _ => Err(out_of_turn()),
        }
    }

    /// A command that waits for a submission.
    pub(super) fn waited(&self, command: GpuCommand) -> Result<Vec<Payload>, GpuCallFailure> {
        match self.ask(command)? {
            GpuAnswer::Waited(payloads) => Ok(payloads),
            _ => Err(out_of_turn()),
        }
    }

    /// Reads a range of a buffer that is no longer than a piece.
    pub(super) fn read(
        &self,
        buffer: GpuId,
        offset_bytes: u64,
        len_bytes: u64,
    ) -> Result<Bytes, GpuCallFailure> {
        let answer = self.ask(GpuCommand::ReadBuffer {
            buffer,
            offset_bytes,
            len_bytes,
        })?;
        match answer {
            GpuAnswer::Bytes(Payload(bytes)) if bytes.len() as u64 == len_bytes => Ok(bytes),
            _ => Err(out_of_turn()),
        }
    }

    fn ask(&self, command: GpuCommand) -> Result<GpuAnswer, GpuCallFailure> {
        let dropped = std::mem::take(&mut *self.dropped());
        for id in dropped {
            match self.call(GpuCommand::Drop(id)) {
                // What cannot be forgotten goes with the session.
                Ok(_) | Err(GpuCallFailure::Refused(_)) => {}
                Err(end) => return Err(end),
            }
        }
        self.call(command)
    }

    fn call(&self, command: GpuCommand) -> Result<GpuAnswer, GpuCallFailure> {
        match self.link.call(command) {
            GpuAnswer::Refused(error) => Err(GpuCallFailure::Refused(error)),
            GpuAnswer::Ended(end) => Err(self.stop(&end).into()),
            answer => Ok(answer),
        }
    }

    fn stop(&self, end: &GpuEnd) -> Stop {
        // A session that went away when the launch was to end was hung up on.
        let is_over = matches!(end, GpuEnd::Lost(_)) && self.meter.is_over();
        match end.outcome() {
            Some(outcome) if !is_over => Stop::Gpu(Box::new(outcome)),
            _ => self.meter.cut_short(),
        }
    }
}

/// The end of a launch whose session does not keep to the protocol.
pub(super) fn out_of_turn() -> GpuCallFailure {
    broken("the GPU session gave an answer to another question").into()
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use hotcell_model::gpu::GpuError;
    use hotcell_model::limit::{Limit, Limits};
    use hotcell_model::outcome::{Blame, OutcomeKind};
    use hotcell_model::stop::StopSignal;
    use std::time::Duration;

    struct Fixture {
        fake: Arc<Fake>,
        signal: Arc<StopSignal>,
        line: Arc<Line>,
    }

    fn fixture() -> Fixture {
        let fake = Arc::new(Fake::new(usize::MAX));
        let link: Arc<dyn GpuLink> = Arc::<Fake>::clone(&fake);
        let signal = Arc::<StopSignal>::default();
        let limits = Limits::defaults(Default::default());
        let meter = Meter::new(limits, Duration::ZERO, Arc::clone(&signal), Arc::new(()), 1);
        let line = Arc::new(Line::new(link, Arc::new(meter)));
        Fixture { fake, signal, line }
    }

    const CREATE: GpuCommand = GpuCommand::CreateBuffer { size_bytes: 4 };

    fn stop(fixture: &Fixture, answer: GpuAnswer) -> Stop {
        fixture.fake.answer_next(answer);
        match fixture.line.created(CREATE) {
            Err(GpuCallFailure::Stopped(stop)) => stop,
            other => panic!("not stopped: {:?}", other.err()),
        }
    }

    fn end(end: GpuEnd) -> OutcomeKind {
        match stop(&fixture(), GpuAnswer::Ended(end)) {
            Stop::Gpu(outcome) => outcome.kind,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn the_end_of_the_session_is_the_end_of_the_launch() {
        let (used, maximum) = (11, 10);
        let exhausted = GpuEnd::FuelExhausted { used, maximum };
        assert_eq!(end(exhausted), OutcomeKind::GpuFuelExhausted);
        let (waited_ns, maximum_ns) = (11, 10);
        let timeout = GpuEnd::Timeout {
            waited_ns,
            maximum_ns,
        };
        assert_eq!(end(timeout), OutcomeKind::GpuTimeout);
        let (used_ns, maximum_ns) = (11, 10);
        let overdue = GpuEnd::Deadline {
            used_ns,
            maximum_ns,
            was_compiling: false,
        };
        assert_eq!(end(overdue), OutcomeKind::GpuTimeout);
        assert_eq!(end(GpuEnd::Lost("gone".into())), OutcomeKind::GpuLost);
    }

    #[test]
    fn a_session_that_was_stopped_leaves_it_to_the_launch_to_say_why() {
        let fixture = fixture();
        let stopped = || GpuAnswer::Ended(GpuEnd::Stopped);
        let Stop::Limit(breach) = stop(&fixture, stopped()) else {
            panic!("no deadline");
        };
        assert_eq!(breach.limit, Limit::Timeout);
        assert!(breach.amount.value() >= breach.maximum);
        fixture.signal.cancel();
        assert_eq!(stop(&fixture, stopped()), Stop::Cancelled);
    }

    #[test]
    fn an_answer_to_another_question_is_the_hosts_fault() {
        let wrong = [
            GpuAnswer::Done,
            GpuAnswer::Waited(Vec::new()),
            GpuAnswer::Bytes(Payload::default()),
        ];
        for answer in wrong {
            let Stop::Gpu(outcome) = stop(&fixture(), answer) else {
                panic!("not the GPU's end");
            };
            assert_eq!(outcome.kind, OutcomeKind::GpuLost);
            assert_eq!(outcome.blame, Some(Blame::Host));
        }
        // As is one that is too short.
        let fixture = fixture();
        let bytes = Payload(Bytes::from_static(b"123"));
        fixture.fake.answer_next(GpuAnswer::Bytes(bytes));
        assert!(fixture.line.read(GpuId(1), 0, 4).is_err());
    }

    #[test]
    fn what_was_dropped_is_forgotten_before_the_next_command_and_once() {
        let Fixture { fake, line, .. } = fixture();
        let held = line.created(CREATE).unwrap();
        let id = held.id();
        drop(held);
        assert_eq!(fake.heard(), [CREATE]);
        // Even where the session knows nothing of it.
        let unknown = GpuError::Misuse("no such thing".into());
        fake.answer_next(GpuAnswer::Refused(unknown));
        let held = line.created(CREATE).unwrap();
        assert_eq!(fake.heard(), [GpuCommand::Drop(id), CREATE]);
        line.done(GpuCommand::Open).unwrap();
        assert_eq!(fake.heard(), [GpuCommand::Open]);
        drop(held);
    }

    #[test]
    fn properties_are_asked_for_once() {
        let Fixture { fake, line, .. } = fixture();
        let properties = GpuProperties {
            max_binding_bytes: 7,
            ..GpuProperties::default()
        };
        fake.answer_next(GpuAnswer::Properties(properties));
        for _ in 0..2 {
            assert_eq!(line.properties().unwrap(), properties);
        }
        assert_eq!(fake.heard(), [GpuCommand::Open]);
    }
}
