//! The guest SDK and the kernel's WIT as they were when this command was built.
//!
//! The SDK is in no registry, so the command carries it: a project made anywhere builds against exactly
//! the interface that this host implements.

use std::borrow::Cow;
use wit_parser::{Resolve, WorldId};

/// Paths relative to the repository, and their bytes.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
/// The file with the world.
const KERNEL_WIT: &str = "wit/kernel/kernel.wit";

/// The files of a project's `vendor/`, by their path in it.
pub(crate) fn files() -> &'static [(&'static str, &'static [u8])] {
    FILES
}

/// The world that every kernel implements.
///
/// # Panics
/// If the embedded WIT is not valid: it is fixed when this command is built.
pub(crate) fn world() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_source(KERNEL_WIT, &kernel_wit())
        .expect("the embedded WIT parses");
    let world = resolve
        .select_world(&[package], Some("kernel"))
        .expect("the embedded WIT has the world `kernel`");
    (resolve, world)
}

fn kernel_wit() -> Cow<'static, str> {
    let bytes = FILES
        .iter()
        .find_map(|(path, bytes)| (*path == KERNEL_WIT).then_some(*bytes))
        .expect("the kernel's WIT is embedded");
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_comes_without_its_tests_and_with_its_wit() {
        let paths: Vec<_> = files().iter().map(|(path, _)| *path).collect();
        for wanted in [
            "guest-sdk/guest/Cargo.toml",
            "guest-sdk/guest/src/lib.rs",
            "guest-sdk/macros/src/lib.rs",
            "guest-sdk/manifest/src/lib.rs",
            KERNEL_WIT,
        ] {
            assert!(paths.contains(&wanted), "{wanted}");
        }
        assert!(!paths.iter().any(|path| path.contains("/tests/ui")));
    }

    #[test]
    fn the_world_is_the_kernels() {
        let (resolve, world) = world();
        let (imports, exports) = (
            &resolve.worlds[world].imports,
            &resolve.worlds[world].exports,
        );
        assert_eq!((imports.len(), exports.len()), (6, 1));
    }
}
