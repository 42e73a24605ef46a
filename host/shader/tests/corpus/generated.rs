//! Hostile shaders that are too large to keep: bombs for the front end, the validator and the pass.
//!
//! Each is made as large as the limit on a shader's bytes lets it be, or nearly so.

use std::fmt::Write;

/// As much of a repeated piece as fits beside what encloses it.
const BYTES: usize = 250 << 10;

const OUT: &str = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;\n";

/// A kernel with that body.
fn kernel(body: &str) -> String {
    format!("{OUT}@compute @workgroup_size(1)\nfn main() {{\n{body}\n}}\n")
}

/// A kernel beside those items.
fn beside(items: &str, body: &str) -> String {
    format!("{items}\n{}", kernel(body))
}

/// Numbered pieces, until they are that long together.
fn numbered(bytes: usize, piece: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let piece = piece(number);
        if text.len() + piece.len() > bytes {
            break;
        }
        text.push_str(&piece);
    }
    text
}

/// `open`, so often that everything fits, then `middle`, then `close` as often.
fn nested(open: &str, middle: &str, close: &str) -> String {
    let depth = BYTES / (open.len() + close.len());
    format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
}

/// More text than any launch may bring.
pub(crate) fn megabytes() -> String {
    beside(
        &"// padding, line after line after line of it\n".repeat(100_000),
        "out[0] = 1u;",
    )
}

/// Bombs by name.
pub(crate) fn bombs() -> Vec<(&'static str, String)> {
    let mut bombs = nesting();
    bombs.extend(breadth());
    bombs.extend(towers());
    bombs
}

fn nesting() -> Vec<(&'static str, String)> {
    vec![
        (
            "nested parentheses",
            kernel(&format!("out[0] = {};", nested("(", "1u", ")"))),
        ),
        (
            "nested unary operators",
            kernel(&format!("out[0] = {}1u;", "~".repeat(BYTES))),
        ),
        (
            "nested negation",
            kernel(&format!("out[0] = u32({}1);", "- ".repeat(BYTES / 2))),
        ),
        ("nested blocks", kernel(&nested("{", "out[0] = 1u;", "}"))),
        (
            "nested ifs",
            kernel(&nested("if out[0] == 1u {", "out[1] = 2u;", "}")),
        ),
        (
            "else-if chain",
            kernel(&format!(
                "if out[0] == 0u {{ }} {}",
                numbered(BYTES, |n| format!(
                    "else if out[0] == {n}u {{ out[1] = {n}u; }} "
                ))
            )),
        ),
        (
            "nested loops",
            kernel(&nested("loop {", "break;", "break;}")),
        ),
        (
            "nested switches",
            kernel(&nested("switch out[0] { default: {", "out[1] = 2u;", "} }")),
        ),
        (
            "nested calls of a builtin",
            kernel(&format!("out[0] = {};", nested("max(", "1u", ", out[1])"))),
        ),
        (
            "nested indices",
            kernel(&format!("out[0] = {};", nested("out[", "0", "]"))),
        ),
        (
            "nested types",
            beside(
                &format!("var<private> p: {};", nested("array<", "u32", ", 1>")),
                "out[0] = 1u;",
            ),
        ),
        (
            "nested template lists",
            kernel(&format!("out[0] = {};", nested("vec2<", "u32", ">"))),
        ),
        (
            "nested comments",
            beside(&nested("/*", "", "*/"), "out[0] = 1u;"),
        ),
        (
            "comments that do not end",
            beside(&"/*".repeat(BYTES / 2), "out[0] = 1u;"),
        ),
        (
            "nested composites",
            kernel(&format!("let x = {};", nested("array(", "1u", ")"))),
        ),
    ]
}

fn breadth() -> Vec<(&'static str, String)> {
    let cases = numbered(BYTES, |n| format!("case {n}u: {{ out[{n}] = 1u; }}\n"));
    let parameters = numbered(BYTES / 2, |n| format!("p{n}: u32, "));
    vec![
        (
            "thousands of locals",
            kernel(&numbered(BYTES, |n| format!("var v{n} = out[{n}];\n"))),
        ),
        (
            "thousands of values",
            kernel(&numbered(BYTES, |n| format!("let v{n} = out[{n}] * 3u;\n"))),
        ),
        (
            "thousands of stores",
            kernel(&"out[0] += 1u;\n".repeat(BYTES / 14)),
        ),
        (
            "a huge sum",
            kernel(&format!(
                "out[0] = out[1]{};",
                " + out[1]".repeat(BYTES / 9)
            )),
        ),
        (
            "a huge conjunction",
            kernel(&format!(
                "let b = out[0] == 1u{};",
                " && out[1] == 1u".repeat(BYTES / 16)
            )),
        ),
        (
            "a huge switch",
            kernel(&format!("switch out[0] {{ {cases} default: {{ }} }}")),
        ),
        (
            "a huge selector list",
            kernel(&format!(
                "switch out[0] {{ case {} default: {{ }} }}",
                numbered(BYTES, |n| format!("{n}u, "))
            )),
        ),
        (
            "huge vectors",
            kernel(
                &"out[0] += vec4u(vec4f(vec2f(1.0, f32(out[1])), vec2f(3.0)) * mat4x4f()).x;\n"
                    .repeat(BYTES / 78),
            ),
        ),
        (
            "a huge array value",
            kernel(&format!("var a = array({});", "1u,".repeat(BYTES / 3))),
        ),
        (
            "a huge constant array",
            beside(
                &format!("const A = array({});", "1u,".repeat(BYTES / 3)),
                "out[0] = A[out[1]];",
            ),
        ),
        (
            "thousands of loops",
            kernel(&"while out[0] > 1u { out[0]--; }\n".repeat(BYTES / 33)),
        ),
        (
            "thousands of functions",
            beside(
                &numbered(BYTES, |n| format!("fn f{n}() -> u32 {{ return {n}u; }}\n")),
                "out[0] = 1u;",
            ),
        ),
        (
            "thousands of structs",
            beside(
                &numbered(BYTES, |n| format!("struct S{n} {{ a: u32 }}\n")),
                "out[0] = 1u;",
            ),
        ),
        (
            "thousands of members",
            beside(
                &format!(
                    "struct S {{ {} }}\nvar<private> s: S;",
                    numbered(BYTES, |n| format!("m{n}: u32, "))
                ),
                "out[0] = s.m7;",
            ),
        ),
        (
            "thousands of constants",
            beside(
                &numbered(BYTES, |n| format!("const C{n} = {n}u;\n")),
                "out[0] = C1;",
            ),
        ),
        (
            "thousands of overrides",
            beside(
                &numbered(BYTES, |n| format!("override O{n} = {n}u;\n")),
                "out[0] = O1;",
            ),
        ),
        (
            "thousands of globals",
            beside(
                &numbered(BYTES, |n| format!("var<private> g{n}: u32;\n")),
                "out[0] = g1;",
            ),
        ),
        (
            "thousands of entry points",
            beside(
                &numbered(BYTES, |n| {
                    format!("@compute @workgroup_size(1) fn e{n}() {{ }}\n")
                }),
                "out[0] = 1u;",
            ),
        ),
        (
            "thousands of parameters",
            beside(&format!("fn f({parameters}) {{ }}"), "out[0] = 1u;"),
        ),
        (
            "a huge name",
            kernel(&format!("let {} = 1u;", "n".repeat(BYTES))),
        ),
        (
            "a huge number",
            kernel(&format!("out[0] = {};", "9".repeat(BYTES))),
        ),
        (
            "a huge float",
            kernel(&format!(
                "out[0] = u32(1.{}e-{});",
                "1".repeat(BYTES / 2),
                "9".repeat(BYTES / 2)
            )),
        ),
        (
            "a huge attribute list",
            kernel("out[0] = 1u;").replace("@compute", &"@compute ".repeat(BYTES / 9)),
        ),
        (
            "nothing but semicolons",
            beside(&";".repeat(BYTES), "out[0] = 1u;"),
        ),
        (
            "nothing but line breaks",
            beside(&"\n".repeat(BYTES), "out[0] = nothing;"),
        ),
    ]
}

/// `first`, then numbered items that each use the one before, then a kernel with that body.
fn tower(first: &str, height: usize, item: impl Fn(usize) -> String, body: &str) -> String {
    let mut items = format!("{first}\n");
    for level in 1..=height {
        let _ = writeln!(items, "{}", item(level));
    }
    beside(&items, body)
}

fn towers() -> Vec<(&'static str, String)> {
    let call = |n: usize| format!("fn f{n}(x: u32) -> u32 {{ return f{}(x + 1u); }}", n - 1);
    let twice = |n: usize| {
        format!(
            "fn f{n}(x: u32) -> u32 {{ return f{0}(x) + f{0}(x); }}",
            n - 1
        )
    };
    let late = |n: usize| {
        format!(
            "fn f{n}(x: u32) -> u32 {{ return f{0}(x) ^ f{0}(x); }}",
            n + 1
        )
    };
    let sum = |n: usize| format!("const C{n} = C{0} + C{0} - C{0};", n - 1);
    let dual = |n: usize| format!("const C{n} = array(C{0}, C{0});", n - 1);
    let wide = |n: usize| {
        format!(
            "const C{n} = array(C{0}, C{0}, C{0}, C{0}, C{0}, C{0}, C{0}, C{0});",
            n - 1
        )
    };
    let plan = |n: usize| format!("override C{n}: u32 = C{0} + C{0};", n - 1);
    let holds = |n: usize| format!("struct S{n} {{ a: S{0}, b: S{0} }}", n - 1);
    let alias = |n: usize| format!("alias T{n} = array<T{}, 2>;", n - 1);
    let passes = |n: usize| {
        format!(
            "fn f{n}(p: ptr<function, u32>) {{ f{0}(p); f{0}(p); }}",
            n - 1
        )
    };
    vec![
        (
            "a long chain of calls",
            tower(
                "fn f0(x: u32) -> u32 { return x; }",
                4000,
                call,
                "out[0] = f4000(1u);",
            ),
        ),
        (
            "calls that double",
            tower(
                "fn f0(x: u32) -> u32 { return x; }",
                4000,
                twice,
                "out[0] = f4000(1u);",
            ),
        ),
        (
            "calls that double and come before their callee",
            tower(
                "fn f65(x: u32) -> u32 { return x; }",
                64,
                late,
                "out[0] = f1(1u);",
            ),
        ),
        (
            "pointers handed down doubling calls",
            tower(
                "fn f0(p: ptr<function, u32>) { *p += 1u; }",
                60,
                passes,
                "var v = 1u; f60(&v); out[0] = v;",
            ),
        ),
        (
            "constants of constants",
            tower("const C0 = 1u;", 6000, sum, "out[0] = C6000;"),
        ),
        (
            "constant arrays that double",
            tower("const C0 = array(1u, 2u);", 24, dual, "out[0] = C24[0][0];"),
        ),
        (
            "constant arrays that grow by eight",
            tower("const C0 = array(1u, 2u);", 9, wide, "out[0] = C9[0][0];"),
        ),
        (
            "overrides of overrides",
            tower("override C0: u32 = 1u;", 4000, plan, "out[0] = C4000;"),
        ),
        (
            "structs that double",
            tower(
                "struct S0 { a: u32 }",
                40,
                holds,
                "var s: S12; out[0] = s.a.a.a.a.a.a.a.a.a.a.a.a.a;",
            ),
        ),
        (
            "zero values that double",
            tower(
                "struct S0 { a: u32 }",
                26,
                holds,
                "let s = S26(); out[0] = 1u;",
            ),
        ),
        (
            "types that double",
            tower("alias T0 = u32;", 28, alias, "var t: T28; out[0] = 1u;"),
        ),
        (
            "equal zero values of huge arrays",
            kernel("const Z = array<array<u32, 8192>, 8192>(); out[0] = Z[3][4];"),
        ),
    ]
}
