//! What an artifact depends on besides its component, in words.

use hotcell_model::profile::{EngineProfile, Metering};

/// The wasmtime that this host is built with. In words here, so that a process without an engine knows it.
const WASMTIME: &str = "48.0.8";

/// Counts changes of this crate's configuration that change machine code.
const CONFIGURATION: u32 = 2;

/// Counts changes of what the compiler's pass over NaNs makes, which deterministic artifacts depend on. The compiler's tests
/// hold what it makes against this number.
pub const LAZY_NANS: u32 = 1;

/// The profile of engines that this crate makes for `metering` on this machine.
///
/// Two engines of the same profile can use each other's artifacts. The runner checks that again when
/// it loads one, so a gap in this list costs a compilation and not safety.
pub fn profile(metering: Metering) -> EngineProfile {
    EngineProfile {
        compiler: compiler(metering),
        configuration: CONFIGURATION,
        metering,
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        cpu_features: cpu_features().join(" "),
    }
}

fn compiler(metering: Metering) -> String {
    match metering {
        Metering::Fast | Metering::Strict => format!("wasmtime {WASMTIME}"),
        Metering::Deterministic => format!("wasmtime {WASMTIME}, lazy NaNs {LAZY_NANS}"),
    }
}

/// The CPU features that Cranelift looks for, where the machine has them.
#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! look_for {
        ($($feature:tt)*) => {
            $(if std::arch::is_x86_feature_detected!($feature) {
                found.push($feature);
            })*
        };
    }
    look_for!("sse3" "cmpxchg16b" "ssse3" "sse4.1" "sse4.2" "popcnt" "avx" "avx2" "fma" "bmi1" "bmi2"
        "avx512bitalg" "avx512dq" "avx512f" "avx512vl" "avx512vbmi" "lzcnt");
    found
}

/// The CPU features that Cranelift looks for, where the machine has them.
#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! look_for {
        ($($feature:tt)*) => {
            $(if std::arch::is_aarch64_feature_detected!($feature) {
                found.push($feature);
            })*
        };
    }
    look_for!("lse" "paca" "fp16");
    found
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_name_the_compiler_and_differ_by_metering() {
        let strict = profile(Metering::Strict);
        assert_eq!(WASMTIME, wasmtime_environ::VERSION);
        assert_eq!(strict, profile(Metering::Strict));
        assert_ne!(strict, profile(Metering::Fast));
    }
}
