//! Arrays and pictures that lie, and places where nothing can be written.

use super::{Attack, BYTES, Content, Expected, Group, ends};
use crate::npy::npy;
use hotcell::outcome::{Blame, OutcomeKind};
use std::io::Write;

pub(super) fn attacks() -> Vec<Attack> {
    let inputs = inputs().into_iter().map(|(name, bytes)| input(name, bytes));
    inputs.chain(outputs()).collect()
}

/// Runs the honest guest on that file.
fn input(name: &str, bytes: Vec<u8>) -> Attack {
    let member = if name.ends_with(".npz") { ":x" } else { "" };
    Attack::new(Group::Input, name, io())
        .guest("honest")
        .file(name, Content::Bytes(bytes))
        .line(&format!(
            "run honest.wasm --in x=@{name}{member} --out out=@out.npy --report r.json"
        ))
}

fn io() -> Expected {
    ends(OutcomeKind::Io, Some(Blame::Request))
}

fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    let honest = npy("|u1", &[4], &[1, 2, 3, 4]);
    let changed = |at: usize, bytes: &[u8]| {
        let mut changed = honest.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let zipped = archive(&honest, 0);
    let picture = picture(4, 4, 4 * 4);
    vec![
        ("empty.npy", Vec::new()),
        ("text.npy", b"1,2,3\n".to_vec()),
        ("cut-header.npy", honest[..40].to_vec()),
        ("cut-data.npy", honest[..honest.len() - 1].to_vec()),
        ("unknown-version.npy", changed(6, &[9])),
        ("long-header.npy", changed(8, &[0xff, 0xff])),
        ("code-in-header.npy", changed(11, b"__import__('os')")),
        ("objects.npy", npy("|O", &[1], &[0; 8])),
        ("strings.npy", npy("<U3", &[1], &[0; 12])),
        ("unknown-type.npy", npy("<f3", &[1], &[0; 3])),
        ("huge.npy", npy("|u1", &[1 << 40], &[])),
        ("overflow.npy", npy("<f8", &[1 << 33, 1 << 33], &[])),
        (
            "overflow-times-zero.npy",
            npy("<f8", &[1 << 33, 1 << 33, 0], &[]),
        ),
        ("many-dimensions.npy", npy("|u1", &[1; 60], &[0])),
        ("empty.npz", Vec::new()),
        ("text.npz", b"no archive".to_vec()),
        ("cut.npz", zipped[..zipped.len() / 2].to_vec()),
        ("bomb.npz", archive(&honest, 512 << 20)),
        (
            "bomb-that-says-so.npz",
            archive(&npy("|u1", &[1 << 50], &[]), 64 << 20),
        ),
        ("no-array.npz", archive(b"no array", 0)),
        ("empty.png", Vec::new()),
        ("text.png", b"no picture".to_vec()),
        ("cut.png", picture[..picture.len() / 2].to_vec()),
        ("no-data.png", self::picture(4, 4, 0)),
        ("huge.png", self::picture(0x7fff_ffff, 0x7fff_ffff, 0)),
        ("wide.png", self::picture(0x7fff_ffff, 1, 0)),
    ]
}

/// An archive of one member `x.npy`: those bytes, then zeros, deflated.
fn archive(member: &[u8], zeros: usize) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer
        .start_file("x.npy", options)
        .and_then(|()| Ok(writer.write_all(member)?))
        .expect("memory takes what is written to it");
    let block = vec![0; 1 << 20];
    for _ in 0..zeros >> 20 {
        writer
            .write_all(&block)
            .expect("memory takes what is written to it");
    }
    let archive = writer.finish().expect("the archive is complete");
    archive.into_inner()
}

/// A grey picture that says it has those extents, and has that many pixels: none of them where `pixels` is 0.
fn picture(width: u32, height: u32, pixels: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = png::Encoder::new(&mut bytes, width, height);
    let mut writer = encoder
        .write_header()
        .expect("memory takes what is written to it");
    if pixels > 0 {
        writer
            .write_image_data(&vec![7; pixels])
            .expect("the pixels fill the picture");
    }
    drop(writer);
    bytes
}

/// Where an output or a report cannot go, or must not.
fn outputs() -> Vec<Attack> {
    let to = |name: &str, place: &str| {
        Attack::new(Group::Output, name, io())
            .guest("endless_loop")
            .line(&format!(
                "run endless_loop.wasm --in x=@x.npy --out out=@{place} --report r.json"
            ))
    };
    let victim = || Content::Bytes(b"the user's".to_vec());
    let report = |name: &str, place: &str| {
        Attack::new(Group::Output, name, Expected::NoLaunch(OutcomeKind::Io))
            .guest("honest")
            .line(&format!(
                "run honest.wasm --in x=@x.npy --quiet --report {place}"
            ))
    };
    let over = |name: &str, options: &str| {
        Attack::new(Group::Output, name, Expected::NoLaunch(OutcomeKind::Usage))
            .guest("honest")
            .file("d", Content::Folder)
            .line(&format!("run honest.wasm --in x=@x.npy --quiet {options}"))
    };
    let over_input = format!(
        "run honest.wasm --in x=@big.npy --out out=@x.npy --report r.json --limit bytes_out={BYTES}B"
    );
    vec![
        to("link.npy", "link.npy")
            .file("victim", victim())
            .file("link.npy", Content::Link("victim")),
        to("dangling-link.npy", "dangling.npy").file("dangling.npy", Content::Link("nowhere")),
        to("link-to-itself.npy", "self.npy").file("self.npy", Content::Link("self.npy")),
        to("folder.npy", "folder.npy").file("folder.npy", Content::Folder),
        to("no-such-folder", "nosuch/out.npy"),
        to("file-as-folder", "x.npy/out.npy"),
        to("folder-of-the-system", "/proc/out.npy"),
        to("format-that-cannot-hold-it", "out.png"),
        report("report-into-no-folder", "nosuch/r.json"),
        report("report-into-the-system", "/proc/r.json"),
        report("report-over-a-pipe", "pipe").file("pipe", Content::Pipe),
        over("report-over-an-input", "--report d/../x.npy"),
        over("report-over-the-component", "--report honest.wasm"),
        over(
            "report-over-an-output",
            "--report d/../y.npy --out out=@y.npy",
        ),
        over(
            "report-over-a-frame",
            "--report f-07.png --out out=@f-{:02}.png",
        ),
        over("output-over-the-component", "--out out=@k.npy")
            .file("k.npy", Content::Link("honest.wasm")),
        report("report-over-a-link", "link").file("link", Content::Link("nowhere")),
        report("report-over-a-folder", "folder").file("folder", Content::Folder),
        to("pipe.npy", "pipe.npy").file("pipe.npy", Content::Pipe),
        Attack::new(
            Group::Output,
            "output-over-an-input",
            ends(OutcomeKind::Limit, Some(Blame::Request)),
        )
        .guest("honest")
        .file("big.npy", Content::Bytes(npy("|u1", &[5000], &[1; 5000])))
        .line(&over_input),
    ]
}
