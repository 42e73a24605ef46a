//! The shaders of a component as a table: name, bytes, entry points, operations or why refused; of each entry point
//! its class and why, and its loops.

use hotcell::limit::Unit;
use hotcell::shader::{
    CostClass, Judged, Shader, ShaderCost, ShaderEntry, ShaderLoop, Trips, Verdict, Work,
};
use hotcell_model::text::{clean, escape};

/// The table; nothing without shaders.
pub(super) fn table(shaders: &[Shader]) -> String {
    match shaders {
        [] => String::new(),
        shaders => format!(
            "\nshaders\n{}",
            shaders.iter().map(lines).collect::<String>()
        ),
    }
}

fn lines(shader: &Shader) -> String {
    let name = escape(&shader.name, 256);
    let bytes = Unit::Bytes.format(shader.len_bytes);
    let judged = match &shader.judged {
        Judged::Refused(why) => format!("    REFUSED: {}\n", clean(why, 1024)),
        Judged::Entries(entries) => entries.iter().map(entry_lines).collect(),
    };
    format!("  {name:32} {bytes}\n{judged}")
}

fn entry_lines(entry: &ShaderEntry) -> String {
    let name = clean(&entry.name, 256);
    let (verdict, cost) = match &entry.verdict {
        Verdict::Admitted { operations, cost } => {
            let class = class(cost.class);
            (
                format!("{operations} operations, {class}"),
                cost_lines(cost),
            )
        }
        Verdict::Open(constant) => {
            let constant = clean(constant, 256);
            let verdict = format!("depends on `{constant}`, which has no default");
            (verdict, String::new())
        }
        Verdict::Refused(why) => (format!("REFUSED: {}", clean(why, 1024)), String::new()),
    };
    format!("    {name:30} {verdict}\n{cost}")
}

fn class(class: CostClass) -> &'static str {
    match class {
        CostClass::Light => "light",
        CostClass::Heavy => "heavy",
        CostClass::Unbounded => "unbounded",
    }
}

/// Why it costs what it does, and a line for each loop.
fn cost_lines(cost: &ShaderCost) -> String {
    let reasons = cost.reasons.iter();
    let mut text: String = reasons
        .map(|why| format!("      {}\n", clean(why, 512)))
        .collect();
    if cost.workgroup_bytes > 0 {
        let bytes = Unit::Bytes.format(cost.workgroup_bytes);
        text += &format!("      workgroup memory {bytes}\n");
    }
    if !cost.loops.is_empty() {
        let names = ["float", "integer", "memory", "barriers", "atomics"];
        text += &row("line", "turns", "control", &names.map(str::to_owned));
        text += &row("-", "outside of loops", "", &counts(&cost.outside));
        text.extend(cost.loops.iter().map(loop_line));
    }
    if cost.loops_left_out > 0 {
        text += &format!("      and {} more loops\n", cost.loops_left_out);
    }
    text
}

fn loop_line(one: &ShaderLoop) -> String {
    let least = if one.at_most { "at most " } else { "" };
    let turns = match &one.trips {
        Trips::Constant(turns) => format!("{least}{turns}"),
        Trips::Shape(of) => format!("{least}by {}", clean(of, 128)),
        Trips::Unknown(_) => "unknown".to_owned(),
    };
    // Loops inside stand further to the right, as far as there is room.
    let indent = 2 * usize::try_from(one.depth.min(8)).unwrap_or(0);
    let turns = format!("{:indent$}{turns}", "");
    let control = if one.is_uniform {
        "uniform"
    } else {
        "divergent"
    };
    row(&one.line.to_string(), &turns, control, &counts(&one.turn))
}

fn counts(work: &Work) -> [String; 5] {
    let counts = [
        work.floating,
        work.integer,
        work.memory,
        work.barriers,
        work.atomics,
    ];
    counts.map(|count| count.to_string())
}

fn row(line: &str, turns: &str, control: &str, counts: &[String; 5]) -> String {
    let counts: String = counts.iter().map(|count| format!(" {count:>8}")).collect();
    format!("      {line:>5}  {turns:34} {control:9}{counts}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost() -> ShaderCost {
        let work = Work {
            floating: 1,
            integer: 2,
            memory: 3,
            barriers: 4,
            atomics: 5,
        };
        let one = |line, trips, at_most| ShaderLoop {
            line,
            depth: line - 7,
            trips,
            at_most,
            is_uniform: at_most,
            turn: work,
        };
        ShaderCost {
            class: CostClass::Unbounded,
            reasons: vec!["line 9: why\n".to_owned()],
            outside: work,
            workgroup_bytes: 1024,
            loops: vec![
                one(7, Trips::Constant(8), true),
                one(8, Trips::Shape("arrayLength(&x)".to_owned()), false),
                one(9, Trips::Unknown("why".to_owned()), false),
            ],
            loops_left_out: 3,
        }
    }

    #[test]
    fn a_shader_has_a_line_for_each_entry_point_and_one_that_is_refused_says_why() {
        let shader = |name: &str, judged| Shader {
            name: name.to_owned(),
            offset_bytes: 0,
            len_bytes: 2048,
            judged,
        };
        let entry = |name: &str, verdict| ShaderEntry {
            name: name.to_owned(),
            verdict,
        };
        let reduce = Verdict::Admitted {
            operations: 153,
            cost: Box::new(cost()),
        };
        let entries = vec![
            entry("reduce", reduce),
            entry("scan", Verdict::Open("WIDTH".to_owned())),
            entry("spin", Verdict::Refused("7:3: no\u{1b}".to_owned())),
        ];
        let text = table(&[
            shader("scan.wgsl", Judged::Entries(entries)),
            shader("bad.wgsl", Judged::Refused("it is not UTF-8".to_owned())),
        ]);
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let expected = [
            "",
            "shaders",
            "scan.wgsl 2KiB",
            "reduce 153 operations, unbounded",
            "line 9: why\\n",
            "workgroup memory 1KiB",
            "line turns control float integer memory barriers atomics",
            "- outside of loops 1 2 3 4 5",
            "7 at most 8 uniform 1 2 3 4 5",
            "8 by arrayLength(&x) divergent 1 2 3 4 5",
            "9 unknown divergent 1 2 3 4 5",
            "and 3 more loops",
            "scan depends on `WIDTH`, which has no default",
            "spin REFUSED: 7:3: no\\u{1b}",
            "bad.wgsl 2KiB",
            "REFUSED: it is not UTF-8",
        ];
        assert_eq!(lines, expected);
        assert_eq!(table(&[]), "");
    }
}
