//! Bytes that are no kernel component, or one that lies.

use super::{Attack, Content, Expected, Group, ends};
use crate::guest::Guest;
use hotcell::outcome::{Blame, OutcomeKind};
use wasm_encoder::{ComponentSectionId, Encode};

/// The first eight bytes of a component.
const PREAMBLE: &[u8] = b"\0asm\x0d\0\x01\0";
/// How many mutated components there are.
const MUTATED: u64 = 48;

pub(super) fn attacks() -> impl Iterator<Item = Attack> {
    let invalid = invalid().into_iter().map(|(name, bytes)| {
        let expected = ends(OutcomeKind::InvalidComponent, Some(Blame::Guest));
        attack(name, bytes, expected)
    });
    let honest = Guest::named("honest").bytes();
    let mutated = (0..MUTATED).map(move |seed| {
        attack(
            format!("mutated-{seed}"),
            mutate(&honest, seed),
            anything_of_the_guests(),
        )
    });
    invalid.chain(mutated).chain(read())
}

/// Commands that read a component and run nothing.
fn read() -> Vec<Attack> {
    let honest = Guest::named("honest").bytes();
    let cut = honest[..honest.len() / 2].to_vec();
    let attack = |command: &str, name: &str, bytes: &[u8], kind| {
        Attack::new(
            Group::Component,
            format!("{command}-{name}"),
            Expected::NoLaunch(kind),
        )
        .file("kernel.wasm", Content::Bytes(bytes.to_vec()))
        .line(&format!("{command} kernel.wasm"))
    };
    ["inspect", "compile"]
        .into_iter()
        .flat_map(|command| {
            [
                attack(command, "honest", &honest, OutcomeKind::Done),
                attack(command, "truncated", &cut, OutcomeKind::InvalidComponent),
                attack(
                    command,
                    "nested",
                    &nested_components(2000),
                    OutcomeKind::InvalidComponent,
                ),
            ]
        })
        .collect()
}

fn attack(name: impl Into<String>, bytes: Vec<u8>, expected: Expected) -> Attack {
    Attack::new(Group::Component, name, expected)
        .file("kernel.wasm", Content::Bytes(bytes))
        .run("kernel.wasm", "--timeout 1s --fuel 100M")
}

fn invalid() -> Vec<(&'static str, Vec<u8>)> {
    let guest = Guest::named("honest");
    let (honest, manifest) = (guest.bytes(), guest.manifest());
    let sections = |sections| guest.clone().sections(sections).bytes();
    vec![
        ("empty", Vec::new()),
        ("text", b"(component)".to_vec()),
        ("archive", b"PK\x03\x04 no kernel".to_vec()),
        ("magic-alone", b"\0asm".to_vec()),
        ("core-module", b"\0asm\x01\0\0\0".to_vec()),
        ("unknown-version", b"\0asm\xff\0\x01\0".to_vec()),
        ("empty-component", PREAMBLE.to_vec()),
        ("truncated-by-a-byte", honest[..honest.len() - 1].to_vec()),
        ("truncated-by-half", honest[..honest.len() / 2].to_vec()),
        ("truncated-to-a-little", honest[..100].to_vec()),
        ("trailing-garbage", [&honest[..], &[0xff; 100]].concat()),
        (
            "section-longer-than-the-file",
            [PREAMBLE, &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat(),
        ),
        ("no-manifest", sections(Vec::new())),
        (
            "two-manifests",
            sections(vec![manifest.clone(), manifest.clone()]),
        ),
        (
            "manifest-cut-short",
            sections(vec![manifest[..manifest.len() - 1].to_vec()]),
        ),
        ("manifest-of-nothing", sections(vec![Vec::new()])),
        ("manifest-of-noise", sections(vec![noise(5000, 7)])),
        (
            "component-types-without-end",
            nested_types(ComponentSectionId::Type, 0x41),
        ),
        (
            "instance-types-without-end",
            nested_types(ComponentSectionId::Type, 0x42),
        ),
        (
            "module-types-without-end",
            nested_types(ComponentSectionId::CoreType, 0x50),
        ),
        ("components-without-end", nested_components(2000)),
    ]
}

/// A type whose only declaration is a type like itself, 100 000 times.
fn nested_types(section: ComponentSectionId, ty: u8) -> Vec<u8> {
    let mut types = vec![1];
    types.extend([ty, 1, 1].repeat(100_000));
    types.extend([ty, 0]);
    in_section(section, &types)
}

/// A component in a component, and so on.
fn nested_components(depth: usize) -> Vec<u8> {
    (0..depth).fold(PREAMBLE.to_vec(), |inner, _| {
        in_section(ComponentSectionId::Component, &inner)
    })
}

fn in_section(id: ComponentSectionId, contents: &[u8]) -> Vec<u8> {
    let mut bytes = PREAMBLE.to_vec();
    bytes.push(id.into());
    contents.encode(&mut bytes);
    bytes
}

/// The component with one to eight bytes changed.
fn mutate(honest: &[u8], seed: u64) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    let noise = noise(4 * 8, seed + 1);
    let changes = usize::try_from(seed % 8 + 1).unwrap_or(1);
    for change in noise.chunks_exact(4).take(changes) {
        let at =
            usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2]);
        // The preamble is left alone: what is told apart there needs no luck.
        let at = 8 + at % (bytes.len() - 8);
        bytes[at] ^= change[3] | 1;
    }
    bytes
}

/// Bytes that look random and are the same each time (xorshift64*).
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0]
    };
    std::iter::repeat_with(step).take(len).collect()
}

/// A changed component may still be one, of another kernel: whatever it does is its own doing, or makes the
/// command line one for another kernel. It is never the host's.
fn anything_of_the_guests() -> Expected {
    use OutcomeKind::{
        Denied, Done, InvalidComponent, KernelError, Limit, MemoryLimit, OutOfFuel, Timeout, Trap,
        Usage,
    };
    let kinds = [
        Done,
        Usage,
        KernelError,
        Trap,
        OutOfFuel,
        Timeout,
        MemoryLimit,
        Denied,
        InvalidComponent,
        Limit,
    ];
    Expected::Outcome(kinds.to_vec(), None)
}
