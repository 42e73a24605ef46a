//! The one thread that starts workers.
//!
//! A worker asks to be killed when its parent dies, and for the operating system's kernel the parent is the
//! thread that started it. This one never ends before the process does.

use super::{PerProcess, WorkerCommand, living};
use crate::channel::Channel;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What a start comes to: the child, and a handle on it that no later process can take over.
type Spawned = io::Result<(Pid, Arc<OwnedFd>)>;

struct SpawnRequest {
    command: WorkerCommand,
    input: Channel,
    output: Channel,
    reply: SyncSender<Spawned>,
}

/// The mailbox, once there is the thread.
static SPAWNER: PerProcess<Mutex<Option<SyncSender<SpawnRequest>>>> = PerProcess::new();

/// Starts a worker with those ends of its channels.
pub(super) fn spawn(command: WorkerCommand, input: Channel, output: Channel) -> Spawned {
    let (reply, answer) = sync_channel(1);
    let request = SpawnRequest {
        command,
        input,
        output,
        reply,
    };
    let gone = || io::Error::other("the thread that starts workers is gone");
    spawner()?.send(request).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

/// The thread's mailbox. The thread is started by the first call.
fn spawner() -> io::Result<SyncSender<SpawnRequest>> {
    let mut spawner = SPAWNER.get().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*spawner {
        return Ok(sender.clone());
    }
    let (sender, requests) = sync_channel(16);
    thread::Builder::new()
        .name("hotcell-spawner".into())
        .spawn(move || serve(&requests))?;
    Ok(spawner.insert(sender).clone())
}

fn serve(requests: &Receiver<SpawnRequest>) {
    for SpawnRequest {
        command,
        input,
        output,
        reply,
    } in requests
    {
        // A caller waits for the answer as long as this thread lives.
        let _ = reply.send(living::start(|| start(&command, input, output)));
    }
}

fn start(command: &WorkerCommand, input: Channel, output: Channel) -> Spawned {
    // Without `pre_exec`, so that the child is started without a copy of this process's memory.
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        // A terminal's interrupt is for the supervisor, who stops its launches in order.
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(input)))
        .stdout(Stdio::from(OwnedFd::from(output)))
        .stderr(Stdio::null())
        .spawn()?;
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::InvalidData)?;
    // The child is ours to reap, so that its number is its own until then.
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok((pid, Arc::new(pidfd))),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(error.into())
        }
    }
}
