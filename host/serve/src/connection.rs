//! One client's connection, and who reads it.
//!
//! One thread at a time has the right to read a connection. It takes lines as long as some come, and gives the right back
//! to the server's watch, which hands it to another thread when something has come. A thread that runs a launch gives it
//! back too, and takes it again at the end, unless somebody else has it by then: so what a client says in the meantime is
//! heard, and a client that says nothing costs no second thread.

use crate::launches::Running;
use crate::peer;
use crate::protocol::{Answer, MAX_DESCRIPTORS, MAX_LINE_BYTES, Message, Reply};
use crate::share::Share;
use crate::wire::{self, Filled, Incoming, WireError};
use hotcell::Caller;
use hotcell_model::outcome::OutcomeKind;
use hotcell_policy::User;
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long a thread waits for the next line before it gives the connection back to the watch.
const LINGER: Duration = Duration::from_millis(20);
/// How long a line may take from its first byte to its last.
const LINE_PATIENCE: Duration = Duration::from_secs(5);
/// What a client is told that takes longer.
const TOO_SLOW: &str = "a line has to come within 5 s of its first byte";
/// How long a client may take nothing of what it is sent.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// What most answers fit in: reports do.
const USUAL_ANSWER_BYTES: usize = 16 << 10;
/// How long a connection may have nothing to say and nothing to wait for.
const IDLE_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A client's connection.
pub(crate) struct Connection {
    /// What the watch knows it by.
    pub(crate) token: u64,
    pub(crate) uid: u32,
    socket: OwnedFd,
    user: OnceLock<User>,
    pub(crate) share: Arc<Share>,
    reading: Mutex<Reading>,
    /// Whether some thread has the right to read.
    is_taken: AtomicBool,
    writing: Mutex<()>,
    /// Its launches that have not ended, by the id of the message that asked for them.
    running: Mutex<HashMap<u64, Arc<Running>>>,
    /// How many answers are still to come: ends of launches, its own and those that it waits for.
    due: AtomicUsize,
    is_over: AtomicBool,
}

/// An answer that a connection is still to get. Dropped, it has been given, or will not be.
pub(crate) struct Due(Weak<Connection>);

impl Due {
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.0.upgrade()
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        if let Some(connection) = self.0.upgrade() {
            connection.due.fetch_sub(1, Ordering::AcqRel);
            // Its silence begins now. Where it is being read, that says so itself.
            if let Ok(mut reading) = connection.reading.try_lock() {
                reading.last = Instant::now();
            }
        }
    }
}

struct Reading {
    incoming: Incoming,
    is_greeted: bool,
    /// The client will send nothing any more.
    has_ended: bool,
    /// When the line began that is there in part.
    partial_since: Option<Instant>,
    last: Instant,
}

/// What comes next of a connection.
pub(crate) enum Next {
    /// A message, with the descriptors that it names.
    Message(Message, Vec<Option<OwnedFd>>),
    /// An empty line.
    Blank,
    /// Nothing for now.
    Nothing,
    /// Nothing ever.
    End,
    /// What came makes no sense, and so what follows it does not either.
    Broken(String),
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd, uid: u32, token: u64, share: Arc<Share>) -> Self {
        Self {
            token,
            uid,
            socket,
            user: OnceLock::new(),
            share,
            reading: Mutex::new(Reading {
                incoming: Incoming::new(MAX_LINE_BYTES),
                is_greeted: false,
                has_ended: false,
                partial_since: None,
                last: Instant::now(),
            }),
            is_taken: AtomicBool::new(true),
            writing: Mutex::new(()),
            running: Mutex::default(),
            due: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::Uid(self.uid)
    }

    /// Who is at the other end, with names and groups, which can take a while to find out at first.
    ///
    /// # Errors
    /// This cannot be found out now; later it may.
    pub(crate) fn user(&self) -> io::Result<&User> {
        match self.user.get() {
            Some(user) => Ok(user),
            None => {
                let user = peer::user(self.socket())?;
                Ok(self.user.get_or_init(|| user))
            }
        }
    }

    /// Takes the right to read, if nobody has it.
    pub(crate) fn take(&self) -> bool {
        !self.is_taken.swap(true, Ordering::AcqRel)
    }

    /// Gives the right to read back.
    pub(crate) fn give_back(&self) {
        self.is_taken.store(false, Ordering::Release);
    }

    /// Whether more will be read of it.
    pub(crate) fn may_read(&self) -> bool {
        !self.reading().has_ended
    }

    /// Whether it has not been greeted: from now on it has.
    pub(crate) fn is_new(&self) -> bool {
        !std::mem::replace(&mut self.reading().is_greeted, true)
    }

    /// Whether it has been greeted, or is being greeted.
    pub(crate) fn is_greeted(&self) -> bool {
        self.reading
            .try_lock()
            .map_or(true, |reading| reading.is_greeted)
    }

    /// The next message; waits a little for one. For who has the right to read.
    pub(crate) fn next(&self) -> Next {
        let mut reading = self.reading();
        let next = self.read(&mut reading);
        reading.last = Instant::now();
        let is_partial = reading.incoming.is_partial() && !reading.incoming.has_line();
        reading.partial_since = match next {
            _ if !is_partial => None,
            Next::Nothing => reading.partial_since.or(Some(reading.last)),
            // What is there of the next line came while this one was read.
            _ => Some(reading.last),
        };
        reading.has_ended |= matches!(next, Next::End | Next::Broken(_));
        next
    }

    fn read(&self, reading: &mut Reading) -> Next {
        let incoming = &mut reading.incoming;
        loop {
            match incoming.line() {
                Ok(Some(line)) if line.trim_ascii().is_empty() => return Next::Blank,
                Ok(Some(line)) => {
                    let message: Message = match serde_json::from_slice(line) {
                        Ok(message) => message,
                        Err(error) => return Next::Broken(format!("no message: {error}")),
                    };
                    let named = message.ask.descriptors();
                    if named > MAX_DESCRIPTORS {
                        let most = MAX_DESCRIPTORS - 1;
                        return Next::Broken(format!("descriptors are named up to {most}"));
                    }
                    let descriptors = incoming.take_descriptors(named);
                    incoming.forget_unnamed();
                    return Next::Message(message, descriptors);
                }
                Ok(None) => {
                    if incoming.is_partial() {
                        let since = *reading.partial_since.get_or_insert_with(Instant::now);
                        if since.elapsed() >= LINE_PATIENCE {
                            return Next::Broken(TOO_SLOW.to_owned());
                        }
                    }
                    let socket = self.socket.as_fd();
                    match incoming.wait_and_fill(socket, Some(LINGER)) {
                        Ok(Filled::Some) => {}
                        Ok(Filled::Nothing) => return Next::Nothing,
                        Ok(Filled::End) => return Next::End,
                        Err(error) => return broken(&error),
                    }
                }
                Err(error) => return broken(&error),
            }
        }
    }

    /// Whether another message is there already.
    pub(crate) fn has_more(&self) -> bool {
        self.reading().incoming.has_line()
    }

    /// Waits so that a user who asks a lot has no more of the daemon than others.
    pub(crate) fn slow_down(&self) {
        let pause = self.share.pause();
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }

    /// Why it is to be ended, if it is: too slow, or too long silent. `None` too while it is read.
    pub(crate) fn overdue(&self, now: Instant) -> Option<&'static str> {
        let Ok(reading) = self.reading.try_lock() else {
            return None;
        };
        let is_past = |since: Instant, patience| now.saturating_duration_since(since) >= patience;
        // While a thread has it, what has not been read is not the client's doing.
        let is_watched = !self.is_taken.load(Ordering::Acquire);
        let is_slow = |since| is_watched && is_past(since, LINE_PATIENCE);
        if reading.partial_since.is_some_and(is_slow) {
            return Some(TOO_SLOW);
        }
        let is_idle = is_past(reading.last, IDLE_PATIENCE) && self.due.load(Ordering::Acquire) == 0;
        is_idle.then_some("nothing was asked for 15 min")
    }

    /// Whether nobody reads it, and more can come.
    pub(crate) fn is_to_be_watched(&self) -> bool {
        let is_watched = !self.is_taken.load(Ordering::Acquire);
        is_watched
            && self
                .reading
                .try_lock()
                .is_ok_and(|reading| !reading.has_ended)
    }

    /// Tells the client. One that does not take it is gone.
    pub(crate) fn send(&self, answer: &Answer, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut line = Vec::with_capacity(USUAL_ANSWER_BYTES);
        serde_json::to_writer(&mut line, answer).map_err(io::Error::other)?;
        line.push(b'\n');
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_over() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = wire::send(self.socket.as_fd(), &line, descriptors, ANSWER_PATIENCE);
        if sent.is_err() {
            // Its end wakes the watch, which sees to the rest.
            self.hang_up();
        }
        sent
    }

    /// Tells the client, and lets it be where that fails.
    pub(crate) fn answer(&self, id: u64, reply: Reply) {
        let answer = Answer {
            id: Some(id),
            answer: reply,
        };
        let _ = self.send(&answer, &[]);
    }

    /// Tells the client what is in the way.
    pub(crate) fn refuse(&self, id: Option<u64>, kind: OutcomeKind, message: impl Into<String>) {
        let message = message.into();
        let answer = Reply::Error { kind, message };
        let _ = self.send(&Answer { id, answer }, &[]);
    }

    /// Tells the client what is in the way, if that can be done without waiting: for the watch, which waits for nobody.
    pub(crate) fn refuse_at_once(&self, kind: OutcomeKind, message: &str) {
        let message = message.to_owned();
        let answer = Reply::Error { kind, message };
        let line = serde_json::to_vec(&Answer { id: None, answer });
        if let (Ok(mut line), Ok(_writing)) = (line, self.writing.try_lock()) {
            line.push(b'\n');
            let _ = wire::send(self.socket.as_fd(), &line, &[], Duration::ZERO);
        }
    }

    /// Its launches that have not ended.
    pub(crate) fn running(&self) -> MutexGuard<'_, HashMap<u64, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an answer is to come, until what is returned is dropped; `None` where so many are already.
    pub(crate) fn due(self: &Arc<Self>, most: usize) -> Option<Due> {
        // Counted before it is looked at, and no longer where it is dropped here.
        let before = self.due.fetch_add(1, Ordering::AcqRel);
        let due = Due(Arc::downgrade(self));
        (before < most).then_some(due)
    }

    /// Whether nothing can come of it any more: its client will say nothing, and has nothing to hear.
    pub(crate) fn is_done(&self) -> bool {
        let has_ended = match self.reading.try_lock() {
            Ok(reading) => reading.has_ended,
            // It is being read.
            Err(_) => return false,
        };
        has_ended && self.due.load(Ordering::Acquire) == 0
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Ends it: its launches are cancelled, and nothing is sent any more.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.hang_up();
        // Not under the lock: a cancel calls who waits for the launch.
        let running: Vec<_> = self.running().values().cloned().collect();
        running.iter().for_each(|running| running.stop.cancel());
    }

    fn hang_up(&self) {
        match shutdown(&self.socket, Shutdown::Both) {
            // The client was gone already.
            Ok(()) | Err(Errno::NOTCONN) => {}
            Err(error) => debug_assert!(false, "a socket cannot be shut down: {error}"),
        }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken(error: &WireError) -> Next {
    match error {
        WireError::Io(_) => Next::End,
        error => Next::Broken(error.to_string()),
    }
}
