//! What the tests of kernels with a GPU form share: each includes this file by its path.

use naga::ShaderStage;
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};

/// Checks WGSL as the host's translator does, and that it has these compute entry points.
pub(crate) fn check(source: &str, entries: &[&str]) {
    let module = naga::front::wgsl::parse_str(source);
    let module = module.unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP);
    validator
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all());
    let validated = validator.validate(&module);
    validated.unwrap_or_else(|error| panic!("{}", error.emit_to_string(source)));
    let compute = module.entry_points.iter();
    let compute = compute.filter(|entry| entry.stage == ShaderStage::Compute);
    let found: Vec<&str> = compute.map(|entry| entry.name.as_str()).collect();
    assert_eq!(found, entries);
}
