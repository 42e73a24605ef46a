//! What the command decides by itself; builds that run cargo are among the cross-process tests.

use super::*;
use clap::{CommandFactory as _, Parser};
use hotcell_manifest::{ComponentRecord, Record};

#[derive(Debug, Parser)]
struct Trial {
    #[command(flatten)]
    build: BuildCommand,
}

fn manifest(name: &str) -> Manifest {
    let json = r#"{"name":"ones","signature":"->(n)","parameters":[{"name":"out","role":"output","dtype":"f32"}]}"#;
    let kernel =
        Record::from(serde_json::from_str::<hotcell_manifest::KernelRecord>(json).unwrap());
    let component = ComponentRecord {
        name: name.to_owned(),
        version: String::new(),
    };
    Manifest::from_records(vec![component.into(), kernel]).unwrap()
}

fn code(error: &Error) -> Option<u8> {
    error.downcast_ref::<CommandError>().map(|exit| exit.code)
}

#[test]
fn the_arguments_fit_together() {
    Trial::command().debug_assert();
    let parse = |line: &str| Trial::try_parse_from(line.split_whitespace());
    for wrong in [
        "build --replace",
        "build --unroll 0",
        "build --unroll 65",
        "build --repeat 0",
        "build --repeat 33",
        "build . -- --in x=@x.npy",
        "build --profile dev",
        "build --profile a.b",
        "build a b",
        "build a.o --shader step.spv",
        "build a.o --shader =step.spv",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    let trial = parse("build --manifest k.toml --replace a.wasm --out b.wasm").unwrap();
    assert_eq!(trial.build.path, Path::new("a.wasm"));
    let trial =
        parse("build a.o --manifest a.toml --shader one=1.spv --shader a=b=c.wgsl").unwrap();
    let named = |name: &str, file: &str| (name.to_owned(), PathBuf::from(file));
    assert_eq!(
        trial.build.shaders,
        [named("one", "1.spv"), named("a", "b=c.wgsl")]
    );
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("module.wasm");
    fs::write(&file, b"\0asm").unwrap();
    let run = |path: &Path, launch: &[&str]| {
        let words = ["build", path.to_str().unwrap(), "--measure"];
        let trial = Trial::parse_from(words.iter().chain(launch));
        let error = trial.build.execute().unwrap_err();
        assert_eq!(code(&error), Some(OutcomeKind::Usage.exit_code()));
        format!("{error:#}")
    };
    let cases: [(&Path, &[&str], &str); 4] = [
        (&file, &[], "name its folder"),
        (folder.path(), &["--", "--nonsense"], "--nonsense"),
        (folder.path(), &["--", "--out", "y=@y.npy"], "only measured"),
        (
            folder.path(),
            &["--", "--in", "a=1", "--in", "a=2"],
            "twice",
        ),
    ];
    for (path, launch, word) in cases {
        let said = run(path, launch);
        assert!(said.contains(word), "{launch:?}: {said}");
    }
}

#[test]
fn the_summary_says_what_became_of_loops_where_that_was_asked_for() {
    let loops = |repeat| Loops {
        unroll: Unroll::default(),
        repeat: Repeat::try_from(repeat).unwrap(),
    };
    assert_eq!(said(loops(1), Repetition::Loops(0)), "");
    let none = said(loops(8), Repetition::Loops(0));
    assert_eq!(none, ", 0 loops repeated 8×");
    assert!(said(loops(4), Repetition::Loops(1)).contains("1 loop repeated 4×"));
    assert!(said(loops(4), Repetition::Placed).contains("line tables"));
}

#[test]
fn a_folder_takes_no_manifest_and_a_missing_path_is_an_input() {
    let run = |line: &[&str]| Trial::parse_from(line).build.execute().unwrap_err();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    assert_eq!(
        code(&run(&["build", "--manifest", "k.toml", folder])),
        Some(OutcomeKind::Usage.exit_code())
    );
    assert_eq!(
        code(&run(&["build", "/nowhere/at/all"])),
        Some(OutcomeKind::Io.exit_code())
    );
}

#[test]
fn bytes_that_are_no_wasm_are_an_invalid_component_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("a.wasm"), folder.path().join("b.wasm"));
    fs::write(&input, "not wasm").unwrap();
    let command = [
        "build".as_ref(),
        input.as_os_str(),
        "--out".as_ref(),
        out.as_os_str(),
    ];
    let error = Trial::parse_from(command).build.execute().unwrap_err();
    assert_eq!(
        code(&error),
        Some(OutcomeKind::InvalidComponent.exit_code())
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_component_is_named_after_itself_where_that_is_a_file_name() {
    let name = |name| named_after(&manifest(name), Path::new("a.wasm"));
    assert_eq!(name("n-body_2.0").unwrap(), Path::new("n-body_2.0.wasm"));
    for wrong in ["", "../up", ".hidden", "a b"] {
        assert_eq!(
            code(&name(wrong).unwrap_err()),
            Some(OutcomeKind::Usage.exit_code()),
            "{wrong}"
        );
    }
}

#[test]
fn a_written_file_replaces_the_old_one_and_makes_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/er/a.wasm");
    for bytes in [&b"old"[..], b"new"] {
        write(&out, bytes).unwrap();
        assert_eq!(fs::read(&out).unwrap(), bytes);
    }
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn the_summary_is_one_line() {
    let checked = Checked {
        manifest: manifest("ones"),
        imports: vec![
            "hotcell:kernel/arrays@0.2.0".into(),
            "hotcell:kernel/log@0.2.0".into(),
        ],
    };
    assert_eq!(
        summary(Path::new("/x/ones.wasm"), 1536, &checked),
        "/x/ones.wasm: 1.5 KiB, ones ->(n), imports arrays, log"
    );
}
