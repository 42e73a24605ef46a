//! Compile bombs: components that every count lets pass, and that are as dear to compile as a count allows.
//!
//! A count bounds the bytes and the things in a component, not what a compiler makes of them. So each bomb
//! here goes to the edge of one or two counts with a shape that some pass of Cranelift, or of what stands
//! before it, takes badly. What bounds them is the compile process: its CPU time, its memory, its deadline.
//!
//! Every bomb is the honest guest with more inside: where the compiler gets through it, it runs.

mod boundary;
mod carrier;
mod control;
mod parts;
mod sections;
mod values;

use carrier::Carrier;
use hotcell::Component;
use hotcell::limit::Limit;

/// A component that is dear to compile.
pub struct Bomb {
    /// Its name in tables.
    pub name: &'static str,
    /// What makes it dear.
    pub what: &'static str,
    /// The count that it goes to the edge of; `None` where what it multiplies is not counted.
    pub edge: Option<Limit>,
    fill: fn(&mut Carrier),
}

impl Bomb {
    /// The component.
    pub fn component(&self) -> Component {
        Component::new(self.bytes())
    }

    /// The component's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut carrier = Carrier::honest();
        (self.fill)(&mut carrier);
        carrier.finish()
    }

    /// The bomb of that name.
    ///
    /// # Panics
    /// If there is none.
    pub fn named(name: &str) -> &'static Self {
        let named = BOMBS.iter().find(|bomb| bomb.name == name);
        named.unwrap_or_else(|| panic!("there is no bomb `{name}`"))
    }
}

/// The honest guest with one more component inside, of that text, and an instance of it.
pub fn carrying(component: &str) -> Component {
    let mut carrier = Carrier::honest();
    carrier.component(&boundary::parse(component));
    Component::new(carrier.finish())
}

/// Every bomb.
pub const BOMBS: &[Bomb] = &[
    bomb(
        "live_values",
        "70 000 values that are alive at once, in one function",
        Some(Limit::FunctionBytes),
        values::live_values,
    ),
    bomb(
        "live_values_everywhere",
        "the same in every function that there is room for",
        Some(Limit::ComponentBytes),
        values::live_values_everywhere,
    ),
    bomb(
        "live_across_calls",
        "a thousand values that each of many calls has to keep",
        Some(Limit::ComponentBytes),
        values::live_across_calls,
    ),
    bomb(
        "selects",
        "long chains of selects through values of a loop",
        Some(Limit::ComponentBytes),
        values::selects,
    ),
    bomb(
        "deep_expressions",
        "trees as deep as a function is long, of what a simplifier likes to reorder",
        Some(Limit::ComponentBytes),
        values::deep_expressions,
    ),
    bomb(
        "vectors",
        "vector instructions that become long sequences",
        Some(Limit::ComponentBytes),
        values::vectors,
    ),
    bomb(
        "vector_constants",
        "a constant pool of half a million distinct vectors",
        Some(Limit::ComponentBytes),
        values::vector_constants,
    ),
    bomb(
        "locals",
        "10 000 locals that every branch carries",
        Some(Limit::FunctionLocals),
        control::locals,
    ),
    bomb(
        "loops_in_loops",
        "10 000 locals that change in each of a thousand nested loops",
        Some(Limit::Nesting),
        control::loops_in_loops,
    ),
    bomb(
        "branches_in_branches",
        "nested branches with a thousand parameters and results each",
        Some(Limit::Nesting),
        control::branches_in_branches,
    ),
    bomb(
        "jump_tables",
        "jump tables of 10 000 targets, over a thousand blocks with results",
        Some(Limit::BrTableTargets),
        control::jump_tables,
    ),
    bomb(
        "empty_loops",
        "loops of three bytes, each with its checks of fuel and clock",
        Some(Limit::ComponentBytes),
        control::empty_loops,
    ),
    bomb(
        "diamonds",
        "branches of seven bytes, one after the other, that meet in a value",
        Some(Limit::ComponentBytes),
        control::diamonds,
    ),
    bomb(
        "small_functions",
        "nearly 20 000 functions of a few bytes",
        Some(Limit::Functions),
        sections::small_functions,
    ),
    bomb(
        "signatures",
        "functions of a thousand parameters and results, each of a type of its own",
        Some(Limit::Types),
        sections::signatures,
    ),
    bomb(
        "globals",
        "tens of thousands of globals, all of them used",
        Some(Limit::Items),
        sections::globals,
    ),
    bomb(
        "data_segments",
        "tens of thousands of data segments, far apart and on top of each other",
        Some(Limit::Items),
        sections::data_segments,
    ),
    bomb(
        "element_segments",
        "15 million table elements",
        Some(Limit::ComponentBytes),
        sections::element_segments,
    ),
    bomb(
        "modules",
        "990 modules, with nearly 20 000 functions between them",
        Some(Limit::Functions),
        sections::modules,
    ),
    bomb(
        "memories_and_tables",
        "memories, tables and globals, as many as there may be items",
        Some(Limit::Items),
        sections::memories_and_tables,
    ),
    bomb(
        "names",
        "15 MiB of names and custom sections",
        Some(Limit::ComponentBytes),
        sections::names,
    ),
    bomb(
        "adapters",
        "components that pass tuples of a thousand strings to each other",
        None,
        boundary::adapters,
    ),
    bomb(
        "instances",
        "components in components, each instantiated several times",
        Some(Limit::Items),
        boundary::instances,
    ),
];

const fn bomb(
    name: &'static str,
    what: &'static str,
    edge: Option<Limit>,
    fill: fn(&mut Carrier),
) -> Bomb {
    Bomb {
        name,
        what,
        edge,
        fill,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_bomb_has_a_name_of_its_own_and_makes_the_same_bytes_each_time() {
        let names: BTreeSet<_> = BOMBS.iter().map(|bomb| bomb.name).collect();
        assert_eq!(names.len(), BOMBS.len());
        let bomb = Bomb::named("adapters");
        assert_eq!(bomb.bytes(), bomb.bytes());
    }
}
