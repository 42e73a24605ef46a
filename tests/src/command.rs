//! The real `hotcell`, in directories of its own.

use crate::guest::{Guest, checkout};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a command may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The `hotcell` that was built with this test, or `None` where only the tests were built.
pub fn binary() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors()
        .map(|folder| folder.join("hotcell"))
        .find(|candidate| candidate.is_file())
}

/// A place to run commands in: an empty working directory, and state and cache that nobody shares.
pub struct Command {
    place: TempDir,
    binary: PathBuf,
}

/// A command that ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The standard output.
    pub stdout: String,
    /// The error stream.
    pub stderr: String,
}

/// A command that runs.
pub struct Running {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
}

impl Command {
    /// An empty place.
    ///
    /// # Panics
    /// If the command was not built: `cargo test --workspace` builds it.
    pub fn new() -> Self {
        let binary = binary().expect("build the command first: cargo build --release --workspace");
        let place = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(place.path().join("work")).expect("a working directory");
        Self { place, binary }
    }

    /// Writes the user's own policy, where the command looks for it.
    pub fn own_policy(&self, text: &str) -> &Self {
        let file = self.configuration().join("hotcell.toml");
        std::fs::create_dir_all(self.configuration()).expect("a folder for the configuration");
        std::fs::write(&file, text).expect("it can be written");
        let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, own).expect("it is one's own");
        self
    }

    /// Where the command looks for the user's own policy.
    pub fn configuration(&self) -> PathBuf {
        self.place.path().join("config/hotcell")
    }

    /// Where the command keeps keys and budgets.
    pub fn state(&self) -> PathBuf {
        self.place.path().join("state/hotcell")
    }

    /// Where the command keeps what can be made again.
    pub fn cache(&self) -> PathBuf {
        self.place.path().join("cache/hotcell")
    }

    /// A path in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join("work").join(name)
    }

    /// Writes a file into the working directory.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), bytes).expect("the working directory can be written");
        self
    }

    /// Writes a guest's component as `NAME.wasm`.
    pub fn guest(&self, name: &str, guest: &Guest) -> &Self {
        self.write(&format!("{name}.wasm"), guest.bytes())
    }

    /// What is in the working directory, sorted.
    pub fn listing(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("")).expect("the working directory");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    /// Runs `hotcell` with those arguments, separated by spaces, to its end.
    pub fn run(&self, arguments: &str) -> Finished {
        self.start(arguments).wait()
    }

    /// Starts `hotcell` with those arguments, separated by spaces.
    pub fn start(&self, arguments: &str) -> Running {
        let child = self
            .process(arguments.split_whitespace())
            .spawn()
            .expect("the command starts");
        Running::of(child)
    }

    /// Runs `hotcell` with those arguments and a file as its standard input, to its end.
    pub fn run_with_input(&self, arguments: &str, input: &Path) -> Finished {
        let input = std::fs::File::open(input).expect("the input can be opened");
        let mut process = self.process(arguments.split_whitespace());
        let child = process.stdin(input).spawn().expect("the command starts");
        Running::of(child).wait()
    }

    /// Starts another program with one argument, as [`Command::start`] starts the command; `None` where there is none.
    pub fn start_program(&self, program: &str, argument: &str) -> Option<Running> {
        let mut process = self.prepared(Path::new(program), [argument].into_iter());
        let child = process.spawn().ok()?;
        Some(Running::of(child))
    }

    fn process<S: AsRef<OsStr>>(
        &self,
        arguments: impl Iterator<Item = S>,
    ) -> std::process::Command {
        self.prepared(&self.binary, arguments)
    }

    fn prepared<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl Iterator<Item = S>,
    ) -> std::process::Command {
        let mut process = std::process::Command::new(program);
        process
            .args(arguments)
            .current_dir(self.path(""))
            .env("XDG_STATE_HOME", self.place.path().join("state"))
            .env("XDG_CACHE_HOME", self.place.path().join("cache"))
            .env("XDG_CONFIG_HOME", self.place.path().join("config"))
            .env("HOME", self.place.path())
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process
    }

    /// As [`Command::report`], of a launch that has an alert for a reason.
    pub fn report_with_alerts(&self, name: &str) -> serde_json::Value {
        let path = self.path(name);
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("no report {}: {error}", path.display()));
        serde_json::from_slice(&bytes).expect("a report is JSON")
    }

    /// A report that a command wrote, as JSON. Its workers were honest, and so it has no alert.
    pub fn report(&self, name: &str) -> serde_json::Value {
        let report = self.report_with_alerts(name);
        let alerts = report.get("alerts");
        assert!(
            alerts.is_none(),
            "nothing here is hostile but guests: {alerts:?}"
        );
        report
    }

    /// The built component of a kernel in `kernels/`, if it was built.
    pub fn kernel(name: &str) -> Option<PathBuf> {
        let path = checkout().join(format!("target/kernels/{name}.wasm"));
        path.is_file().then_some(path)
    }

    /// Where the artifacts are.
    pub fn artifacts(&self) -> PathBuf {
        self.place.path().join("cache/hotcell/artifacts")
    }
}

impl Default for Command {
    fn default() -> Self {
        Self::new()
    }
}

impl Running {
    fn of(mut child: Child) -> Self {
        let stderr = child.stderr.take().map(BufReader::new);
        Self { child, stderr }
    }

    /// Reads what it says on standard error until a line has that in it. Its [`Finished`] has what comes after.
    ///
    /// # Panics
    /// It ends without such a line.
    pub fn until_says(&mut self, part: &str) {
        let stderr = self.stderr.as_mut().expect("standard error is a pipe");
        let mut said = String::new();
        while !said.lines().last().is_some_and(|line| line.contains(part)) {
            let read = stderr.read_line(&mut said).expect("it speaks UTF-8");
            assert!(read > 0, "`{part}` was never said: {said}");
        }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name: `INT`, `KILL`.
    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status();
        assert!(status.expect("there is a kill command").success());
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; kills it and panics where that does not come.
    pub fn wait(mut self) -> Finished {
        let stdout = self.child.stdout.take().map(read_on_thread);
        let stderr = self.stderr.take().map(read_on_thread);
        let begin = Instant::now();
        while self.is_running() {
            if begin.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("the command did not end within {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = self.child.wait().expect("the command has ended");
        let text = |reader: Option<std::thread::JoinHandle<String>>| {
            reader
                .and_then(|thread| thread.join().ok())
                .unwrap_or_default()
        };
        Finished {
            code: status.code(),
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }
}

fn read_on_thread<R: std::io::Read + Send + 'static>(
    mut stream: R,
) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Finished {
    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Checks that the standard output contains each of `parts`.
    #[track_caller]
    pub fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "`{part}`: {}", self.stdout);
        }
        self
    }

    /// Checks that the error stream is one line that contains each of `parts`.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        assert_eq!(
            self.stderr.trim_end().lines().count(),
            1,
            "one clear line: {}",
            self.stderr
        );
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "`{part}` is not in: {}",
                self.stderr
            );
        }
        self
    }
}
