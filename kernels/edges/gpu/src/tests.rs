//! The shader as the host's translator sees it.

#[path = "../../../../guest-sdk/guest/tests/support/shaders.rs"]
mod shaders;

#[test]
fn shader_is_valid() {
    shaders::check(include_str!("edges.wgsl"), &["main"]);
}
