//! Tables of constants: found where they were moved to, in a time that an honest launch has.

use crate::lab::{Lab, Order, bytes, dispatch, software, write};
use hotcell_model::gpu::GpuCommand;
use std::time::{Duration, Instant};

/// Runs a body for 64 invocations; each leaves one word.
fn words_of(lab: &mut Lab, helpers: &str, body: &str) -> Vec<u32> {
    let kernel = lab.kernel(&format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @group(0) @binding(1) var<storage, read> given: array<u32>;
        {helpers}
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {{
            let g = given[i];
            {body}
        }}"
    ));
    let (out, given) = (lab.buffer(256), lab.buffer(256));
    let numbers: Vec<u32> = (0..64).map(|i| i * 37 % 64).collect();
    let bind_set = lab.bind(kernel, &[out, given]);
    lab.run(vec![
        write(given, 0, bytes(&numbers)),
        dispatch(bind_set, 1),
    ]);
    lab.words(out, 64)
}

/// `array<ty, len>(0, 1, 4, 9, …)`.
fn squares(ty: &str, len: u32, each: impl Fn(u32) -> String) -> String {
    let elements: Vec<_> = (0..len).map(|i| each(i * i)).collect();
    format!("array<{ty}, {len}>({})", elements.join(", "))
}

#[test]
fn what_is_indexed_in_a_table_is_what_the_constant_holds() {
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let words = squares("u32", 64, |square| format!("{square}u"));
    let signed = squares("i32", 64, |square| format!("{square}"));
    let threes = squares("vec3f", 64, |square| {
        format!("vec3f({square}.0, vec2f(1.0, 2.0))")
    });
    let rows = squares("array<u32, 3>", 64, |square| {
        format!("array(1u, {square}u, 3u)")
    });
    let pairs = squares("Pair", 64, |square| {
        format!("Pair(7u, vec2i(5, {square}), mat2x3f(1.0, 2.0, 3.0, 4.0, {square}.0, 6.0))")
    });
    let cases = [
        (format!("const T = {words};"), "out[i] = T[g];".to_owned()),
        (String::new(), format!("let t = {words}; out[i] = t[g];")),
        (format!("const T = {words};"), "let t = T; let x = t[g]; out[i] = x;".to_owned()),
        (format!("const T = {signed};"), "out[i] = u32(T[i32(g)]);".to_owned()),
        (format!("const T = {threes};"), "out[i] = u32(T[g].x + T[g].z) - 2u;".to_owned()),
        (format!("const T = {threes};"), "let t = T[g]; out[i] = u32(t[g & 0u]);".to_owned()),
        (format!("const T = {rows};"), "out[i] = T[g][1];".to_owned()),
        (format!("const T = {rows};"), "let row = T[g]; out[i] = row[i / (i + 1u) + 1u] + row[0] - 1u;".to_owned()),
        (
            format!("struct Pair {{ a: u32, b: vec2i, m: mat2x3f }} const T = {pairs};"),
            "let p = T[g]; out[i] = p.a - 7u + u32(p.b.y) + u32(p.m[1].y) - u32(T[g].m[1][1]);".to_owned(),
        ),
        (
            format!("const T = {words}; fn f(j: u32) -> u32 {{ return T[j] + array<u32, 64>()[j]; }}"),
            "var s = 0u; loop { if s >= T[g] { break; } continuing { s += 1u; break if f(g) == s; } } out[i] = s;".to_owned(),
        ),
        (
            format!("const T = {words};"),
            "if T[T[i & 7u] & 7u] > 1u && g > 0u { out[i] = T[g]; } else { out[i] = T[g] + T[99u * i + 64u] - 3969u; }".to_owned(),
        ),
    ];
    let expected: Vec<u32> = (0..64).map(|i| (i * 37 % 64) * (i * 37 % 64)).collect();
    for (helpers, body) in &cases {
        assert_eq!(
            words_of(&mut lab, helpers, body),
            expected,
            "{helpers} {body}"
        );
    }
}

#[test]
fn a_kernel_of_tables_alone_needs_no_binding_for_them() {
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let table = squares("u32", 64, |square| format!("{square}u"));
    let kernel = lab.kernel(&format!(
        "@group(2) @binding(0) var<storage, read_write> out: array<u32>; const T = {table};
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {{ out[i] = T[i]; }}"
    ));
    let out = lab.buffer(256);
    let mut binding = crate::lab::at(0, out);
    binding.group = 2;
    let bindings = vec![binding];
    let bind_set = lab.created(GpuCommand::Bind { kernel, bindings });
    lab.run(vec![dispatch(bind_set, 1)]);
    let expected: Vec<u32> = (0..64).map(|i| i * i).collect();
    assert_eq!(lab.words(out, 64), expected);
}

#[test]
fn sixteen_tables_of_256_and_one_of_2048_compile_in_time() {
    let Some(device) = software() else { return };
    let tables: String = (1..17)
        .map(|k| {
            let table = squares("u32", 256, |square| format!("{}u", square * k));
            format!("const T{k} = {table};\n")
        })
        .collect();
    let uses: String = (1..17).map(|k| format!("s += T{k}[g & 255u];")).collect();
    let long = squares("i32", 2048, |square| format!("{square}"));
    for (helpers, body) in [
        (
            tables,
            format!("var s = 0u; for (var j = 0u; j < 4u; j++) {{ {uses} }} out[i] = s;"),
        ),
        (
            format!("const T = {long};"),
            "out[i] = 544u * u32(T[g]);".to_owned(),
        ),
    ] {
        let mut lab = Order::new().begin(&device);
        let begun = Instant::now();
        let words = words_of(&mut lab, &helpers, &body);
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        let expected: Vec<u32> = (0..64)
            .map(|i| 544 * (i * 37 % 64) * (i * 37 % 64))
            .collect();
        assert_eq!(words, expected);
    }
}
