//! What a build of hotcell is told apart by: one number, the same in a supervisor and in workers that understand it.
//!
//! A package at this level, since a build script reads below its own folder only, and what both sides must agree on
//! is in several crates. Why it covers what it does is in `docs/decisions/0021-build-identity.md`.

/// A hash over the sources of what runs in workers, and the version.
pub const BUILD_ID: u128 = match u128::from_str_radix(env!("HOTCELL_BUILD_ID"), 10) {
    Ok(id) => id,
    Err(_) => panic!("the build script writes a number"),
};
