//! What becomes of loops, by text; and that random ones do what they did.

mod program;

use super::{Repeat, RepeatError, Repeated, Repetition, repeat};
use hotcell_engine::{FEATURES, config};
use hotcell_model::profile::Metering;
use program::program;
use wasm_encoder::CustomSection;
use wasmparser::Validator;
use wasmtime::{Engine, Instance, Module, Store, Trap};

fn repeated(module: Vec<u8>, count: u32) -> Repeated {
    let made = repeat(module, Repeat(count), |name| name.starts_with("own")).unwrap();
    let mut validator = Validator::new_with_features(FEATURES);
    validator.validate_all(&made.module).unwrap();
    made
}

/// A module whose function `own` takes a number, with this code.
fn module(code: &str) -> Vec<u8> {
    function("own", code)
}

fn function(name: &str, code: &str) -> Vec<u8> {
    let text = format!("(module (func ${name} (export \"run\") (param i32) (result i32) {code}))");
    wat::parse_str(text).unwrap()
}

/// Counts down to zero, and gives it.
const COUNTDOWN: &str = "
    loop
      local.get 0 i32.const 1 i32.sub local.tee 0
      br_if 0
    end
    local.get 0";

#[test]
fn a_body_stands_in_its_loop_so_often_and_what_falls_out_of_one_leaves() {
    let body = "local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0";
    let code = format!(
        "block loop block {body} br 2 end block {body} br 2 end {body} end end local.get 0"
    );
    let made = repeated(module(COUNTDOWN), 3);
    assert_eq!(made.done, Repetition::Loops(1));
    assert_eq!(made.module, module(&code));
}

#[test]
fn branches_to_what_is_around_a_loop_go_there_from_every_copy() {
    // From inside an `if`: 0 is the `if`, 1 the loop, 2 the block around it, 3 the function.
    let body = |outer: u32| {
        format!(
            "i32.const 5 local.get 0 br_if {} drop
             local.get 0 if local.get 0 br_table 0 1 {outer} end",
            outer - 1
        )
    };
    let code = |inner: &str| format!("block (result i32) {inner} i32.const 6 end drop local.get 0");
    // What leaves the outer block leaves it without a value, so there is one more.
    let around = |inner: String| code(&format!("block {inner} end"));
    let before = around(format!(
        "loop {} end",
        body(2).replace("br_if 1", "br_if 2")
    ));
    let first = body(4).replace("br_if 3", "br_if 4");
    let last = body(3).replace("br_if 2", "br_if 3");
    let after = around(format!("block loop block {first} br 2 end {last} end end"));
    let made = repeated(module(&before), 2);
    assert_eq!(made.module, module(&after));
}

/// A loop with so many operators in it.
fn long(operators: usize) -> String {
    let nops = "nop ".repeat(operators - 2);
    format!("loop {nops} local.get 0 br_if 0 end local.get 0")
}

#[test]
fn loops_that_would_gain_nothing_stay() {
    let cases = [
        ("another's function", function("other", COUNTDOWN)),
        (
            "a loop that never goes round",
            module("loop end local.get 0"),
        ),
        (
            "a loop around others alone",
            module("loop loop end local.get 0 br_if 0 end local.get 0"),
        ),
        (
            "a loop with a call",
            module("loop local.get 0 call 0 br_if 0 end local.get 0"),
        ),
        (
            "a loop with parameters",
            module("local.get 0 loop (param i32) (result i32) local.tee 0 local.get 0 br_if 0 end"),
        ),
        ("a long body", module(&long(161))),
    ];
    for (what, module) in cases {
        let made = repeated(module.clone(), 8);
        assert_eq!(made.done, Repetition::Loops(0), "{what}");
        assert!(made.module == module, "{what}");
    }
    assert_eq!(repeated(module(&long(160)), 8).done, Repetition::Loops(1));
    assert_eq!(repeated(module(COUNTDOWN), 1).module, module(COUNTDOWN));
}

#[test]
fn the_innermost_loops_are_repeated_wherever_they_stand() {
    let inner = "loop local.get 0 br_if 0 end";
    let code = format!(
        "loop {inner} block {inner} end local.get 0 br_if 0 end block {inner} end local.get 0"
    );
    let made = repeated(module(&code), 2);
    assert_eq!(made.done, Repetition::Loops(3));
}

#[test]
fn all_else_of_a_module_stays_and_imports_count_before_its_functions() {
    let module = |code: &str| {
        let text = format!(
            r#"(module
            (import "a" "f" (func $own_of_others (param i32)))
            (import "a" "g" (global i32))
            (import "a" "h" (func $imported))
            (memory (export "memory") 1)
            (table 2 funcref)
            (global (mut i32) (i32.const 3))
            (export "run" (func $own))
            (start $imported)
            (elem (i32.const 0) func $own $other)
            (func $other (param i32) (result i32) {COUNTDOWN})
            (func $own (param i32) (result i32) {code})
            (data (i32.const 8) "data")
            (@custom "producers" (after data) "\00"))"#
        );
        wat::parse_str(text).unwrap()
    };
    let body = "local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0";
    let code = format!("block loop block {body} br 2 end {body} end end local.get 0");
    let made = repeated(module(COUNTDOWN), 2);
    assert_eq!(made.done, Repetition::Loops(1));
    assert_eq!(made.module, module(&code));
}

#[test]
fn what_says_where_in_the_code_something_is_keeps_loops_as_they_are() {
    for name in [
        ".debug_line",
        "metadata.code.branch_hint",
        "sourceMappingURL",
    ] {
        let mut module = module(COUNTDOWN);
        let section = CustomSection {
            name: name.into(),
            data: (&[][..]).into(),
        };
        wasm_encoder::Section::append_to(&section, &mut module);
        let made = repeated(module.clone(), 8);
        assert_eq!((made.done, made.module), (Repetition::Placed, module));
    }
    let labelled = COUNTDOWN.replace("loop", "loop $again");
    assert_eq!(repeated(module(&labelled), 8).done, Repetition::Placed);
}

#[test]
fn counts_are_from_one_to_32() {
    assert_eq!(Repeat::try_from(32), Ok(Repeat(32)));
    for wrong in [0, 33] {
        assert_eq!(Repeat::try_from(wrong), Err(RepeatError(wrong)));
    }
}

/// What can be seen of a program that ran.
#[derive(Debug, PartialEq)]
struct Seen {
    /// What it gave, or the trap that ended it.
    end: Result<i32, Trap>,
    /// A number that every statement goes into.
    trace: Option<i32>,
    memory: Vec<u8>,
}

fn run(engine: &Engine, module: &[u8], arguments: (i32, i32)) -> Seen {
    let module = Module::new(engine, module).unwrap();
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(1);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let function = instance.get_typed_func::<(i32, i32), i32>(&mut store, "run");
    let end = function.unwrap().call(&mut store, arguments);
    let trace = instance.get_global(&mut store, "trace").unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    Seen {
        end: end.map_err(|error| error.downcast::<Trap>().unwrap()),
        trace: trace.get(&mut store).i32(),
        memory: memory.data(&store)[..256].to_vec(),
    }
}

#[test]
fn random_programs_end_as_they_did_and_leave_what_they_left() {
    let engine = Engine::new(&config(Metering::Fast)).unwrap();
    let (mut loops, mut traps) = (0, 0);
    for seed in 1..=300 {
        let text = program(seed);
        let module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let counts = [2, 3, 8].map(|count| repeated(module.clone(), count));
        for arguments in [(0, 0), (3, -1), (77, 1 << 20)] {
            let wanted = run(&engine, &module, arguments);
            traps += usize::from(wanted.end.is_err());
            for made in &counts {
                let seen = run(&engine, &made.module, arguments);
                assert!(seen == wanted, "seed {seed}, {arguments:?}\n{text}");
            }
        }
        for made in counts {
            let Repetition::Loops(count) = made.done else {
                panic!("seed {seed}: {:?}", made.done);
            };
            loops += count;
        }
    }
    // That the programs are worth running: most have loops that were repeated, and some trap.
    assert!(
        loops > 1000 && (30..800).contains(&traps),
        "{loops} {traps}"
    );
}
