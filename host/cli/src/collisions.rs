//! That nothing is written over what the command reads, and nothing over something else that it writes.
//!
//! Files are compared by what they are and not by how they are spelt, before anything runs. The one that may be
//! replaced is an input whose very path an output names: its user asks for that.

use crate::exit::CommandError;
use crate::report_place;
use anyhow::{Result, anyhow};
use hotcell::outcome::OutcomeKind;
use hotcell_formats::{FileId, Locator, Place};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a command reads and writes, by its names on the command line.
#[derive(Default)]
pub(crate) struct Collisions {
    read: Vec<Read>,
    outputs: Vec<(String, Locator)>,
}

/// A file that is read.
struct Read {
    /// What it is, in messages.
    what: String,
    path: PathBuf,
    place: Place,
    /// Whether an output that names the same path may replace it.
    may_be_named: bool,
}

impl Collisions {
    /// Notes a file that must not be written to.
    pub(crate) fn reads(&mut self, what: &str, path: &Path) {
        self.read.push(Read {
            what: format!("{what} {}", path.display()),
            path: path.to_owned(),
            place: Place::of(path),
            may_be_named: false,
        });
    }

    /// Notes the inputs and outputs of a launch.
    pub(crate) fn launches(&mut self, inputs: &[(String, Locator)], outputs: &[(String, Locator)]) {
        let paths = inputs
            .iter()
            .filter_map(|(name, at)| Some((name, at.path()?)));
        self.read.extend(paths.map(|(name, path)| Read {
            what: format!("the input `{name}`, {}", path.display()),
            path: path.to_owned(),
            place: Place::of(path),
            may_be_named: true,
        }));
        self.outputs.extend_from_slice(outputs);
    }

    /// Refuses outputs and a report that would destroy something.
    ///
    /// # Errors
    /// With the exit code of wrong usage: what would be replaced, and by what.
    pub(crate) fn check(&self, report: Option<&str>) -> Result<()> {
        for (at, (name, output)) in self.outputs.iter().enumerate() {
            let lost = self.read.iter().find(|read| read.is_lost_to(output));
            if let Some(read) = lost {
                return Err(clash(&format!("the output `{name}`"), &read.what));
            }
            let mut others = self.outputs[..at].iter();
            if let Some((other, _)) = others.find(|(_, other)| is_one_file(output, other)) {
                let (one, other) = (
                    format!("the output `{name}`"),
                    format!("the output `{other}`"),
                );
                return Err(clash(&one, &other));
            }
        }
        report.map_or(Ok(()), |report| self.check_report(report))
    }

    /// As [`Collisions::check`] for the report alone: once more before it is written.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn check_report(&self, report: &str) -> Result<()> {
        self.check_place(
            &format!("the report {report}"),
            &report_place::place_of(report),
        )
    }

    /// Refuses a file that would be written over something else.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn check_written(&self, what: &str, path: &Path) -> Result<()> {
        let what = format!("{what} {}", path.display());
        self.check_place(&what, &Place::of(path))
    }

    fn check_place(&self, what: &str, place: &Place) -> Result<()> {
        let was_or_is =
            |read: &&Read| place.is_same(&read.place) || place.is_same(&Place::of(&read.path));
        if let Some(read) = self.read.iter().find(was_or_is) {
            return Err(clash(what, &read.what));
        }
        let mut outputs = self.outputs.iter();
        match outputs.find(|(_, output)| covers(output, place)) {
            Some((name, _)) => Err(clash(what, &format!("the output `{name}`"))),
            None => Ok(()),
        }
    }

    /// Files that no output may replace, wherever somebody moves them meanwhile.
    pub(crate) fn kept(&self) -> Arc<[FileId]> {
        let is_named = |read: &Read| {
            let mut outputs = self.outputs.iter();
            read.may_be_named && outputs.any(|(_, output)| is_spelt(output, &read.path))
        };
        let kept = self.read.iter().filter(|read| !is_named(read));
        kept.filter_map(|read| read.place.file()).collect()
    }
}

impl Read {
    /// Whether an output would replace it, and does not say so.
    fn is_lost_to(&self, output: &Locator) -> bool {
        let is_asked_for = self.may_be_named && is_spelt(output, &self.path);
        !is_asked_for && covers(output, &self.place)
    }
}

/// Whether an output names that path, to the letter: paths are equal that differ in a `.`.
fn is_spelt(output: &Locator, path: &Path) -> bool {
    output.path().map(Path::as_os_str) == Some(path.as_os_str())
}

/// Whether an output writes there.
fn covers(output: &Locator, place: &Place) -> bool {
    match output {
        Locator::Frames(pattern) => place.is_frame_of(pattern),
        _ => output
            .path()
            .is_some_and(|path| Place::of(path).is_same(place)),
    }
}

/// Whether two outputs are written to one file, and are not members of one archive.
fn is_one_file(one: &Locator, other: &Locator) -> bool {
    let are_members = matches!(
        (one, other),
        (Locator::NpzMember { path, .. }, Locator::NpzMember { path: other, .. })
            if path.canonicalize().ok() == other.canonicalize().ok()
    );
    let has = |one: &Locator, other: &Locator| {
        other
            .path()
            .is_some_and(|path| covers(one, &Place::of(path)))
    };
    !are_members && (has(one, other) || has(other, one))
}

fn clash(one: &str, other: &str) -> anyhow::Error {
    let why = anyhow!("{one} would be written over {other}: give each a name of its own");
    CommandError::of(OutcomeKind::Usage, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a command line of a component `k.wasm` and an input `x.npy`, each spelt from the directory.
    fn check(base: &Path, outputs: &[&str], report: Option<&str>) -> Result<()> {
        let locator = |name: &&str| {
            let at = Locator::parse(&format!("@{}/{name}", base.display())).unwrap();
            ((*name).to_owned(), at)
        };
        let mut files = Collisions::default();
        files.reads("the component", &base.join("k.wasm"));
        let outputs: Vec<_> = outputs.iter().map(locator).collect();
        files.launches(&[locator(&"x.npy"), locator(&"p-3.png")], &outputs);
        let report = report.map(|name| base.join(name).display().to_string());
        files.check(report.as_deref())
    }

    fn directory() -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        for name in ["k.wasm", "x.npy", "p-3.png"] {
            std::fs::write(base.path().join(name), "precious").unwrap();
        }
        let path = |name: &str| base.path().join(name);
        std::fs::hard_link(path("x.npy"), path("hard.npy")).unwrap();
        std::fs::hard_link(path("k.wasm"), path("component.npy")).unwrap();
        std::os::unix::fs::symlink("x.npy", path("soft.npy")).unwrap();
        std::fs::create_dir(path("d")).unwrap();
        base
    }

    #[test]
    fn nothing_is_written_over_what_is_read_however_it_is_spelt() {
        let base = directory();
        for output in [
            "./x.npy",
            "d/../x.npy",
            "hard.npy",
            "soft.npy",
            "component.npy",
            "p-{}.png",
            "d/../p-{:01}.png",
        ] {
            let error = check(base.path(), &[output], None).unwrap_err();
            let exit = error.downcast_ref::<CommandError>().unwrap();
            assert_eq!(exit.code, OutcomeKind::Usage.exit_code(), "{output}");
        }
        for report in ["x.npy", "k.wasm", "hard.npy", "d/../k.wasm", "p-3.png"] {
            assert!(check(base.path(), &[], Some(report)).is_err(), "{report}");
        }
    }

    #[test]
    fn nothing_is_written_over_something_else_that_is_written() {
        let base = directory();
        for (outputs, report) in [
            (&["y.npy"][..], Some("d/../y.npy")),
            (&["y-{:02}.png"], Some("y-07.png")),
            (&["a.npz:y"], Some("a.npz")),
            (&["y.npy", "d/../y.npy"], None),
            (&["y-{}.png", "y-7.png"], None),
            (&["a.npz:y", "./a.npz:z"], Some("a.npz")),
        ] {
            assert!(
                check(base.path(), outputs, report).is_err(),
                "{outputs:?} {report:?}"
            );
        }
    }

    #[test]
    fn what_is_asked_for_is_written() {
        let base = directory();
        for (outputs, report) in [
            (&["y.npy", "z.npy"][..], Some("r.json")),
            (&["x.npy"], Some("y.npy")),
            (&["a.npz:y", "a.npz:z"], Some("a.json")),
            (&["p-{:02}.png"], Some("p-3.json")),
        ] {
            let checked = check(base.path(), outputs, report);
            assert!(checked.is_ok(), "{outputs:?} {report:?}: {checked:?}");
        }
    }
}
