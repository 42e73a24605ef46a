//! What a component calls itself and its functions is text wherever it is shown, and what it says of its cost is held against its code.

use super::with;
use hotcell_manifest::Weight;
use hotcell_tests::{Command, Guest};

/// Markup, a sequence that sets a terminal's title, a forged line, a link and a row of a table; as it stands in a module's text.
const NAME: &str =
    r"</title><script>alert(1)</script>\1b]0;owned\07\n| NOTE | [x](javascript:alert(1))";
/// A loop inside a loop: it turns as often as the square of the array's length.
const SQUARE: &str = r#"
(func $work (@name "NAME") (export "hotcell-kernel:attack") (param $n i32) (param $x i32) (param $o i32)
  (local $i i32) (local $j i32)
  (block $out (loop $next
    (br_if $out (i32.ge_u (local.get $i) (local.get $n)))
    (local.set $j (i32.const 0))
    (block $row_out (loop $row
      (br_if $row_out (i32.ge_u (local.get $j) (local.get $n)))
      (local.set $j (i32.add (local.get $j) (i32.const 1)))
      (br $row)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $next))))
(func $attack
  (call $work (i32.wrap_i64 (call $input_size (global.get $in))) (i32.const 0) (i32.const 0))
  (call $read (global.get $in) (i64.const 0)
    (i32.wrap_i64 (call $input_size (global.get $in))) (i32.const 40))
  (call $write (global.get $out) (i64.const 0)
    (i32.load (i32.const 40)) (i32.load (i32.const 44)))
  (call $drop_input (global.get $in))
  (call $drop_output (global.get $out)))"#;

/// A place with that guest in it, as `square.wasm`.
fn with_square(name: &str, weight: Weight) -> Command {
    let guest = Guest::of(SQUARE.replace("NAME", name)).record(|record| {
        record.weight = weight;
        record.doc = "<img src=x onerror=alert(1)>\u{1b}[2J".to_owned();
    });
    let command = with(&[]);
    command.guest("square", &guest);
    command
}

/// Nothing in it moves a terminal's cursor or begins a line of its own.
#[track_caller]
fn assert_inert(text: &str) {
    let is_odd = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(is_odd), "{text:?}");
    let forged = text.lines().find(|line| line.starts_with("| NOTE"));
    assert_eq!(forged, None, "{text}");
}

#[test]
fn a_terminal_is_shown_names_and_not_what_they_would_do() {
    let command = with_square(NAME, Weight::Normal);
    let inspected = command.run("inspect square.wasm").exits(0);
    assert_inert(&inspected.stdout);
    // The loop's function is named, and so is what the kernel is about.
    inspected.prints(&["<script>", "\\u{1b}]0;owned", "<img src=x", "\\u{1b}[2J"]);
    let json = command.run("inspect square.wasm --json").exits(0).stdout;
    assert!(!json.contains('\u{1b}'), "{json}");
    serde_json::from_str::<serde_json::Value>(&json).expect("it is JSON");
}

#[test]
fn a_profiles_page_and_samples_have_names_as_text() {
    let command = with_square(NAME, Weight::Normal);
    let profiled = command
        .run(
            "profile square.wasm --sweep n=256..4k --search 4 --honest 4 --repeats 1 --html p.html --samples s.json",
        )
        .exits(0);
    assert_inert(&profiled.stdout);
    let page = std::fs::read_to_string(command.path("p.html")).unwrap();
    assert_inert(&page);
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{page}"
    );
    for markup in ["<script", "</title></title>", "<img", "href=\"javascript"] {
        assert!(!page.contains(markup), "{markup}");
    }
    let samples = std::fs::read_to_string(command.path("s.json")).unwrap();
    assert!(!samples.contains('\u{1b}'));
    let samples: serde_json::Value = serde_json::from_str(&samples).unwrap();
    let frames = samples["shared"]["frames"].as_array().unwrap().iter();
    let named = frames.filter(|frame| frame["name"].as_str().unwrap().contains("<script>"));
    assert_eq!(named.count(), 1, "{samples}");
}

#[test]
fn a_manifest_that_lies_is_told_of_wherever_somebody_looks() {
    let command = with_square("work", Weight::Light);
    let figures = command.path("hotcell.prom");
    command.own_policy(&format!(
        "schema = 1\n[metrics]\ntextfile = \"{}\"\n",
        figures.display()
    ));
    let says = "its code takes more than in proportion to its arrays as `n` grows";
    command
        .run("inspect square.wasm")
        .exits(0)
        .prints(&["NOTE", says]);
    command
        .run("run square.wasm --in x=@x.npy --report r.json")
        .exits(0);
    let report = command.report_with_alerts("r.json");
    assert_eq!(report["alerts"][0]["kind"], "manifest-lies", "{report}");
    let message = report["alerts"][0]["message"].as_str().unwrap();
    assert!(message.contains(says), "{message}");
    let found = command.run("audit query --json --alerts").exits(0).stdout;
    let record: serde_json::Value = serde_json::from_str(found.lines().last().unwrap()).unwrap();
    let recorded = &record["unmapped"]["hotcell"];
    assert_eq!(recorded["run_id"], report["run_id"], "{recorded}");
    assert_eq!(recorded["end"]["alerts"][0]["kind"], "manifest-lies");
    let figures = std::fs::read_to_string(figures).unwrap();
    let counted = figures
        .lines()
        .find(|line| line.starts_with("hotcell_alerts_total{") && line.contains("manifest-lies"));
    assert!(
        counted.is_some_and(|line| line.ends_with(" 1")),
        "{figures}"
    );
    // One that says what it is gives nobody an alert.
    let honest = with_square("work", Weight::Normal);
    honest
        .run("run square.wasm --in x=@x.npy --report r.json")
        .exits(0);
    honest.report("r.json");
}
