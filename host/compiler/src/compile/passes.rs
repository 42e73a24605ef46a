//! Rewriting of a component before it is compiled: passes over its Wasm, one after the other.
//!
//! A pass is a file in the folder beside this one and a line in [`PASSES`]. What the passes make is validated again by the
//! compiler, and counts against the same limits as what came. An artifact depends on them: a change here counts up the
//! configuration in `hotcell_engine`, so that artifacts from before are compiled again.

use super::CompileError;
use std::borrow::Cow;

/// A pass: from a component to one that does the same, or the same and more.
struct Pass {
    /// What it is called in errors.
    name: &'static str,
    /// Rewrites a whole component; the words say why it cannot.
    rewrite: fn(&[u8]) -> Result<Vec<u8>, String>,
}

/// Every pass, in the order in which they run.
const PASSES: &[Pass] = &[];

/// Runs every pass.
///
/// # Errors
/// One of them cannot rewrite the component.
pub(crate) fn rewrite(component: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    run(PASSES, component)
}

fn run<'a>(passes: &[Pass], component: &'a [u8]) -> Result<Cow<'a, [u8]>, CompileError> {
    let mut rewritten = Cow::Borrowed(component);
    for pass in passes {
        let made = (pass.rewrite)(&rewritten);
        let refused = |why| CompileError::Refused(format!("pass `{}`: {why}", pass.name));
        rewritten = Cow::Owned(made.map_err(refused)?);
    }
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(rewrite: fn(&[u8]) -> Result<Vec<u8>, String>) -> Pass {
        let name = "test";
        Pass { name, rewrite }
    }

    #[test]
    fn passes_run_in_order_and_one_that_cannot_go_on_says_which_it_is() {
        let [one, two] = [
            pass(|bytes| Ok([bytes, b"1"].concat())),
            pass(|bytes| Ok([bytes, b"2"].concat())),
        ];
        let rewritten = run(&[one, two], b"0").unwrap();
        assert_eq!(&rewritten[..], b"012");
        let refused = run(&[pass(|_| Err("no".to_owned()))], b"0").unwrap_err();
        assert!(
            refused.to_string().ends_with("pass `test`: no"),
            "{refused}"
        );
    }

    #[test]
    fn without_passes_nothing_is_copied() {
        assert!(matches!(run(&[], b"0"), Ok(Cow::Borrowed(b"0"))));
    }
}
