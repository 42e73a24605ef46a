//! Shaders in a component's section: read and judged before a launch, and hostile like everything else in it.

use hotcell::Component;
use hotcell::limit::Limits;
use hotcell::manifest::{SHADERS_SECTION, Shaders, Weight};
use hotcell::outcome::{Blame, Outcome, OutcomeKind};
use hotcell::shader::{CostClass, Judged, Shader, Verdict};
use hotcell_tests::{Guest, arena, assert_ended, honest_request};
use wasm_encoder::{ComponentSection as _, CustomSection};

/// The honest guest with these sections of shaders.
fn guest(sections: &[&[u8]]) -> Component {
    let mut component = Guest::named("honest").bytes();
    for section in sections {
        let section = CustomSection {
            name: SHADERS_SECTION.into(),
            data: (*section).into(),
        };
        section.append_to_component(&mut component);
    }
    Component::new(component)
}

fn record(name: &str, text: &[u8]) -> Vec<u8> {
    let head = [1, name.len(), text.len()].map(|word| u32::try_from(word).unwrap().to_le_bytes());
    [head.as_flattened(), name.as_bytes(), text].concat()
}

/// A text with a compute entry point of that body.
fn text(body: &str) -> String {
    format!(
        "override WIDTH: u32;
        @group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {{ {body} }}"
    )
}

#[test]
fn a_section_of_shaders_that_is_none_is_an_invalid_component() {
    let arena = arena!();
    let good = record("a.wgsl", b"");
    let many = (0..65).map(|number| record(&number.to_string(), b""));
    let many: Vec<u8> = many.flatten().collect();
    for (sections, says) in [
        (vec![&good[..], &good], "2 `hotcell:shaders` sections"),
        (vec![&[&good[..], &good].concat()], "two shaders named"),
        (vec![&good[..good.len() - 1]], "cut short"),
        (vec![b"\x02\0\0\0\0\0\0\0\0\0\0\0"], "schema 2"),
        (vec![&record("\x1b[2J", b"")], "a name that is none"),
        (vec![&many], "more than 64 shaders"),
        (vec![&vec![0; Shaders::MAX_BYTES + 1]], "at most 1048576"),
    ] {
        let ended = arena.cell.run(&guest(&sections), honest_request());
        assert_ended(&ended, OutcomeKind::InvalidComponent, Some(Blame::Guest));
        let message = &ended.outcome.message;
        assert!(message.contains(says), "{message}, not {says}");
        assert!(!message.contains(char::is_control));
    }
    arena.assert_serves();
}

/// What is said of a component with these shaders, which runs all the same.
fn described(shaders: &[(&str, &[u8])]) -> Vec<Shader> {
    let arena = arena!();
    let section: Vec<u8> = shaders
        .iter()
        .flat_map(|(name, text)| record(name, text))
        .collect();
    let component = guest(&[&section]);
    let limits = Limits::defaults(Weight::Normal);
    let description = arena.cell.describe(&component, &limits).unwrap();
    let ended = arena.cell.run(&component, honest_request());
    assert_eq!(ended.outcome, Outcome::done());
    for (shader, (name, text)) in description.shaders.iter().zip(shaders) {
        let found = shader.of(component.bytes()).unwrap();
        assert_eq!((&*found.name, &found.text[..]), (*name, *text));
    }
    assert_eq!(description.shaders.len(), shaders.len());
    description.shaders.clone()
}

#[test]
fn a_shader_is_described_with_what_it_costs_or_why_it_is_refused() {
    let uniform = text("if i == 0u { workgroupBarrier(); } x[i] = 1u;");
    let panics = text("const_assert vec2(true); x[i] = 1u;");
    let shaders = described(&[
        ("good.wgsl", text("x[i] = 1u;").as_bytes()),
        ("open.wgsl", text("x[i] = WIDTH;").as_bytes()),
        ("uniform.wgsl", uniform.as_bytes()),
        ("panics.wgsl", panics.as_bytes()),
        ("bytes.wgsl", b"\xff"),
        ("empty.wgsl", b""),
        ("large.wgsl", &vec![b' '; 300 << 10]),
    ]);
    let verdict = |at: usize| match &shaders[at].judged {
        Judged::Entries(entries) => match &entries[..] {
            [entry] if entry.name == "main" => entry.verdict.clone(),
            other => panic!("{other:?}"),
        },
        Judged::Refused(why) => Verdict::Refused(why.clone()),
    };
    let Verdict::Admitted { operations, cost } = verdict(0) else {
        panic!("{:?}", verdict(0));
    };
    assert!(operations > 0);
    assert_eq!(cost.class, CostClass::Light);
    assert_eq!(verdict(1), Verdict::Open("WIDTH".to_owned()));
    for (at, says) in [
        (2, "must only be reached by all invocations"),
        (3, "`const_assert` wants one `bool`"),
        (4, "not UTF-8"),
        (5, "no compute entry point"),
        (6, "limit gpu_shader_bytes"),
    ] {
        match verdict(at) {
            Verdict::Refused(why) => assert!(why.contains(says), "{why}, not {says}"),
            other => panic!("{says}: {other:?}"),
        }
    }
}

#[test]
fn a_shader_of_many_entry_points_is_refused_in_few_words() {
    let entries = (0..65).map(|number| format!("@compute @workgroup_size(1) fn e{number}() {{}}"));
    let text = entries.collect::<String>();
    let shaders = described(&[("many.wgsl", text.as_bytes())]);
    let why = Judged::Refused(
        "65 compute entry points, at most 64 allowed in a component's section".to_owned(),
    );
    assert_eq!(shaders[0].judged, why);
}
