//! A component to lock a runner with: it does nothing, and nobody calls it.

use anyhow::{Context, Result};
use hotcell::Component;
use hotcell_build::{ManifestSource, componentize, sdk};
use hotcell_manifest::{
    ComponentRecord, DType, KernelRecord, Manifest, ManifestError, Parameter, Role, Weight,
};
use wit_component::{StringEncoding, dummy_module, embed_component_metadata};
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
    let component = componentize(&module, ManifestSource::Given(&manifest()?))
        .context("the doctor's own component cannot be made")?;
    Ok(Component::new(component))
}

/// One entry that writes one byte.
fn manifest() -> Result<Manifest, ManifestError> {
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
    Manifest::from_records(vec![component.into(), kernel.into()])
}
