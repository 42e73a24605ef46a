//! The workspaces that lie around a new project.
//!
//! A kernel project is a workspace of its own, so that it builds alike wherever it lies. A workspace further up
//! whose `members` take in every folder of that place would then have a member that is a root itself, which
//! cargo refuses for the whole of it. So this is looked for before anything is made.

use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Refuses a folder that a workspace around it would take as a member.
///
/// # Errors
/// Naming the workspace and the line that leaves the folder out.
pub(super) fn check(folder: &Path) -> Result<()> {
    let Ok(folder) = absolute(folder) else {
        // The folder cannot be made either, and that says why.
        return Ok(());
    };
    for root in folder.ancestors().skip(1) {
        let manifest = root.join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else {
            continue;
        };
        // A manifest that cargo cannot read is none that this project could break.
        let Ok(table) = text.parse::<toml::Table>() else {
            continue;
        };
        let Some(workspace) = table.get("workspace") else {
            continue;
        };
        let inside = folder.strip_prefix(root).context("an ancestor")?;
        let inside = inside.to_string_lossy().replace('\\', "/");
        let Some(pattern) = member_by(workspace, &inside) else {
            continue;
        };
        bail!(
            "the workspace {} takes {inside} as a member (members = [… \"{pattern}\" …]), and a kernel project is a \
             workspace of its own: cargo would refuse both. Add `exclude = [\"{inside}\"]` under its [workspace], \
             then try again; or name a folder elsewhere with --path",
            manifest.display(),
        );
    }
    Ok(())
}

/// The pattern by which a workspace has the folder as a member, if it does. What is excluded is none, unless it
/// is a member by its very name: so cargo reads it.
fn member_by(workspace: &toml::Value, folder: &str) -> Option<String> {
    let list = |key: &str| -> Vec<String> {
        let values = workspace.get(key).and_then(toml::Value::as_array);
        let texts = values.into_iter().flatten().filter_map(toml::Value::as_str);
        texts.map(plain).collect()
    };
    let is_below = |place: &String| {
        let rest = folder.strip_prefix(place.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let members = list("members");
    let is_left_out = list("exclude").iter().any(is_below) && !members.iter().any(is_below);
    let mut patterns = members.into_iter();
    patterns.find(|pattern| !is_left_out && matches(pattern, folder))
}

/// A path as patterns are compared: no `./` before it, no `/` behind it.
fn plain(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.strip_prefix("./").unwrap_or(&path);
    path.trim_end_matches('/').to_owned()
}

/// Whether a pattern of `members` covers a folder: `*` and `?` stay within a name, `**` is any number of names.
fn matches(pattern: &str, folder: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let folder: Vec<&str> = folder.split('/').collect();
    names_match(&pattern, &folder)
}

fn names_match(pattern: &[&str], names: &[&str]) -> bool {
    match (pattern, names) {
        ([], []) => true,
        (["**", rest @ ..], _) => {
            (0..=names.len()).any(|skipped| names_match(rest, &names[skipped..]))
        }
        ([first, pattern @ ..], [name, names @ ..]) => {
            let (first, name): (Vec<char>, Vec<char>) =
                (first.chars().collect(), name.chars().collect());
            name_matches(&first, &name) && names_match(pattern, names)
        }
        _ => false,
    }
}

fn name_matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            (0..=name.len()).any(|skipped| name_matches(rest, &name[skipped..]))
        }
        (['?', rest @ ..], [_, name @ ..]) => name_matches(rest, name),
        (['[', class @ ..], [first, name @ ..]) => match class_of(class) {
            Some((class, rest)) => in_class(class, *first) && name_matches(rest, name),
            None => false,
        },
        ([same, rest @ ..], [first, name @ ..]) => same == first && name_matches(rest, name),
        _ => false,
    }
}

/// A class's characters, and what stands behind its bracket.
fn class_of(class: &[char]) -> Option<(&[char], &[char])> {
    // A bracket that comes first is one of the characters.
    let first = usize::from(class.first() == Some(&'!')) + 1;
    let end = class.iter().skip(first).position(|c| *c == ']')? + first;
    Some((&class[..end], &class[end + 1..]))
}

fn in_class(class: &[char], c: char) -> bool {
    let (class, is_negated) = match class {
        ['!', class @ ..] => (class, true),
        class => (class, false),
    };
    let mut rest = class;
    let mut found = false;
    while let [first, tail @ ..] = rest {
        (found, rest) = match tail {
            ['-', last, tail @ ..] => (found || (*first..=*last).contains(&c), tail),
            tail => (found || *first == c, tail),
        };
    }
    found != is_negated
}

/// The folder's place in the file system, links resolved as far as it exists.
fn absolute(folder: &Path) -> std::io::Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    for ancestor in folder.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            let rest = folder.strip_prefix(ancestor).unwrap_or(Path::new(""));
            return Ok(real.join(rest).components().collect());
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(workspace: &str, folder: &str) -> bool {
        let table: toml::Table = workspace.parse().unwrap();
        member_by(&table["workspace"], folder).is_some()
    }

    #[test]
    fn members_cover_as_cargo_reads_them() {
        for (members, folder, is_covered) in [
            (r#"["kernels/*"]"#, "kernels/fresh", true),
            (r#"["kernels/*"]"#, "kernels/deep/fresh", false),
            (r#"["kernels/*"]"#, "other/fresh", false),
            (r#"["./kernels/*/"]"#, "kernels/fresh", true),
            (r#"["kernels/**"]"#, "kernels/deep/fresh", true),
            (r#"["**/fresh"]"#, "kernels/deep/fresh", true),
            (r#"["*"]"#, "fresh", true),
            (r#"["*"]"#, "kernels/fresh", false),
            (r#"["kernels/fre?h"]"#, "kernels/fresh", true),
            (r#"["kernels/[a-f]*"]"#, "kernels/fresh", true),
            (r#"["kernels/[!a-f]*"]"#, "kernels/fresh", false),
            (r#"["kernels/fresh"]"#, "kernels/fresh", true),
            ("[]", "fresh", false),
        ] {
            let workspace = format!("[workspace]\nmembers = {members}");
            assert_eq!(
                covered(&workspace, folder),
                is_covered,
                "{members} {folder}"
            );
        }
        assert!(!covered("[workspace]", "fresh"));
    }

    #[test]
    fn what_is_excluded_is_no_member_unless_it_is_named() {
        let globbed = "[workspace]\nmembers = [\"kernels/*\"]\nexclude = [\"kernels/fresh\"]";
        assert!(!covered(globbed, "kernels/fresh"));
        assert!(covered(globbed, "kernels/fresher"));
        let folder = "[workspace]\nmembers = [\"kernels/*\"]\nexclude = [\"kernels\"]";
        assert!(!covered(folder, "kernels/fresh"));
        let named = "[workspace]\nmembers = [\"kernels/fresh\"]\nexclude = [\"kernels\"]";
        assert!(covered(named, "kernels/fresh"));
    }

    #[test]
    fn a_workspace_further_up_is_found_and_named() {
        let root = tempfile::tempdir().unwrap();
        let manifest = root.path().join("Cargo.toml");
        fs::create_dir(root.path().join("kernels")).unwrap();
        let fresh = root.path().join("kernels/fresh");
        assert!(check(&fresh).is_ok(), "there is no workspace");
        fs::write(&manifest, "[package]\nname = \"a\"\n").unwrap();
        assert!(check(&fresh).is_ok(), "a package without one");
        fs::write(&manifest, "[workspace]\nmembers = [\"kernels/*\"]\n").unwrap();
        let refused = check(&fresh).unwrap_err().to_string();
        assert!(
            refused.contains("exclude = [\"kernels/fresh\"]"),
            "{refused}"
        );
        assert!(check(&root.path().join("elsewhere")).is_ok());
        fs::write(
            &manifest,
            "[workspace]\nexclude = [\"kernels\"]\nmembers = [\"kernels/*\"]\n",
        )
        .unwrap();
        assert!(check(&fresh).is_ok());
        fs::write(&manifest, "this is no manifest").unwrap();
        assert!(check(&fresh).is_ok());
    }
}
