//! The shaders of a component as a table: name, bytes, entry points, operations or why refused.

use hotcell::limit::Unit;
use hotcell::shader::{Judged, Shader, ShaderEntry, Verdict};
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
        Judged::Entries(entries) => entries.iter().map(line).collect(),
    };
    format!("  {name:32} {bytes}\n{judged}")
}

fn line(entry: &ShaderEntry) -> String {
    let name = clean(&entry.name, 256);
    let verdict = match &entry.verdict {
        Verdict::Admitted { operations } => format!("{operations} operations"),
        Verdict::Open(constant) => {
            let constant = clean(constant, 256);
            format!("depends on `{constant}`, which has no default")
        }
        Verdict::Refused(why) => format!("REFUSED: {}", clean(why, 1024)),
    };
    format!("    {name:30} {verdict}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let entries = vec![
            entry("reduce", Verdict::Admitted { operations: 153 }),
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
            "reduce 153 operations",
            "scan depends on `WIDTH`, which has no default",
            "spin REFUSED: 7:3: no\\u{1b}",
            "bad.wgsl 2KiB",
            "REFUSED: it is not UTF-8",
        ];
        assert_eq!(lines, expected);
        assert_eq!(table(&[]), "");
    }
}
