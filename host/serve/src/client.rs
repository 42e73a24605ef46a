//! Asking a daemon.

use crate::arrays::{Memories, MemoryError, Parcel};
use crate::protocol::{
    Answer, Ask, ComponentKept, Greeting, LaunchAsk, LaunchEnd, LaunchState, MAX_ANSWER_BYTES,
    Message, PROTOCOL, Reply, Status, Upload, Which,
};
use crate::wire::{self, Filled, Incoming, WireError};
use hotcell::report::LogLine;
use hotcell::{Array, Component, NamedArray, Observer, RunId, StopSignal};
use hotcell_model::outcome::OutcomeKind;
use hotcell_sandbox::channel::Wake;
use hotcell_sandbox::memory::SealedMemory;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the daemon may take nothing of what it is sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a daemon does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is none.
    #[error("no daemon answers at {}, where `hotcell serve` would have to run and you have to be let in", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not speak this version of the protocol.
    #[error(
        "the daemon, {host}, speaks versions {spoken:?} of the protocol, and this program version {PROTOCOL}"
    )]
    Version {
        /// The daemon.
        host: String,
        /// What it speaks.
        spoken: Vec<u32>,
    },
    /// It is gone.
    #[error("the daemon has closed the connection")]
    Closed,
    /// It refuses, in its own words.
    #[error("{message}")]
    Refused {
        /// What kind of thing is in the way.
        kind: OutcomeKind,
        /// What is in the way.
        message: String,
    },
    /// The connection fails.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// What it says makes no sense.
    #[error("the daemon answers what cannot be understood")]
    Answer(#[source] serde_json::Error),
    /// It answers something else.
    #[error("the daemon answers something else than was asked for")]
    Unexpected,
    /// An array that came is not as it was said to be.
    #[error("a result cannot be taken")]
    Result(#[from] MemoryError),
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Wire(error.into())
    }
}

/// A connection to a daemon, which answers one question after another.
pub struct Client {
    line: Arc<Line>,
    incoming: Incoming,
    greeting: Greeting,
    /// Wakes whoever waits for a launch.
    wake: Arc<Wake>,
}

/// What is shared with those who cancel.
struct Line {
    socket: UnixStream,
    writing: Mutex<()>,
    last_id: AtomicU64,
    /// The launch that is waited for; zero if none is.
    launch: AtomicU64,
}

impl Line {
    fn ask(&self, ask: Ask, descriptors: &[BorrowedFd<'_>]) -> io::Result<u64> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let is_launch = matches!(ask, Ask::Launch(_));
        let mut line = serde_json::to_vec(&Message { id, ask }).map_err(io::Error::other)?;
        line.push(b'\n');
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if is_launch {
            // Whoever cancels it from now on writes after this.
            self.launch.store(id, Ordering::Release);
        }
        wire::send(self.socket.as_fd(), &line, descriptors, PATIENCE)?;
        Ok(id)
    }
}

impl Client {
    /// Connects to the daemon at that socket.
    ///
    /// # Errors
    /// There is none, or it speaks another version.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        let path = path.as_ref();
        let socket = UnixStream::connect(path).map_err(|source| ClientError::Connect {
            path: path.to_owned(),
            source,
        })?;
        let mut client = Self {
            line: Arc::new(Line {
                socket,
                writing: Mutex::new(()),
                last_id: AtomicU64::new(0),
                launch: AtomicU64::new(0),
            }),
            incoming: Incoming::new(MAX_ANSWER_BYTES),
            wake: Arc::new(Wake::new()?),
            greeting: Greeting {
                protocols: Vec::new(),
                host: String::new(),
                caller: hotcell::Caller::default(),
                tenant: None,
                operator: false,
            },
        };
        match client.next()?.answer {
            Reply::Greeting(greeting) if greeting.protocols.contains(&PROTOCOL) => {
                client.greeting = greeting;
                Ok(client)
            }
            Reply::Greeting(greeting) => Err(ClientError::Version {
                host: greeting.host,
                spoken: greeting.protocols,
            }),
            Reply::Error { kind, message } => Err(ClientError::Refused { kind, message }),
            _ => Err(ClientError::Unexpected),
        }
    }

    /// What the daemon said of itself and of this client.
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Has a component read and kept, so that launches can name it by its digest.
    ///
    /// # Errors
    /// It is no kernel component, the policy refuses it, or the daemon is gone.
    pub fn upload(&mut self, component: &Component) -> Result<ComponentKept, ClientError> {
        let memory = SealedMemory::copy_of(component.bytes())?;
        let upload = Upload {
            memory: 0,
            bytes: memory.len(),
        };
        let id = self.line.ask(Ask::Upload(upload), &[memory.as_fd()])?;
        match self.answer(id)? {
            Reply::Component(kept) => Ok(kept),
            _ => Err(ClientError::Unexpected),
        }
    }

    /// Runs a kernel to its end, on arrays by the names of its parameters. `observer` hears log lines and progress if the
    /// launch is to tell of them.
    ///
    /// # Errors
    /// The launch could not even begin, or the daemon is gone. How it ended is no error.
    pub fn launch<'a>(
        &mut self,
        ask: LaunchAsk,
        inputs: impl IntoIterator<Item = (&'a str, &'a Array)>,
        observer: &dyn Observer,
    ) -> Result<(LaunchEnd, Vec<NamedArray>), ClientError> {
        self.launch_until(ask, inputs, observer, &StopSignal::default())
    }

    /// As [`Self::launch`], to its end or until `stop` is cancelled, before or meanwhile. It gets the signal's waker.
    ///
    /// # Errors
    /// As [`Self::launch`].
    pub fn launch_until<'a>(
        &mut self,
        mut ask: LaunchAsk,
        inputs: impl IntoIterator<Item = (&'a str, &'a Array)>,
        observer: &dyn Observer,
        stop: &StopSignal,
    ) -> Result<(LaunchEnd, Vec<NamedArray>), ClientError> {
        let parcel = Parcel::pack(inputs)?;
        ask.inputs.clone_from(&parcel.arrays);
        let id = self
            .line
            .ask(Ask::Launch(Box::new(ask)), &parcel.descriptors())?;
        self.wake.clear();
        let wake = Arc::clone(&self.wake);
        stop.wake(Some(Arc::new(move || wake.wake())));
        let mut cancelled = false;
        let ended = loop {
            match self.answer_until(id, stop, &mut cancelled) {
                Ok(Reply::Launched { .. }) => {}
                Ok(Reply::Log { level, message }) => observer.log(&LogLine { level, message }),
                Ok(Reply::Progress { done, total }) => {
                    if let (Ok(done), Ok(total)) = (done.0.parse(), total.0.parse()) {
                        observer.progress(done, total);
                    }
                }
                Ok(Reply::Ended(end)) => break Ok(*end),
                Ok(_) => break Err(ClientError::Unexpected),
                Err(error) => break Err(error),
            }
        };
        self.line.launch.store(0, Ordering::Release);
        stop.wake(None);
        let end = ended?;
        let last = end.results.values().map(|array| array.memory).max();
        let count = last.map_or(0, |last| last.saturating_add(1));
        let mut memories = Memories::new(self.incoming.take_descriptors(count));
        let results = end.results.iter().map(|(name, array)| {
            Ok(NamedArray {
                name: name.clone(),
                array: memories.array(array)?,
            })
        });
        let results = results.collect::<Result<_, MemoryError>>()?;
        Ok((end, results))
    }

    /// Cancels the launch that is waited for, from any thread.
    pub fn canceller(&self) -> impl Fn() + Send + Sync + use<> {
        let line = Arc::clone(&self.line);
        move || {
            let launch = line.launch.load(Ordering::Acquire);
            if launch != 0 {
                // A daemon that cannot be told is gone, which ends the launch too.
                let _ = line.ask(Ask::Cancel(Which::Request(launch)), &[]);
            }
        }
    }

    /// The launches that have not ended: the tenant's, and for the operator everybody's.
    ///
    /// # Errors
    /// The daemon is gone.
    pub fn list(&mut self) -> Result<Vec<LaunchState>, ClientError> {
        let id = self.line.ask(Ask::List, &[])?;
        match self.answer(id)? {
            Reply::Launches(launches) => Ok(launches),
            _ => Err(ClientError::Unexpected),
        }
    }

    /// How busy the daemon is.
    ///
    /// # Errors
    /// The daemon is gone.
    pub fn status(&mut self) -> Result<Status, ClientError> {
        let id = self.line.ask(Ask::Status, &[])?;
        match self.answer(id)? {
            Reply::Status(status) => Ok(*status),
            _ => Err(ClientError::Unexpected),
        }
    }

    /// Asks a launch to stop.
    ///
    /// # Errors
    /// There is no such launch that this client may cancel, or the daemon is gone.
    pub fn cancel(&mut self, launch: RunId) -> Result<(), ClientError> {
        let id = self.line.ask(Ask::Cancel(Which::Launch(launch)), &[])?;
        match self.answer(id)? {
            Reply::Cancelling { .. } => Ok(()),
            _ => Err(ClientError::Unexpected),
        }
    }

    /// Waits for the end of a launch that somebody else asked for.
    ///
    /// # Errors
    /// There is no such launch that this client may see, or the daemon is gone.
    pub fn wait_for(&mut self, launch: RunId) -> Result<LaunchEnd, ClientError> {
        let id = self.line.ask(Ask::Await(Which::Launch(launch)), &[])?;
        match self.answer(id)? {
            Reply::Ended(end) => Ok(*end),
            _ => Err(ClientError::Unexpected),
        }
    }

    /// The next answer to that message; a refusal is an error.
    fn answer(&mut self, id: u64) -> Result<Reply, ClientError> {
        loop {
            let answer = self.next()?;
            if let Some(answer) = of_message(id, answer) {
                return answer;
            }
        }
    }

    /// As [`Self::answer`]; the launch is cancelled when `stop` is, once.
    fn answer_until(
        &mut self,
        id: u64,
        stop: &StopSignal,
        cancelled: &mut bool,
    ) -> Result<Reply, ClientError> {
        loop {
            if let Some(answer) = self.incoming_answer()? {
                match of_message(id, answer) {
                    Some(answer) => return answer,
                    None => continue,
                }
            }
            let socket = self.line.socket.as_fd();
            match self.incoming.fill_or_wake(socket, &self.wake)? {
                Filled::End => return Err(ClientError::Closed),
                Filled::Some => {}
                Filled::Nothing => self.wake.clear(),
            }
            if !*cancelled && stop.cancelled_at().is_some() {
                *cancelled = true;
                self.line.ask(Ask::Cancel(Which::Request(id)), &[])?;
            }
        }
    }

    /// An answer that has come whole.
    fn incoming_answer(&mut self) -> Result<Option<Answer>, ClientError> {
        let line = self.incoming.line()?;
        line.map(|line| serde_json::from_slice(line).map_err(ClientError::Answer))
            .transpose()
    }

    fn next(&mut self) -> Result<Answer, ClientError> {
        loop {
            if let Some(answer) = self.incoming_answer()? {
                return Ok(answer);
            }
            let socket = self.line.socket.as_fd();
            match self.incoming.wait_and_fill(socket, None)? {
                Filled::End => return Err(ClientError::Closed),
                Filled::Some | Filled::Nothing => {}
            }
        }
    }
}

/// An answer, if it is one to that message or to none; a refusal is an error.
fn of_message(id: u64, Answer { id: of, answer }: Answer) -> Option<Result<Reply, ClientError>> {
    match answer {
        Reply::Error { kind, message } if of.is_none() || of == Some(id) => {
            Some(Err(ClientError::Refused { kind, message }))
        }
        answer if of == Some(id) => Some(Ok(answer)),
        // To a cancel.
        _ => None,
    }
}
