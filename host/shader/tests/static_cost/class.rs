//! Classes, and their reasons in words.

use crate::{cost_of, shader};
use hotcell_model::shader::{CostClass, SHADER_LOOPS, Trips};

/// A class, a body, and what the first reason says.
const CLASSES: &[(CostClass, &str, &str)] = &[
    (CostClass::Light, "out[lid] = 1u;", "it has no loops"),
    (
        CostClass::Light,
        "for (var i = 0u; i < 8u; i++) { for (var j = 0u; j < 8u; j++) { out[i] = j; } }",
        "its loops make at most 72 turns together",
    ),
    (
        CostClass::Heavy,
        "for (var i = 0u; i < 64u; i++) {
            for (var j = 0u; j < 64u; j++) { out[i] = j; } }",
        "its loops make up to 4160 turns together, most of them in line 17",
    ),
    (
        CostClass::Heavy,
        "for (var i = 0u; i < params.n; i++) { out[i] = i; }",
        "line 16: the loop turns as often as params.n says",
    ),
    (
        CostClass::Heavy,
        "for (var i = 0u; i < params.n; i++) { if x[i] > 0.0 { break; } }",
        "line 16: the loop turns at most as often as params.n says",
    ),
    (
        CostClass::Unbounded,
        "for (var i = 0u; i < params.n; i++) {
            for (var j = rows[i]; j < rows[i + 1u]; j++) { out[i] = j; } }",
        "line 17: how often the loop turns is not known before it runs: it depends on values of `rows`",
    ),
    (
        CostClass::Unbounded,
        "loop { if x[0] > 1.0 { break; } }",
        "no counter leads to its end",
    ),
    (
        CostClass::Unbounded,
        "for (var i = 0u; i < 9u; i += params.m) { out[i] = i; }",
        "its step may be 0",
    ),
];

#[test]
fn a_class_has_a_reason_that_names_its_line() {
    for (class, body, says) in CLASSES {
        let cost = cost_of(&shader(body));
        assert_eq!(cost.class, *class, "{body}: {cost:?}");
        assert!(cost.reasons[0].contains(says), "{body}: {:?}", cost.reasons);
        assert_eq!(cost.reasons.len(), 1, "{body}: {:?}", cost.reasons);
    }
}

#[test]
fn a_function_that_is_called_often_counts_as_often() {
    let calls = |count: usize| "change_many();".repeat(count);
    let text = |count| {
        let helper = "fn change_many() { for (var i = 0u; i < 100u; i++) { out[i] = i; } }\n";
        helper.to_owned() + &shader(&calls(count))
    };
    assert_eq!(cost_of(&text(10)).class, CostClass::Light);
    let cost = cost_of(&text(11));
    assert_eq!(cost.class, CostClass::Heavy, "{cost:?}");
    assert!(cost.reasons[0].contains("1100 turns together"), "{cost:?}");
    assert_eq!(cost.loops.len(), 1);
}

#[test]
fn an_uncalled_function_changes_nothing() {
    let body = "for (var i = 0u; i < 8u; i++) { out[i] = i; }";
    let twin = "fn twin() { loop { if x[0] > 1.0 { break; } } workgroupBarrier(); }\n";
    let with_twin = shader(body) + twin;
    assert_eq!(cost_of(&with_twin), cost_of(&shader(body)));
}

#[test]
fn loops_that_are_left_out_are_counted_and_those_that_matter_are_shown() {
    let known = "for (var i = 0u; i < 4u; i++) { out[i] = i; }\n".repeat(20);
    let unknown = "for (var i = 0u; i < rows[0]; i++) { out[i] = i; }\n".repeat(5);
    let cost = cost_of(&shader(&(known + &unknown)));
    assert_eq!(cost.class, CostClass::Unbounded);
    assert_eq!((cost.loops.len(), cost.loops_left_out), (SHADER_LOOPS, 9));
    let is_unknown = |trips: &Trips| matches!(trips, Trips::Unknown(_));
    let shown = cost.loops.iter().filter(|one| is_unknown(&one.trips));
    assert_eq!(shown.count(), 5);
    assert!(cost.loops.is_sorted_by_key(|one| one.line));
    assert_eq!(
        cost.reasons.last().unwrap(),
        "and 2 more loops of that kind"
    );
}
