//! `hotcell new`.
/// x
#[derive(Debug, clap::Args)]
pub(crate) struct NewCommand {}
impl NewCommand {
    pub(crate) fn execute(self) -> anyhow::Result<()> {
        Ok(())
    }
}
