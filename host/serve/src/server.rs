//! The daemon itself: who may connect, who waits for what, and how it ends.

use crate::connection::{Connection, Pace, attend};
use crate::launches::Launches;
use crate::protocol::{Answer, Greeting, PROTOCOL, Reply};
use crate::served::{NotReplaced, Served};
use hotcell::{Cell, CellBuilder, SetupError, Tenant, Timestamp};
use hotcell_ledger::Ledger;
use hotcell_model::outcome::OutcomeKind;
use hotcell_policy::FilePolicy;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

/// The most connections in all.
pub const MAX_CONNECTIONS: usize = 1024;
/// The most connections of one user.
pub const MAX_CONNECTIONS_OF_USER: usize = 256;
/// How often what is overdue is looked for.
const TICK: Duration = Duration::from_secs(1);
/// How long launches that were cancelled may take to end.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// What the watch calls the sockets that clients connect to: their positions below this. Connections have numbers above it.
const FIRST_CONNECTION: u64 = 1 << 32;
const WAKE: u64 = FIRST_CONNECTION - 1;

/// What a daemon serves with.
pub struct Setup {
    /// The cell to be, without a policy and without accounts, which the daemon gives it.
    pub cell: CellBuilder,
    /// The policy.
    pub policy: FilePolicy,
    /// Where budgets are kept.
    pub ledger: Ledger,
    /// Where clients connect.
    pub listeners: Vec<UnixListener>,
}

/// A daemon cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// There is no cell.
    #[error(transparent)]
    Cell(#[from] SetupError),
    /// The operating system refuses.
    #[error("the daemon cannot watch its sockets")]
    Io(#[from] io::Error),
}

/// A daemon.
pub struct Server {
    pub(crate) cell: Cell,
    pub(crate) policy: Served,
    pub(crate) ledger: Ledger,
    pub(crate) launches: Arc<Launches>,
    pub(crate) since: Timestamp,
    own_uid: u32,
    listeners: Mutex<Vec<UnixListener>>,
    epoll: OwnedFd,
    wake: OwnedFd,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    /// By user, as long as there is a connection of theirs.
    paces: Mutex<HashMap<u32, Weak<Pace>>>,
    next_token: AtomicU64,
    is_stopping: AtomicBool,
}

impl Server {
    /// Sets a daemon up; it serves from [`Self::serve`] on.
    ///
    /// # Errors
    /// The cell cannot be built, or the operating system refuses.
    pub fn new(setup: Setup) -> Result<Arc<Self>, ServerError> {
        allow_many_descriptors();
        let policy = Served::new(setup.policy);
        let builder = setup.cell.policy(policy.clone());
        let cell = builder.accounts(Arc::new(setup.ledger.clone())).build()?;
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = eventfd(0, flags).map_err(io::Error::from)?;
        let watch = |fd: &dyn AsFd, number| {
            epoll::add(
                &epoll,
                fd.as_fd(),
                EventData::new_u64(number),
                EventFlags::IN,
            )
        };
        watch(&wake, WAKE).map_err(io::Error::from)?;
        for (number, listener) in (0..).zip(&setup.listeners) {
            listener.set_nonblocking(true)?;
            watch(listener, number).map_err(io::Error::from)?;
        }
        Ok(Arc::new(Self {
            cell,
            policy,
            ledger: setup.ledger,
            launches: Arc::default(),
            since: SystemTime::now().into(),
            own_uid: rustix::process::geteuid().as_raw(),
            listeners: Mutex::new(setup.listeners),
            epoll,
            wake,
            connections: Mutex::default(),
            paces: Mutex::default(),
            next_token: AtomicU64::new(FIRST_CONNECTION),
            is_stopping: AtomicBool::new(false),
        }))
    }

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

    /// Has [`Self::serve`] come to its end. From any thread.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Whether it comes to its end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Serves under another policy from here on. Launches that were permitted go on.
    ///
    /// # Errors
    /// It requires other walls than the daemon was started with: nothing is changed.
    pub fn reload(&self, policy: FilePolicy) -> Result<(), NotReplaced> {
        self.policy.replace(policy)
    }

    /// Whether a user may see and cancel everybody's launches: root, and whoever the daemon runs as.
    pub(crate) fn is_operator(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid
    }

    /// Who is charged for what a connection asks for.
    pub(crate) fn tenant_of(&self, connection: &Connection) -> Option<Tenant> {
        self.policy.tenant_of(connection.user())
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.lock().len()
    }

    /// Tells a client whom it talks to.
    pub(crate) fn greet(&self, connection: &Connection) -> io::Result<()> {
        let greeting = Greeting {
            protocols: vec![PROTOCOL],
            host: concat!("hotcell ", env!("CARGO_PKG_VERSION")).to_owned(),
            caller: connection.caller(),
            tenant: self.tenant_of(connection),
            operator: self.is_operator(connection.uid),
        };
        let answer = Reply::Greeting(greeting);
        connection.send(&Answer { id: None, answer }, &[])
    }

    /// Something happened on a connection.
    fn hear(self: &Arc<Self>, token: u64, flags: EventFlags) {
        let connection = self.lock().get(&token).cloned();
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

    /// Gives the right to read back to the watch, which hands it on when something comes.
    pub(crate) fn watch(&self, connection: &Connection) {
        connection.give_back();
        self.arm(connection, connection.may_read());
    }

    /// Takes the right to read again that was given to the watch; whether nobody else has it.
    pub(crate) fn unwatch(&self, connection: &Connection) -> bool {
        let is_taken = connection.take();
        if is_taken {
            self.arm(connection, false);
        }
        is_taken
    }

    /// Has the watch tell when something can be read, or only when the client is gone.
    fn arm(&self, connection: &Connection, reads: bool) {
        let flags = match reads {
            true => EventFlags::IN | EventFlags::ONESHOT,
            false => EventFlags::ONESHOT,
        };
        let data = EventData::new_u64(connection.token);
        // It is not watched any more if it was forgotten meanwhile.
        let _ = epoll::modify(&self.epoll, connection.socket(), data, flags);
    }

    /// Ends a connection that nothing can come of any more.
    pub(crate) fn settle(&self, connection: &Connection) {
        if connection.is_done() {
            self.forget(connection);
        }
    }

    /// Ends a connection.
    pub(crate) fn forget(&self, connection: &Connection) {
        if self.lock().remove(&connection.token).is_some() {
            let _ = epoll::delete(&self.epoll, connection.socket());
        }
        connection.end();
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
            let mut connections = self.lock();
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
        let all: Vec<_> = self.lock().values().cloned().collect();
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
        let all: Vec<_> = self.lock().values().cloned().collect();
        all.iter().for_each(|connection| self.forget(connection));
        let _ = self.ledger.return_all();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every client has a few descriptors open here: as many as there may be.
fn allow_many_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
