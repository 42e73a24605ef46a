//! The shader as the host's translator sees it, and the native form, which has no device.

#[path = "../../../../guest-sdk/guest/tests/support/shaders.rs"]
mod shaders;

#[test]
fn shader_is_valid() {
    shaders::check(include_str!("saxpy.wgsl"), &["main"]);
}

#[test]
fn natively_the_kernel_says_that_there_is_no_gpu() {
    let (x, y, mut out) = (vec![1.0_f32, 2.0], vec![3.0_f32, 4.0], vec![0.0_f32; 2]);
    let launch = hotcell_guest::native::Launch::new(super::HOTCELL_ENTRIES, "saxpy");
    let launch = launch.dim(2).scalar(1.0_f32).input(&x).input(&y);
    let refused = launch.output(&mut out).run().unwrap_err().to_string();
    assert!(refused.contains("no GPU outside a component"), "{refused}");
}
