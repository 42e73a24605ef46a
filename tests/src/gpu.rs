//! A cell with a GPU, the guest that does with it what a test says, and whether there is one.

use crate::arena::{self, Alarm};
use crate::{Guest, checkout};
use hotcell::grant::Capability;
use hotcell::outcome::Outcome;
use hotcell::{Array, Cell, Component, Ended, GpuDevice, Isolation, Request, Tier};
use std::sync::{Arc, OnceLock};

/// A cell on lavapipe, and a guest for it. No launch may have an alert, as in an [`Arena`](crate::Arena).
pub struct GpuArena {
    /// The cell.
    pub cell: Cell,
    probe: Component,
    alarm: Arc<Alarm>,
}

impl Drop for GpuArena {
    fn drop(&mut self) {
        self.alarm.assert_silent();
    }
}

/// A [`GpuArena`] of the isolation that the calling module is a test of; returns from the test, visibly skipped,
/// where there is no software device.
#[macro_export]
macro_rules! gpu_arena {
    () => {
        match $crate::GpuArena::of($crate::isolation!()) {
            Some(arena) => arena,
            None => return,
        }
    };
}

impl GpuArena {
    /// A cell of its own; `None`, and a visible skip, without lavapipe.
    pub fn of(isolation: Isolation) -> Option<Self> {
        let alarm = Arc::<Alarm>::default();
        let cell = arena::cell(isolation)
            .audit(alarm.clone())
            .gpu(GpuDevice::Software)
            .require_tier(Tier::Unprivileged.min(arena::tier()));
        let cell = cell.build().expect("a cell without a cache");
        if !has_lavapipe() {
            crate::skip("no software Vulkan device: install mesa-vulkan-drivers and libvulkan1");
            return None;
        }
        let path = checkout().join("target/kernels/gpu-probe.wasm");
        let Ok(probe) = Component::read(&path) else {
            crate::skip(
                "target/kernels/gpu-probe.wasm is not there: `cargo xtask kernels` builds it",
            );
            return None;
        };
        Some(Self { cell, probe, alarm })
    }

    /// Runs an entry of the guest, granted a GPU and the shaders that it makes.
    pub fn run(&self, request: Request) -> Ended {
        self.cell.run(&self.probe, granted(request))
    }

    /// Runs `wgsl` on one invocation over `words`.
    pub fn shader(&self, wgsl: &str, words: &[u32]) -> Ended {
        self.run(shader_request(wgsl, words))
    }

    /// Runs `wgsl` on one workgroup over bytes, for eight words.
    pub fn answer(&self, wgsl: &str, held: &[u8]) -> Ended {
        let x = Array::from_slice(held, [held.len() as u64]).expect("a small array");
        let request = Request::new().entry("answer");
        self.run(request.input("source", bytes(wgsl)).input("x", x))
    }

    /// Runs one of the guest's misuses.
    pub fn misuse(&self, what: u32) -> Ended {
        self.run(misuse_request(what))
    }

    /// The guest.
    pub fn probe(&self) -> &Component {
        &self.probe
    }

    /// Checks that the next launch, on a GPU and off, works as if nothing had been.
    #[track_caller]
    pub fn assert_serves(&self) {
        let ended = self.shader(DOUBLE, &[1, 2, 3, 4]);
        assert_eq!(ended.outcome, Outcome::done(), "a GPU launch does not work");
        assert_eq!(out(&ended), [2, 4, 6, 8]);
        let honest = Guest::named("honest").component();
        let ended = self.cell.run(&honest, crate::honest_request());
        assert_eq!(ended.outcome, Outcome::done());
    }
}

/// What the guest needs to be granted.
pub fn granted(request: Request) -> Request {
    let request = request.want(Capability::Gpu);
    request.want(Capability::GpuText)
}

/// Doubles the first four words.
pub const DOUBLE: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) { x[i] *= 2u; }";

/// The launch of `wgsl` on one workgroup over `words`.
pub fn shader_request(wgsl: &str, words: &[u32]) -> Request {
    let request = Request::new().entry("shader");
    let groups = ["x_groups", "y_groups", "z_groups"];
    let request = groups
        .into_iter()
        .fold(request, |request, name| request.scalar(name, 1u32));
    request
        .input("source", bytes(wgsl))
        .input("x", array(words))
}

/// The launch of one of the guest's misuses.
pub fn misuse_request(what: u32) -> Request {
    Request::new()
        .entry("misuse")
        .scalar("what", what)
        .dim("n", 4)
}

/// An array of words.
pub fn array(words: &[u32]) -> Array {
    Array::from_slice(words, [words.len() as u64]).expect("a small array")
}

/// A text as an array of bytes.
pub fn bytes(text: &str) -> Array {
    Array::from_slice(text.as_bytes(), [text.len() as u64]).expect("a small array")
}

/// The words of the output.
pub fn out(ended: &Ended) -> Vec<u32> {
    let out = ended
        .array("out")
        .expect("a launch that is done has its output");
    out.to_vec().expect("the output is u32")
}

/// Whether this machine has a software device; asked once.
pub fn has_lavapipe() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        use hotcell_gpu::device::Device;
        use hotcell_model::gpu::GpuDevice;
        Device::open(GpuDevice::Software).is_ok()
    })
}
