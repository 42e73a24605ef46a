//! The guest SDK and the kernels' WIT as they were when this crate was built.
//!
//! The SDK is in no registry, so this crate carries it: a project made anywhere builds against exactly
//! the interface that this host implements.

use hotcell_model::component::PACKAGE_VERSION;
use wit_parser::{Resolve, WorldId};

/// The files of a project's `vendor/`, by their path in it.
pub fn files() -> impl Iterator<Item = (String, &'static [u8])> {
    let sdk = hotcell_guest_source::FILES.iter();
    let sdk = sdk.map(|(path, bytes)| (format!("guest-sdk/{path}"), *bytes));
    let wit = hotcell_wit::FILES.iter();
    sdk.chain(wit.map(|(path, text)| (format!("wit/{path}"), text.as_bytes())))
}

/// The world that every kernel implements, with everything that it may import.
///
/// # Panics
/// If the embedded WIT is not valid: it is fixed when this crate is built.
pub fn world() -> (Resolve, WorldId) {
    world_of(PACKAGE_VERSION)
}

/// As [`world`], under the names of a version of the packages that the host implements: what a version has, each later one
/// has too.
///
/// # Panics
/// As [`world`].
pub fn world_of(version: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let today = format!("@{PACKAGE_VERSION}");
    let packages = hotcell_wit::FILES.map(|(path, text)| {
        resolve
            .push_source(path, &text.replace(&today, &format!("@{version}")))
            .expect("the embedded WIT parses")
    });
    let world = resolve
        .select_world(&packages[1..], Some("gpu-kernel"))
        .expect("the embedded WIT has the world `gpu-kernel`");
    (resolve, world)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_comes_with_its_wit_where_it_looks_for_it() {
        let paths: Vec<_> = files().map(|(path, _)| path).collect();
        for wanted in [
            "guest-sdk/guest/src/lib.rs",
            "wit/kernel/kernel.wit",
            "wit/gpu/gpu.wit",
        ] {
            assert!(paths.iter().any(|path| path == wanted), "{wanted}");
        }
    }

    #[test]
    fn the_world_has_every_interface_of_both_packages() {
        let (resolve, world) = world();
        let (imports, exports) = (
            &resolve.worlds[world].imports,
            &resolve.worlds[world].exports,
        );
        assert_eq!((imports.len(), exports.len()), (8, 1));
    }
}
