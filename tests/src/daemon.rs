//! A real `hotcell serve`, and those who ask it.

use crate::command::{Command, Finished, Running};
use hotcell_serve::client::Client;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a daemon may take to answer at first.
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon in directories of its own, which is killed where nobody stops it.
pub struct Daemon {
    /// Where it runs, and where commands can that share its state.
    pub place: Command,
    folder: TempDir,
    running: Option<Running>,
}

impl Daemon {
    /// One under the built-in policy.
    pub fn start() -> Self {
        Self::under(None)
    }

    /// One under that policy, at a socket that everybody can reach.
    pub fn under(policy: Option<&str>) -> Self {
        Self::with(policy, "--mode 0666")
    }

    /// As [`Self::under`], with those options besides.
    pub fn with(policy: Option<&str>, options: &str) -> Self {
        let place = Command::new();
        if let Some(policy) = policy {
            place.own_policy(policy);
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("it is one's own");
        let daemon = Self {
            place,
            folder,
            running: None,
        };
        daemon.begin(options)
    }

    /// Another one in the same place, once this one has ended.
    pub fn again(mut self) -> Self {
        if let Some(running) = self.running.take() {
            let _ = running.wait();
        }
        self.begin("--mode 0666")
    }

    /// Starts it, and waits until it answers.
    fn begin(self, options: &str) -> Self {
        let mut daemon = self;
        let socket = daemon.socket();
        let command = format!(
            "serve --tier unprivileged --socket {} {options}",
            socket.display()
        );
        let running = daemon.running.insert(daemon.place.start(&command));
        let begin = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            if !running.is_running() || begin.elapsed() > PATIENCE {
                let ended = daemon.running.take().map(Running::wait);
                panic!("no daemon: {ended:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        daemon
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("hotcell.sock")
    }

    /// A client of this user.
    pub fn client(&self) -> Client {
        Client::connect(self.socket()).expect("it answers")
    }

    /// A bare connection.
    pub fn connection(&self) -> UnixStream {
        let connection = UnixStream::connect(self.socket()).expect("it answers");
        connection
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket has timeouts");
        connection
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        self.running.as_ref().expect("it runs").signal(name);
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.running.as_ref().expect("it runs").id()
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Finished {
        let running = self.running.take().expect("it runs");
        running.signal("TERM");
        running.wait()
    }

    /// Waits for its end, which somebody has asked for.
    pub fn wait(mut self) -> Finished {
        self.running.take().expect("it runs").wait()
    }

    /// Runs the command with `--connect` to it.
    pub fn run(&self, arguments: &str) -> Finished {
        let socket = self.socket();
        self.place
            .run(&format!("run --connect={} {arguments}", socket.display()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.signal("KILL");
        }
    }
}

/// Does something as another user, on a thread of its own. Only root can become somebody else: `None` for others.
pub fn as_user<T: Send>(uid: u32, work: impl FnOnce() -> T + Send) -> Option<T> {
    use rustix::process::{Uid, geteuid};
    if !geteuid().is_root() {
        return None;
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let uid = Uid::from_raw(uid);
            rustix::thread::set_thread_res_uid(uid, uid, uid).expect("root can be anybody");
            work()
        });
        Some(thread.join().expect("it does not panic"))
    })
}

/// A client of another user, or `None` where this user can be nobody else.
pub fn client_of(socket: &Path, uid: u32) -> Option<Client> {
    as_user(uid, || Client::connect(socket).expect("it answers"))
}
