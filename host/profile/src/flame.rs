//! Samples of a guest's stacks, for people and for their tools: a flame graph as a picture, and a file for speedscope.
//!
//! What a guest or a worker named is text in both, and never markup. The picture has no script, no style and no link: it is
//! fit for a page of its own, for a part of another and for an `img`. Widths are parts of the CPU time that went to a
//! function and to what it called; where no time was told, parts of the looks that found it.

use hotcell_model::manifest::units::format_duration;
use hotcell_model::outcome::Frame;
use hotcell_model::samples::{SampleCount, Samples};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// What a function is called that has no name.
const NAMELESS: &str = "<unknown function>";
/// What stands at the outer end of a stack of which only the inner end was kept.
const CUT: &str = "(callers that were not kept)";
/// What was found where no function is known, or beyond what samples tell apart.
const ELSEWHERE: &str = "(elsewhere)";

/// The picture's width.
const WIDTH: u64 = 1200;
const HEADER: u64 = 32;
/// The height of a function's bar, with the gap above the next.
const ROW: u64 = 18;
/// The height of letters, and the width of one in a font in which all are alike, in hundredths.
const LETTER: u64 = 12;
const LETTER_HUNDREDTHS: u64 = 723;
/// Bars narrower than that, in hundredths, are not drawn, nor what is above them.
const NARROWEST: u64 = 10;
/// Legible on white and on black: some 4.5 to 1 on either.
const GREY: &str = "#777777";

/// The samples as a file of speedscope's, of the type `sampled`.
///
/// The format is that of <https://www.speedscope.app/file-format-schema.json>. Weights are nanoseconds of CPU time, or looks
/// where no time was told.
pub fn speedscope(name: &str, samples: &Samples) -> Value {
    let measure = Measure::of(samples);
    let mut functions = Vec::new();
    let (mut stacks, mut weights) = (Vec::new(), Vec::new());
    for found in found(samples) {
        let place = |bar: &Bar<'_>| {
            let function = bar.to_speedscope();
            let known = functions.iter().position(|known| *known == function);
            known.unwrap_or_else(|| {
                functions.push(function);
                functions.len() - 1
            })
        };
        let stack: Vec<usize> = found.bars.iter().map(place).collect();
        stacks.push(stack);
        weights.push(measure.value(found.count));
    }
    let end = weights.iter().copied().fold(0, u64::saturating_add);
    json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": name,
        "exporter": "hotcell",
        "activeProfileIndex": 0,
        "shared": { "frames": functions },
        "profiles": [{
            "type": "sampled",
            "name": name,
            "unit": measure.unit(),
            "startValue": 0,
            "endValue": end,
            "samples": stacks,
            "weights": weights,
        }],
    })
}

/// The samples as a flame graph: an SVG element 1200 wide, callers below what they call, a tooltip on each.
pub fn svg(title: &str, samples: &Samples) -> String {
    let measure = Measure::of(samples);
    let mut root = Node::default();
    for found in found(samples) {
        root.add(&found, measure.value(found.count));
    }
    let total = samples.total();
    if root.value == 0 {
        let period = format_duration(samples.period());
        let heading = format!("{title}: no samples. The guest ran for less than {period}");
        return opening(&heading, HEADER) + "</svg>\n";
    }
    let heading = format!(
        "{title}: {} of CPU time, {} samples, {} apart at least",
        time(total.cpu_ns),
        total.samples,
        format_duration(samples.period()),
    );
    let rows = root.rows();
    let mut drawing = Drawing {
        svg: opening(&heading, HEADER + ROW * rows),
        whole: root.value,
        rows,
    };
    drawing.draw("all", &root, 0, 0);
    drawing.svg + "</svg>\n"
}

/// What widths are of.
#[derive(Clone, Copy)]
enum Measure {
    CpuTime,
    Looks,
}

impl Measure {
    fn of(samples: &Samples) -> Self {
        match samples.total().cpu_ns {
            0 => Self::Looks,
            _ => Self::CpuTime,
        }
    }

    fn value(self, count: SampleCount) -> u64 {
        match self {
            Self::CpuTime => count.cpu_ns,
            Self::Looks => count.samples,
        }
    }

    /// As speedscope calls it.
    fn unit(self) -> &'static str {
        match self {
            Self::CpuTime => "nanoseconds",
            Self::Looks => "none",
        }
    }
}

/// A stack as it is shown, the outermost function first.
struct Found<'a> {
    bars: Vec<Bar<'a>>,
    count: SampleCount,
}

/// A function in a stack, or what stands in the place of one.
struct Bar<'a> {
    name: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
}

impl<'a> Bar<'a> {
    fn of(function: &'a Frame) -> Self {
        Self {
            name: function.function.as_deref().unwrap_or(NAMELESS),
            file: function.file.as_deref(),
            line: function.line,
        }
    }

    fn instead(name: &'a str) -> Self {
        Self {
            name,
            file: None,
            line: None,
        }
    }

    fn to_speedscope(&self) -> Value {
        let mut function = json!({ "name": self.name });
        if let Some(file) = self.file {
            function["file"] = json!(file);
        }
        if let Some(line) = self.line {
            function["line"] = json!(line);
        }
        function
    }
}

/// The stacks that were found, and what is elsewhere as one more.
fn found(samples: &Samples) -> impl Iterator<Item = Found<'_>> {
    let stacks = samples.stacks().map(|stack| {
        let cut = stack.is_cut.then(|| Bar::instead(CUT));
        let functions = stack.functions.into_iter().map(Bar::of);
        Found {
            bars: cut.into_iter().chain(functions).collect(),
            count: stack.count,
        }
    });
    let elsewhere = Found {
        bars: vec![Bar::instead(ELSEWHERE)],
        count: samples.elsewhere(),
    };
    let is_any = elsewhere.count != SampleCount::default();
    stacks.chain(is_any.then_some(elsewhere))
}

/// A function where it was called from, and what it called, by name.
#[derive(Default)]
struct Node<'a> {
    /// What went to it and to all above it. Each is 64 bits wide, and claimed.
    value: u128,
    /// What went to itself.
    own: u128,
    count: SampleCount,
    file: Option<&'a str>,
    /// Where it stood, and how often.
    lines: BTreeMap<u32, u128>,
    called: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Node<'a> {
    fn add(&mut self, found: &Found<'a>, value: u64) {
        let value = u128::from(value);
        let mut node = self;
        node.value += value;
        node.count.add(found.count);
        for bar in &found.bars {
            node = node.called.entry(bar.name).or_default();
            node.value += value;
            node.count.add(found.count);
            node.file = node.file.or(bar.file);
            if let Some(line) = bar.line {
                *node.lines.entry(line).or_default() += value;
            }
        }
        node.own += value;
    }

    /// How many rows it takes, itself included.
    fn rows(&self) -> u64 {
        1 + self.called.values().map(Self::rows).max().unwrap_or(0)
    }

    /// What a tooltip says.
    fn words(&self, name: &str, whole: u128) -> String {
        let mut words = name.to_owned();
        if let Some(file) = self.file {
            let _ = write!(words, " at {file}");
            let most = self.lines.iter().max_by_key(|(_, value)| **value);
            if let Some((line, _)) = most {
                let mostly = if self.lines.len() > 1 { " mostly" } else { "" };
                let _ = write!(words, ":{line}{mostly}");
            }
        }
        let _ = write!(
            words,
            "\n{} of all, {} in itself; {} of CPU time, {} samples",
            part(self.value, whole),
            part(self.own, whole),
            time(self.count.cpu_ns),
            self.count.samples,
        );
        words
    }
}

/// A flame graph in the making.
struct Drawing {
    svg: String,
    whole: u128,
    rows: u64,
}

impl Drawing {
    /// Draws a node that begins where so much of the whole is to its left, and what is above it.
    fn draw(&mut self, name: &str, node: &Node<'_>, before: u128, row: u64) {
        let (left, right) = (
            self.hundredths(before),
            self.hundredths(before + node.value),
        );
        let width = right - left;
        if width < NARROWEST {
            return;
        }
        let top = HEADER + ROW * (self.rows - 1 - row);
        let words = xml(&node.words(name, self.whole));
        let _ = write!(
            self.svg,
            "<g role=\"img\" aria-label=\"{words}\"><title>{words}</title>\
             <rect x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{}\" rx=\"2\" fill=\"{}\"/>",
            decimal(left),
            // A gap to the next, where there is room for one.
            decimal(width - (width / 4).min(50)),
            ROW - 1,
            colour(name, row),
        );
        if let Some(label) = fitted(name, width.saturating_sub(800)) {
            let _ = write!(
                self.svg,
                "<text x=\"{}\" y=\"{}\" fill=\"#1a1a1a\">{}</text>",
                decimal(left + 400),
                top + 13,
                xml(&label),
            );
        }
        self.svg.push_str("</g>\n");
        let mut before = before;
        for (name, called) in &node.called {
            self.draw(name, called, before, row + 1);
            before += called.value;
        }
    }

    /// Where so much of the whole ends, in hundredths from the left.
    fn hundredths(&self, value: u128) -> u64 {
        // Of at most 512 values of 64 bits, so that nothing overflows.
        u64::try_from(value * u128::from(WIDTH * 100) / self.whole).unwrap_or(WIDTH * 100)
    }
}

/// The beginning of a picture of that height, with its heading.
fn opening(heading: &str, height: u64) -> String {
    let shown = fitted(heading, WIDTH * 100 - 800).unwrap_or_default();
    let (heading, shown) = (xml(heading), xml(&shown));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"group\" aria-label=\"{heading}\" width=\"{WIDTH}\" \
         height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"ui-monospace, monospace\" \
         font-size=\"{LETTER}\">\n<title>{heading}</title>\n<text x=\"4\" y=\"20\" fill=\"{GREY}\">{shown}</text>\n"
    )
}

/// A name as far as it fits that width in hundredths: without its path, if this is enough, else cut. `None` where nothing
/// worth reading fits.
fn fitted(name: &str, width: u64) -> Option<String> {
    let room = usize::try_from(width / LETTER_HUNDREDTHS).unwrap_or(0);
    let last = name.rsplit("::").next().unwrap_or(name);
    let is_path = !name.contains(['<', '(', ' ']);
    if columns(name) <= room {
        return Some(name.to_owned());
    }
    if is_path && columns(last) <= room {
        return Some(last.to_owned());
    }
    let mut cut = String::new();
    let mut left = room.checked_sub(1).filter(|left| *left >= 2)?;
    for character in name.chars() {
        let Some(rest) = left.checked_sub(columns_of(character)) else {
            break;
        };
        left = rest;
        cut.push(character);
    }
    Some(cut + "…")
}

fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Fonts have letters of twice the width in other scripts.
fn columns_of(character: char) -> usize {
    match character {
        '\u{0}'..='\u{10ff}' => 1,
        _ => 2,
    }
}

/// A warm colour that is the name's own, light enough for dark letters; grey for what is no function.
fn colour(name: &str, row: u64) -> String {
    if row == 0 || name == CUT || name == ELSEWHERE {
        return "#b9b9b9".to_owned();
    }
    // The 32-bit hash of Fowler, Noll and Vo, 1a.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let (red, green, blue) = (228 + hash % 24, 140 + hash / 24 % 75, 70 + hash / 1800 % 50);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A part in per cent.
fn part(value: u128, whole: u128) -> String {
    let permille = value * 1000 / whole.max(1);
    format!("{}.{} %", permille / 10, permille % 10)
}

fn time(ns: u64) -> String {
    let unit = match ns {
        1_000_000_000.. => 10_000_000,
        1_000_000.. => 100_000,
        _ => 1,
    };
    // As many digits as there is reason for.
    format_duration(Duration::from_nanos(ns / unit * unit))
}

/// A number of hundredths.
fn decimal(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Text as it stands in an element or between quotes. What XML has no room for is replaced.
fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push_str("&#10;"),
            control if control.is_control() => escaped.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, line: Option<u32>) -> Frame {
        Frame {
            function: Some(name.to_owned()),
            file: line.map(|_| "src/lib.rs".to_owned()),
            line,
        }
    }

    fn samples(stacks: &[(&[&str], u64)]) -> Samples {
        let mut samples = Samples::every(Duration::from_millis(1));
        for (names, looks) in stacks {
            let stack: Vec<Frame> = names.iter().map(|name| function(name, None)).collect();
            let place = samples.place(&stack, false);
            let count = SampleCount {
                samples: *looks,
                cpu_ns: looks * 1_000_000,
            };
            samples.count(place, count);
        }
        samples
    }

    /// The bars of a picture: what is said of each, where it begins and how wide it is, in hundredths and without its gap.
    fn bars(svg: &str) -> Vec<(String, u64, u64)> {
        let number = |bar: &str, name: &str| -> u64 {
            let behind = bar.split_once(&format!(" {name}=\"")).unwrap().1;
            let number = behind.split('"').next().unwrap();
            number.replace('.', "").parse().unwrap()
        };
        let bars = svg.split("<g role").skip(1);
        bars.map(|bar| {
            let title = bar.split("<title>").nth(1).unwrap();
            let title = title.split("</title>").next().unwrap().to_owned();
            let rect = bar.split_once("<rect").unwrap().1;
            (title, number(rect, "x"), number(rect, "width"))
        })
        .collect()
    }

    #[test]
    fn widths_are_parts_of_the_whole_and_add_up() {
        let samples = samples(&[
            (&["main", "three"], 300),
            (&["main", "one"], 100),
            (&["main"], 50),
            (&[], 50),
        ]);
        let svg = svg("k", &samples);
        let bars = bars(&svg);
        let of = |name: &str| {
            let bar = bars.iter().find(|(title, ..)| title.starts_with(name));
            let (_, left, width) = bar.unwrap_or_else(|| panic!("{name}: {bars:?}"));
            // The gap is half a unit here.
            (*left, width + 50)
        };
        assert_eq!(of("all"), (0, 120_000));
        assert_eq!(of("(elsewhere)"), (0, 12_000));
        assert_eq!(of("main"), (12_000, 108_000));
        assert_eq!(of("one"), (12_000, 24_000));
        assert_eq!(of("three"), (36_000, 72_000));
        assert!(svg.contains("60.0 % of all, 60.0 % in itself; 300ms of CPU time, 300 samples"));
        assert!(svg.contains("90.0 % of all, 10.0 % in itself"));
        assert!(svg.contains("500 samples, 1ms apart at least"));
    }

    #[test]
    fn many_bars_lie_side_by_side_within_their_caller() {
        let names: Vec<String> = (0..97).map(|n| format!("f{n}")).collect();
        let stacks: Vec<Vec<&str>> = names.iter().map(|name| vec!["main", name]).collect();
        let found: Vec<(&[&str], u64)> = (1..).zip(&stacks).map(|(n, s)| (&s[..], n)).collect();
        let bars = bars(&svg("k", &samples(&found)));
        let (_, left, width) = &bars[1];
        let mut end = *left;
        for (title, left, bar_width) in &bars[2..] {
            assert!(*left >= end, "{title}");
            end = left + bar_width;
        }
        assert!(end <= left + width + 50);
    }

    #[test]
    fn hostile_names_stay_inert() {
        let hostile = "</title></text><script>alert('1')</script>\"onload=\"x\u{0}\u{ffff}&";
        let samples = samples(&[(&[hostile], 5)]);
        let picture = svg(hostile, &samples);
        assert!(!picture.contains("<script"), "{picture}");
        assert!(!picture.contains("\"onload"), "{picture}");
        assert!(!picture.contains(['\u{0}', '\u{ffff}']));
        let elements = [
            "<svg ", "</svg>", "<g ", "</g>", "<title>", "</title>", "<rect ", "<text ", "</text>",
        ];
        let known: usize = elements
            .iter()
            .map(|one| picture.matches(one).count())
            .sum();
        assert_eq!(picture.matches('<').count(), known, "{picture}");
        // JSON has its own escapes.
        let file = speedscope(hostile, &samples).to_string();
        let read: Value = serde_json::from_str(&file).unwrap();
        assert_eq!(read["shared"]["frames"][0]["name"], hostile);
    }

    #[test]
    fn no_samples_say_so() {
        let none = Samples::every(Duration::from_millis(1));
        let picture = svg("k", &none);
        assert!(picture.contains("k: no samples. The guest ran for less than 1ms"));
        assert!(bars(&picture).is_empty() && picture.ends_with("</svg>\n"));
        let file = speedscope("k", &none);
        assert_eq!(file["profiles"][0]["samples"], json!([]));
        assert_eq!(file["profiles"][0]["endValue"], 0);
    }

    #[test]
    fn speedscope_gets_each_function_once_and_a_weight_for_each_stack() {
        let mut samples = samples(&[(&["main", "inner"], 3), (&["main"], 1), (&[], 2)]);
        let place = samples.place(&[function("main", Some(7))], true);
        let count = SampleCount {
            samples: 1,
            cpu_ns: 5,
        };
        samples.count(place, count);
        let file = speedscope("k", &samples);
        let frames = json!([
            { "name": "main" },
            { "name": "inner" },
            { "name": CUT },
            { "name": "main", "file": "src/lib.rs", "line": 7 },
            { "name": ELSEWHERE },
        ]);
        assert_eq!(file["shared"]["frames"], frames);
        let profile = &file["profiles"][0];
        assert_eq!(profile["type"], "sampled");
        assert_eq!(profile["samples"], json!([[0, 1], [0], [2, 3], [4]]));
        let weights = json!([3_000_000, 1_000_000, 5, 2_000_000]);
        assert_eq!(profile["weights"], weights);
        assert_eq!(profile["endValue"], 6_000_005);
        assert_eq!(profile["unit"], "nanoseconds");
    }

    #[test]
    fn where_no_time_was_told_looks_count() {
        let mut samples = Samples::every(Duration::from_millis(1));
        samples.count(
            None,
            SampleCount {
                samples: 4,
                cpu_ns: 0,
            },
        );
        let profile = &speedscope("k", &samples)["profiles"][0];
        assert_eq!(
            (&profile["unit"], &profile["endValue"]),
            (&json!("none"), &json!(4))
        );
        assert_eq!(bars(&svg("k", &samples)).len(), 2);
    }

    #[test]
    fn counts_beyond_all_measure_overflow_nothing() {
        let mut samples = Samples::every(Duration::from_millis(1));
        for name in ["a", "b", "c"] {
            let place = samples.place(&[function(name, None)], false);
            let most = u64::MAX;
            let count = SampleCount {
                samples: most,
                cpu_ns: most,
            };
            samples.count(place, count);
        }
        let bars = bars(&svg("k", &samples));
        assert_eq!(bars.iter().map(|(_, left, _)| left).max(), Some(&80_000));
        assert_eq!(
            speedscope("k", &samples)["profiles"][0]["endValue"],
            u64::MAX
        );
    }

    #[test]
    fn a_label_loses_its_path_and_then_its_end() {
        let fits = |columns: u64| fitted("gaps::inner::widest", columns * LETTER_HUNDREDTHS);
        assert_eq!(fits(19).as_deref(), Some("gaps::inner::widest"));
        assert_eq!(fits(18).as_deref(), Some("widest"));
        assert_eq!(fits(5).as_deref(), Some("gaps…"));
        assert_eq!(fits(2), None);
        let wide = fitted("関数の名前", 5 * LETTER_HUNDREDTHS);
        assert_eq!(wide.as_deref(), Some("関数…"));
    }

    #[test]
    fn a_tooltip_has_the_file_and_where_most_of_it_was() {
        let mut samples = Samples::every(Duration::from_millis(1));
        for (line, looks) in [(7, 1), (9, 5)] {
            let place = samples.place(&[function("main", Some(line))], false);
            let count = SampleCount {
                samples: looks,
                cpu_ns: looks,
            };
            samples.count(place, count);
        }
        assert!(svg("k", &samples).contains("main at src/lib.rs:9 mostly&#10;100.0 %"));
    }
}
