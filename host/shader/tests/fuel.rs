//! The fuel pass without a device: what it makes is valid, reads back as WGSL, and charges what it should.

use hotcell_shader::admission::{AdmissionLimits, Admitted, admit};
use hotcell_shader::fuel::{FuelOptions, InstrumentError, Instrumented, MeterBinding, instrument};
use naga::back::wgsl::{WriterFlags, write_string};

fn admitted(wgsl: &str) -> Admitted {
    let limits = AdmissionLimits {
        shader_bytes: 1 << 20,
        operations: 1 << 20,
        workgroup_bytes: 1 << 14,
        workgroup_invocations: 256,
        workgroup_size: [256, 256, 64],
        has_subgroups: false,
    };
    admit(wgsl, "main", &[], &limits).unwrap_or_else(|refusal| panic!("{refusal:?}: {wgsl}"))
}

/// A shader whose entry point has this body, with what bodies here use.
fn shader(body: &str) -> String {
    format!(
        "
struct Parameters {{ n: u32, m: i32 }}
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@group(0) @binding(1) var<uniform> parameters: Parameters;
@group(0) @binding(2) var<storage, read> table: array<u32>;
var<workgroup> words: array<u32, 64>;
fn change(p: ptr<function, u32>) {{ *p += 1u; }}
fn find(limit: u32) -> u32 {{
    loop {{ if data[limit] > 3u {{ return limit; }} }}
    return 0u;
}}
fn many() {{ for (var t = 0u; t < 2000u; t++) {{ data[t] = t; }} }}
fn ten() {{ for (var t = 0u; t < 10u; t++) {{ data[0] = t; }} }}
fn turns_together(n: u32) {{ for (var t = 0u; t < n; t++) {{ workgroupBarrier(); }} }}
fn turns(n: u32) {{ for (var t = 0u; t < n; t++) {{ data[t] = n; }} }}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {{
{body}
}}
"
    )
}

/// The instrumented shader and its text, which is valid WGSL.
fn instrumented(body: &str, options: FuelOptions) -> (Instrumented, String) {
    let made = instrument(&admitted(&shader(body)), options);
    let made = made.unwrap_or_else(|error| panic!("{error:?}: {body}"));
    let text = write_string(&made.module, &made.info, WriterFlags::empty());
    let text = text.unwrap_or_else(|error| panic!("{error}: {body}"));
    naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (made, text)
}

/// How the only loop of a body is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paid {
    /// In advance, without metering.
    InAdvance,
    /// Before it, all that it can cost.
    Whole,
    /// Once, before it, as many turns as it makes.
    Once,
    /// In each turn.
    Each,
}

fn paid(body: &str) -> Paid {
    let (made, text) = instrumented(body, FuelOptions::default());
    assert_eq!(made.is_dynamic, text.contains("fuel"), "{text}");
    let meter = MeterBinding { group: 4, slot: 0 };
    assert_eq!(made.meter, made.is_dynamic.then_some(meter), "{body}");
    if !made.is_dynamic {
        return Paid::InAdvance;
    }
    // Turns that are too many for a counter are paid for in another way: one of two prices.
    if text.contains("select(") {
        return Paid::Once;
    }
    let mut ends = text
        .split("fuel_uniform = -1i;")
        .flat_map(|part| part.split("fuel = -1i;"));
    ends.next();
    match ends.any(|after| after.trim_start().starts_with("break;")) {
        true => Paid::Each,
        false => Paid::Whole,
    }
}

#[test]
fn loops_are_paid_for_as_far_in_advance_as_is_certain() {
    const TURN: &str = "{ data[id.x] += 1u; }";
    let of_head = |head: &str| paid(&format!("{head} {TURN}"));
    for (head, expected) in [
        ("for (var i = 0u; i < 10u; i++)", Paid::InAdvance),
        ("for (var i = 0i; i <= 10i; i += 3i)", Paid::InAdvance),
        ("for (var i = 10i; i >= 0i; i--)", Paid::InAdvance),
        ("for (var i = 10u; 0u < i; i -= 1u)", Paid::InAdvance),
        ("for (var i = 3u; i != 0u; i--)", Paid::InAdvance),
        (
            "const n = 8u; for (var i = 0u; i < n * 2u; i++)",
            Paid::InAdvance,
        ),
        ("var n = 8u; for (var i = 0u; i < n; i++)", Paid::InAdvance),
        // Finite, but too much to charge where it may not be reached.
        ("for (var i = 0u; i < 4000000000u; i++)", Paid::Once),
        ("for (var i = 0u; i < parameters.n; i++)", Paid::Once),
        (
            "for (var i = id.x; i < arrayLength(&table); i += 64u)",
            Paid::Once,
        ),
        ("for (var i = 0i; i < parameters.m / 2; i++)", Paid::Once),
        ("for (var i = parameters.n; i > 0u; i--)", Paid::Once),
        ("let n = data[0]; for (var i = 0u; i < n; i++)", Paid::Once),
        ("for (var i = 0u; i < table[0]; i++)", Paid::Once),
        ("for (var i = parameters.n; i != 4u; i++)", Paid::Once),
        // The bound may change while the loop runs.
        ("for (var i = 0u; i < data[0]; i++)", Paid::Each),
        ("for (var i = 0u; i < words[0]; i++)", Paid::Each),
        // Certainly endless, so they run out before they begin.
        ("for (var i = 0u; i <= 4294967295u; i++)", Paid::Once),
        ("for (var i = 0i; i <= 2147483647i; i++)", Paid::Once),
        ("for (var i = 10u; i >= 0u; i--)", Paid::Once),
        ("for (var i = 0u; i < 4294967290u; i += 16u)", Paid::Once),
        // Wraps around, or stays where it is, or nobody knows.
        ("for (var i = 0u; i < 10u; i--)", Paid::Each),
        ("for (var i = 0u; i < 10u; i += 0u)", Paid::Each),
        ("for (var i = 0u; i != 5u; i += 2u)", Paid::Each),
        ("for (var i = 0u; i != parameters.n; i += 2u)", Paid::Each),
        ("for (var i = 0u; i < 10u; i += parameters.n)", Paid::Each),
        ("for (var i = 1u; i < 10u; i *= 2u)", Paid::Each),
        ("for (var x = 1.0; x < 10.0; x += 1.0)", Paid::Each),
        ("while (data[0] < 4u)", Paid::Each),
        ("loop", Paid::Each),
    ] {
        assert_eq!(of_head(head), expected, "{head}");
    }
}

#[test]
fn a_counter_that_anything_else_may_change_is_not_trusted() {
    for body in [
        "for (var i = 0u; i < 10u; i++) { i = 0u; }",
        "for (var i = 0u; i < 10u; i++) { if data[0] == 1u { i -= 1u; } }",
        "for (var i = 0u; i < 10u; i++) { change(&i); }",
        "for (var i = 0u; i < 10u; i++) { let p = &i; *p = 0u; }",
        "for (var i = 0u; i < 10u; i++) { let p = &i; change(p); }",
        "var i = 0u; let first = i; loop { if first >= 10u { break; } i++; }",
        "var i = 0u; while (i < 10u) { if data[0] == 1u { continue; } i++; }",
        "var i = 0u; while (i < 10u) { if data[0] == 1u { i++; } }",
        "var i = 0u; while (i < 10u) { switch data[0] { case 1u: { continue; } default: {} } i++; }",
        "var i = 0u; let j = i; while (i < 10u) { i = j + 1u; }",
        "for (var i = 0u; i < 10u; i++) { for (var k = 0u; k < 2u; k++) { i = 0u; } }",
        "var i = 0u; loop { continuing { i++; break if i == 10u; } }",
        "var n = 10u; for (var i = 0u; i < n; i++) { n += 1u; }",
        "var n = 10u; for (var i = 0u; i < n; i++) { change(&n); }",
    ] {
        let (made, _) = instrumented(body, FuelOptions::default());
        assert!(made.is_dynamic, "{body}");
    }
    for body in [
        "for (var j = 0u; j < 10u; j++) { for (var i = 0u; i < 10u; i++) { data[j] = i; } }",
        "for (var i = 0u; i < 10u; i++) { var i = 0u; i -= 1u; data[0] = i; }",
        "for (var i = 0u; i < 10u; i++) { if data[i] == 1u { continue; } data[i] = 1u; }",
        "for (var i = 0u; i < 10u; i++) { switch data[i] { case 1u: { break; } default: {} } }",
        "for (var i = 0u; i < 10u; i++) { if data[i] == 1u { break; } }",
    ] {
        let (made, _) = instrumented(body, FuelOptions::default());
        assert!(!made.is_dynamic, "{body}");
    }
}

#[test]
fn a_loop_of_known_length_is_charged_where_it_is_reached() {
    const LOOP: &str = "for (var i = 0u; i < 2000u; i++) { data[i] = 1u; }";
    const SHORT: &str = "for (var i = 0u; i < 20u; i++) { data[i] = 1u; }";
    for (body, expected) in [
        (LOOP.to_owned(), Paid::InAdvance),
        (format!("{{ {LOOP} }}"), Paid::InAdvance),
        (format!("if local == 0u {{ {LOOP} }}"), Paid::Whole),
        (format!("if local == 0u {{ {SHORT} }}"), Paid::InAdvance),
        (format!("if local != 0u {{ return; }} {LOOP}"), Paid::Whole),
        (
            format!("if local == 0u {{ data[0] = 1u; }} {LOOP}"),
            Paid::InAdvance,
        ),
        (
            format!("switch local {{ case 0u: {{ {LOOP} }} default: {{}} }}"),
            Paid::Whole,
        ),
        (
            format!("for (var j = 0u; j < 9u; j++) {{ if data[j] == 1u {{ return; }} }} {LOOP}"),
            Paid::Whole,
        ),
        (
            format!("for (var j = 0u; j < 9u; j++) {{ if data[j] == 1u {{ break; }} }} {LOOP}"),
            Paid::InAdvance,
        ),
        ("many();".to_owned(), Paid::Whole),
    ] {
        assert_eq!(paid(&body), expected, "{body}");
    }
    let fuel = |body: &str| instrumented(body, FuelOptions::default()).0.static_fuel;
    assert!(fuel(&format!("if local == 0u {{ {LOOP} }}")) < 200);
}

#[test]
fn a_switch_costs_its_dearest_case() {
    let fuel = |body: &str| instrumented(body, FuelOptions::default()).0.static_fuel;
    let case = |number: u32| format!("case {number}u: {{ data[0] = local * local + 7u; }}");
    let switch = |cases: u32| {
        let cases: String = (0..cases).map(case).collect();
        fuel(&format!("switch local {{ {cases} default: {{}} }}"))
    };
    assert!(switch(50) < 2 * switch(1), "{} {}", switch(50), switch(1));
    let dearer = format!(
        "switch local {{ {} case 1u: {{ ten(); }} default: {{}} }}",
        case(0)
    );
    assert!(fuel(&dearer) > switch(1) + 50);
}

#[test]
fn what_a_driver_would_end_is_refused_or_checked() {
    const TURN: &str = "{ data[0] += 1u; }";
    let with = |body: &str, turns| {
        let options = FuelOptions {
            turns,
            ..FuelOptions::default()
        };
        instrument(&admitted(&shader(body)), options)
    };
    let over = |count: u32| format!("for (var i = 0u; i < {count}u; i++) {TURN}");
    for (body, turns) in [
        (over(100_000), 100_000),
        (
            format!("for (var j = 0u; j < 300u; j++) {{ {} }}", over(300)),
            90_300,
        ),
        (format!("{} {}", over(40_000), over(40_000)), 80_000),
        (
            format!(
                "if local == 0u {{ {} }} else {{ {} }}",
                over(70_000),
                over(80_000)
            ),
            70_000,
        ),
    ] {
        match with(&body, Some(65_535)) {
            Err(InstrumentError::TooManyTurns {
                turns: found,
                limit,
                ..
            }) => {
                assert_eq!((found, limit), (turns, 65_535), "{body}");
            }
            other => panic!("{body}: {other:?}"),
        }
        assert!(with(&body, None).is_ok(), "{body}");
    }
    for (body, is_checked) in [
        (over(1000), false),
        (over(60_000), false),
        (format!("if local == 0u {{ {} }}", over(100_000)), true),
        (
            format!("if local == 0u {{ return; }} {}", over(100_000)),
            true,
        ),
        (
            format!("if local == 0u {{ {0} }} else {{ {0} }}", over(40_000)),
            true,
        ),
        ("turns(parameters.n);".to_owned(), true),
        // Unrolled, these are no loops.
        (
            format!("for (var j = 0u; j < 60000u; j++) {{ {} }}", over(4)),
            true,
        ),
    ] {
        let made = with(&body, Some(65_535)).unwrap_or_else(|error| panic!("{error}: {body}"));
        let text = write_string(&made.module, &made.info, WriterFlags::empty()).expect("WGSL");
        assert_eq!(text.contains("terms.turns"), is_checked, "{body}");
    }
}

#[test]
fn a_loop_that_may_be_left_early_is_paid_ahead_where_turns_are_bounded() {
    const EARLY: &str = "{ if data[i] == 3u { break; } data[i] = local; }";
    let is_ahead = |body: &str, turns| {
        let options = FuelOptions {
            turns,
            ..FuelOptions::default()
        };
        let (_, text) = instrumented(body, options);
        let stops_turns = text.split("= -1i;").skip(1);
        let mut stops_turns = stops_turns.map(|after| after.trim_start().starts_with("break;"));
        match text.contains("min(") {
            true => !stops_turns.any(|stops| stops),
            false => false,
        }
    };
    let over = |head: &str| format!("{head} {EARLY}");
    for (body, expected) in [
        (over("for (var i = 0u; i < parameters.n; i++)"), true),
        (over("for (var i = parameters.n; i > 4u; i--)"), true),
        (over("for (var i = 0i; i < parameters.m; i++)"), true),
        // It may wrap, or turn as often as there are numbers.
        (over("for (var i = 0u; i < parameters.n; i += 2u)"), false),
        (over("for (var i = 0u; i <= parameters.n; i++)"), false),
        // It may change.
        (over("for (var i = 0u; i < data[7]; i++)"), false),
        // Whoever leaves it does not come to what follows it.
        (
            "for (var i = 0u; i < parameters.n; i++) { if data[i] == 3u { return; } }".to_owned(),
            false,
        ),
        // Whoever leaves it may have counted the turn already.
        (
            "var i = 0u; while (i < parameters.n) { if data[i] == 3u { break; } i++; }".to_owned(),
            false,
        ),
        // What pays inside would miss what was paid ahead.
        (
            "for (var i = 0u; i < parameters.n; i++) { turns(i); if data[i] == 3u { break; } }"
                .to_owned(),
            false,
        ),
    ] {
        assert_eq!(is_ahead(&body, Some(65_535)), expected, "{body}");
        assert!(!is_ahead(&body, None), "{body}");
    }
}

#[test]
fn an_outer_value_does_not_outlive_its_loop() {
    let outer = "var i = 0u; var n = 4u;
        for (var j = 0u; j < parameters.n; j++) { while (i < n) { i++; } i = data[0]; }";
    assert_eq!(paid(outer), Paid::Once);
    let after = "var n = 4u; if data[0] == 1u { n = parameters.n; }
        for (var i = 0u; i < n; i++) { data[i] = 1u; }";
    assert_eq!(paid(after), Paid::Once);
    let switched = "var n = 4u; switch data[0] { case 1u: { n = parameters.n; } default: {} }
        for (var i = 0u; i < n; i++) { data[i] = 1u; }";
    assert_eq!(paid(switched), Paid::Once);
}

#[test]
fn what_is_paid_in_advance_multiplies_and_saturates() {
    let fuel = |body: &str| instrumented(body, FuelOptions::default()).0.static_fuel;
    let nothing = fuel("");
    let one = fuel("data[0] = 1u;") - nothing;
    let turns = |count: u32| {
        fuel(&format!(
            "for (var i = 0u; i < {count}u; i++) {{ data[0] = 1u; }}"
        ))
    };
    let turn = turns(2) - turns(1);
    assert!(turn > one);
    assert_eq!(turns(1001) - turns(1), 1000 * turn);
    let nested = |count: u32| {
        fuel(&format!(
            "for (var j = 0u; j < {count}u; j++) {{ for (var i = 0u; i < 100u; i++) {{ data[0] = 1u; }} }}"
        ))
    };
    assert!(nested(3) - nested(2) > 100 * turn);
    assert!(fuel("ten(); ten();") - fuel("ten();") > 10 * turn - turn);
    assert!(
        nothing >= 1,
        "an invocation that does nothing costs something"
    );
}

#[test]
fn a_product_that_no_budget_covers_is_metered_not_wrapped() {
    let body = "for (var a = 0u; a < 65536u; a++) { for (var b = 0u; b < 65536u; b++) {
        for (var c = 0u; c < 65536u; c++) { for (var d = 0u; d < 65536u; d++) { data[0] = d; } } } }";
    let (made, _) = instrumented(body, FuelOptions::default());
    assert!(made.is_dynamic);
    assert!(made.static_fuel < 1 << 24);
}

#[test]
fn loops_in_step_have_a_counter_of_their_own() {
    let counters = |body: &str| {
        let (_, text) = instrumented(body, FuelOptions::default());
        let has = |name: &str| text.contains(&format!("var<private> {name}: i32"));
        (has("fuel_uniform"), has("fuel"))
    };
    for (body, expected) in [
        ("turns_together(parameters.n);", (true, false)),
        (
            "for (var i = 0u; i < parameters.n; i++) { turns_together(i); }",
            (true, false),
        ),
        ("turns(local);", (false, true)),
        // Nothing has to be met together.
        ("turns(parameters.n);", (false, true)),
        ("turns(parameters.n); workgroupBarrier();", (true, false)),
        ("turns(parameters.n); turns(local);", (false, true)),
        (
            "turns(parameters.n); if local == 1u { turns(parameters.n); }",
            (false, true),
        ),
        ("turns_together(parameters.n); turns(local);", (true, true)),
        (
            "for (var i = 0u; i < local; i++) { turns(parameters.n); }",
            (false, true),
        ),
    ] {
        assert_eq!(counters(body), expected, "{body}");
    }
}

/// A loop that is left by some here and by the others there, but by all in the same turn, has barriers that all
/// meet: the counter must be the one that all have alike.
#[test]
fn a_loop_that_is_left_together_on_different_ways_counts_in_step() {
    let body = "var i = 0u;
        loop {
            workgroupBarrier();
            if i == parameters.n { if local == 1u { break; } else { data[0] = 1u; break; } }
            i++;
        }";
    let (_, text) = instrumented(body, FuelOptions::default());
    assert!(text.contains("fuel_uniform"), "{text}");
    assert!(!text.contains("var<private> fuel:"), "{text}");
}

#[test]
fn options_force_and_profile_do_what_they_say() {
    let body = "for (var i = 0u; i < 10u; i++) { data[id.x] = find(i); }";
    let force = FuelOptions {
        force: true,
        ..FuelOptions::default()
    };
    let profile = FuelOptions {
        profile: true,
        ..FuelOptions::default()
    };
    let (plain, text) = instrumented(body, FuelOptions::default());
    let (forced, forced_text) = instrumented(body, force);
    let (_, profiled_text) = instrumented(body, profile);
    assert!(forced.static_fuel < plain.static_fuel);
    assert_eq!(text.matches("-1i").count(), 1);
    assert_eq!(forced_text.matches("-1i").count(), 2);
    assert!(!text.contains("exact_low)"));
    assert!(profiled_text.contains("exact_low)"));
}

#[test]
fn a_shader_without_metered_loops_is_left_as_it_is() {
    let admitted = admitted(&shader("ten(); data[id.x] = 1u;"));
    let made = instrument(&admitted, FuelOptions::default()).expect("it is instrumented");
    let text = |module, info| write_string(module, info, WriterFlags::empty());
    assert!(!made.is_dynamic && made.meter.is_none());
    assert_eq!(made.entry, "main");
    assert_eq!(
        text(&made.module, &made.info).ok(),
        text(admitted.module(), admitted.info()).ok()
    );
}
