//! The loops that shaders are made of: those that the pass should recognise, and those that only look like it.

use super::random::Random;
use super::shader::Loops;

/// A loop with holes: `I` for its counter's name, `S` for where it starts, `B` for a small bound.
pub(crate) struct Shape {
    before: &'static str,
    after: &'static str,
    counter: &'static str,
    /// Whether the loop still ends if some turn is cut short.
    pub(crate) allows_continue: bool,
}

/// A loop around what stands between.
pub(crate) struct Text {
    pub(crate) before: String,
    pub(crate) after: String,
    /// The counter as a `u32`.
    pub(crate) counter: String,
}

impl Shape {
    /// Whether invocations take different numbers of turns.
    pub(crate) fn is_divergent(&self) -> bool {
        self.before.contains("local")
    }

    pub(crate) fn fill(&self, name: &str, start: &str, bound: &str) -> Text {
        let fill = |text: &str| {
            text.replace("$I", name)
                .replace("$S", start)
                .replace("$B", bound)
        };
        Text {
            before: fill(self.before),
            after: fill(self.after),
            counter: fill(self.counter),
        }
    }
}

const fn with_continue(before: &'static str, after: &'static str, counter: &'static str) -> Shape {
    Shape {
        before,
        after,
        counter,
        allows_continue: true,
    }
}

const fn without_continue(before: &'static str, after: &'static str) -> Shape {
    Shape {
        before,
        after,
        counter: "$I",
        allows_continue: false,
    }
}

/// Loops that end.
const FINITE: &[Shape] = &[
    with_continue("for (var $I = 0u; $I < 4u; $I++) {", "}", "$I"),
    with_continue("for (var $I = $S; $I < $B; $I += 1u) {", "}", "$I"),
    with_continue("for (var $I = $S; $I <= $B; $I += 2u) {", "}", "$I"),
    with_continue("for (var $I = 9u; $I > $B; $I -= 3u) {", "}", "$I"),
    with_continue("for (var $I = $S + 4u; $I != 4u; $I--) {", "}", "$I"),
    with_continue("for (var $I = -3i; $I <= 2i; $I += 2i) {", "}", "u32($I)"),
    with_continue(
        "for (var $I = i32($S); $I >= -2i; $I -= 1i) {",
        "}",
        "u32($I)",
    ),
    with_continue(
        "for (var $I = i32($B); $I > i32(parameters.m) - 4i; $I--) {",
        "}",
        "u32($I)",
    ),
    with_continue(
        "for (var $I = local; $I < arrayLength(&table); $I += 8u) {",
        "}",
        "$I",
    ),
    with_continue(
        "for (var $I = 0u; ($I < $B) && ($I != 3u); $I++) {",
        "}",
        "$I",
    ),
    with_continue(
        "for (var $I = 2147483645i; $I < 2147483647i; $I++) {",
        "}",
        "u32($I)",
    ),
    without_continue("var $I = $S; while ($I < 5u) {", "$I = $I + 1u; }"),
    without_continue("var $I = 6u; while (2u < $I) {", "$I -= 2u; }"),
    with_continue(
        "var $I = 0u; loop { if $I >= $B { break; }",
        "continuing { $I++; } }",
        "$I",
    ),
    with_continue(
        "var $I = 0u; loop {",
        "continuing { $I++; break if $I > 3u; } }",
        "$I",
    ),
    without_continue("var $I = $B; loop { if $I == 0u { break; } $I--;", "}"),
    with_continue(
        "var $I = 0u; loop { $I += 2u; switch $I { case 4u: { continue; } default: {} } if $I > 5u { break; }",
        "}",
        "$I",
    ),
    with_continue(
        "for (var $I = 0u; $I < 5u; $I += 1u) { if ($I & 1u) == 1u { $I += 1u; }",
        "}",
        "$I",
    ),
    with_continue(
        "for (var $I = 0u; $I < 5u; $I += 1u) { bump(&$I, 1u);",
        "}",
        "$I",
    ),
    with_continue(
        "var $I_e = $B; for (var $I = 0u; $I < $I_e; $I += 1u) { $I_e = min($I_e, 4u);",
        "}",
        "$I",
    ),
];

/// Loops that end for some values only, or never.
const PERHAPS_ENDLESS: &[Shape] = &[
    with_continue("for (var $I = 0u; $I < 5u; $I += 0u) {", "}", "$I"),
    with_continue("for (var $I = $S; $I >= 0u; $I--) {", "}", "$I"),
    with_continue(
        "for (var $I = 0u; $I <= 4294967295u; $I += 1u) {",
        "}",
        "$I",
    ),
    with_continue(
        "for (var $I = 2147483640i; $I <= 2147483647i; $I++) {",
        "}",
        "u32($I)",
    ),
    with_continue("for (var $I = $S; $I < $B; $I -= 1u) {", "}", "$I"),
    with_continue("for (var $I = $S; $I != $B; $I += 2u) {", "}", "$I"),
    with_continue(
        "for (var $I = 0u; $I < parameters.n - 6u; $I += 4u) {",
        "}",
        "$I",
    ),
    with_continue(
        "for (var $I = 0u; $I < 4294967290u; $I += 16u) {",
        "}",
        "$I",
    ),
    with_continue(
        "for (var $I = 0u; $I < 3u; $I += 1u) { $I -= 1u;",
        "}",
        "$I",
    ),
    with_continue(
        "for (var $I = 0u; $I < 5u; $I += 1u) { let p = &$I; *p = min(*p, 2u);",
        "}",
        "$I",
    ),
    with_continue("for (var $I = 5u; $I > 0u; $I -= 3u) {", "}", "$I"),
    with_continue(
        "for (var $I = 0u; $I < 3u; $I += 1u) { var $I_s = $I; $I = $I_s * 0u;",
        "}",
        "$I",
    ),
    with_continue(
        "var $I = 0u; loop { $I++; switch $I % 3u { case 1u: { break; } default: { continue; } }",
        "}",
        "$I",
    ),
    with_continue("var $I = 0u; while (true) { $I++;", "}", "$I"),
    with_continue(
        "var $I = $S; while ($I < 5u) { if ($I & 1u) == 0u { continue; }",
        "$I = $I + 1u; }",
        "$I",
    ),
    with_continue(
        "let $I_n = 4u - $B; for (var $I = 0u; $I <= $I_n - 1u; $I++) {",
        "}",
        "$I",
    ),
];

/// One of those loops.
pub(crate) fn choose(random: &mut Random, loops: Loops) -> &'static Shape {
    if loops == Loops::MayBeEndless && random.one_in(4) {
        random.of(PERHAPS_ENDLESS)
    } else {
        random.of(FINITE)
    }
}
