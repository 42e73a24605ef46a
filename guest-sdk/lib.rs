//! The guest SDK's source, for programs that carry it: it is in no registry.

/// Every file that a project needs to build against the SDK, by its path in this folder, sorted.
pub static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_comes_without_its_tests() {
        let paths: Vec<_> = FILES.iter().map(|(path, _)| *path).collect();
        for wanted in [
            "guest/Cargo.toml",
            "guest/src/lib.rs",
            "macros/src/lib.rs",
            "manifest/src/lib.rs",
        ] {
            assert!(paths.contains(&wanted), "{wanted}");
        }
        assert!(!paths.iter().any(|path| path.contains("/tests/ui")));
    }
}
