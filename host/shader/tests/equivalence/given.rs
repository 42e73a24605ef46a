//! What generated shaders are given: texts, ways to instrument them, buffers and fuel.

use crate::machine::Buffers;
use crate::shader::{self, Loops};
use hotcell_shader::admission::{AdmissionLimits, Admitted, admit};
use hotcell_shader::fuel::{
    FuelOptions, FuelPool, InstrumentError, Instrumented, MeterWords, PoolWords, instrument,
};

/// Workgroups of every dispatch here.
pub(crate) const WORKGROUPS: u32 = 2;
pub(crate) const INVOCATIONS: u32 = WORKGROUPS * shader::LANES;
pub(crate) const METER: (u32, u32) = (4, 0);
pub(crate) const POOL: (u32, u32) = (4, 1);
pub(crate) const TERMS: (u32, u32) = (4, 2);
/// More fuel than any shader here needs that ends.
pub(crate) const PLENTY: u64 = 1 << 40;

/// How many shaders are checked.
pub(crate) fn count(default: u64) -> u64 {
    match std::env::var("HOTCELL_SHADERS") {
        Ok(text) => text.parse().expect("HOTCELL_SHADERS is a number"),
        Err(_) => default,
    }
}

/// The ways in which shaders are instrumented.
pub(crate) const OPTIONS: [FuelOptions; 3] = [
    FuelOptions {
        profile: true,
        force: false,
        turns: None,
        has_subgroups: true,
    },
    FuelOptions {
        profile: true,
        force: false,
        turns: Some(65_535),
        has_subgroups: true,
    },
    FuelOptions {
        profile: true,
        force: true,
        turns: Some(u32::MAX),
        has_subgroups: false,
    },
];

pub(crate) fn text_of(seed: u64) -> String {
    let loops = if seed.is_multiple_of(3) {
        Loops::MayBeEndless
    } else {
        Loops::Finite
    };
    shader::shader(seed, loops)
}

pub(crate) fn admitted(seed: u64) -> Admitted {
    admit_text(&text_of(seed))
}

pub(crate) fn admit_text(text: &str) -> Admitted {
    let limits = AdmissionLimits {
        shader_bytes: 1 << 20,
        operations: 1 << 20,
        workgroup_bytes: 1 << 14,
        workgroup_invocations: 256,
        workgroup_size: [256, 256, 64],
        has_subgroups: false,
    };
    admit(text, "main", &[], &limits).unwrap_or_else(|refusal| panic!("{refusal:?}\n{text}"))
}

/// Nothing for a shader that certainly makes more turns than the driver of those options lets it.
pub(crate) fn instrumented(
    seed: u64,
    admitted: &Admitted,
    options: FuelOptions,
) -> Option<Instrumented> {
    match instrument(admitted, options) {
        Ok(instrumented) => Some(instrumented),
        Err(InstrumentError::TooManyTurns { .. }) => None,
        Err(error) => panic!("shader {seed}: {error:?}\n{}", text_of(seed)),
    }
}

fn words(count: u32, word: impl Fn(u32) -> u32) -> Vec<u32> {
    (0..count).map(word).collect()
}

/// What every shader is given, with an empty meter.
pub(crate) fn buffers() -> Buffers {
    Buffers::from([
        ((0, 0), words(INVOCATIONS, |index| index * 5)),
        ((0, 1), words(shader::TABLE, |index| index * 7 % 11)),
        ((0, 2), words(shader::TOTALS, |_| 0)),
        ((0, 3), vec![5, 3]),
    ])
}

/// What there is to spend, and the units that each invocation begins with, as a session would share it.
pub(crate) fn pool(shader: &Instrumented, fuel: u64) -> (FuelPool, u32) {
    let invocations = u64::from(INVOCATIONS);
    let Some(allowance) = shader.allowance else {
        return FuelPool::to_draw_from(fuel, invocations, 8);
    };
    match FuelPool::to_keep_below(fuel, allowance.saturating_mul(2 * invocations)) {
        Some(pool) => (pool, pool.credit_for(allowance)),
        None => {
            let pool = FuelPool::of_shares(fuel);
            (pool, pool.credit(allowance.min(fuel / invocations / 2)))
        }
    }
}

/// What every shader is given, and what there is to spend.
pub(crate) fn fuelled(shader: &Instrumented, fuel: u64) -> Buffers {
    let (pool, credit) = pool(shader, fuel);
    let mut buffers = buffers();
    buffers.insert(METER, vec![0; MeterWords::COUNT]);
    let mut words = vec![0; PoolWords::COUNT];
    words[0] = pool.start();
    buffers.insert(POOL, words);
    buffers.insert(TERMS, pool.terms(credit).to_vec());
    buffers
}

/// How many invocations say that they came to their end.
pub(crate) fn settled(shader: &Instrumented) -> u32 {
    if shader.is_counted { INVOCATIONS } else { 0 }
}
