//! Rewriting of a component before it is compiled: passes over its Wasm, one after the other.
//!
//! A pass is a file in the folder beside this one and a line in [`PASSES`]. What the passes make is validated again by the
//! compiler, and counts against the same limits of memory, time and artifacts as what came. An artifact depends on them: a change here
//! counts up the configuration in `hotcell_engine`, so that artifacts from before are compiled again.

mod lazy_nans;
mod positions;
mod splice;

use super::CompileError;
use hotcell_model::profile::Metering;
use splice::{Edits, Moves};
use std::borrow::Cow;

/// A pass: from a component to one that does the same, or the same and more.
struct Pass {
    /// What it is called in errors.
    name: &'static str,
    /// The modes in which it runs.
    runs_in: fn(Metering) -> bool,
    /// What has to change of a whole component; the words say why it cannot be done.
    rewrite: fn(&[u8]) -> Result<Edits, String>,
    /// What the compiler can do instead, of a component with which the pass cannot.
    instead: Option<fn(&mut wasmtime::Config)>,
}

/// Every pass, in the order in which they run.
const PASSES: &[Pass] = &[Pass {
    name: "lazy NaNs",
    runs_in: |metering| metering == Metering::Deterministic,
    rewrite: lazy_nans::rewrite,
    instead: Some(|config| {
        config.cranelift_nan_canonicalization(true);
    }),
}];

/// What the passes have made of a component.
pub(crate) struct Rewritten<'a> {
    pub(crate) component: Cow<'a, [u8]>,
    /// What the compiler has to do in the place of passes.
    pub(crate) instead: Vec<fn(&mut wasmtime::Config)>,
    moves: Vec<Moves>,
}

impl Rewritten<'_> {
    /// Has an artifact of the rewritten component name places of the one that came.
    ///
    /// # Errors
    /// It is no artifact as the compiler is known to make them.
    pub(crate) fn tell_positions(&self, artifact: &mut Vec<u8>) -> Result<(), CompileError> {
        if self.moves.is_empty() {
            return Ok(());
        }
        let told = positions::tell(artifact, &self.moves);
        told.ok_or_else(|| CompileError::Setup("its address maps are of another format".to_owned()))
    }
}

/// Runs every pass that `metering` asks for.
///
/// # Errors
/// One of them cannot rewrite the component.
pub(crate) fn rewrite(component: &[u8], metering: Metering) -> Result<Rewritten<'_>, CompileError> {
    run(PASSES, component, metering)
}

fn run<'a>(
    passes: &[Pass],
    component: &'a [u8],
    metering: Metering,
) -> Result<Rewritten<'a>, CompileError> {
    let mut rewritten = Rewritten {
        component: Cow::Borrowed(component),
        instead: Vec::new(),
        moves: Vec::new(),
    };
    for pass in passes.iter().filter(|pass| (pass.runs_in)(metering)) {
        let component = &rewritten.component;
        let made = (pass.rewrite)(component).and_then(|edits| match edits.is_empty() {
            true => Ok(None),
            false => edits.apply(component).map(Some),
        });
        match (made, pass.instead) {
            (Ok(None), _) => {}
            (Ok(Some((component, moves))), _) => {
                rewritten.component = Cow::Owned(component);
                rewritten.moves.push(moves);
            }
            (Err(_), Some(instead)) => rewritten.instead.push(instead),
            (Err(why), None) => {
                let why = format!("pass `{}`: {why}", pass.name);
                return Err(CompileError::Refused(why));
            }
        }
    }
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn pass(rewrite: fn(&[u8]) -> Result<Edits, String>) -> Pass {
        Pass {
            name: "test",
            runs_in: |metering| metering == Metering::Strict,
            rewrite,
            instead: None,
        }
    }

    /// Appends how many bytes there are.
    fn count(bytes: &[u8]) -> Result<Edits, String> {
        let (mut edits, end) = (Edits::default(), bytes.len());
        let write = |added: &mut Vec<u8>| {
            added.extend_from_slice(end.to_string().as_bytes());
            Ok::<_, Infallible>(())
        };
        edits.replace(end..end, write).unwrap();
        Ok(edits)
    }

    fn refuse(_: &[u8]) -> Result<Edits, String> {
        Err("no".to_owned())
    }

    #[test]
    fn passes_run_in_order_and_one_that_cannot_go_on_says_which_it_is() {
        let rewritten = run(&[pass(count), pass(count)], b"ab", Metering::Strict).unwrap();
        assert_eq!(&rewritten.component[..], b"ab23");
        let refused = run(&[pass(refuse)], b"0", Metering::Strict).err().unwrap();
        assert!(
            refused.to_string().ends_with("pass `test`: no"),
            "{refused}"
        );
    }

    #[test]
    fn what_a_pass_cannot_do_is_left_to_the_compiler_where_that_can() {
        let mut pass = pass(refuse);
        pass.instead = Some(|_| {});
        let rewritten = run(&[pass], b"0", Metering::Strict).unwrap();
        assert_eq!(rewritten.instead.len(), 1);
        assert_eq!(&rewritten.component[..], b"0");
    }

    #[test]
    fn without_changes_nothing_is_copied() {
        let unchanged = |_: &[u8]| Ok(Edits::default());
        let passes = [pass(unchanged)];
        for passes in [&passes[..], &[]] {
            let rewritten = run(passes, b"0", Metering::Strict).unwrap();
            assert!(matches!(rewritten.component, Cow::Borrowed(b"0")));
        }
        let other = run(&[pass(count)], b"0", Metering::Fast).unwrap();
        assert!(matches!(other.component, Cow::Borrowed(b"0")));
    }
}
