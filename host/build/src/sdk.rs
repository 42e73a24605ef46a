//! The guest SDK and the kernels' WIT as they were when this crate was built.
//!
//! The SDK is in no registry, so this crate carries it: a project made anywhere builds against exactly
//! the interface that this host implements.

use std::borrow::Cow;
use wit_parser::{Resolve, WorldId};

/// Paths relative to the repository, and their bytes.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
/// The file with what every kernel has.
const KERNEL_WIT: &str = "wit/kernel/kernel.wit";
/// The file with the world of everything that a kernel can be granted.
const GPU_WIT: &str = "wit/gpu/gpu.wit";

/// The files of a project's `vendor/`, by their path in it.
pub fn files() -> &'static [(&'static str, &'static [u8])] {
    FILES
}

/// The world that every kernel implements, with everything that it may import.
///
/// # Panics
/// If the embedded WIT is not valid: it is fixed when this crate is built.
pub fn world() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let packages = [KERNEL_WIT, GPU_WIT].map(|path| {
        resolve
            .push_source(path, &embedded(path))
            .expect("the embedded WIT parses")
    });
    let world = resolve
        .select_world(&packages[1..], Some("gpu-kernel"))
        .expect("the embedded WIT has the world `gpu-kernel`");
    (resolve, world)
}

fn embedded(wanted: &str) -> Cow<'static, str> {
    let bytes = FILES
        .iter()
        .find_map(|(path, bytes)| (*path == wanted).then_some(*bytes))
        .expect("the WIT is embedded");
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
            GPU_WIT,
        ] {
            assert!(paths.contains(&wanted), "{wanted}");
        }
        assert!(!paths.iter().any(|path| path.contains("/tests/ui")));
    }

    #[test]
    fn the_world_has_every_interface_of_both_packages() {
        let (resolve, world) = world();
        let (imports, exports) = (
            &resolve.worlds[world].imports,
            &resolve.worlds[world].exports,
        );
        assert_eq!((imports.len(), exports.len()), (7, 1));
    }
}
