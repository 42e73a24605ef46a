//! What is said of a kernel by its bounds: in words, as a class, and against its manifest.

use super::*;
use hotcell_manifest::{KernelRecord, Manifest, Record};

/// A kernel over an array of `n` elements with a whole scalar `s`, called as `weight` says.
fn manifest(weight: &str, cost: &str) -> Manifest {
    let json = format!(
        r#"{{"name":"k","signature":"(n)->(n)","weight":"{weight}","cost":"{cost}","parameters":[
        {{"name":"s","role":"scalar","dtype":"i32"}},
        {{"name":"x","role":"input","dtype":"i32"}},
        {{"name":"out","role":"output","dtype":"i32"}}]}}"#
    );
    let record: KernelRecord = serde_json::from_str(&json).unwrap();
    Manifest::from_records(vec![Record::from(record)]).unwrap()
}

/// A polynomial of terms: how often in halves, and what of.
fn formula(terms: &[(i64, &[u8])]) -> Formula {
    let term = |(halves, variables): &(i64, &[u8])| Term {
        in_1024ths: halves * 512,
        variables: variables.to_vec(),
    };
    Formula(terms.iter().map(term).collect())
}

fn cost(lower: Formula, upper: Option<Formula>) -> EntryCost {
    EntryCost {
        kernel: 0,
        interface: Interface::Sdk,
        gaps: Vec::new(),
        bounds: vec![Bounds {
            from_extent: 0,
            lower,
            upper,
        }],
        loops: Vec::new(),
        loops_left_out: 0,
        functions: 1,
        outside: KernelWork::default(),
    }
}

fn a_loop(turns: Turns, most: Option<Formula>) -> KernelLoop {
    KernelLoop {
        function: "f".to_owned(),
        offset_bytes: 7,
        source: None,
        depth: 0,
        turns,
        least: Formula::default(),
        most,
        turn: KernelWork::default(),
    }
}

const LINEAR: &[(i64, &[u8])] = &[(7, &[0]), (40, &[])];
const SQUARE: &[(i64, &[u8])] = &[(4, &[0, 0])];

#[test]
fn a_formula_is_written_with_its_highest_powers_first() {
    let names = ["n", "s"];
    for (terms, says) in [
        (&[][..], "0"),
        (&[(10, &[][..])], "5"),
        (LINEAR, "3.5·n + 20"),
        (&[(2, &[0, 0]), (-2, &[1])], "n·n - s"),
        (&[(-4, &[0, 1, 1])], "-2·n·s·s"),
    ] {
        assert_eq!(formula(terms).shown(&names), says);
    }
}

#[test]
fn the_class_follows_from_loops_gaps_and_growth() {
    let manifest = manifest("normal", "n");
    let kernel = &manifest.kernels()[0];
    let light = cost(formula(LINEAR), Some(formula(LINEAR)));
    assert_eq!(light.class(kernel).0, CostClass::Light);
    let square = cost(formula(LINEAR), Some(formula(SQUARE)));
    let (class, reasons) = square.class(kernel);
    assert_eq!(class, CostClass::Heavy);
    assert!(
        reasons[0].contains("as `n` grows: at most 2·n·n"),
        "{reasons:?}"
    );
    let endless = cost(formula(LINEAR), None);
    assert_eq!(endless.class(kernel).0, CostClass::Unbounded);
    for (turns, most, expected) in [
        (Turns::Shapes, Some(formula(LINEAR)), CostClass::Light),
        (Turns::Arguments, Some(formula(LINEAR)), CostClass::Heavy),
        (Turns::Data, Some(formula(LINEAR)), CostClass::Heavy),
        (Turns::Unbounded, None, CostClass::Unbounded),
    ] {
        let mut cost = light.clone();
        cost.loops.push(a_loop(turns, most));
        assert_eq!(cost.class(kernel).0, expected, "{turns:?}");
    }
    let mut told_in_part = light;
    told_in_part.gaps.push(Gap::IndirectCall);
    let (class, reasons) = told_in_part.class(kernel);
    assert_eq!(class, CostClass::Unbounded);
    assert!(reasons[0].contains("through a table"), "{reasons:?}");
}

#[test]
fn only_what_is_certain_contradicts_a_manifest() {
    let unclear = {
        let mut cost = cost(formula(&[(118, &[])]), None);
        cost.gaps.push(Gap::IndirectCall);
        cost.loops.push(a_loop(Turns::Unbounded, None));
        cost
    };
    let light = cost(formula(LINEAR), Some(formula(LINEAR)));
    let square = cost(formula(SQUARE), Some(formula(SQUARE)));
    let of = |cost: &EntryCost, weight: &str, said: &str| {
        cost.contradictions(&manifest(weight, said).kernels()[0])
    };
    // A loop that nobody understood is no proof of a lie.
    assert_eq!(of(&unclear, "light", "n"), []);
    assert_eq!(of(&light, "light", "n"), []);
    assert_eq!(of(&light, "normal", "n"), []);
    assert_eq!(of(&square, "heavy", "n*n"), []);
    assert_eq!(of(&light, "heavy", "n"), [Contradiction::Heavier]);
    let dim = || "n".to_owned();
    let lighter = Contradiction::Lighter { dim: dim() };
    assert_eq!(of(&square, "light", "n*n"), std::slice::from_ref(&lighter));
    let behind = Contradiction::Cost {
        cost: "n".to_owned(),
        dim: dim(),
    };
    assert_eq!(of(&square, "light", "n"), [lighter, behind]);
    let words = Contradiction::Lighter { dim: dim() }.to_string();
    assert!(
        words.contains("`light`") && words.contains("`n`"),
        "{words}"
    );
}

#[test]
fn what_no_analysis_can_have_found_is_refused() {
    let manifest = manifest("normal", "n");
    let honest = cost(formula(LINEAR), Some(formula(LINEAR)));
    let told = |change: fn(&mut EntryCost)| {
        let mut cost = honest.clone();
        change(&mut cost);
        can_be(&[cost], manifest.kernels())
    };
    assert!(told(|_| ()));
    assert!(!told(|cost| cost.kernel = 1));
    assert!(!told(|cost| cost.bounds[0].lower = formula(&[(2, &[2])])));
    assert!(!told(|cost| cost
        .loops
        .push(a_loop(Turns::Unbounded, Some(Formula::default())))));
    assert!(!told(|cost| cost.loops.push(a_loop(Turns::Shapes, None))));
    assert!(!told(|cost| {
        let mut long = a_loop(Turns::Unbounded, None);
        long.function = "f".repeat(LISTED_NAME_BYTES + 1);
        cost.loops.push(long);
    }));
    assert!(!can_be(&[honest.clone(), honest], manifest.kernels()));
}

#[test]
fn bounds_are_of_shapes_from_their_least_extent_on() {
    let manifest = manifest("normal", "n");
    let kernel = &manifest.kernels()[0];
    let mut cost = cost(formula(&[(2, &[0])]), None);
    cost.bounds.push(Bounds {
        from_extent: 64,
        lower: formula(&[(4, &[0])]),
        upper: Some(formula(&[(6, &[0])])),
    });
    let around = cost.fuel(kernel, &[vec![0, 1]], false).unwrap().at_least;
    let least = |n: u64| cost.fuel(kernel, &[vec![n, 1]], false).unwrap();
    assert_eq!(least(63).at_least - around, 63);
    assert_eq!(least(63).at_most, None);
    assert_eq!(least(64).at_least - around, 128);
    let most = least(64).at_most.unwrap();
    let canonical = cost.fuel(kernel, &[vec![64, 1]], true).unwrap();
    assert!(canonical.at_most.unwrap() > most);
    assert_eq!(canonical.at_least, least(64).at_least);
    // Two halves are added up.
    let halves = vec![vec![64, 1], vec![64, 1]];
    let both = cost.fuel(kernel, &halves, false).unwrap();
    assert_eq!(both.at_most.unwrap(), 2 * most);
    let numbers = vec![u64::MAX, u64::MAX];
    assert_eq!(
        cost.fuel(kernel, &[numbers], true).unwrap().at_most,
        Some(u64::MAX)
    );
}
