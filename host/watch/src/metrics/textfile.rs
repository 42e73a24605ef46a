//! Metrics as a file that a node's collector reads: for commands that are over before anybody could scrape them.
//!
//! What each command counted is added up in the file of baselines. Adding, reading and replacing the textfile happen in one
//! transaction, so that no command writes an older sum over a newer one. Source of the form: Prometheus' node exporter,
//! "Textfile Collector": a file that ends in `.prom` and is replaced by renaming.

use crate::metrics::{Family, Metrics};
use crate::store::Store;
use hotcell_state::StateError;
use std::collections::HashMap;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why a textfile could not be written.
#[derive(Debug, thiserror::Error)]
pub enum TextfileError {
    /// There is no state directory.
    #[error(
        "a metrics textfile needs a state directory, where the counts of all commands are added up"
    )]
    NoState,
    /// The counts could not be added up.
    #[error(transparent)]
    State(#[from] StateError),
    /// The textfile could not be replaced.
    #[error("cannot write the metrics textfile {}", path.display())]
    Io {
        /// The textfile.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Metrics {
    /// Adds what was counted since the last time to what all commands counted, and writes the sums to `path`.
    pub(crate) fn write_textfile(
        &self,
        store: &mut Store,
        path: &Path,
    ) -> Result<(), TextfileError> {
        let mut written = self.written();
        let numbers: Vec<Vec<u64>> = self
            .families()
            .iter()
            .map(|family| family.numbers())
            .collect();
        let mut more = Vec::new();
        for ((family, numbers), before) in self.families().iter().zip(&numbers).zip(written.iter())
        {
            for ((name, number), before) in family.names().zip(numbers).zip(before) {
                let increase = number.wrapping_sub(*before);
                if increase > 0 {
                    more.push((name, increase));
                }
            }
        }
        let replaced = store.count(&more, |sums| {
            let sums: HashMap<&str, u64> = sums
                .iter()
                .map(|(name, sum)| (name.as_str(), *sum))
                .collect();
            let mut text = String::with_capacity(32 << 10);
            for family in self.families() {
                write_sums(family, &sums, &mut text);
            }
            replace(path, &text)
        })?;
        // They are added whether the file could be written or not.
        *written = numbers;
        replaced.map_err(|source| TextfileError::Io {
            path: path.to_owned(),
            source,
        })
    }
}

fn write_sums(family: &Family, sums: &HashMap<&str, u64>, text: &mut String) {
    let sum = |name: String| sums.get(name.as_str()).copied().unwrap_or(0);
    let numbers: Vec<u64> = family.names().map(sum).collect();
    family.write(text, &numbers);
}

/// Puts a file in the place of another, readable for the collector.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        // The collector takes no notice of other endings.
        .prefix(".hotcell-")
        .suffix(".new")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
