//! Shaders by name, and text that is made at run time, which is a wish of its own.

use hotcell::grant::Capability;
use hotcell::outcome::{Blame, Cause, OutcomeKind};
use hotcell::{Array, Component, Request};
use hotcell_tests::gpu::{DOUBLE, shader_request};
use hotcell_tests::{assert_ended, gpu_arena};

/// The file of the shader of the kernel `saxpy`.
const NAME: &[u8] = b"saxpy.wgsl";

fn saxpy() -> Vec<u8> {
    let path = hotcell_tests::checkout().join("target/kernels/saxpy-gpu.wasm");
    std::fs::read(path).expect("`cargo xtask kernels` builds it")
}

/// Where the name stands in the section: at last.
fn name_in_section(component: &[u8]) -> usize {
    let mut windows = component.windows(NAME.len());
    windows.rposition(|window| window == NAME).expect("a name")
}

fn request() -> Request {
    let array = |values: [f32; 3]| Array::from_slice(&values, [3]).unwrap();
    Request::new()
        .scalar("a", 2.0f32)
        .input("x", array([1.0, 2.0, 3.0]))
        .input("y", array([10.0, 20.0, 30.0]))
        .want(Capability::Gpu)
}

#[test]
fn a_shader_of_the_section_runs_without_a_grant_for_text() {
    let arena = gpu_arena!();
    let component = Component::new(saxpy());
    let ended = arena.cell.run(&component, request());
    assert_ended(&ended, OutcomeKind::Done, None);
    let out: Vec<f32> = ended.array("out").unwrap().to_vec().unwrap();
    assert_eq!(out, [12.0, 24.0, 36.0]);
    let limits = hotcell::limit::Limits::defaults(Default::default());
    let description = arena.cell.describe(&component, &limits).unwrap();
    let text = description.shaders[0].len_bytes;
    let gpu = ended.report.usage.gpu.unwrap();
    assert_eq!(gpu.shader_bytes, text + "main".len() as u64);
}

#[test]
fn text_made_at_run_time_is_refused_without_its_own_grant() {
    let arena = gpu_arena!();
    let request = shader_request(DOUBLE, &[1; 4]);
    let ended = arena.cell.run(arena.probe(), request.want(Capability::Gpu));
    assert_ended(&ended, OutcomeKind::Denied, Some(Blame::Operator));
    let message = &ended.outcome.message;
    assert!(message.contains("hotcell:gpu/text@0.2.0"), "{message}");
    let is_text = |cause: &Cause| matches!(cause, Cause::NotGranted { capability, .. } if *capability == Capability::GpuText);
    assert!(ended.outcome.causes.iter().all(is_text));
    arena.assert_serves();
}

#[test]
fn a_name_that_the_section_does_not_have_is_answered_with_those_it_has() {
    let arena = gpu_arena!();
    let mut component = saxpy();
    let at = name_in_section(&component);
    component[at..][..NAME.len()].copy_from_slice(b"other.wgsl");
    let ended = arena.cell.run(&Component::new(component), request());
    assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
    let message = &ended.outcome.message;
    let says = "no shader `saxpy.wgsl` (there are: other.wgsl)";
    assert!(message.contains(says), "{message}");
    arena.assert_serves();
}

#[test]
fn a_shader_of_the_section_is_admitted_where_a_kernel_is_made_of_it() {
    let arena = gpu_arena!();
    for (change, says) in [
        (b"\xff", "the text is not UTF-8 from byte 0 on"),
        (b"}", "saxpy.wgsl:1:1: "),
    ] {
        let mut component = saxpy();
        let at = name_in_section(&component) + NAME.len();
        component[at..][..1].copy_from_slice(change);
        let ended = arena.cell.run(&Component::new(component), request());
        assert_ended(&ended, OutcomeKind::KernelError, Some(Blame::Guest));
        let message = &ended.outcome.message;
        assert!(message.contains(says), "{message}");
    }
    arena.assert_serves();
}
