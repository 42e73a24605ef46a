//! Shaders made to cost whoever looks at them.

use crate::{PRELUDE, cost_of, shader};
use hotcell_model::shader::{
    COST_REASONS, CostClass, LOOP_WORDS_BYTES, SHADER_LOOPS, ShaderCost, Trips,
};
use hotcell_shader::admission::{AdmissionLimits, admit};
use hotcell_shader::static_cost;
use std::time::{Duration, Instant};

/// What one shader may take, in an unoptimised build too.
const PATIENCE: Duration = Duration::from_secs(10);

#[track_caller]
fn assert_bounded(cost: &ShaderCost) {
    assert!(cost.loops.len() <= SHADER_LOOPS);
    assert!((1..=COST_REASONS).contains(&cost.reasons.len()));
    assert!(
        cost.reasons.iter().all(|reason| reason.len() <= 256),
        "{:?}",
        cost.reasons
    );
    for one in &cost.loops {
        match &one.trips {
            Trips::Constant(_) => {}
            Trips::Shape(words) | Trips::Unknown(words) => {
                assert!(words.len() <= LOOP_WORDS_BYTES, "{words}");
                assert!(!words.contains(char::is_control));
            }
        }
    }
}

/// The cost, or nothing for what is not admitted, in bounded time.
#[track_caller]
fn tried(wgsl: &str) -> Option<ShaderCost> {
    let admitted = admit(wgsl, "main", &[], &AdmissionLimits::by_default()).ok()?;
    let begun = Instant::now();
    let cost = static_cost(&admitted);
    let took = begun.elapsed();
    println!("{} bytes: {took:?}", wgsl.len());
    assert!(took < PATIENCE, "{took:?}");
    assert_bounded(&cost);
    Some(cost)
}

#[test]
fn loops_within_loops_are_bounded() {
    for depth in [1_usize, 8, 16, 24, 60, 120, 199, 1000] {
        let heads = (0..depth)
            .map(|level| format!("for (var i{level} = 0u; i{level} < 9u; i{level}++) {{"));
        let body = heads.collect::<String>() + "out[0] = 1u;" + &"}".repeat(depth);
        let cost = tried(&shader(&body));
        assert!(cost.is_some() || depth > 20, "{depth}");
        if let Some(cost) = cost {
            assert_eq!(
                cost.class == CostClass::Light,
                depth <= 3,
                "{depth}: {cost:?}"
            );
        }
    }
}

#[test]
fn thousands_of_loops_are_bounded_or_refused() {
    for count in [10_usize, 100, 140, 5000] {
        let bodies = [
            "for (var i = 0u; i < rows[k]; i++) { k += i; }",
            "while k < params.n { k += 1u; }",
        ];
        for body in bodies {
            let cost = tried(&shader(&format!(
                "var k = 0u; {} out[0] = k;",
                body.repeat(count)
            )));
            assert_eq!(cost.is_none(), count > 140, "{count}");
        }
    }
}

#[test]
fn recursion_is_refused() {
    let text =
        shader("a(1u);") + "fn a(n: u32) { b(n); } fn b(n: u32) { if n > 0u { a(n - 1u); } }";
    assert_eq!(tried(&text), None);
}

#[test]
fn a_tower_of_calls_is_looked_at_without_being_unfolded() {
    let levels = (1..=40).map(|level| {
        format!(
            "fn f{level}(n: u32) {{ f{0}(n); f{0}(n + 1u); }}\n",
            level - 1
        )
    });
    let tower = |top: usize| {
        let levels: String = levels.clone().take(top).collect();
        format!(
            "fn f0(n: u32) {{ for (var i = 0u; i < n; i++) {{ out[i] = i; }} }}\n{levels}{}",
            shader(&format!("f{top}(2u);"))
        )
    };
    let cost = tried(&tower(5)).unwrap();
    assert_eq!(cost.loops.len(), 1);
    assert_eq!(cost.class, CostClass::Light, "{cost:?}");
    // 2⁴⁰ loops are more than any shader may have.
    assert_eq!(tried(&tower(40)), None);
}

#[test]
fn chains_of_values_end() {
    let lets = |count: usize| {
        let mut lets = String::from("let a0 = params.n;");
        for number in 1..count {
            lets += &format!("let a{number} = a{} + 1u;", number - 1);
        }
        format!(
            "{lets} for (var i = 0u; i < a{}; i++) {{ out[i] = i; }}",
            count - 1
        )
    };
    let short = tried(&shader(&lets(20))).unwrap();
    assert_eq!(crate::trips(&short.loops[0]), "by params.n");
    let long = tried(&shader(&lets(1000))).unwrap();
    assert_eq!(crate::trips(&long.loops[0]), "unknown");
    // Each stands for two of those before.
    let stores: String = (0..1000).map(|_| "k = k * k + k;").collect();
    let body = format!("var k = params.n; {stores} for (var i = 0u; i < k; i++) {{ out[i] = i; }}");
    tried(&shader(&body)).unwrap();
    // All of them depend on each other.
    let vars: String = (0..60)
        .map(|number| format!("var v{number} = params.n;"))
        .collect();
    let crossed: String = (0..60)
        .flat_map(|to| (0..60).map(move |from| format!("v{to} += v{from};")))
        .collect();
    let body = format!(
        "{vars} for (var i = 0u; i < 3u; i++) {{ {crossed} }} while v0 < 7u {{ v0 += v59; }}"
    );
    let cost = tried(&shader(&body)).unwrap();
    assert_eq!(cost.class, CostClass::Unbounded);
}

#[test]
fn long_names_are_cut() {
    let name = "n".repeat(1000);
    let wgsl =
        format!("struct L {{ {name}: u32 }} @group(1) @binding(0) var<uniform> {name}_: L;\n")
            + &shader(&format!(
                "for (var i = 0u; i < {name}_.{name}; i++) {{ out[i] = i; }}"
            ));
    let cost = cost_of(&wgsl);
    assert_bounded(&cost);
    assert_eq!(cost.class, CostClass::Heavy);
}

#[test]
fn many_calls_with_many_arguments_are_looked_at_in_time() {
    let parameters: String = (0..60).map(|number| format!("p{number}: u32,")).collect();
    let arguments: String = (0..60)
        .map(|number| format!("rows[{number}] + k,"))
        .collect();
    let calls = format!("k += f({arguments});").repeat(40);
    let wgsl = format!(
        "fn f({parameters}) -> u32 {{ for (var i = 0u; i < p7; i++) {{ out[i] = p59; }} return p3; }}\n"
    ) + &shader(&format!("var k = 0u; {calls} out[0] = k;"));
    if let Some(cost) = tried(&wgsl) {
        assert_eq!(cost.class, CostClass::Unbounded);
    }
    assert!(
        tried(&format!(
            "{PRELUDE}@compute @workgroup_size(1) fn main() {{}}"
        ))
        .is_some()
    );
}
