//! `hotcell new`: a kernel project that builds, tests and runs at once, wherever it lies.
//!
//! The SDK is in no registry, so its source comes out of this command, into the project's `vendor/`.
//! Nothing that exists is ever written over.

mod around;
mod name;

use crate::exit::CommandError;
use anyhow::{Context as _, Error, Result, anyhow};
use hotcell_build::sdk;
use hotcell_formats::{Durability, Locator, commit_all, prepare};
use hotcell_manifest::DType;
use hotcell_model::array::ArrayType;
use hotcell_model::outcome::OutcomeKind;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The files that depend on the project's name, which stands where they say `{name}`.
const TEMPLATES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("new/template/Cargo.toml.in")),
    ("README.md", include_str!("new/template/README.md.in")),
    ("src/lib.rs", include_str!("new/template/lib.rs.in")),
    (".gitignore", include_str!("new/template/gitignore")),
];
/// Elements of the first input.
const INPUT_ELEMENTS: u8 = 8;

/// Start a kernel project
///
/// Makes a folder with a small kernel, its tests, a first input, and the guest SDK's source, so that
/// `cargo test`, `hotcell build` and `hotcell run` work in it at once.
#[derive(Debug, clap::Args)]
pub(crate) struct NewCommand {
    /// The project's name, which is its package's and its component's
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder to make; an empty one that exists will do
    ///
    /// Without this it is NAME in the working directory.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

impl NewCommand {
    /// Makes the project and says what to do with it.
    ///
    /// # Errors
    /// With the exit code: a name that cargo would not take, a folder that holds something, one that is to be a
    /// member of a workspace around it, or one that cannot be written.
    pub(crate) fn execute(self) -> Result<()> {
        name::check(&self.name).map_err(|error| CommandError::of(OutcomeKind::Usage, error))?;
        let folder = self.path.unwrap_or_else(|| PathBuf::from(&self.name));
        around::check(&folder).map_err(|error| CommandError::of(OutcomeKind::Usage, error))?;
        claim(&folder)?;
        fill(&folder, &self.name)
            .with_context(|| format!("{}: the project is incomplete", folder.display()))
            .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        crate::say::note(format_args!(
            "{}: a kernel project; next: cd {0} && cargo test && hotcell build",
            folder.display()
        ))
    }
}

/// Makes the folder, or takes an empty one.
fn claim(folder: &Path) -> Result<()> {
    let shown = || folder.display().to_string();
    let io = |error| CommandError::of(OutcomeKind::Io, Error::new(error).context(shown()));
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => {
                let why = anyhow!("{} is not empty: name another folder with --path", shown());
                Err(CommandError::of(OutcomeKind::Usage, why))
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(io)
        }
        Err(error) => Err(io(error)),
    }
}

fn fill(folder: &Path, name: &str) -> Result<()> {
    for (path, template) in TEMPLATES {
        write(
            &folder.join(path),
            template.replace("{name}", name).as_bytes(),
        )?;
    }
    for (path, bytes) in sdk::files() {
        write(&folder.join("vendor").join(path), bytes)?;
    }
    write_input(&folder.join("x.npy"))
}

/// Writes a file that is not there yet.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let create = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)
    };
    create().with_context(|| path.display().to_string())
}

/// The first input: 0, 1, 2 and so on, as f32.
fn write_input(path: &Path) -> Result<()> {
    let values: Vec<u8> = (0..INPUT_ELEMENTS)
        .flat_map(|value| f32::from(value).to_le_bytes())
        .collect();
    let ty = ArrayType::new(DType::F32, [INPUT_ELEMENTS.into()])?;
    let sink = prepare(&Locator::Npy(path.to_owned()), &ty)?;
    commit_all(vec![(sink, &values)], Durability::default())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, path: &Path) -> Result<()> {
        let (name, path) = (name.to_owned(), Some(path.to_owned()));
        NewCommand { name, path }.execute()
    }

    fn code(result: Result<()>) -> Option<u8> {
        let error = result.unwrap_err();
        error.downcast_ref::<CommandError>().map(|exit| exit.code)
    }

    #[test]
    fn a_project_has_all_that_it_names() {
        let folder = tempfile::tempdir().unwrap();
        new("my-kernel", folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
        let cargo: toml::Table = text.parse().unwrap();
        assert_eq!(cargo["package"]["name"].as_str(), Some("my-kernel"));
        let sdk = cargo["dependencies"]["hotcell-guest"]["path"]
            .as_str()
            .unwrap();
        assert!(folder.path().join(sdk).join("Cargo.toml").is_file());
        assert!(folder.path().join("vendor/wit/kernel/kernel.wit").is_file());
        let readme = fs::read_to_string(folder.path().join("README.md")).unwrap();
        assert!(
            readme.contains("`println!`"),
            "that it is silent is said where an author looks"
        );
        let input = fs::read(folder.path().join("x.npy")).unwrap();
        assert!(input.ends_with(&7f32.to_le_bytes()));
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join("README.md");
        fs::write(&mine, "mine").unwrap();
        assert_eq!(
            code(new("k", folder.path())),
            Some(OutcomeKind::Usage.exit_code())
        );
        assert_eq!(code(new("k", &mine)), Some(OutcomeKind::Io.exit_code()));
        assert!(write(&mine, b"theirs").is_err());
        assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_workspace_that_would_take_the_project_in_is_left_whole() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "[workspace]\nmembers = [\"kernels/*\"]\n";
        fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        let path = folder.path().join("kernels/fresh");
        assert_eq!(
            code(new("fresh", &path)),
            Some(OutcomeKind::Usage.exit_code())
        );
        assert!(!path.exists());
        new("fresh", &folder.path().join("fresh")).unwrap();
    }

    #[test]
    fn a_bad_name_makes_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("project");
        assert_eq!(
            code(new("9lives", &path)),
            Some(OutcomeKind::Usage.exit_code())
        );
        assert!(!path.exists());
    }
}
