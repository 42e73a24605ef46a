//! Bombs of the component model: what crosses between components needs code that no function shows.

use super::carrier::Carrier;

/// How many functions cross.
const FUNCTIONS: usize = 300;
/// How many fields each of their tuples has: a validator adds them up over a component, to a million at most.
const FIELDS: usize = 1000;

/// Two components: one exports functions of huge tuples, the other calls them. What stands between checks and
/// copies each string from one memory to the other, on the way there and on the way back.
pub(super) fn adapters(carrier: &mut Carrier) {
    let options = "(memory (core memory $i \"m\")) (realloc (core func $i \"r\"))";
    let each = |line: &dyn Fn(usize) -> String| (0..FUNCTIONS).map(line).collect::<String>();
    let types = each(&|n| format!("(type $t{n} {})", tuple(n)));
    let lifted = each(&|n| {
        format!(
            "(func (export \"f{n}\") (param \"a\" $t{n}) (result $t{n})
               (canon lift (core func $i \"f{n}\") {options}))"
        )
    });
    let lowered = each(&|n| {
        format!(
            "(import \"f{n}\" (func $f{n} (param \"a\" $t{n}) (result $t{n})))
             (core func $l{n} (canon lower (func $f{n}) {options}))"
        )
    });
    let cores = each(&|n| format!("(func (export \"f{n}\") (param i32) (result i32) unreachable)"));
    let imports = each(&|n| format!("(import \"\" \"f{n}\" (func (param i32 i32)))"));
    let wires = each(&|n| format!("(export \"f{n}\" (func $l{n}))"));
    let with = each(&|n| format!("(with \"f{n}\" (func $callee \"f{n}\"))"));
    let memory = "(memory (export \"m\") 1)
        (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable)";
    carrier.component(&parse(&format!(
        "(component
           {types}
           (component $callee
             (core module $m {memory} {cores})
             (core instance $i (instantiate $m))
             {lifted})
           (component $caller
             (core module $m {memory})
             (core instance $i (instantiate $m))
             {lowered}
             (core module $user {imports})
             (core instance (instantiate $user (with \"\" (instance {wires})))))
           (instance $callee (instantiate $callee))
           (instance (instantiate $caller {with})))"
    )));
}

/// A tuple of strings but for one field, by whose place no two tuples are the same type.
fn tuple(number: usize) -> String {
    let field = |at| if at == number { " u64" } else { " string" };
    let fields: String = (0..FIELDS).map(field).collect();
    format!("(tuple{fields})")
}

/// Components that each instantiate the next one several times: as many instances as there may be items, and as many
/// with code as a launch may have.
pub(super) fn instances(carrier: &mut Carrier) {
    let core = "(core module $m (func (export \"f\"))) (core instance (instantiate $m))";
    let mut nested = "(component $inner (instance))".to_owned();
    for level in 0..9 {
        let core = if level < 6 { "" } else { core };
        let instances = "(instance (instantiate $inner))".repeat(3);
        nested = format!("(component $inner {nested} {core} {instances})");
    }
    carrier.component(&parse(&nested.replacen("$inner", "", 1)));
}

pub(super) fn parse(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text of a bomb is well-formed")
}
