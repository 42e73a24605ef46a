//! Where a report goes: looked at before anything runs, so that what could not be written is refused then.
//!
//! A file appears whole or not at all. A pipe or a device is written into, and is opened before the launch without
//! waiting for anybody; so is what the command was started with, such as `/dev/stdout`, whatever it is.

use anyhow::{Context, Result, bail, ensure};
use hotcell::report::Report;
use hotcell_formats::Place;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, FileType, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// How long a pipe's reader may take to come: both may have been started at once.
const READER_WITHIN: Duration = Duration::from_secs(1);
/// How long a pipe's reader may take to read something.
const READING_WITHIN: Duration = Duration::from_secs(10);
/// The most links that are followed, as by the operating system.
const MOST_LINKS: usize = 40;

/// A place for a report that can be written, as far as could be told before the launch.
#[derive(Debug)]
pub(crate) struct ReportPlace {
    /// As it was named.
    named: String,
    target: ReportTarget,
}

#[derive(Debug)]
enum ReportTarget {
    Output,
    Error,
    /// A pipe, a device, or something that the command was started with.
    Open(File),
    /// A regular file, there or not, with its directory resolved.
    File(PathBuf),
}

impl ReportPlace {
    /// Looks at a place: `-`, or a path.
    pub(crate) fn prepare(named: &str) -> Result<Self> {
        let target = target(named).with_context(|| unwritable(named))?;
        let named = named.to_owned();
        Ok(Self { named, target })
    }

    /// Writes the report. Where the standard output's reader has left, nobody misses it.
    pub(crate) fn write(&self, report: &Report) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(report)?;
        json.push(b'\n');
        let written = match &self.target {
            ReportTarget::Output => unread(write_into(io::stdout().as_fd(), &json, None)),
            ReportTarget::Error => unread(write_into(io::stderr().as_fd(), &json, None)),
            ReportTarget::Open(file) => write_into(file.as_fd(), &json, Some(READING_WITHIN)),
            ReportTarget::File(path) => write_file(path, &json),
        };
        written.with_context(|| unwritable(&self.named))
    }
}

/// What a report of that name is written to. The standard output is the same as the file that it leads to.
pub(crate) fn place_of(named: &str) -> Place {
    Place::of(Path::new(match named {
        "-" => "/proc/self/fd/1",
        path => path,
    }))
}

fn unwritable(named: &str) -> String {
    format!("the report {named} cannot be written")
}

fn unread(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn target(named: &str) -> Result<ReportTarget> {
    if named == "-" {
        return Ok(ReportTarget::Output);
    }
    let path = Path::new(named);
    match own_descriptor(path) {
        Some(1) => return Ok(ReportTarget::Output),
        Some(2) => return Ok(ReportTarget::Error),
        // What was opened for the command is written behind what is in it.
        Some(_) => return open(path, OFlags::APPEND).map(ReportTarget::Open),
        None => {}
    }
    let Ok(found) = path.symlink_metadata() else {
        return free_name(path).map(ReportTarget::File);
    };
    let behind = path.metadata().map(|behind| behind.file_type());
    match behind {
        Ok(kind) if !kind.is_file() && !kind.is_dir() => {
            open(path, OFlags::empty()).map(ReportTarget::Open)
        }
        _ if found.is_symlink() => {
            bail!(
                "it is a symbolic link, which a report does not replace: name the file that it points to"
            )
        }
        _ if found.is_dir() => bail!("it is a directory: name a file in it"),
        _ => free_name(path).map(ReportTarget::File),
    }
}

/// The number of a descriptor of this process that a path stands for, such as `/dev/stdout` and `/dev/fd/3`.
fn own_descriptor(path: &Path) -> Option<u32> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let directory = directory_of(&path).canonicalize().ok()?;
        if is_own_descriptors(&directory) {
            return path.file_name()?.to_str()?.parse().ok();
        }
        path = directory.join(path.read_link().ok()?);
    }
    None
}

/// Whether it is `/proc/self/fd` or that of a thread of this process, with links resolved.
fn is_own_descriptors(directory: &Path) -> bool {
    let own = PathBuf::from(format!("/proc/{}", std::process::id()));
    let rest = directory.strip_prefix(own);
    rest.is_ok_and(|rest| {
        rest == Path::new("fd") || rest.starts_with("task") && rest.ends_with("fd")
    })
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Opens what is no file to be replaced, without waiting, and without cutting anything off.
fn open(path: &Path, more: OFlags) -> Result<File> {
    let kind = path.metadata()?.file_type();
    ensure!(!kind.is_block_device(), "it is a disk");
    ensure!(!kind.is_socket(), "it is a socket: name a file or a pipe");
    ensure!(!kind.is_dir(), "it is a directory: name a file in it");
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | more;
    let begin = Instant::now();
    loop {
        let opened = File::options()
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path);
        match opened {
            Err(error) if is_unread(&error, kind) => {
                ensure!(
                    begin.elapsed() < READER_WITHIN,
                    "nobody reads the pipe: start its reader first"
                );
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => return Ok(opened?),
        }
    }
}

/// Whether an error means that a pipe has no reader yet.
fn is_unread(error: &io::Error, kind: FileType) -> bool {
    kind.is_fifo() && error.raw_os_error() == Some(Errno::NXIO.raw_os_error())
}

/// A name in a directory that files can be made in.
fn free_name(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().context("it is no name of a file")?;
    let directory = directory_of(path).canonicalize()?;
    temporary_in(&directory)?.close()?;
    Ok(directory.join(name))
}

fn temporary_in(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".hotcell-report-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(directory)
}

/// Writes a file whole or not at all, where no more than a regular file has its name by now.
fn write_file(path: &Path, json: &[u8]) -> io::Result<()> {
    let mut file = temporary_in(directory_of(path))?;
    file.write_all(json)?;
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        let why = "something else took its name while the kernel ran";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes all of it, waiting for a reader no longer than that each time.
fn write_into(
    target: BorrowedFd<'_>,
    mut bytes: &[u8],
    patience: Option<Duration>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(target, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait_for_room(target, patience)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait_for_room(target: BorrowedFd<'_>, patience: Option<Duration>) -> io::Result<()> {
    let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
    let mut waiting = [PollFd::new(&target, PollFlags::OUT)];
    match poll(&mut waiting, timeout.as_ref()) {
        Ok(0) => {
            let why = "its reader does not read";
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        }
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        format!(
            "{:#}",
            ReportPlace::prepare(path.to_str().unwrap()).unwrap_err()
        )
    }

    #[test]
    fn what_the_command_was_started_with_is_never_replaced() {
        for (path, descriptor) in [
            ("/dev/stdout", Some(1)),
            ("/dev/stderr", Some(2)),
            ("/dev/fd/1", Some(1)),
            ("/proc/self/fd/7", Some(7)),
            ("/proc/thread-self/fd/7", Some(7)),
            ("/proc/self/../self/fd/7", Some(7)),
            ("/proc/1/fd/1", None),
            ("/proc/self/environ", None),
            ("/dev/null", None),
            ("1", None),
        ] {
            assert_eq!(own_descriptor(Path::new(path)), descriptor, "{path}");
        }
    }

    #[test]
    fn what_cannot_take_a_report_is_refused_at_once() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        let pipe = path("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let _listening = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::fs::write(path("file"), "").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
        for (name, word) in [
            ("pipe", "nobody reads"),
            ("socket", "socket"),
            ("link", "link"),
            ("dangling", "link"),
            ("", "directory"),
            ("none/r.json", "No such file"),
            ("file/r.json", "Not a directory"),
        ] {
            assert!(refusal(&path(name)).contains(word), "{name}");
        }
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 5);
    }

    #[test]
    fn a_reader_that_does_not_read_is_not_waited_for() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let bytes = vec![0; 1 << 20];
        let patience = Some(Duration::from_millis(10));
        let error = write_into(writer.as_fd(), &bytes, patience).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(reader);
        let error = write_into(writer.as_fd(), &bytes, patience).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(unread(Err(error)).is_ok());
    }
}
