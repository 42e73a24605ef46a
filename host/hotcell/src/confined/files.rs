//! A confined launch's file work, done in this process: a thread that answers the runner's commands, over a channel of the
//! launch's own.
//!
//! The runner opens nothing and its walls stay as they are. What it sends is hostile input: a frame that is none, or comes
//! with a descriptor, ends the work, and the launch with it. To hang up ends it at any moment but in the midst of a
//! command; one that the operating system does not come back from is left to its thread, which nobody waits for longer
//! than a moment, and which does nothing else when it comes back.

use super::claims::mismatch;
use super::fault::Fault;
use super::parcel::Parcel;
use super::reading::Violation;
use super::sessions::{Account, Seat, WorkerSession};
use super::supervisor::{RunnerLease, Supervisor};
use crate::isolation::{LoadFailure, Order, Ran};
use crate::thread_clock::ThreadClock;
use hotcell_model::files::FileLink;
use hotcell_model::frame;
use hotcell_model::grant::Capability;
use hotcell_model::job::{Job, JobData};
use hotcell_model::layer::WorkerKind;
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::stop::StopSignal;
use hotcell_sandbox::channel::{Channel, Received};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long a command may go on when its launch is over.
const ENDING_WITHIN: Duration = Duration::from_millis(500);

/// A place, if the launch has files: there is one for each launch.
pub(crate) fn prepare(
    _supervisor: &Supervisor,
    job: &Job,
    _ready: &mut Option<RunnerLease>,
    _order: Order<'_>,
) -> Result<Option<Box<dyn Seat>>, LoadFailure> {
    let has_files = job.grants.has(Capability::Files);
    Ok(has_files.then(|| Box::new(FileSeat) as Box<dyn Seat>))
}

struct FileSeat;

/// A launch's thread.
struct FileWork {
    /// The runner's end.
    channel: Channel,
    link: Arc<dyn FileLink>,
    /// Tells how it ended, once.
    ended: Receiver<Ended>,
}

/// Why a launch's thread has ended.
#[derive(Debug)]
enum Ended {
    /// Somebody hung up.
    HungUp,
    /// What was sent is no command.
    Hostile(Violation),
}

struct FileAccount {
    link: Arc<dyn FileLink>,
    ended: Option<Ended>,
}

impl Seat for FileSeat {
    fn capability(&self) -> Capability {
        Capability::Files
    }

    fn begin(
        self: Box<Self>,
        _supervisor: &Arc<Supervisor>,
        _job: &Job,
        data: &JobData,
        _parcel: &Parcel,
    ) -> Result<Box<dyn WorkerSession>, LoadFailure> {
        let link = data.files.as_ref().map(Arc::clone);
        let link = link.ok_or_else(|| Fault::Here(io::Error::other("no directories are open")))?;
        let (own, other) = Channel::pair().map_err(Fault::Here)?;
        let (tell, ended) = channel();
        let serving = Arc::clone(&link);
        std::thread::Builder::new()
            .name("hotcell-files".to_owned())
            .spawn(move || {
                let clock = ThreadClock::start();
                let how = serve(&own, &*serving);
                serving.took(clock.elapsed_ns());
                // Nobody waits any more where the work took too long.
                let _ = tell.send(how);
            })
            .map_err(Fault::Here)?;
        Ok(Box::new(FileWork {
            channel: other,
            link,
            ended,
        }))
    }
}

/// Answers commands until somebody hangs up.
fn serve(channel: &Channel, link: &dyn FileLink) -> Ended {
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        match channel.receive(&mut buffer, &mut descriptors) {
            Ok(Received::Frame) => {}
            Ok(_) => return Ended::HungUp,
            Err(error) => return Ended::Hostile(Violation::Message(error.to_string())),
        }
        if !descriptors.is_empty() {
            return Ended::Hostile(Violation::Descriptors(descriptors.len()));
        }
        let command = match frame::decode(&buffer) {
            Ok(command) => command,
            Err(error) => return Ended::Hostile(Violation::Frame(error)),
        };
        let Some(answer) = link.call(command) else {
            return Ended::HungUp;
        };
        if frame::encode(&answer, &mut buffer).is_err() || channel.send(&buffer, &[]).is_err() {
            return Ended::HungUp;
        }
    }
}

impl WorkerSession for FileWork {
    fn channel(&self) -> &Channel {
        &self.channel
    }

    fn end(self: Box<Self>, _stop: &StopSignal) -> Box<dyn Account> {
        // The runner may have hung up first.
        let _ = self.channel.shutdown();
        Box::new(FileAccount {
            link: self.link,
            ended: self.ended.recv_timeout(ENDING_WITHIN).ok(),
        })
    }
}

impl Account for FileAccount {
    fn conclude(&mut self, _job: &Job, ran: &mut Ran) {
        self.judge(ran);
    }

    fn give_back(self: Box<Self>, _supervisor: &Supervisor) {}
}

impl FileAccount {
    /// Holds what the runner says against what was seen of it here.
    fn judge(&mut self, ran: &mut Ran) {
        let claimed = ran.end.outcome.breach();
        let claimed = claimed.filter(|breach| breach.limit.is_of_files());
        if claimed.is_some() && claimed != self.link.breach() {
            let why = "the runner claims a limit on files that its launch has not passed";
            ran.evidence.alerts.push(mismatch(why.to_owned()));
        }
        if let Some(Ended::Hostile(violation)) = self.ended.take() {
            let fault = Fault::Hostile(WorkerKind::Runner, violation);
            ran.evidence.alerts.extend(fault.alert());
            if ran.end.outcome.kind != OutcomeKind::Cancelled {
                ran.end.overrule(fault.outcome());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::files::{FileAnswer, FileCommand, FileId};
    use std::os::fd::AsFd;

    /// Does everything at once, and counts nothing.
    struct Obliging;

    impl FileLink for Obliging {
        fn call(&self, _command: FileCommand) -> Option<FileAnswer> {
            Some(FileAnswer::Done)
        }
    }

    fn close() -> Vec<u8> {
        let mut frame = Vec::new();
        frame::encode(&FileCommand::Close(FileId(1)), &mut frame).unwrap();
        frame
    }

    /// How serving ends for a runner that sends that, after an honest command.
    fn ended(send: impl FnOnce(&Channel)) -> Ended {
        let (own, other) = Channel::pair().unwrap();
        let serving = std::thread::spawn(move || serve(&own, &Obliging));
        other.send(&close(), &[]).unwrap();
        let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
        let answered = other.receive(&mut buffer, &mut descriptors).unwrap();
        assert_eq!(answered, Received::Frame);
        assert_eq!(
            frame::decode::<FileAnswer>(&buffer).unwrap(),
            FileAnswer::Done
        );
        send(&other);
        let _ = other.shutdown();
        serving.join().unwrap()
    }

    #[test]
    fn a_runner_that_hangs_up_has_done_nothing_wrong() {
        assert!(matches!(ended(|_| {}), Ended::HungUp));
    }

    #[test]
    fn noise_is_hostile() {
        let long = [close(), vec![0]].concat();
        let cut = close()[..close().len() - 1].to_vec();
        for noise in [vec![0xff; 64], vec![200], long, cut, vec![0x7f; 90 << 10]] {
            let how = ended(|channel| channel.send(&noise, &[]).unwrap());
            assert!(
                matches!(how, Ended::Hostile(Violation::Frame(_))),
                "{how:?}"
            );
        }
    }

    #[test]
    fn a_descriptor_beside_a_command_is_hostile() {
        let how = ended(|channel| channel.send(&close(), &[channel.as_fd()]).unwrap());
        let is_told = matches!(how, Ended::Hostile(Violation::Descriptors(1)));
        assert!(is_told, "{how:?}");
    }

    #[test]
    fn a_hostile_runners_launch_does_not_end_as_done() {
        let violation = Violation::Descriptors(1);
        let mut account = FileAccount {
            link: Arc::new(Obliging),
            ended: Some(Ended::Hostile(violation)),
        };
        let mut ran = Ran::from(hotcell_model::job::RunEnd::not_run(
            hotcell_model::outcome::Outcome::done(),
        ));
        account.judge(&mut ran);
        assert_eq!(ran.end.outcome.kind, OutcomeKind::HostFault);
        assert_eq!(ran.evidence.alerts.len(), 1);
    }
}
