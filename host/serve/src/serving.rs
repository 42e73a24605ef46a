//! The daemon's watch: who comes, who has something to say, who is too slow, and how it ends.

use crate::connection::Connection;
use crate::requests::attend;
use crate::server::{FIRST_CONNECTION, Server, WAKE};
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::report::{Alert, AlertKind};
use hotcell_model::text::chain;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{SocketFlags, accept_with};
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The most connections in all.
pub const MAX_CONNECTIONS: usize = 1024;
/// The most connections of one user.
pub const MAX_CONNECTIONS_OF_USER: usize = 256;
/// How often what is overdue is looked for.
const TICK: Duration = Duration::from_secs(1);
/// How long launches that were cancelled may take to end.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// How many more connections there may be of operators, so that they get in when everybody else's are there.
const KEPT_FOR_OPERATORS: usize = 16;
/// How many connections are taken in at once before others are heard again.
const ACCEPTED_AT_ONCE: usize = 16;
/// How long alerts may take that are on their way at the end.
const ALERT_PATIENCE: Duration = Duration::from_secs(3);
/// How often is looked, at the end, whether launches have ended.
const LAST_TICK: Duration = Duration::from_millis(20);

/// How the daemon comes to its end.
struct Ending {
    /// What it waits for till then.
    until: Instant,
    are_cancelled: bool,
}

impl Server {
    /// Serves until [`Self::stop`] is called. Then nothing new is begun, and `at_stop` is called; launches have `patience` to
    /// end and are cancelled after that. Clients are heard until the last has ended.
    ///
    /// # Errors
    /// The operating system refuses to say what happens on the sockets.
    pub fn serve(self: &Arc<Self>, patience: Duration, at_stop: impl FnOnce()) -> io::Result<()> {
        let (mut at_stop, mut ending) = (Some(at_stop), None);
        let mut events = Vec::with_capacity(64);
        let mut next_tick = Instant::now() + TICK;
        let keeper = self.keep_ledger()?;
        loop {
            let longest = match ending {
                Some(_) => LAST_TICK,
                None => TICK,
            };
            let longest = Timespec::try_from(longest).map_err(io::Error::other)?;
            events.clear();
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, room, Some(&longest)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let (token, flags) = (event.data.u64(), event.flags);
                match token {
                    WAKE => {
                        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
                    }
                    FIRST_CONNECTION.. => self.hear(token, flags),
                    listener => self.accept(listener),
                }
            }
            let now = Instant::now();
            if now >= next_tick {
                self.tick(now);
                next_tick = now + TICK;
            }
            if !self.is_stopping() {
                continue;
            }
            let ending = ending.get_or_insert_with(|| {
                self.close();
                if let Some(at_stop) = at_stop.take() {
                    at_stop();
                }
                Ending {
                    until: now + patience,
                    are_cancelled: false,
                }
            });
            if self.launches.are_none() || (now >= ending.until && ending.are_cancelled) {
                break;
            }
            if now >= ending.until {
                self.launches.cancel_all();
                *ending = Ending {
                    until: now + LAST_PATIENCE,
                    are_cancelled: true,
                };
            }
        }
        let all: Vec<_> = self.by_token().values().cloned().collect();
        all.iter().for_each(|connection| self.forget(connection));
        // It looks whether the daemon stops, a few times a second.
        let _ = keeper.join();
        let _ = self.ledger.return_all();
        self.conclude();
        Ok(())
    }

    /// Brings the audit log to the disk, and then delivers the alerts that are on their way, for whoever ends the process next.
    fn conclude(&self) {
        if let Some(audit) = &self.audit
            && let Err(error) = audit.close()
        {
            let kind = AlertKind::UnwrittenRecord;
            let message = chain(&error);
            self.watcher.alert(&Alert { kind, message });
        }
        self.watcher.close(ALERT_PATIENCE);
    }

    /// Gives back what of budgets is not used, on a thread of its own: files can be slow.
    fn keep_ledger(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        let server = Arc::clone(self);
        let keep = move || {
            loop {
                for _ in 0..4 {
                    if server.is_stopping() {
                        return;
                    }
                    std::thread::sleep(TICK / 4);
                }
                // What cannot be given back now is given back another time.
                let _ = server.ledger.return_idle();
            }
        };
        std::thread::Builder::new()
            .name("hotcell-ledger".to_owned())
            .spawn(keep)
    }

    /// Takes nobody in any more. Whoever waits for it is refused by the operating system, and can wait for the daemon's return.
    fn close(&self) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.clear();
    }

    /// Something happened on a connection.
    fn hear(self: &Arc<Self>, token: u64, flags: EventFlags) {
        let connection = self.by_token().get(&token).cloned();
        let Some(connection) = connection else { return };
        if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            self.forget(&connection);
        } else if connection.take() {
            self.attend(connection);
        }
    }

    /// Has a thread read a connection, for which the right to read was taken. Where there is none, it is heard at the next tick.
    fn attend(self: &Arc<Self>, connection: Arc<Connection>) {
        let Some(thread) = connection.share.thread() else {
            connection.give_back();
            return;
        };
        let (server, attended) = (Arc::clone(self), Arc::clone(&connection));
        let attend = move || {
            let _thread = thread;
            // Whoever makes this panic loses the connection, and nobody else anything.
            let attended_to = catch_unwind(AssertUnwindSafe(|| attend(&server, &attended)));
            if attended_to.is_err() {
                server.forget(&attended);
            }
        };
        let spawned = std::thread::Builder::new()
            .name("hotcell-client".to_owned())
            .spawn(attend);
        if spawned.is_err() {
            connection.give_back();
        }
    }

    fn accept(self: &Arc<Self>, listener: u64) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let accepted = {
                let listeners = self
                    .listeners
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let position = usize::try_from(listener).unwrap_or(usize::MAX);
                let Some(listener) = listeners.get(position) else {
                    return;
                };
                accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
            };
            match accepted {
                Ok(socket) => self.welcome(socket),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(_) => {
                    // No descriptors are left: somebody has to give one back first.
                    std::thread::sleep(Duration::from_millis(20));
                    return;
                }
            }
        }
    }

    fn welcome(self: &Arc<Self>, socket: OwnedFd) {
        let Ok(credentials) = socket_peercred(&socket) else {
            return;
        };
        let uid = credentials.uid.as_raw();
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        let share = self.shares.of(uid);
        let connection = Arc::new(Connection::new(socket, uid, token, share));
        let (of_user, in_all) = (self.connections_of(uid), self.connections());
        let more = match self.is_operator(uid) {
            true => KEPT_FOR_OPERATORS,
            false => 0,
        };
        let refused = if of_user >= MAX_CONNECTIONS_OF_USER + more {
            Some(format!("you have {of_user} connections already"))
        } else if in_all >= MAX_CONNECTIONS + more {
            Some(format!("there are {in_all} connections already"))
        } else {
            None
        };
        if let Some(why) = refused {
            let message = format!("{why}: close one, or try again later");
            connection.refuse_at_once(OutcomeKind::Budget, &message);
            return;
        }
        // Only the watch takes connections in, so that nobody else has come in between.
        self.by_token().insert(token, Arc::clone(&connection));
        let data = EventData::new_u64(token);
        match epoll::add(&self.epoll, connection.socket(), data, EventFlags::ONESHOT) {
            Ok(()) => self.attend(connection),
            Err(_) => self.forget(&connection),
        }
    }

    fn tick(self: &Arc<Self>, now: Instant) {
        let all: Vec<_> = self.by_token().values().cloned().collect();
        for connection in all {
            // The ends that it waited for have been told since.
            self.settle(&connection);
            if let Some(why) = connection.overdue(now) {
                connection.refuse_at_once(OutcomeKind::Usage, why);
                self.forget(&connection);
            } else if connection.is_to_be_watched() {
                // There may have been no thread when it, or something of it, came.
                match connection.is_greeted() {
                    true => self.arm(&connection, true),
                    false if connection.take() => self.attend(connection),
                    false => {}
                }
            }
        }
        self.shares.forget_fresh();
    }
}
