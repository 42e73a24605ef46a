//! A component to lock a runner with: it does nothing, and nobody calls it.

use crate::build::sections;
use crate::sdk;
use anyhow::{Context, Result};
use hotcell::Component;
use hotcell_manifest::{ComponentRecord, DType, KernelRecord, Parameter, Record, Role, Weight};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi};

/// Makes it, from the embedded interface alone.
pub(super) fn make() -> Result<Component> {
    let (mut resolve, world) = sdk::world();
    // Of what kernels may import it takes what its export needs, and so wants no grant.
    let is_needed = |name: &str| name.starts_with("hotcell:kernel/arrays");
    let names: Vec<_> = resolve.worlds[world].imports.keys().cloned().collect();
    for key in names {
        if !is_needed(&resolve.name_world_key(&key)) {
            resolve.worlds[world].imports.shift_remove(&key);
        }
    }
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, mangling);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let mut component = ComponentEncoder::default()
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .context("the doctor's own component cannot be made")?;
    sections::append_manifest(&mut component, &manifest());
    Ok(Component::new(component))
}

/// One entry that writes one byte.
fn manifest() -> Vec<u8> {
    let component = ComponentRecord {
        name: "doctor".into(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let kernel = KernelRecord {
        name: "nothing".into(),
        doc: String::new(),
        signature: "->(n)".into(),
        parameters: vec![Parameter {
            name: "out".into(),
            role: Role::Output,
            dtype: DType::U8,
            default: None,
            halo: 0,
        }],
        split: None,
        cost: None,
        weight: Weight::Light,
        limits: Default::default(),
        wants: None,
    };
    [
        Record::from(component).encode(),
        Record::from(kernel).encode(),
    ]
    .concat()
}
