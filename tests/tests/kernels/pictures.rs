//! The picture kernels: PNG in, PNG and animations out.

use super::{hotcell, succeed};
use hotcell_cases::{Case, Level, Twin};
use hotcell_formats::{Locator, ReadLimits, Sink};
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::DType;
use std::path::Path;

/// The pixels of a PNG as `(h,w,4)`.
fn pixels(path: &Path) -> (ArrayType, Vec<u8>) {
    let reader = hotcell_formats::open(&Locator::Png(path.to_owned()), &ReadLimits::default());
    let reader = reader.unwrap();
    (reader.ty().clone(), reader.read_all().unwrap())
}

fn write_png(path: &Path, ty: &ArrayType, bytes: &[u8]) {
    let sink: Sink = hotcell_formats::prepare(&Locator::Png(path.to_owned()), ty).unwrap();
    let durability = hotcell_formats::Durability::Written;
    hotcell_formats::commit_all(vec![(sink, bytes)], durability).unwrap();
}

/// The number of frames that an animation's control chunk announces.
fn frames_announced(apng: &[u8]) -> u32 {
    let at = apng
        .windows(4)
        .position(|window| window == b"acTL")
        .expect("an animation");
    u32::from_be_bytes(apng[at + 4..at + 8].try_into().unwrap())
}

#[test]
fn edges_of_a_png_are_those_of_the_native_twin() {
    let folder = tempfile::tempdir().unwrap();
    let twin = Twin::load("edges", Level::Baseline).unwrap();
    let case = Case::load("edges").unwrap().remove(0);
    let entry = twin.manifest().kernel("edges").unwrap();
    let mut arguments = case.arguments("edges", entry).unwrap();
    let (photo, edges) = (
        folder.path().join("photo.png"),
        folder.path().join("edges.png"),
    );
    let image = arguments.array("image").unwrap();
    write_png(&photo, &image.ty, image.data.bytes());
    let mut command = hotcell(folder.path());
    command
        .arg("run")
        .arg(hotcell_cases::component("edges"))
        .args(["--quiet", "--timeout", "60s"]);
    command.args(["--in", &format!("image=@{}", photo.display())]);
    succeed(command.args(["--out", &format!("out=@{}", edges.display())])).unwrap();
    twin.run(&mut arguments).unwrap();
    let (ty, got) = pixels(&edges);
    let wanted = arguments.array("out").unwrap();
    assert_eq!(ty, wanted.ty);
    assert!(got == wanted.data.bytes(), "other pixels");
}

#[test]
fn julia_draws_its_stored_picture_as_frames_and_as_an_animation() {
    let folder = tempfile::tempdir().unwrap();
    for out in ["julia-{:02}.png", "julia.apng"] {
        let mut command = hotcell(folder.path());
        command.arg("run").arg(hotcell_cases::component("julia"));
        command.args([
            "--quiet",
            "--timeout",
            "60s",
            "--in",
            "limit=50",
            "--in",
            "start=0",
        ]);
        command.args([
            "--in",
            "step=0.03",
            "--dim",
            "t=3",
            "--dim",
            "h=320",
            "--dim",
            "w=640",
        ]);
        let place = folder.path().join(out);
        succeed(command.args(["--out", &format!("frames=@{}", place.display())])).unwrap();
    }
    let expected = hotcell_cases::root().join("kernels/julia/expected/julia.png");
    let (ty, first) = pixels(&folder.path().join("julia-00.png"));
    assert_eq!(ty, ArrayType::new(DType::U8, [320, 640, 4]).unwrap());
    let (_, wanted) = pixels(&expected);
    assert!(
        first == rgba(&wanted, first.len()),
        "the first frame is another picture"
    );
    assert!(folder.path().join("julia-02.png").exists());
    let animation = std::fs::read(folder.path().join("julia.apng")).unwrap();
    assert_eq!(frames_announced(&animation), 3);
}

#[test]
fn mpm88_draws_its_stored_frame_and_an_animation() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case::load("mpm88")
        .unwrap()
        .into_iter()
        .find(|case| case.entry == "frames")
        .unwrap();
    let frames = case.dims["t"];
    for out in ["mpm88-{:03}.png", "mpm88.apng"] {
        let mut command = hotcell(folder.path());
        command
            .arg("run")
            .arg(hotcell_cases::component("mpm88"))
            .arg("frames");
        command.args(["--quiet", "--timeout", "60s"]);
        for (name, value) in &case.scalars {
            command.args(["--in", &format!("{name}={value}")]);
        }
        for (name, extent) in &case.dims {
            command.args(["--dim", &format!("{name}={extent}")]);
        }
        let place = folder.path().join(out);
        succeed(command.args(["--out", &format!("out=@{}", place.display())])).unwrap();
    }
    let animation = std::fs::read(folder.path().join("mpm88.apng")).unwrap();
    assert_eq!(u64::from(frames_announced(&animation)), frames);
    let (_, first) = pixels(&folder.path().join("mpm88-000.png"));
    let (_, last) = pixels(&folder.path().join(format!("mpm88-{:03}.png", frames - 1)));
    assert!(first != last, "nothing moves");
}

/// Pixels with an alpha channel, where the stored picture has none.
fn rgba(pixels: &[u8], len: usize) -> Vec<u8> {
    if pixels.len() == len {
        return pixels.to_vec();
    }
    let opaque = |rgb: &[u8]| [rgb[0], rgb[1], rgb[2], u8::MAX];
    pixels.chunks_exact(3).flat_map(opaque).collect()
}
