//! The daemon itself: who may connect, who waits for what, and how it ends.

use crate::connection::Connection;
use crate::launches::Launches;
use crate::protocol::{Answer, Greeting, PROTOCOL, Reply};
use crate::served::{NotReplaced, Served};
use crate::share::Shares;
use crate::web::Web;
use hotcell::{Cell, CellBuilder, SetupError, Timestamp};
use hotcell_audit::AuditLog;
use hotcell_ledger::Ledger;
use hotcell_model::outcome::OutcomeKind;
use hotcell_policy::FilePolicy;
use hotcell_watch::Watcher;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What the watch calls the sockets that clients connect to: their positions below this. Connections have numbers above it.
pub(crate) const FIRST_CONNECTION: u64 = 1 << 32;
/// The most connections of a user whom the policy does not serve.
const MAX_UNSERVED: usize = 4;
/// What it calls whatever wakes it.
pub(crate) const WAKE: u64 = FIRST_CONNECTION - 1;

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
    /// Who watches everything.
    pub watcher: Arc<Watcher>,
    /// Where everything is recorded, if it is.
    pub audit: Option<AuditLog>,
    /// Where figures are shown, if they are.
    pub web: Option<Web>,
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
    pub(crate) watcher: Arc<Watcher>,
    pub(crate) audit: Option<Arc<AuditLog>>,
    pub(crate) launches: Arc<Launches>,
    pub(crate) since: Timestamp,
    own_uid: u32,
    pub(crate) listeners: Mutex<Vec<UnixListener>>,
    pub(crate) epoll: OwnedFd,
    pub(crate) wake: OwnedFd,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    pub(crate) shares: Shares,
    pub(crate) next_token: AtomicU64,
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
        let audit = setup.audit.map(Arc::new);
        let watcher = setup.watcher;
        let builder = setup.cell.policy(policy.clone()).watch(watcher.clone());
        let builder = match &audit {
            Some(audit) => builder.audit(Arc::clone(audit) as _),
            None => builder,
        };
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
        let server = Arc::new(Self {
            cell,
            policy,
            ledger: setup.ledger,
            watcher,
            audit,
            launches: Arc::default(),
            since: SystemTime::now().into(),
            own_uid: rustix::process::geteuid().as_raw(),
            listeners: Mutex::new(setup.listeners),
            epoll,
            wake,
            connections: Mutex::default(),
            shares: Shares::default(),
            next_token: AtomicU64::new(FIRST_CONNECTION),
            is_stopping: AtomicBool::new(false),
        });
        if let Some(web) = setup.web {
            web.show(server.clone())?;
        }
        Ok(server)
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

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.by_token().len()
    }

    /// Tells a client whom it talks to.
    ///
    /// # Errors
    /// It cannot be found out whom, or it has more connections than one may have whom the policy does not serve.
    pub(crate) fn greet(&self, connection: &Connection) -> io::Result<()> {
        let refuse = |message: String| {
            connection.refuse(None, OutcomeKind::Budget, message);
            io::ErrorKind::ConnectionRefused
        };
        let user = connection
            .user()
            .map_err(|error| refuse(not_known_now(&error)))?;
        let tenant = self.policy.tenant_of(user);
        let operator = self.is_operator(connection.uid);
        if tenant.is_none() && !operator && self.connections_of(connection.uid) > MAX_UNSERVED {
            let message = format!(
                "whom no tenant has may have {MAX_UNSERVED} connections, and you have more"
            );
            return Err(refuse(message).into());
        }
        let greeting = Greeting {
            protocols: vec![PROTOCOL],
            host: concat!("hotcell ", env!("CARGO_PKG_VERSION")).to_owned(),
            caller: connection.caller(),
            tenant,
            operator,
        };
        let answer = Reply::Greeting(greeting);
        connection.send(&Answer { id: None, answer }, &[])
    }

    /// How many connections a user has.
    pub(crate) fn connections_of(&self, uid: u32) -> usize {
        let connections = self.by_token();
        let of_user = connections.values().filter(|other| other.uid == uid);
        of_user.count()
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
    pub(crate) fn arm(&self, connection: &Connection, reads: bool) {
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
        if self.by_token().remove(&connection.token).is_some() {
            let _ = epoll::delete(&self.epoll, connection.socket());
        }
        connection.end();
    }

    /// The connections by what the watch calls them.
    pub(crate) fn by_token(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody is told whom the machine's databases could not be asked about.
pub(crate) fn not_known_now(error: &io::Error) -> String {
    format!("it cannot be found out now who you are: {error}; try again later")
}

/// Every client has a few descriptors open here: as many as there may be.
fn allow_many_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
