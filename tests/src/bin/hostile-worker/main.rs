//! A worker that breaks the rules, for tests of what its supervisor makes of that.
//!
//! It is put in the place of `hotcell-runner`, `hotcell-compiler` or `hotcell-gpu` under that name, beside a file `behaviour` whose
//! text says what it does, and a file `build` with the build that it claims to be of. It puts on no walls: what it must not be able to do is its supervisor's to prevent.

mod compiler;
mod gpu;
mod peer;
mod runner;

use hotcell_model::layer::WorkerKind;
use peer::Peer;

fn main() {
    let program = std::fs::read_link("/proc/self/exe").expect("a program has a file");
    let directory = program.parent().expect("a file has a directory");
    let behaviour = std::fs::read_to_string(directory.join("behaviour")).expect("a behaviour");
    let kinds = [WorkerKind::Runner, WorkerKind::Gpu];
    let kind = kinds
        .into_iter()
        .find(|kind| program.ends_with(kind.program()))
        .unwrap_or(WorkerKind::Compiler);
    let build = std::fs::read(directory.join("build")).expect("a build");
    let build = build.try_into().expect("a build's size");
    let peer = Peer::new(kind, build, behaviour.trim().to_owned());
    peer.stage("spawned");
    peer.hello();
    peer.stage("hello");
    match kind {
        WorkerKind::Runner => runner::serve(&peer),
        WorkerKind::Compiler => compiler::serve(&peer, directory),
        WorkerKind::Gpu => gpu::serve(&peer),
        WorkerKind::Guarded => unreachable!("no program of ours"),
    }
}
