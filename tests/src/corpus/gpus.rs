//! Shaders that attack a device, guests that attack its session, and the supervisor's end while a device works.

use super::{Attack, Content, Expected, Group, Moment, Signal, ends};
use crate::npy::npy;
use hotcell::outcome::OutcomeKind::{
    Cancelled, Done, GpuFuelExhausted, GpuLimit, GpuTimeout, KernelError,
};
use hotcell::outcome::{Blame, OutcomeKind};
use std::time::Duration;

/// What every shader begins with: bytes to read, and eight words to write.
const HEAD: &str = "@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
";

/// A shader's name, text, options and end.
type Row = (&'static str, &'static str, &'static str, OutcomeKind);

const SHADERS: [Row; 8] = [
    (
        "gpu-endless-loop",
        "@compute @workgroup_size(1) fn main() { loop { out[0] += 1u; if (x[0] == 7u) { break; } } }",
        "--limit gpu_fuel=200k",
        GpuFuelExhausted,
    ),
    (
        "gpu-nested-loops",
        "@compute @workgroup_size(64) fn main() {
            for (var i = 0u; i < x[9]; i++) { for (var j = 0u; j < x[9]; j++) { out[j & 7u] += i; } }
        }",
        "--limit gpu_fuel=1M",
        GpuFuelExhausted,
    ),
    (
        "gpu-divergent-barrier",
        "@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
            if (i < x[0]) { workgroupBarrier(); }
            out[0] = i;
        }",
        "",
        KernelError,
    ),
    (
        "gpu-tower-of-calls",
        "fn a(v: u32) -> u32 { return v * x[0] + x[1]; }
        fn b(v: u32) -> u32 { return a(a(a(a(a(a(a(a(v)))))))); }
        fn c(v: u32) -> u32 { return b(b(b(b(b(b(b(b(v)))))))); }
        fn d(v: u32) -> u32 { return c(c(c(c(c(c(c(c(v)))))))); }
        fn e(v: u32) -> u32 { return d(d(d(d(d(d(d(d(v)))))))); }
        fn f(v: u32) -> u32 { return e(e(e(e(e(e(e(e(v)))))))); }
        @compute @workgroup_size(1) fn main() { out[0] = f(x[0]); }",
        "",
        GpuLimit,
    ),
    (
        "gpu-out-of-range",
        "@compute @workgroup_size(1) fn main() {
            out[x[5] * 4096u] = 1u; out[4294967295u - x[0]] = x[x[5] * 65536u];
        }",
        "",
        Done,
    ),
    ("gpu-no-shader", "fn main( {", "", KernelError),
    (
        "gpu-recursion",
        "fn f(v: u32) -> u32 { return f(v); }
        @compute @workgroup_size(1) fn main() { out[0] = f(x[0]); }",
        "",
        KernelError,
    ),
    (
        "gpu-workgroup-memory",
        "var<workgroup> w: array<u32, 1048576>;
        @compute @workgroup_size(1) fn main() { w[x[0]] = 1u; out[0] = w[x[1]]; }",
        "",
        GpuLimit,
    ),
];

/// What the guest misuses by number, and how that ends.
const MISUSES: [(&str, u32, OutcomeKind); 8] = [
    ("gpu-bytes", 0, GpuLimit),
    ("gpu-buffers", 1, GpuLimit),
    ("gpu-bind-sets", 2, GpuLimit),
    ("gpu-pipelines", 3, GpuLimit),
    ("gpu-dispatches", 4, GpuLimit),
    ("gpu-invocations", 5, GpuLimit),
    ("gpu-raised-quota", 6, GpuLimit),
    ("gpu-clear-out-of-range", 9, KernelError),
];

/// Many invocations of many turns: seconds of work, with all the fuel that can be had.
const LONG: &str = "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lane: u32) {
    var a = lane;
    for (var i = 0u; i < 60000u; i++) { a = a * 3u + x[2]; }
    if (a == 12345u) { x[1] = a; }
}";

pub(super) fn attacks() -> Vec<Attack> {
    let honest = probe("gpu-honest", ends(Done, None))
        .run("gpu-probe.wasm", "carry --grant gpu --grant gpu-text");
    let shaders = SHADERS.iter().map(shader);
    let misuses = MISUSES.iter().map(|(name, what, kind)| {
        let options = format!("--in what={what} --dim n=4 --limit gpu_fuel=1000T");
        probe(name, ends(*kind, Some(Blame::Guest))).entry("misuse", &options)
    });
    let mut attacks = vec![honest];
    attacks.extend(shaders.chain(misuses).chain(long()));
    attacks
}

/// An attack by the tests' own guest on GPUs.
fn probe(name: &str, expected: Expected) -> Attack {
    Attack::new(Group::Gpu, name, expected).file("gpu-probe.wasm", Content::Kernel("gpu-probe"))
}

fn shader((name, text, options, kind): &Row) -> Attack {
    let blame = (*kind != Done).then_some(Blame::Guest);
    probe(name, ends(*kind, blame))
        .file("source.npy", source(&format!("{HEAD}{text}")))
        .entry(
            "answer",
            &format!("--in source=@source.npy --in x=@x.npy {options}"),
        )
}

/// What ends while the device works: by its time, by a cancel, by the supervisor's death.
fn long() -> [Attack; 3] {
    let running = Moment::Compiled(Duration::from_millis(1000));
    let long = |name, expected, options: &str| {
        let sizes = "--in x_groups=4000 --in y_groups=1 --in z_groups=1";
        let limits = "--limit gpu_fuel=1000T --limit gpu_time_ns=60m";
        probe(name, expected)
            .file("source.npy", source(LONG))
            .file("words.npy", Content::Bytes(npy("<u4", &[4], &[1; 16])))
            .entry(
                "shader",
                &format!("{sizes} --in source=@source.npy --in x=@words.npy {limits} {options}"),
            )
    };
    let cancelled = ends(Cancelled, Some(Blame::Request));
    [
        long(
            "gpu-beyond-the-deadline",
            ends(GpuTimeout, Some(Blame::Guest)),
            "--timeout 700ms",
        ),
        long("gpu-interrupted-while-running", cancelled, "--timeout 10s")
            .signal(Signal::Interrupt, running),
        long(
            "gpu-killed-while-running",
            Expected::Killed,
            "--timeout 10s",
        )
        .signal(Signal::Kill, running),
    ]
}

fn source(text: &str) -> Content {
    Content::Bytes(npy("|u1", &[text.len() as u64], text.as_bytes()))
}

impl Attack {
    /// Runs an entry of the guest with a GPU.
    #[must_use]
    fn entry(self, entry: &str, options: &str) -> Self {
        self.line(&format!(
            "run gpu-probe.wasm {entry} --grant gpu --grant gpu-text --report r.json {options}"
        ))
    }
}
