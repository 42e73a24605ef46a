//! What a kernel's code says of its cost, as lines under the kernel: its class and why, bounds of its fuel, its loops.

use hotcell::analysis::{EntryCost, Formula, KernelLoop, KernelWork, class_name, variables};
use hotcell::manifest::Kernel;
use hotcell_model::text::clean;
use serde::Serialize;

/// The most loops that the table lists.
const SHOWN: usize = 12;

/// What `--json` prints of a kernel's cost.
#[derive(Serialize)]
pub(super) struct CostLine<'a> {
    kernel: &'a str,
    class: &'static str,
    reasons: Vec<String>,
    contradictions: Vec<String>,
    gaps: Vec<&'static str>,
    functions: u64,
    bounds: Vec<BoundsLine>,
    outside: KernelWork,
    loops: Vec<LoopLine<'a>>,
    loops_left_out: u64,
}

#[derive(Serialize)]
struct BoundsLine {
    /// The least extent of every dimension for which it holds.
    from_extent: u64,
    fuel_at_least: String,
    fuel_at_most: Option<String>,
}

#[derive(Serialize)]
struct LoopLine<'a> {
    function: &'a str,
    source: Option<&'a (String, u32)>,
    offset_bytes: u64,
    depth: u32,
    turns: &'static str,
    at_least: String,
    at_most: Option<String>,
    turn: KernelWork,
}

impl<'a> CostLine<'a> {
    pub(super) fn of(kernel: &'a Kernel, cost: &'a EntryCost) -> Self {
        let names: Vec<&str> = variables(kernel).collect();
        let shown = |formula: &Formula| formula.shown(&names);
        let (class, reasons) = cost.class(kernel);
        let bounds = cost.bounds.iter().map(|bounds| BoundsLine {
            from_extent: bounds.from_extent,
            fuel_at_least: shown(&bounds.lower),
            fuel_at_most: bounds.upper.as_ref().map(shown),
        });
        let loops = cost.loops.iter().map(|one| LoopLine {
            function: &one.function,
            source: one.source.as_ref(),
            offset_bytes: one.offset_bytes,
            depth: one.depth,
            turns: one.turns.name(),
            at_least: shown(&one.least),
            at_most: one.most.as_ref().map(shown),
            turn: one.turn,
        });
        Self {
            kernel: kernel.name(),
            class: class_name(class),
            reasons,
            contradictions: cost
                .contradictions(kernel)
                .iter()
                .map(ToString::to_string)
                .collect(),
            gaps: cost.gaps.iter().map(|gap| gap.words()).collect(),
            functions: cost.functions,
            bounds: bounds.collect(),
            outside: cost.outside,
            loops: loops.collect(),
            loops_left_out: cost.loops_left_out,
        }
    }
}

/// The lines of a kernel's cost.
pub(super) fn lines(kernel: &Kernel, cost: &EntryCost) -> String {
    let names: Vec<&str> = variables(kernel).collect();
    let (class, reasons) = cost.class(kernel);
    let mut text = format!("  class   {}", class_name(class));
    for (at, reason) in reasons.iter().enumerate() {
        let before = if at == 0 { ": " } else { "          " };
        text += &format!("{before}{}\n", clean(reason, 512));
    }
    for contradiction in cost.contradictions(kernel) {
        text += &format!("  NOTE    {}\n", clean(&contradiction.to_string(), 512));
    }
    // The bounds for large shapes say what grows; those for any shape are in the JSON.
    if let Some(bounds) = cost.bounds.last() {
        let most = bounds.upper.as_ref().map(|upper| upper.shown(&names));
        text += &format!(
            "  by code at least {} fuel\n          at most  {}\n",
            bounds.lower.shown(&names),
            most.map_or("not known".to_owned(), |most| format!("{most} fuel"))
        );
        let large = match bounds.from_extent {
            0 | 1 => String::new(),
            from => format!("where every dimension is {from} or more; "),
        };
        text += &format!("          {large}what stands around the function not counted\n");
    }
    if !cost.loops.is_empty() {
        text += "  loops   turns      each time                        float  integer  memory  vector  place\n";
        text.extend(
            cost.loops
                .iter()
                .take(SHOWN)
                .map(|one| loop_line(one, &names)),
        );
        let more = cost.loops.len().saturating_sub(SHOWN) as u64 + cost.loops_left_out;
        if more > 0 {
            text += &format!("          and {more} more\n");
        }
    }
    text
}

fn loop_line(one: &KernelLoop, names: &[&str]) -> String {
    let most = one.most.as_ref().map(|most| most.shown(names));
    let most = match (one.turns, most) {
        (hotcell::analysis::Turns::Constant, Some(most)) => most,
        (_, Some(most)) => format!("at most {most}"),
        (_, None) => "-".to_owned(),
    };
    let vector = match one.turn.floating + one.turn.integer + one.turn.memory {
        0 => 0,
        all => 100 * one.turn.vector / all,
    };
    let indent = "· ".repeat(one.depth.min(8) as usize);
    format!(
        "          {:10} {most:32} {:5}  {:7}  {:6}  {vector:5}%  {indent}{}\n",
        one.turns.name(),
        one.turn.floating,
        one.turn.integer,
        one.turn.memory,
        clean(&one.place(), 256)
    )
}
