//! Objects that clang makes: what is refused and how, and that random ones do what they do when a real linker links them.

mod program;

use super::*;
use hotcell_engine::config;
use hotcell_manifest::{KernelRecord, Record};
use hotcell_model::profile::Metering;
use program::{KERNELS, program};
use std::path::Path;
use std::process::Command;
use wasmtime::{Engine, Func, Instance, Linker, Module, Store, Val};

/// A program whose absence skips a test, and fails it where nothing may be skipped.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    let required = std::env::var_os("HOTCELL_REQUIRE_ALL_TESTS").is_some_and(|value| value == "1");
    assert!(
        found || !required,
        "{program} is needed: apt-get install clang lld"
    );
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// The object of a source in C.
fn compile(folder: &Path, source: &str, more: &[&str]) -> Vec<u8> {
    let (file, object) = (folder.join("k.c"), folder.join("k.o"));
    std::fs::write(&file, source).unwrap();
    let mut clang = Command::new("clang");
    clang.args([
        "--target=wasm32",
        "-O2",
        "-msimd128",
        "-mbulk-memory",
        "-w",
        "-c",
    ]);
    let made = clang
        .args(more)
        .arg(&file)
        .arg("-o")
        .arg(&object)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    std::fs::read(object).unwrap()
}

fn manifest(records: &[&str]) -> Manifest {
    let record = |json: &&str| Record::from(serde_json::from_str::<KernelRecord>(json).unwrap());
    Manifest::from_records(records.iter().map(record).collect()).unwrap()
}

/// A kernel that takes a number and fills an array.
fn filling(name: &str) -> Manifest {
    let json = format!(
        r#"{{"name":"{name}","signature":"->(n)","parameters":[
            {{"name":"s","role":"scalar","dtype":"i32"}},{{"name":"out","role":"output","dtype":"i32"}}]}}"#
    );
    manifest(&[&json])
}

fn refusal(source: &str, more: &[&str]) -> Option<String> {
    if !has("clang") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let object = compile(folder.path(), source, more);
    let error = finish(&object, &filling("k")).unwrap_err();
    Some(hotcell_model::text::chain(&error))
}

#[test]
fn what_an_object_lacks_is_said_with_what_to_do() {
    let kernel = |body: &str| format!("void k(int s, int *out, unsigned n) {{ {body} }}");
    let cases: [(String, &[&str], &[&str]); 8] = [
        (
            "void other(void) {}".to_owned(),
            &[],
            &["`k`", "it defines `other`"],
        ),
        (
            "void k(float s, int *out) {}".to_owned(),
            &[],
            &["(f32, i32)", "means (i32, i32, i32)", "the extents of `n`"],
        ),
        (
            "double k(int s, int *out, unsigned n) { return 1; }".to_owned(),
            &[],
            &["(i32, i32, i32) -> f64"],
        ),
        (
            format!(
                "float expf(float); extern int far; {}",
                kernel("out[0] = expf(s) + far;")
            ),
            &[],
            &[
                "`expf` is undefined",
                "libm.a",
                "`far` is undefined",
                "wasm-ld -r",
            ],
        ),
        (
            format!(
                "static _Thread_local int t; {}",
                kernel("t += s; out[0] = t;")
            ),
            &[
                "-matomics",
                "-mbulk-memory",
                "-pthread",
                "-ftls-model=local-exec",
            ],
            &["one thread"],
        ),
        (
            format!(
                "static int own[4] = {{1}}; {}",
                kernel("out[0] = own[s & 3]++;")
            ),
            &["--target=wasm32-unknown-emscripten", "-fPIC"],
            &["compile without -fPIC"],
        ),
        (
            format!("void *memcpy(void *, int); {}", kernel("memcpy(out, s);")),
            &["-fno-builtin"],
            &[
                "`memcpy` of the type (i32, i32) -> i32",
                "(i32, i32, i32) -> i32",
            ],
        ),
        (
            format!(
                "static char big[0x7fffffff]; {}",
                kernel("out[0] = big[s]; big[n] = 1;")
            ),
            &[],
            &["more than 2 GiB"],
        ),
    ];
    for (source, more, words) in cases {
        let Some(refused) = refusal(&source, more) else {
            return;
        };
        for word in words {
            assert!(refused.contains(word), "{source}: {refused}");
        }
    }
}

/// A kernel that asks for the launch's device, and for a kernel of a shader.
const ON_GPU: &str = r#"
    #define GPU(name) __attribute__((import_module("hotcell:gpu/compute@0.2.0"), import_name(name)))
    GPU("get-device") void get_device(void *result);
    GPU("[method]device.create-kernel")
    void create_kernel(int device, const char *shader, int shader_bytes, const char *entry, int entry_bytes,
                       const void *constants, int count, void *result);
    const char *k(int s, int *out, unsigned n) {
        static struct { char failed; int made; long long more[4]; } result __attribute__((aligned(8)));
        get_device(&result);
        if (result.failed) return "no device";
        create_kernel(result.made, "step", 4, "main", 4, 0, 0, &result);
        return result.failed ? "no kernel" : 0;
    }"#;

#[test]
fn objects_may_use_the_gpu_and_come_with_shaders() {
    if !has("clang") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let object = compile(folder.path(), ON_GPU, &[]);
    let manifest = filling("k");
    let source = crate::ManifestSource::Given(&manifest);
    let component = crate::componentize(&object, source).unwrap();
    let named = |name: &str, text: &[u8]| (name.to_owned(), text.to_vec());
    let good = named("step", b"@compute @workgroup_size(1) fn main() {}");
    let made = crate::with_shaders(&component, std::slice::from_ref(&good)).unwrap();
    let checked = crate::check(&made).unwrap();
    assert!(
        checked
            .imports
            .contains(&"hotcell:gpu/compute@0.2.0".to_owned()),
        "{:?}",
        checked.imports
    );
    assert_eq!(checked.manifest, manifest);

    let other = named("step", b"@compute @workgroup_size(2) fn main() {}");
    let two = crate::with_shaders(&made, &[other]).unwrap_err();
    assert!(hotcell_model::text::chain(&two).contains("two shaders named `step`"));
    let endless = named(
        "bad",
        b"@compute @workgroup_size(1) fn main() { let x = y; }",
    );
    let made = crate::with_shaders(&component, &[good, endless]).unwrap();
    let refused = crate::check(&made).unwrap_err().to_string();
    assert!(
        refused.starts_with("shader `bad` is not admitted"),
        "{refused}"
    );
    for (shader, words) in [
        (named("", b""), "a name has"),
        (named("x", b"\xff\xfe\0\0"), "neither WGSL nor SPIR-V"),
        (named("x", b"\x03\x02\x23\x07zz"), "cannot be read"),
    ] {
        let error = crate::with_shaders(&component, &[shader]).unwrap_err();
        let chain = hotcell_model::text::chain(&error);
        assert!(chain.contains(words), "{chain}");
    }
}

#[test]
fn only_what_kernels_reach_is_in_the_module() {
    if !has("clang") {
        return;
    }
    let source = "
        void missing(void);
        static int large[100000] = {1};
        int unused(int i) { missing(); return large[i]; }
        int zeros[5000];
        __attribute__((noinline)) static int used(int i) { return zeros[i]; }
        void k(int s, int *out, unsigned n) { out[0] = used(s); zeros[1]++; }";
    let folder = tempfile::tempdir().unwrap();
    let object = compile(folder.path(), source, &[]);
    let module = finish(&object, &filling("k")).unwrap();
    assert!(module.len() < 4000, "{} bytes", module.len());
}

#[test]
fn bytes_cut_anywhere_and_bytes_changed_anywhere_are_refused_or_finished_and_never_a_panic() {
    if !has("clang") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = program(3)
        + "void *memset(void *, int, unsigned long); void fill(int *p, unsigned n) { memset(p, 7, n); }";
    let source = source.replace("if (i % 5 == 2)", "fill(out, s & 3); if (i % 5 == 2)");
    let source = format!("void fill(int *, unsigned);{source}");
    let object = compile(folder.path(), &source, &["-fno-builtin"]);
    let manifest = kernels_of_program();
    for end in (0..object.len()).step_by(7) {
        let _ = finish(&object[..end], &manifest);
    }
    let mut changed = object.clone();
    for at in 0..object.len() {
        for byte in [0, 0x7f, 0xff, object[at] ^ 1] {
            changed[at] = byte;
            let _ = finish(&changed, &manifest);
        }
        changed[at] = object[at];
    }
}

fn kernels_of_program() -> Manifest {
    let json = |at: u32| {
        format!(
            r#"{{"name":"k{at}","signature":"->(n)","parameters":[
            {{"name":"s","role":"scalar","dtype":"i32"}},{{"name":"out","role":"output","dtype":"i32"}}]}}"#
        )
    };
    let records: Vec<String> = (0..KERNELS).map(json).collect();
    manifest(&records.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What the kernels of a module put into an array, each with a few numbers.
fn results(engine: &Engine, module: &[u8], prefix: &str) -> Vec<Vec<i32>> {
    const LEN: i32 = 16;
    const BYTES: usize = 64;
    let module = Module::new(engine, module).unwrap();
    let mut store = Store::new(engine, ());
    store.set_fuel(1 << 40).unwrap();
    store.set_epoch_deadline(1 << 40);
    let mut linker = Linker::new(engine);
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let instance: Instance = linker.instantiate(&mut store, &module).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let place = memory.grow(&mut store, 1).unwrap() << 16;
    let mut found = Vec::new();
    for at in 0..KERNELS {
        let kernel: Func = instance
            .get_func(&mut store, &format!("{prefix}k{at}"))
            .unwrap();
        for number in [0, 1, 7, -3] {
            let place = usize::try_from(place).unwrap();
            memory.data_mut(&mut store)[place..place + BYTES].fill(0);
            let arguments = [number, i32::try_from(place).unwrap(), LEN].map(Val::I32);
            kernel.call(&mut store, &arguments, &mut []).unwrap();
            let bytes = &memory.data(&store)[place..place + BYTES];
            let words = bytes.as_chunks::<4>().0.iter();
            found.push(words.map(|word| i32::from_le_bytes(*word)).collect());
        }
    }
    found
}

#[test]
fn random_objects_do_what_they_do_when_a_linker_links_them() {
    if !has("clang") || !has("wasm-ld") {
        return;
    }
    let engine = Engine::new(&config(Metering::Strict)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let manifest = kernels_of_program();
    for seed in 0..24 {
        let source = program(seed);
        let object = compile(
            folder.path(),
            &source,
            &[["-O0", "-O1", "-O2", "-Os"][seed % 4]],
        );
        let own = finish(&object, &manifest).unwrap();
        let linked = folder.path().join("linked.wasm");
        let mut linker = Command::new("wasm-ld");
        linker.args(["--no-entry", "--export=__wasm_call_ctors"]);
        linker.args((0..KERNELS).map(|at| format!("--export=k{at}")));
        let made = linker
            .arg(folder.path().join("k.o"))
            .arg("-o")
            .arg(&linked)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let linked = std::fs::read(linked).unwrap();
        let (own, linked) = (
            results(&engine, &own, "hotcell-plain-kernel:"),
            results(&engine, &linked, ""),
        );
        assert_eq!(own, linked, "seed {seed}:\n{source}");
        assert!(own.iter().flatten().any(|word| *word != 0), "seed {seed}");
    }
}
