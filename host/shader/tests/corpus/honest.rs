//! Honest shaders must be admitted, but for those of [`EXPECTED_REFUSALS`].

use crate::header::{Shader, load};
use hotcell_shader::admission::{AdmissionLimits, Admitted, admit};
use hotcell_shader::fuel::{FuelOptions, instrument};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Honest shaders that admission refuses all the same, with the reason. At most one in fifty.
const EXPECTED_REFUSALS: &[(&str, &str)] = &[];

/// What WGSL's own rules need of naga, given subgroups.
const WGSL: Capabilities = Capabilities::SUBGROUP.union(Capabilities::SHADER_FLOAT16_IN_FLOAT32);

fn corpus() -> Vec<Shader> {
    let shaders = load("honest");
    assert!(shaders.len() >= 200, "{} honest shaders", shaders.len());
    shaders
}

fn refusals() -> Vec<(String, String)> {
    let limits = AdmissionLimits::by_default();
    let mut refused = Vec::new();
    for shader in corpus() {
        let refusal = shader
            .entries()
            .into_iter()
            .find_map(|entry| admit(&shader.wgsl, entry, &shader.constants(), &limits).err());
        refused.extend(refusal.map(|refusal| (shader.name, refusal.to_string())));
    }
    refused
}

/// Admits every entry point of the corpus that is not refused.
fn for_each_admitted(mut check: impl FnMut(&str, &Admitted)) {
    let limits = AdmissionLimits::by_default();
    for shader in corpus() {
        for entry in shader.entries() {
            if let Ok(admitted) = admit(&shader.wgsl, entry, &shader.constants(), &limits) {
                check(&shader.name, &admitted);
            }
        }
    }
}

#[test]
fn honest_shaders_are_valid_and_have_the_entry_points_they_name() {
    for shader in corpus() {
        let module = naga::front::wgsl::parse_str(&shader.wgsl).unwrap_or_else(|error| {
            panic!("{}: {}", shader.name, error.emit_to_string(&shader.wgsl))
        });
        Validator::new(ValidationFlags::all(), WGSL)
            .validate(&module)
            .unwrap_or_else(|error| {
                panic!("{}: {}", shader.name, error.emit_to_string(&shader.wgsl))
            });
        assert!(
            !shader.entries().is_empty(),
            "{} names no entry point",
            shader.name
        );
        for entry in shader.entries() {
            let is_there = module.entry_points.iter().any(|point| point.name == entry);
            assert!(is_there, "{}: no entry point {entry}", shader.name);
        }
    }
}

#[test]
fn honest_shaders_are_admitted_but_for_the_listed_ones() {
    let refused = refusals();
    for (name, reason) in &refused {
        println!("{name}: {reason}");
    }
    let unlisted: Vec<_> = refused
        .iter()
        .filter(|(name, _)| !EXPECTED_REFUSALS.iter().any(|(listed, _)| listed == name))
        .collect();
    assert!(unlisted.is_empty(), "false refusals: {unlisted:#?}");
    for (listed, reason) in EXPECTED_REFUSALS {
        let still = refused
            .iter()
            .any(|(name, why)| name == listed && why.contains(reason));
        assert!(still, "{listed} is no longer refused for {reason:?}");
    }
    assert!(
        EXPECTED_REFUSALS.len() * 50 <= corpus().len(),
        "more than 2 % are refused"
    );
}

#[test]
fn honest_shaders_are_instrumented_with_every_option() {
    for_each_admitted(|name, admitted| {
        for (profile, force) in [(false, false), (true, false), (false, true), (true, true)] {
            let instrumented = instrument(
                admitted,
                FuelOptions {
                    profile,
                    force,
                    turns: Some(65_535),
                    has_subgroups: profile,
                },
            )
            .unwrap_or_else(|error| panic!("{name}: {error}"));
            Validator::new(ValidationFlags::all(), WGSL)
                .validate(&instrumented.module)
                .unwrap_or_else(|error| panic!("{name}: {:?}", error.as_inner()));
            assert_eq!(
                instrumented.is_dynamic,
                instrumented.meter.is_some(),
                "{name}"
            );
            let size = instrumented
                .module
                .entry_points
                .iter()
                .find(|point| point.name == instrumented.entry);
            let size = size
                .unwrap_or_else(|| panic!("{name}: the entry point is lost"))
                .workgroup_size;
            assert_eq!(size, admitted.workgroup_size(), "{name}");
        }
    });
}

#[test]
fn a_third_of_the_honest_shaders_need_no_meter() {
    let (mut fixed, mut all) = (0, 0);
    for_each_admitted(|name, admitted| {
        let instrumented = instrument(admitted, FuelOptions::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(instrumented.static_fuel > 0, "{name} costs nothing");
        fixed += u32::from(!instrumented.is_dynamic);
        all += 1;
    });
    println!("{fixed} of {all} entry points need no meter");
    assert!(
        fixed * 3 > all,
        "only {fixed} of {all} entry points are proven finite"
    );
}
