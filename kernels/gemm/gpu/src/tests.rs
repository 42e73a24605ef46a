//! The shaders as the host's translator sees them.

#[path = "../../../../guest-sdk/guest/tests/support/shaders.rs"]
mod shaders;

#[test]
fn shaders_are_valid() {
    shaders::check(include_str!("tiled.wgsl"), &["main"]);
    shaders::check(include_str!("subgroups.wgsl"), &["main"]);
}
