//! `cargo xtask check`: no room of a crate imports in a circle.
//!
//! A room is a file below `src` with the folder beside it, `foo.rs` and `foo/`. Within a room files may use each other as
//! they like; between rooms imports point one way. Tests are left out.

use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms each room imports, with the files that do.
type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<PathBuf>>>;

/// Looks at every crate of the repository but the kernels, which are a file or two.
///
/// # Errors
/// A circle, with the files that make it.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut found = String::new();
    for source in sources(root)? {
        let shown = source.strip_prefix(root).unwrap_or(&source);
        found += &circles(&imports(&source)?)
            .iter()
            .map(|circle| format!("{}: {circle}\n", shown.display()))
            .collect::<String>();
    }
    ensure!(found.is_empty(), "rooms that import in a circle:\n{found}");
    Ok(())
}

/// The folders with a crate's source: those of libraries, and those of programs with files of their own.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for folder in ["host", "guest-sdk"] {
        for package in entries(&root.join(folder))? {
            sources.push(package.join("src"));
        }
    }
    sources.extend(["xtask", "tests", "benches"].map(|package| root.join(package).join("src")));
    let programs = sources.iter().map(|source| source.join("bin"));
    let programs: Vec<PathBuf> = programs.filter(|bin| bin.is_dir()).collect();
    for bin in programs {
        sources.extend(entries(&bin)?);
    }
    sources.retain(|source| source.is_dir());
    Ok(sources)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// What the rooms below a folder import of each other.
fn imports(source: &Path) -> Result<Imports> {
    let mut imports = Imports::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            let inside = path.strip_prefix(source)?;
            let room = room(inside);
            if path.is_dir() && room != "bin" {
                folders.push(path);
                continue;
            }
            let is_root = ["lib", "main", "bin"].contains(&room.as_str());
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if is_root || is_test || path.extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            for other in imported(&text).into_iter().filter(|other| *other != room) {
                let files = imports.entry(room.clone()).or_default();
                files.entry(other).or_default().insert(inside.to_owned());
            }
        }
    }
    Ok(imports)
}

/// The room of a file below `src`.
fn room(inside: &Path) -> String {
    let first = inside.iter().next().unwrap_or_default().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms that a file names after `crate::`, outside comments and tests.
fn imported(text: &str) -> BTreeSet<String> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut rooms = BTreeSet::new();
    for (at, word) in code.match_indices("crate::") {
        // `$crate` is a macro's, in whichever crate it is used.
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + word.len()..];
        match rest.strip_prefix('{') {
            None => rooms.extend(name(rest)),
            Some(list) => {
                let list = list.split('}').next().unwrap_or(list);
                rooms.extend(list.split(',').filter_map(|path| name(path.trim())));
            }
        }
    }
    rooms
}

/// The name of a module that a path begins with, if it is one and not a type.
fn name(path: &str) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let name: String = path.chars().take_while(|c| is_part(*c)).collect();
    let is_module = name.starts_with(|c: char| c.is_lowercase());
    is_module.then_some(name)
}

/// Every circle, in words: each room in one of them is named once.
fn circles(imports: &Imports) -> Vec<String> {
    let mut circles = Vec::new();
    let mut told = BTreeSet::new();
    for room in imports.keys() {
        if told.contains(room) {
            continue;
        }
        let Some(way) = way_back(imports, room) else {
            continue;
        };
        told.extend(way.iter().cloned());
        let steps = way.windows(2).map(|step| {
            let files = &imports[&step[0]][&step[1]];
            let files: Vec<String> = files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            format!("{} -> {} ({})", step[0], step[1], files.join(", "))
        });
        circles.push(steps.collect::<Vec<_>>().join("; "));
    }
    circles
}

/// The shortest way from a room back to it.
fn way_back(imports: &Imports, room: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![room.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let others = imports.get(way.last()?).into_iter().flatten();
            for (other, _) in others {
                let mut way = way.clone();
                way.push(other.clone());
                if other == room {
                    return Some(way);
                }
                if seen.insert(other.clone()) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        circles(&imports(folder.path()).unwrap())
    }

    #[test]
    fn a_circle_is_told_once_with_its_files() {
        let circles = of(&[
            ("a.rs", "use crate::b::X;"),
            ("b/deep.rs", "use crate::{c, d::Y};"),
            ("c.rs", "fn f() { crate::a::g() }"),
            ("d.rs", ""),
        ]);
        assert_eq!(
            circles,
            ["a -> b (a.rs); b -> c (b/deep.rs); c -> a (c.rs)"]
        );
    }

    #[test]
    fn imports_within_a_room_of_types_in_comments_and_in_tests_are_none() {
        let test = "#[cfg(test)]\nmod tests {\n use crate::a::X;\n}";
        let circles = of(&[
            ("a.rs", "use crate::b::X;\nuse crate::a::deep;"),
            ("a/deep.rs", "use crate::a::Y;"),
            (
                "b.rs",
                &format!("// crate::a\nuse crate::Type;\nuse $crate::a;\n{test}"),
            ),
            ("b/tests.rs", "use crate::a::Z;"),
            ("lib.rs", "use crate::a;"),
        ]);
        assert_eq!(circles, Vec::<String>::new());
    }
}
