//! From loops to a class, and why.

use super::CountedLoop;
use hotcell_model::shader::{
    COST_REASONS, CostClass, SHADER_LOOPS, ShaderCost, ShaderLoop, Trips, Work,
};

/// The most turns of all loops of an invocation together that are light.
pub(super) const LIGHT_TURNS: u64 = 1 << 10;

/// The cost of a shader on which the analysis failed.
pub(super) fn of_failure() -> ShaderCost {
    ShaderCost {
        class: CostClass::Unbounded,
        reasons: vec!["its cost could not be found out".to_owned()],
        outside: Work::default(),
        workgroup_bytes: 0,
        loops: Vec::new(),
        loops_left_out: 0,
    }
}

/// The cost of a shader with these loops.
pub(super) fn of_loops(
    mut loops: Vec<CountedLoop>,
    outside: Work,
    workgroup_bytes: u64,
) -> ShaderCost {
    loops.sort_by_key(|one| (one.shown.line, one.shown.depth));
    let (class, reasons) = judge(&loops);
    // What is left out is what matters least to the class.
    let mut shown: Vec<ShaderLoop> = loops.into_iter().map(|one| one.shown).collect();
    let loops_left_out = shown.len().saturating_sub(SHADER_LOOPS) as u64;
    if loops_left_out > 0 {
        shown.sort_by_key(|one| rank(&one.trips));
        shown.truncate(SHADER_LOOPS);
        shown.sort_by_key(|one| (one.line, one.depth));
    }
    ShaderCost {
        class,
        reasons,
        outside,
        workgroup_bytes,
        loops: shown,
        loops_left_out,
    }
}

fn rank(trips: &Trips) -> (u8, u64) {
    match trips {
        Trips::Unknown(_) => (0, 0),
        Trips::Shape(_) => (1, 0),
        Trips::Constant(turns) => (2, u64::MAX - turns),
    }
}

fn judge(loops: &[CountedLoop]) -> (CostClass, Vec<String>) {
    let mut turns = loops.iter().map(|one| one.in_all);
    let turns = turns.try_fold(0_u64, |sum, turns| Some(sum.saturating_add(turns?)));
    let unknown = of_kind(loops, |trips| matches!(trips, Trips::Unknown(_)));
    let shape = of_kind(loops, |trips| matches!(trips, Trips::Shape(_)));
    match (&unknown[..], turns) {
        ([], Some(turns)) if turns <= LIGHT_TURNS => (CostClass::Light, vec![small(loops, turns)]),
        ([], Some(turns)) => (CostClass::Heavy, vec![large(loops, turns)]),
        ([], None) => (CostClass::Heavy, listed(&shape, by_shape)),
        _ => (CostClass::Unbounded, listed(&unknown, by_nobody)),
    }
}

fn of_kind(loops: &[CountedLoop], is: impl Fn(&Trips) -> bool) -> Vec<&ShaderLoop> {
    let shown = loops.iter().map(|one| &one.shown);
    shown.filter(|one| is(&one.trips)).collect()
}

/// A reason for each of the first loops, and for how many more there would be one.
fn listed(loops: &[&ShaderLoop], reason: fn(&ShaderLoop) -> String) -> Vec<String> {
    let most = match loops.len() {
        len if len > COST_REASONS => COST_REASONS - 1,
        len => len,
    };
    let rest = match loops.len() - most {
        0 => None,
        rest => Some(format!("and {rest} more loops of that kind")),
    };
    let first = loops.iter().take(most).map(|one| reason(one));
    first.chain(rest).collect()
}

fn small(loops: &[CountedLoop], turns: u64) -> String {
    match loops {
        [] => "it has no loops".to_owned(),
        _ => format!("its loops make at most {turns} turns together"),
    }
}

fn large(loops: &[CountedLoop], turns: u64) -> String {
    let longest = loops.iter().max_by_key(|one| one.in_all);
    let line = longest.map_or(0, |one| one.shown.line);
    format!("its loops make up to {turns} turns together, most of them in line {line}")
}

fn by_shape(one: &ShaderLoop) -> String {
    let (line, least) = (one.line, if one.at_most { "at most " } else { "" });
    match &one.trips {
        Trips::Shape(of) => format!("line {line}: the loop turns {least}as often as {of} says"),
        _ => format!("line {line}"),
    }
}

fn by_nobody(one: &ShaderLoop) -> String {
    match &one.trips {
        Trips::Unknown(why) => format!(
            "line {}: how often the loop turns is not known before it runs: {why}",
            one.line
        ),
        _ => format!("line {}", one.line),
    }
}
