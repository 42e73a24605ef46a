//! `hotcell completions`

use crate::say;
use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

/// Write what has a shell complete this command's words
///
/// A shell finds it where it keeps such files: bash in ~/.local/share/bash-completion/completions/hotcell, zsh in a folder of
/// its $fpath as _hotcell, fish in ~/.config/fish/completions/hotcell.fish. An installation and the Python package bring it along.
#[derive(Args)]
pub(crate) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

impl CompletionsCommand {
    /// Writes it for the command as it is.
    pub(crate) fn execute(self, mut hotcell: Command) -> Result<()> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut hotcell, "hotcell", &mut text);
        say::print(String::from_utf8(text)?)
    }
}
