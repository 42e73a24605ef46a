//! Generated shaders turn no more often than was said beforehand.

use crate::given::{INVOCATIONS, WORKGROUPS, admitted, buffers, count, text_of};
use crate::machine::{Machine, Weights};
use hotcell_model::shader::{CostClass, Trips};
use hotcell_shader::admission::Admitted;
use hotcell_shader::static_cost;
use naga::{Block, Statement};
use std::collections::HashMap;

const STEPS: u64 = 20_000;

/// By line: the statements that are loops, and the first of each of their bodies.
type Loops<'a> = HashMap<u32, Vec<(&'a Statement, &'a Statement)>>;

fn loops(admitted: &Admitted) -> Loops<'_> {
    let functions = admitted
        .module()
        .functions
        .iter()
        .map(|(_, function)| function);
    let functions = functions.chain([&admitted.entry_point().function]);
    let mut loops = Loops::new();
    functions.for_each(|function| collect(admitted, &function.body, &mut loops));
    loops
}

fn collect<'a>(admitted: &Admitted, block: &'a Block, loops: &mut Loops<'a>) {
    for (statement, span) in block.span_iter() {
        match statement {
            Statement::Block(inner) => collect(admitted, inner, loops),
            Statement::If { accept, reject, .. } => {
                collect(admitted, accept, loops);
                collect(admitted, reject, loops);
            }
            Statement::Switch { cases, .. } => {
                cases
                    .iter()
                    .for_each(|case| collect(admitted, &case.body, loops));
            }
            Statement::Loop {
                body, continuing, ..
            } => {
                let line = admitted.place(*span).0;
                loops
                    .entry(line)
                    .or_default()
                    .extend(body.first().map(|first| (statement, first)));
                collect(admitted, body, loops);
                collect(admitted, continuing, loops);
            }
            _ => {}
        }
    }
}

/// How often statements are executed, by all invocations together; as far as anyone waits.
fn executed<'a>(admitted: &Admitted, statements: impl Iterator<Item = &'a Statement>) -> u64 {
    let weights: Weights = statements
        .map(|statement| (std::ptr::from_ref(statement), 1))
        .collect();
    let mut machine = Machine::new(admitted.module(), admitted.info(), STEPS).weighed(&weights);
    let _ = machine.run(&mut buffers(), WORKGROUPS);
    machine.weight
}

#[test]
fn interpreted_loops_turn_no_more_often_than_is_said() {
    let (mut constant, mut light, mut wrong) = (0_u64, 0_u64, Vec::new());
    for seed in 0..count(2000) {
        let admitted = admitted(seed);
        let cost = static_cost(&admitted);
        let loops = loops(&admitted);
        for one in &cost.loops {
            // Two loops of one line cannot be told apart.
            let (Trips::Constant(turns), Some([(all, first)])) =
                (&one.trips, loops.get(&one.line).map(Vec::as_slice))
            else {
                continue;
            };
            constant += 1;
            let entered = executed(&admitted, [*all].into_iter());
            let begun = executed(&admitted, [*first].into_iter());
            // The last look at the test is no turn.
            if begun > entered.saturating_mul(turns.saturating_add(1)) {
                wrong.push(format!(
                    "{seed}: line {}: {begun} in {entered}, not {turns}\n{}",
                    one.line,
                    text_of(seed)
                ));
            }
        }
        if cost.class == CostClass::Light {
            light += 1;
            let firsts = loops.values().flatten().map(|(_, first)| *first);
            let entries = loops.values().flatten().map(|(all, _)| *all);
            let turns = executed(&admitted, firsts).saturating_sub(executed(&admitted, entries));
            assert!(
                turns <= 1024 * u64::from(INVOCATIONS),
                "{seed}:\n{}",
                text_of(seed)
            );
        }
    }
    println!("{constant} loops with a constant, {light} light shaders");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(constant > count(2000) && light > 10, "{constant} {light}");
}
