//! Whether naga's back end gets through a module.
//!
//! What it panics on would panic inside the device, whose state nobody could vouch for afterwards; here nothing is lost
//! by it.

use crate::admission::{RefusalReason, ShaderRefusal};
use crate::fuel::Instrumented;
use crate::panics::caught;
use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};

/// Translates a module as a device would.
///
/// # Errors
/// Why the back end does not get through it.
pub fn check(instrumented: &Instrumented) -> Result<(), ShaderRefusal> {
    let options = spv::Options {
        lang_version: (1, 3),
        // The places of bindings are the device's to give; the code is the same.
        fake_missing_bindings: true,
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Restrict,
            ..BoundsCheckPolicies::default()
        },
        ..spv::Options::default()
    };
    let point = spv::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: instrumented.entry.clone(),
    };
    let (module, info) = (&instrumented.module, &instrumented.info);
    match caught(|| spv::write_vec(module, info, &options, Some(&point))) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(ShaderRefusal::of_shader(RefusalReason::Invalid(
            error.to_string(),
        ))),
        Err(_) => Err(ShaderRefusal::of_shader(RefusalReason::BackEnd)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    /// A module as the fuel pass leaves it, and as admission might not.
    fn instrumented(wgsl: &str) -> Instrumented {
        let module = naga::front::wgsl::parse_str(wgsl).unwrap();
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
        let info = validator.validate(&module).unwrap();
        Instrumented {
            module,
            info,
            entry: "main".to_owned(),
            static_fuel: 0,
            allowance: None,
            is_counted: false,
            is_dynamic: false,
            meter: None,
        }
    }

    #[test]
    fn what_the_back_end_panics_on_is_a_refusal() {
        let fine = "fn raise(p: ptr<function, u32>) { *p += 1u; }
            @compute @workgroup_size(1) fn main() { var a: array<u32, 4>; var b = a[1]; raise(&b); }";
        assert_eq!(check(&instrumented(fine)), Ok(()));
        // Admission refuses this one by name, since the back end is known to panic on it.
        let panics = fine.replace("raise(&b)", "raise(&a[1])");
        let refused = check(&instrumented(&panics)).unwrap_err();
        assert_eq!(refused, ShaderRefusal::of_shader(RefusalReason::BackEnd));
    }
}
