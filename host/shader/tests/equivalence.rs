//! Generated shaders do the same with fuel as without while it suffices, and end where it does not.
//!
//! Ten thousand are interpreted from naga's IR, before and after the pass. `HOTCELL_SHADERS=N` checks another number. The
//! tests of `hotcell-gpu` have a device run them too.

#[path = "equivalence/given.rs"]
mod given;
#[path = "generate/loops.rs"]
mod loops;
#[path = "interpret/machine.rs"]
mod machine;
#[path = "generate/random.rs"]
mod random;
#[path = "generate/shader.rs"]
mod shader;
#[path = "equivalence/turns.rs"]
mod turns;
#[path = "interpret/value.rs"]
mod value;

use given::{
    INVOCATIONS, METER, OPTIONS, PLENTY, POOL, TERMS, WORKGROUPS, admit_text, admitted, buffers,
    count, fuelled, instrumented, pool, settled, text_of,
};
use hotcell_shader::admission::{Admitted, FunctionId};
use hotcell_shader::fuel::{Instrumented, MeterReading, instrument, read_slot};
use machine::{Buffers, Fault, Machine, Weights};
use naga::{Block, Statement};
use random::Random;

/// A run of an instrumented shader: what it left, what its meter says, and what was taken from the pool.
fn metered(
    shader: &Instrumented,
    fuel: u64,
    steps: u64,
) -> Result<(Buffers, MeterReading, u64), Fault> {
    let mut buffers = fuelled(shader, fuel);
    Machine::new(&shader.module, &shader.info, steps).run(&mut buffers, WORKGROUPS)?;
    let mut bytes = |slot| -> Vec<u8> {
        let words = buffers.remove(&slot).unwrap_or_default();
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    };
    let (pool, _) = pool(shader, fuel);
    let (reading, pool) = (read_slot(&bytes(METER)), pool.read(&bytes(POOL)));
    let spent = pool.spent;
    assert!(spent <= fuel, "{spent} of {fuel}");
    buffers.remove(&TERMS);
    assert_eq!(pool.settled, u64::from(settled(shader)));
    Ok((buffers, reading, spent))
}

/// What each statement of an admitted shader weighs.
fn weights(admitted: &Admitted) -> Weights {
    let functions = admitted.module().functions.iter();
    let mut weights = Weights::new();
    for id in functions
        .map(|(handle, _)| FunctionId::Function(handle))
        .chain([FunctionId::Entry])
    {
        let scope = admitted.scope(id).expect("it is a function of the module");
        weigh(&scope.function.body, &mut |statement| {
            let weight = admitted.cost().of_statement(scope, statement);
            weights.insert(std::ptr::from_ref(statement), weight);
        });
    }
    weights
}

fn weigh(block: &Block, visit: &mut impl FnMut(&Statement)) {
    for statement in block {
        visit(statement);
        match statement {
            Statement::Block(inner) => weigh(inner, visit),
            Statement::If { accept, reject, .. } => {
                weigh(accept, visit);
                weigh(reject, visit);
            }
            Statement::Switch { cases, .. } => {
                cases.iter().for_each(|case| weigh(&case.body, visit));
            }
            Statement::Loop {
                body, continuing, ..
            } => {
                weigh(body, visit);
                weigh(continuing, visit);
            }
            _ => {}
        }
    }
}

/// What was seen, so that a check of nothing is noticed.
#[derive(Debug, Default)]
struct Seen {
    dynamic: u64,
    ended: u64,
    exhausted: u64,
    /// Without fuel they took longer than anyone waits.
    endless: u64,
}

/// Interprets one shader with and without fuel.
fn check(seed: u64, seen: &mut Seen) {
    const STEPS: u64 = 5000;
    let admitted = admitted(seed);
    let weights = weights(&admitted);
    let mut plain = buffers();
    let mut machine = Machine::new(admitted.module(), admitted.info(), STEPS).weighed(&weights);
    let end = machine.run(&mut plain, WORKGROUPS);
    assert_ne!(end, Err(Fault::DivergentBarrier), "{}", text_of(seed));
    seen.endless += u64::from(end.is_err());
    let executed = machine.weight;
    for options in OPTIONS {
        let Some(shader) = instrumented(seed, &admitted, options) else {
            continue;
        };
        seen.dynamic += u64::from(shader.is_dynamic);
        let say = || format!("shader {seed} with {options:?}:\n{}", text_of(seed));
        if end.is_ok() {
            let (left, reading, spent) = metered(&shader, PLENTY, 20 * STEPS)
                .unwrap_or_else(|fault| panic!("{fault:?} {}", say()));
            assert!(!reading.is_exhausted && !reading.is_cut, "{}", say());
            assert_eq!(left, plain, "{}", say());
            let fixed = u64::from(INVOCATIONS) * shader.static_fuel;
            assert!(
                executed <= fixed + spent,
                "{executed} > {fixed} + {spent} {}",
                say()
            );
            // The bound that is stated: less than a unit of each invocation too much.
            if shader.is_dynamic {
                let exact = reading.exact.expect("it is profiled");
                let most = exact + u64::from(INVOCATIONS) * pool(&shader, PLENTY).0.fuel(1);
                assert!((exact..most).contains(&spent), "{exact} {spent} {}", say());
            }
            seen.ended += 1;
        }
        starve(seed, &shader, end.is_ok().then_some(&plain), seen);
    }
}

/// Gives a shader too little, or nearly.
fn starve(seed: u64, shader: &Instrumented, plain: Option<&Buffers>, seen: &mut Seen) {
    let mut random = Random::new(!seed);
    for fuel in [0, random.below(1000) * INVOCATIONS].map(u64::from) {
        let (left, reading, _) = metered(shader, fuel, 4_000_000).unwrap_or_else(|fault| {
            panic!("shader {seed} with {fuel}: {fault:?}\n{}", text_of(seed))
        });
        seen.exhausted += u64::from(reading.is_exhausted);
        if let Some(plain) = plain.filter(|_| !reading.is_exhausted) {
            assert_eq!(&left, plain, "shader {seed} with {fuel}");
        }
    }
}

#[test]
fn interpreted_shaders_do_the_same_while_fuel_suffices_and_always_end() {
    let count = count(10_000);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = u64::try_from(threads).expect("few threads");
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mut seen = Seen::default();
                    for seed in (first..count).step_by(usize::try_from(threads).expect("few")) {
                        check(seed, &mut seen);
                    }
                    seen
                })
            })
            .collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, Seen>| handle.join();
        handles
            .into_iter()
            .map(|handle| join(handle).expect("every shader passes"))
            .collect()
    });
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
    println!("{seen:?}");
    assert!(sum(|seen| seen.dynamic) > count, "most are metered");
    assert!(sum(|seen| seen.ended) > count, "most end by themselves");
    assert!(
        sum(|seen| seen.exhausted) > count,
        "most run out when starved"
    );
    assert!(sum(|seen| seen.endless) > count / 50, "some are endless");
}

/// Shaders whose barriers all invocations meet, made so that they would not if those that run out of their own fuel
/// disturbed what the others have alike.
const IN_STEP: [&str; 6] = [
    // Left by some here and by others there, all in the same turn.
    "var i = 0u; loop { workgroupBarrier();
       if i == parameters.n { if local == 1u { break; } else { data[own] = 1u; break; } } i++; }",
    // The value after a loop that turns once tells whether it was entered.
    "var x = 1u; loop { x = 2u; if local == 3u { break; } break; } if x == 2u { workgroupBarrier(); }",
    "var n = 0u; loop { n++; if n == parameters.n { break; } } if n == parameters.n { workgroupBarrier(); }",
    "var n = 0u; for (var i = 0u; i < parameters.n; i++) { spend(local); n += 1u; workgroupBarrier(); }
     for (var i = 0u; i < n; i++) { workgroupBarrier(); }",
    "for (var i = 0u; i < parameters.n; i++) { together(i); if data[own] == 77u { spend(local); } }
     together(parameters.m);",
    "loop { spend(own); workgroupBarrier(); continuing { together(2u); } }",
];

/// Such a shader. Before its own part it spends fuel that differs between invocations.
fn in_step(body: &str) -> String {
    format!(
        "struct Parameters {{ n: u32, m: u32 }}
         @group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @group(0) @binding(3) var<uniform> parameters: Parameters;
         fn spend(turns: u32) {{ var i = turns; loop {{ if i == 0u {{ return; }} i--; }} }}
         fn together(n: u32) {{ for (var i = 0u; i < n; i++) {{ workgroupBarrier(); }} }}
         @compute @workgroup_size(8)
         fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3<u32>) {{
           let own = group.x * 8u + local;
           spend(local);
           {body}
         }}"
    )
}

#[test]
fn barriers_are_met_together_wherever_fuel_runs_out() {
    for body in IN_STEP {
        let admitted = admit_text(&in_step(body));
        for options in OPTIONS {
            let shader = instrument(&admitted, options).expect("it is instrumented");
            let mut has_run_out = false;
            for fuel in (0..6400).step_by(16) {
                let (_, reading, _) = metered(&shader, fuel, 100_000)
                    .unwrap_or_else(|fault| panic!("{fault:?} with {fuel}: {body}"));
                has_run_out |= reading.is_exhausted;
            }
            assert!(has_run_out, "{body}");
        }
    }
}
