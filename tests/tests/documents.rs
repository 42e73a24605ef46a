//! What the documents say can be done: their code compiles, their commands exist and end as shown, their links lead
//! somewhere.
//!
//! Code in a document is quoted from a file that is compiled: `// …` stands for what is left out.

use hotcell_tests::{binary, checkout, skip};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Every document.
fn documents() -> Vec<PathBuf> {
    let root = checkout();
    let mut paths = files_below(&root.join("docs"), "md");
    let names = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ];
    paths.extend(names.map(|name| root.join(name)));
    paths
}

fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true if path.ends_with("target") => {}
            true => found.extend(files_below(&path, ending)),
            false if path.extension().is_some_and(|found| found == ending) => found.push(path),
            false => {}
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of a language in a document.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(found) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if found == language {
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

/// Code without comments, and with one space where there was any: lines may be broken elsewhere in a document.
fn squeezed(code: &str) -> String {
    let without = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let words: Vec<&str> = without.flat_map(str::split_whitespace).collect();
    // Where a list is broken into lines, rustfmt puts a comma after its last part.
    let text = words.join(" ");
    text.replace("( ", "(")
        .replace(", )", ")")
        .replace(" )", ")")
}

/// The parts of a quotation, between what is left out.
fn parts(block: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in block.lines() {
        match line.trim_start().starts_with("// …") {
            true => parts.push(String::new()),
            false => *parts.last_mut().unwrap() += &format!("{line}\n"),
        }
    }
    parts.iter().map(|part| squeezed(part)).collect()
}

/// Whether `source` has the parts, one after the other.
fn quotes(source: &str, parts: &[String]) -> bool {
    let mut rest = source;
    parts.iter().all(|part| match rest.find(part.as_str()) {
        Some(place) => {
            rest = &rest[place + part.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn code_in_documents_is_quoted_from_what_is_compiled() {
    let root = checkout();
    let folders = [
        "host/hotcell/examples",
        "host/profile/examples",
        "host/cli/src/new/template",
        "kernels",
        "examples/porting/kernels/src",
    ];
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in folders {
        paths.extend(files_below(&root.join(folder), "rs"));
        paths.extend(files_below(&root.join(folder), "in"));
    }
    let sources: Vec<String> = paths.iter().map(|path| squeezed(&read(path))).collect();
    let mut quoted = 0;
    for document in [
        "README.md",
        "docs/embedding.md",
        "docs/architecture.md",
        "docs/porting.md",
    ] {
        for block in blocks(&read(&root.join(document)), "rust") {
            let parts = parts(&block);
            let is_quoted = sources.iter().any(|source| quotes(source, &parts));
            assert!(
                is_quoted,
                "{document}: no file that is compiled has this:\n{block}"
            );
            quoted += 1;
        }
    }
    assert!(quoted >= 10, "only {quoted} blocks of code were looked at");
}

#[test]
fn a_quotation_that_was_changed_is_noticed() {
    let source = squeezed(
        "/// Doc.\npub fn f(\n    a: u8,\n    b: u8,\n) -> u8 {\n    // why\n    a + b\n}",
    );
    let is_quoted = |block: &str| quotes(&source, &parts(block));
    assert!(is_quoted(
        "/// Doc.\npub fn f(a: u8, b: u8) -> u8 {\n    a + b // sum\n}"
    ));
    assert!(is_quoted(
        "pub fn f(a: u8, b: u8) -> u8 {\n    // … adds\n}"
    ));
    assert!(!is_quoted("pub fn f(a: u8, b: u8) -> u8 {\n    a - b\n}"));
    assert!(!is_quoted("a + b\n// …\npub fn f("));
}

/// An anchor as GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// What relative links in a document point at.
fn links(document: &str) -> Vec<String> {
    let ends = document.split("](").skip(1);
    ends.filter_map(|rest| rest.split_once(')').map(|(link, _)| link.to_owned()))
        .filter(|link| !link.contains("://"))
        .collect()
}

#[test]
fn links_of_documents_lead_somewhere() {
    let mut looked_at = 0;
    for document in documents() {
        for link in links(&read(&document)) {
            let (file, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let place = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            assert!(place.exists(), "{}: {link}", document.display());
            if !fragment.is_empty() {
                let text = read(&place);
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let is_there =
                    headings.any(|line| anchor(line.trim_matches(['#', ' '])) == fragment);
                assert!(is_there, "{}: {link}", document.display());
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 50, "only {looked_at} links were looked at");
}

/// The names of subcommands that a command's help lists.
fn subcommands(help: &Output) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(&help.stdout);
    let lines = text.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(checkout());
    cargo
}

#[test]
fn commands_in_documents_exist() {
    let hotcell = binary().expect("build the command first");
    let help = Command::new(hotcell).arg("--help").output().unwrap();
    let chores = cargo().args(["xtask", "--help"]).output().unwrap();
    let known = [
        ("hotcell ", subcommands(&help)),
        ("cargo xtask ", subcommands(&chores)),
    ];
    assert!(known.iter().all(|(_, names)| names.len() > 5), "{known:?}");
    let mut looked_at = 0;
    for document in documents() {
        let text = read(&document);
        for line in blocks(&text, "sh").iter().flat_map(|block| block.lines()) {
            let line = line.split(" #").next().unwrap();
            for part in line.split("&&").map(str::trim_start) {
                for (command, names) in &known {
                    let Some(rest) = part.strip_prefix(command) else {
                        continue;
                    };
                    let name = rest.split_whitespace().next().unwrap_or_default();
                    let is_known = name.starts_with('-') || names.contains(name);
                    assert!(is_known, "{}: {part}", document.display());
                    looked_at += 1;
                }
            }
        }
    }
    assert!(looked_at > 20, "only {looked_at} commands were looked at");
}

/// README's only block of a language that has those words.
fn readme_block(language: &str, words: &str) -> String {
    let readme = read(&checkout().join("README.md"));
    let mut found = blocks(&readme, language);
    found.retain(|block| block.contains(words));
    assert_eq!(found.len(), 1, "blocks with `{words}`");
    found.remove(0)
}

/// A shell in a folder where `hotcell` is what was built with these tests, and nothing is downloaded.
fn shell(folder: &Path, script: &str) -> Output {
    let hotcell = binary().expect("build the command first");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", hotcell.parent().unwrap().display());
    let mut shell = Command::new("sh");
    shell
        .current_dir(folder)
        .args(["-e", "-c", script])
        .env("PATH", path)
        .env("CARGO_NET_OFFLINE", "true")
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env_remove("CARGO_TARGET_DIR");
    shell.output().expect("there is a shell")
}

#[test]
fn readmes_kernel_is_what_new_makes_and_its_commands_run_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let block = readme_block("sh", "hotcell new");
    let (new, rest) = block.split_once('\n').expect("several lines");
    // The project has the versions that this repository has, so that nothing is downloaded; what it is built of is
    // compiled once for all tests that make projects.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors");
    fs::create_dir_all(&target).unwrap();
    let prepare = format!(
        "cp '{}' Cargo.lock; ln -s '{}' target",
        checkout().join("Cargo.lock").display(),
        target.display()
    );
    let ended = shell(folder.path(), &format!("{new}\n{prepare}\n{rest}"));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    let project = folder.path().join("affine");
    assert!(project.join("out.npy").is_file(), "{said}");

    let made = squeezed(&read(&project.join("src/lib.rs")));
    let shown = readme_block("rust", "hotcell_guest");
    assert!(quotes(&made, &parts(&shown)), "{made}");
}

#[test]
fn readmes_launches_end_as_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let kernels = checkout().join("target/kernels");
    let mut shown_lines = readme_block("text", "$ hotcell run");
    shown_lines.push('\n');
    let mut looked_at = 0;
    for show in shown_lines.split("$ ").skip(1) {
        let (line, said) = show.split_once('\n').expect("what it says");
        let kernel = line.split_whitespace().nth(2).expect("a kernel");
        if !kernels.join(kernel).is_file() {
            skip("kernels were not built: cargo xtask kernels");
            return;
        }
        let _ = symlink(kernels.join(kernel), folder.path().join(kernel));
        if line.contains("--grant gpu") {
            continue; // What device a machine has, and how strong its walls are, is not for README to say.
        }
        let ended = shell(folder.path(), line);
        let words = String::from_utf8_lossy(&ended.stderr);
        let begin: Vec<&str> = said.split_whitespace().take(2).collect();
        assert!(words.contains(&begin.join(" ")), "{line}: {words}");
        looked_at += 1;
    }
    assert!(looked_at >= 2);
}

/// An example of the library, run in the checkout.
fn example(name: &str, arguments: &[&Path]) -> Option<Output> {
    let hotcell = binary().expect("build the command first");
    let program = hotcell.with_file_name("examples").join(name);
    let kernels = checkout().join("target/kernels/mpm88.wasm");
    if !program.is_file() || !kernels.is_file() {
        skip("the library's examples or the kernels were not built");
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let mut program = Command::new(program);
    program.current_dir(checkout()).args(arguments);
    program
        .env("XDG_STATE_HOME", home.path().join("state"))
        .env("XDG_CACHE_HOME", home.path().join("cache"));
    let ended = program.output().expect("the example starts");
    // They ask for the tier `full`, as programs should.
    let said = [&ended.stdout[..], &ended.stderr].concat();
    if String::from_utf8_lossy(&said).contains("isolation: ") {
        skip("this machine's walls are not of tier full");
        return None;
    }
    Some(ended)
}

#[test]
fn readmes_program_runs_a_kernel() {
    let workers = checkout().join("target/libexec/hotcell");
    let kernel = checkout().join("target/kernels/saxpy.wasm");
    // It is written for the kernel of `hotcell new`; another ends as its outcome says, which is an end all the same.
    let Some(ended) = example("first", &[&workers, &kernel]) else {
        return;
    };
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.starts_with("usage: "),
        "{ended:?}"
    );
}

#[test]
fn embeddings_program_runs_to_its_end() {
    let Some(ended) = example("embed", &[]) else {
        return;
    };
    let said = String::from_utf8_lossy(&ended.stdout);
    let wrong = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{wrong}");
    for words in [
        "2.5 * x + y = [12.5, 25.0, 37.5]",
        "alice: fuel",
        "edges of edges: u8(1080,1920,4)",
        "usage: ",
        "cancelled: ",
        "finish ",
    ] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
}
