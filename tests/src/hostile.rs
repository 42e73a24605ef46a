//! Cells whose workers are fakes that break the rules.

use crate::{Guest, description, tier, workers};
use hotcell::{Cell, CellBuilder, Terms, Tier};
use hotcell_model::layer::WorkerKind;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// A directory of workers in which one kind is a fake.
pub struct Hostile {
    directory: TempDir,
}

impl Hostile {
    /// A fake runner with that behaviour, and a real compiler.
    pub fn runner(fake: &str, behaviour: &str) -> Self {
        Self::with(fake, WorkerKind::Runner, behaviour)
    }

    /// A fake compiler with that behaviour, which describes every component as [`Guest`]s are by default, and a
    /// real runner.
    pub fn compiler(fake: &str, behaviour: &str) -> Self {
        let hostile = Self::with(fake, WorkerKind::Compiler, behaviour);
        hostile.describes(&description(&Guest::named("honest")))
    }

    /// A fake GPU worker with that behaviour, beside a real compiler and a real runner.
    pub fn gpu(fake: &str, behaviour: &str) -> Self {
        Self::with(fake, WorkerKind::Gpu, behaviour)
    }

    fn with(fake: &str, kind: WorkerKind, behaviour: &str) -> Self {
        let hostile = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        for program in [WorkerKind::Compiler, WorkerKind::Runner, WorkerKind::Gpu] {
            let real = workers().join(program.program());
            let source = if program == kind {
                Path::new(fake)
            } else {
                &real
            };
            let target = hostile.path().join(program.program());
            std::fs::copy(source, &target).expect("a worker can be copied");
            std::fs::set_permissions(&target, Permissions::from_mode(0o755)).expect("it is ours");
        }
        hostile.write("behaviour", behaviour.as_bytes());
        // The fake's own could be another, where it was built at another time.
        hostile.write("build", &hotcell_sandbox::BUILD_ID);
        hostile
    }

    /// Has the fake compiler answer every description with those bytes.
    #[must_use]
    pub fn describes(self, description: &[u8]) -> Self {
        self.write("description", description);
        self
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(name), bytes).expect("the directory is ours");
    }

    /// Where the workers are.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Begins a cell of these workers: one runner at a time, no spares, so that each test knows which worker
    /// it speaks of.
    pub fn cell(&self) -> CellBuilder {
        let cell = Cell::confined().workers(self.path()).require_tier(tier());
        let policy = Terms::default().with_all_grants();
        cell.policy(policy).max_runners(1).spares(false)
    }

    /// A cell of these workers that requires a tier.
    ///
    /// # Panics
    /// It cannot be set up.
    pub fn cell_of_tier(&self, tier: Tier) -> Cell {
        self.cell()
            .require_tier(tier)
            .build()
            .expect("workers that look like workers")
    }

    /// The same, of the tier that tests ask for.
    ///
    /// # Panics
    /// It cannot be.
    pub fn build(&self) -> Cell {
        self.cell().build().expect("workers that look like workers")
    }
}
