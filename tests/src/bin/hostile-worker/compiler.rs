//! A compiler that breaks the rules. Where nothing else is said, it describes every component as the file
//! `description` beside it says, and makes an artifact of noise.

use crate::peer::Peer;
use hotcell_model::component::Refusal;
use hotcell_model::frame::{CompileRequest, Described, FromCompiler, Phases, ToCompiler};
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_sandbox::memory::{OutputMemory, Writable};
use std::os::fd::OwnedFd;
use std::path::Path;

/// The size of the artifact.
const NOISE: usize = 8192;

pub(crate) fn serve(peer: &Peer, directory: &Path) {
    let (request, descriptors) = peer.receive::<ToCompiler>();
    peer.stage("request");
    let (answer, _kept) = match request {
        ToCompiler::Describe(request) => {
            peer.stage("describe");
            let description = std::fs::read(directory.join("description")).expect("a description");
            let kept = write(peer, "describe", &request, descriptors, &description);
            (FromCompiler::Described(described(description.len())), kept)
        }
        ToCompiler::Compile(request) => {
            peer.stage("compile");
            let noise: Vec<u8> = (0..=u8::MAX)
                .cycle()
                .map(|byte| byte ^ 0x5a)
                .take(NOISE)
                .collect();
            let kept = write(peer, "compile", &request, descriptors, &noise);
            (FromCompiler::Compiled(described(NOISE)), kept)
        }
        ToCompiler::Attempt(_) => panic!("nobody asked for attempts"),
    };
    peer.send(&change(peer, answer));
    peer.stage("answered");
    // A worker that keeps memory mapped must live to do so.
    if _kept.is_some() {
        crate::peer::sleep();
    }
}

/// Writes the answer; what is returned is still mapped.
fn write(
    peer: &Peer,
    stage: &str,
    request: &CompileRequest,
    descriptors: Vec<OwnedFd>,
    bytes: &[u8],
) -> Option<Writable> {
    let file = descriptors
        .into_iter()
        .nth(1)
        .expect("memory for the answer");
    let memory = OutputMemory::adopt(file, request.output_bytes).expect("memory of a fixed size");
    let mut mapped = memory.map().expect("address space");
    mapped.as_mut()[..bytes.len()].copy_from_slice(bytes);
    peer.is(&format!("keeps-memory-mapped {stage}"))
        .then_some(mapped)
}

/// Turns an honest answer into the one that was wanted.
fn change(peer: &Peer, answer: FromCompiler) -> FromCompiler {
    let (stage, mut said) = match &answer {
        FromCompiler::Described(said) => ("describe", *said),
        FromCompiler::Compiled(said) => ("compile", *said),
        _ => return answer,
    };
    let is = |behaviour: &str| peer.is(&format!("{behaviour} {stage}"));
    let breach = |amount, maximum| Breach {
        limit: Limit::Functions,
        amount: Amount::Requested(amount),
        maximum,
    };
    match () {
        () if is("claims-too-much") => said.bytes = 1 << 40,
        () if is("claims-the-most") => said.bytes = 1 << 63,
        () if is("claims-nothing") => said.bytes = 0,
        () if is("claims-one-byte") => said.bytes = 1,
        () if is("answers-another-question") => {
            return match answer {
                FromCompiler::Described(said) => FromCompiler::Compiled(said),
                _ => FromCompiler::Described(said),
            };
        }
        () if is("refuses-by-no-limit") => {
            return FromCompiler::Refused(Refusal::TooMuch(breach(5, 4)));
        }
        () if is("fails") => return FromCompiler::Failed("\x1b[2J\nno reason".to_owned()),
        () => {}
    }
    match answer {
        FromCompiler::Described(_) => FromCompiler::Described(said),
        _ => FromCompiler::Compiled(said),
    }
}

fn described(bytes: usize) -> Described {
    Described {
        bytes: bytes as u64,
        phases: Phases::default(),
    }
}
