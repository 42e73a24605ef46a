//! The daemon's watch: who comes, who has something to say, who is too slow, and how it ends.

use crate::connection::{Connection, Pace};
use crate::requests::attend;
use crate::server::{FIRST_CONNECTION, Server, WAKE};
use hotcell_model::outcome::OutcomeKind;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{SocketFlags, accept_with};
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The most connections in all.
pub const MAX_CONNECTIONS: usize = 1024;
/// The most connections of one user.
pub const MAX_CONNECTIONS_OF_USER: usize = 256;
/// How often what is overdue is looked for.
const TICK: Duration = Duration::from_secs(1);
/// How long launches that were cancelled may take to end.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

impl Server {
    /// Serves until [`Self::stop`] is called. Then nothing new is begun; launches have `patience` to end and are cancelled
    /// after that.
    ///
    /// # Errors
    /// The operating system refuses to say what happens on the sockets.
    pub fn serve(self: &Arc<Self>, patience: Duration) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        let tick = Timespec::try_from(TICK).map_err(io::Error::other)?;
        let mut next_tick = Instant::now() + TICK;
        while !self.is_stopping() {
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&tick),
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let (token, flags) = (event.data.u64(), event.flags);
                match token {
                    WAKE => {}
                    FIRST_CONNECTION.. => self.hear(token, flags),
                    listener => self.accept(listener),
                }
            }
            let now = Instant::now();
            if now >= next_tick {
                self.tick(now);
                next_tick = now + TICK;
            }
        }
        self.wind_up(patience);
        Ok(())
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

    /// Has a thread read a connection, for which the right to read was taken.
    fn attend(self: &Arc<Self>, connection: Arc<Connection>) {
        let (server, attended) = (Arc::clone(self), Arc::clone(&connection));
        let thread = std::thread::Builder::new().name("hotcell-client".to_owned());
        let attend = move || {
            // Whoever makes this panic loses the connection, and nobody else anything.
            let attended_to = catch_unwind(AssertUnwindSafe(|| attend(&server, &attended)));
            if attended_to.is_err() {
                server.forget(&attended);
            }
        };
        if let Err(error) = thread.spawn(attend) {
            let message = format!("the daemon has no thread for this: {error}; try again later");
            connection.refuse(None, OutcomeKind::Budget, message);
            self.forget(&connection);
        }
    }

    fn accept(self: &Arc<Self>, listener: u64) {
        loop {
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
        let connection = Arc::new(Connection::new(socket, uid, token, self.pace_of(uid)));
        let refused = {
            let mut connections = self.by_token();
            let of_user = connections.values().filter(|other| other.uid == uid);
            let of_user = of_user.count();
            if of_user >= MAX_CONNECTIONS_OF_USER {
                Some((of_user, "you have"))
            } else if connections.len() >= MAX_CONNECTIONS {
                Some((connections.len(), "there are"))
            } else {
                connections.insert(token, Arc::clone(&connection));
                None
            }
        };
        if let Some((count, whose)) = refused {
            let message =
                format!("{whose} {count} connections already: close one, or try again later");
            connection.refuse(None, OutcomeKind::Budget, message);
            return;
        }
        let data = EventData::new_u64(token);
        match epoll::add(&self.epoll, connection.socket(), data, EventFlags::ONESHOT) {
            Ok(()) => self.attend(connection),
            Err(_) => self.forget(&connection),
        }
    }

    fn pace_of(&self, uid: u32) -> Arc<Pace> {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pace) = paces.get(&uid).and_then(Weak::upgrade) {
            return pace;
        }
        paces.retain(|_, pace| pace.strong_count() > 0);
        let pace = Arc::<Pace>::default();
        paces.insert(uid, Arc::downgrade(&pace));
        pace
    }

    fn tick(&self, now: Instant) {
        let all: Vec<_> = self.by_token().values().cloned().collect();
        for connection in all {
            // The ends that it waited for have been told since.
            self.settle(&connection);
            if let Some(why) = connection.overdue(now) {
                connection.refuse(None, OutcomeKind::Usage, why);
                self.forget(&connection);
            }
        }
        // What cannot be given back now is given back another time.
        let _ = self.ledger.return_idle();
    }

    fn wind_up(&self, patience: Duration) {
        // Whoever waits to be accepted is refused by the operating system, and can wait for the daemon's return.
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        if !self.launches.wait_until_none(patience) {
            self.launches.cancel_all();
            self.launches.wait_until_none(LAST_PATIENCE);
        }
        let all: Vec<_> = self.by_token().values().cloned().collect();
        all.iter().for_each(|connection| self.forget(connection));
        let _ = self.ledger.return_all();
    }
}
