//! `cargo xtask install`, into directories of these tests' own.

use hotcell_tests::{binary, checkout};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const PROGRAMS: [&str; 4] = [
    "release/hotcell",
    "libexec/hotcell/hotcell-compiler",
    "libexec/hotcell/hotcell-runner",
    "libexec/hotcell/hotcell-gpu",
];

/// What was built with these tests, laid out as `target/` is, so that single programs can be exchanged.
fn built() -> TempDir {
    let built = TempDir::new().unwrap();
    let command = binary().expect("build the command first");
    let target = command.ancestors().nth(2).unwrap();
    for program in PROGRAMS {
        let place = built.path().join(program);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(target.join(program), place).unwrap();
    }
    built
}

/// Runs the chore for a prefix `/usr` below `root`.
fn chore(root: &Path, arguments: &[&str]) -> Output {
    let mut chore = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    chore
        .current_dir(checkout())
        .args(["xtask", "install", "--prefix", "/usr", "--destdir"])
        .arg(root)
        .args(arguments);
    chore.output().expect("cargo starts")
}

fn install(root: &Path, built: &Path, more: &[&str]) -> Output {
    let arguments = [&["--built", built.to_str().unwrap()], more].concat();
    chore(root, &arguments)
}

#[track_caller]
fn succeeds(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
}

#[track_caller]
fn is_refused(output: &Output, word: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(word), "{said}");
}

/// Every file below a directory, from it.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path.strip_prefix(directory).unwrap().to_owned()),
            }
        }
    }
    files.sort();
    files
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn an_installation_works_where_it_is_and_goes_without_a_trace() {
    let (root, built) = (TempDir::new().unwrap(), built());
    let usr = root.path().join("usr");
    write(&usr.join("share/doc/other/README"), "somebody else's");
    succeeds(&install(root.path(), built.path(), &[]));
    for program in ["bin/hotcell", "libexec/hotcell/hotcell-runner"] {
        let mode = fs::metadata(usr.join(program))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o755, "{program}");
    }
    assert!(usr.join("share/doc/hotcell/docs/operating.md").is_file());

    let mut doctor = Command::new(usr.join("bin/hotcell"));
    let doctor = doctor
        .args(["doctor", "--json"])
        .env_clear()
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(found["workers"].as_array().unwrap().len(), 2);

    succeeds(&chore(root.path(), &["--remove"]));
    assert_eq!(
        files(root.path()),
        [Path::new("usr/share/doc/other/README")]
    );
    assert!(!usr.join("libexec/hotcell").exists() && !usr.join("share/doc/hotcell").exists());
    is_refused(&chore(root.path(), &["--remove"]), "nothing of hotcell's");
}

#[test]
fn an_upgrade_replaces_all_and_removes_what_is_no_more_and_leaves_what_is_others() {
    let (root, built) = (TempDir::new().unwrap(), built());
    let usr = root.path().join("usr");
    succeeds(&install(root.path(), built.path(), &["--untried"]));
    let whole = files(&usr);
    // As an older version left it, with a file beside that is none of its own.
    let list = usr.join("libexec/hotcell/files.txt");
    let old = "share/doc/hotcell/docs/old/gone.md";
    fs::write(&list, fs::read_to_string(&list).unwrap() + old + "\n").unwrap();
    write(&usr.join(old), "old");
    write(&usr.join("bin/hotcell"), "old");
    write(&usr.join("share/doc/hotcell/notes.txt"), "mine");
    // One that was killed left half of what it had copied.
    write(&usr.join(".hotcell-install/new/bin/hotcell"), "half");

    succeeds(&install(root.path(), built.path(), &["--untried"]));
    assert!(!usr.join("share/doc/hotcell/docs/old").exists());
    let now = files(&usr);
    let more: Vec<_> = now.iter().filter(|file| !whole.contains(file)).collect();
    assert_eq!(more, [Path::new("share/doc/hotcell/notes.txt")]);
    assert_eq!(now.len(), whole.len() + 1);
    assert!(fs::read(usr.join("bin/hotcell")).unwrap() == fs::read(binary().unwrap()).unwrap());
}

#[test]
fn half_an_installation_is_refused_and_the_old_one_stays() {
    let (root, built) = (TempDir::new().unwrap(), built());
    let usr = root.path().join("usr");
    write(&usr.join("bin/hotcell"), "old");
    for program in PROGRAMS {
        let place = built.path().join(program);
        let elsewhere = built.path().join("elsewhere");
        fs::rename(&place, &elsewhere).unwrap();
        is_refused(
            &install(root.path(), built.path(), &[]),
            "nothing was installed",
        );
        fs::rename(&elsewhere, &place).unwrap();
    }
    assert_eq!(files(root.path()), [Path::new("usr/bin/hotcell")]);
}

/// A program with its build id changed by a bit: of another build, and like it in all else.
fn of_another_build(program: &Path, id: &[u8]) -> Vec<u8> {
    let mut bytes = fs::read(program).unwrap();
    let mut windows = bytes.windows(id.len());
    let place = windows.position(|window| window == id);
    bytes[place.expect("the program holds its build id")] ^= 1;
    bytes
}

fn build_id() -> Vec<u8> {
    let mut doctor = Command::new(binary().expect("build the command first"));
    let doctor = doctor.args(["doctor", "--json"]).output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let id = found["workers"][0]["build"].as_str().unwrap();
    u128::from_str_radix(id, 16).unwrap().to_be_bytes().to_vec()
}

#[test]
fn programs_of_two_builds_are_refused_whichever_is_the_other() {
    let (root, built, id) = (TempDir::new().unwrap(), built(), build_id());
    for program in PROGRAMS {
        let place = built.path().join(program);
        let (real, changed) = (
            fs::read_link(&place).unwrap(),
            of_another_build(&place, &id),
        );
        fs::remove_file(&place).unwrap();
        fs::write(&place, changed).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
        is_refused(
            &install(root.path(), built.path(), &[]),
            "nothing was installed",
        );
        assert!(files(root.path()).is_empty(), "{program}");
        fs::remove_file(&place).unwrap();
        symlink(real, &place).unwrap();
    }
}

#[test]
fn an_installation_that_fails_half_way_is_undone() {
    let (root, built) = (TempDir::new().unwrap(), built());
    let usr = root.path().join("usr");
    // The last place to be filled is taken by a directory, which no rename replaces.
    fs::create_dir_all(usr.join("bin/hotcell")).unwrap();
    write(&usr.join("libexec/hotcell/hotcell-runner"), "old");
    let refused = install(root.path(), built.path(), &["--untried"]);
    is_refused(&refused, "nothing was installed");
    assert_eq!(files(&usr), [Path::new("libexec/hotcell/hotcell-runner")]);
    let runner = fs::read(usr.join("libexec/hotcell/hotcell-runner")).unwrap();
    assert_eq!(runner, b"old");
}

#[test]
fn workers_alone_serve_a_program_that_embeds_the_library() {
    let (root, built) = (TempDir::new().unwrap(), built());
    succeeds(&install(root.path(), built.path(), &["--workers-only"]));
    let programs = [
        "files.txt",
        "hotcell-compiler",
        "hotcell-gpu",
        "hotcell-runner",
    ];
    let libexec = Path::new("usr/libexec/hotcell");
    assert_eq!(files(root.path()), programs.map(|name| libexec.join(name)));
    succeeds(&install(root.path(), built.path(), &["--untried"]));
    let refused = install(root.path(), built.path(), &["--workers-only"]);
    is_refused(&refused, "--remove");
}
