//! Which interfaces of WASI 0.2 a kernel may import: what the standard libraries of Rust and C need to be linked, and no
//! sockets, no HTTP.
//!
//! All of them are the capability [`Wasi`](crate::grant::Capability::Wasi). Which of their functions reach anything is said
//! where the runner has them.

/// The minor version of the packages. Within it later patches add functions and change none, and whoever asks for one is
/// served by this host as far as it has what is asked for.
pub const VERSION: &str = "0.2";

/// The interfaces, without their version.
pub const INTERFACES: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Whether an import is one of those, in a version that is served.
pub fn is_offered(interface: &str, version: &str) -> bool {
    let patch = version.strip_prefix(VERSION);
    let patch = patch.and_then(|rest| rest.strip_prefix('.'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    INTERFACES.contains(&interface) && patch.is_some_and(is_number)
}

/// What an interface's name begins with if it is of WASI, whether this host has it or not.
pub fn is_wasi(interface: &str) -> bool {
    interface.starts_with("wasi:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offered_are_these_interfaces_in_every_patch_of_one_version() {
        for version in ["0.2.0", "0.2.4", "0.2.12"] {
            assert!(is_offered("wasi:cli/exit", version), "{version}");
        }
        for version in ["", "0.2", "0.2.", "0.3.0", "0.20.1", "0.2.0-rc", "1.0.0"] {
            assert!(!is_offered("wasi:cli/exit", version), "{version}");
        }
        for interface in [
            "wasi:sockets/tcp",
            "wasi:http/types",
            "wasi:cli/run",
            "wasi:cli",
        ] {
            assert!(!is_offered(interface, "0.2.0"), "{interface}");
        }
        assert!(INTERFACES.is_sorted());
    }
}
