//! The honest component that a bomb travels in.

use crate::guest::Guest;
use wasm_encoder::{
    ComponentExportKind, ComponentInstanceSection, ComponentSection, ComponentSectionId,
    CustomSection, Encode, Module,
};

/// The most that the component of a bomb weighs: just under 16 MiB.
const COMPONENT_BYTES: usize = (16 << 20) - (64 << 10);

/// An honest component that takes on more.
pub(super) struct Carrier {
    bytes: Vec<u8>,
    components: u32,
}

impl Carrier {
    pub(super) fn honest() -> Self {
        let bytes = Guest::named("honest").bytes();
        let components = count(&bytes, ComponentSectionId::Component);
        Self { bytes, components }
    }

    /// How many bytes there is still room for.
    pub(super) fn room(&self) -> usize {
        COMPONENT_BYTES.saturating_sub(self.bytes.len())
    }

    /// Adds a core module. It is compiled though nothing instantiates it.
    pub(super) fn module(&mut self, module: Module) -> &mut Self {
        self.section(ComponentSectionId::CoreModule, &module.finish())
    }

    /// Adds a component and an instance of it.
    pub(super) fn component(&mut self, component: &[u8]) -> &mut Self {
        self.section(ComponentSectionId::Component, component);
        let mut instances = ComponentInstanceSection::new();
        let arguments: [(&str, ComponentExportKind, u32); 0] = [];
        instances.instantiate(self.components, arguments);
        self.components += 1;
        instances.append_to_component(&mut self.bytes);
        self
    }

    /// Adds a custom section.
    pub(super) fn custom(&mut self, name: &str, data: &[u8]) -> &mut Self {
        let section = CustomSection {
            name: name.into(),
            data: data.into(),
        };
        section.append_to_component(&mut self.bytes);
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn section(&mut self, id: ComponentSectionId, contents: &[u8]) -> &mut Self {
        self.bytes.push(id.into());
        contents.len().encode(&mut self.bytes);
        self.bytes.extend_from_slice(contents);
        self
    }
}

/// How many sections of that kind a component has at its top level.
fn count(component: &[u8], wanted: ComponentSectionId) -> u32 {
    // After the magic and the version: an id, the length in LEB128, the contents.
    let (mut rest, mut found) = (component.get(8..).unwrap_or_default(), 0);
    while let [id, more @ ..] = rest {
        let digits = more.iter().take_while(|byte| **byte >= 0x80).count() + 1;
        let digit = |len: usize, byte: &u8| len << 7 | usize::from(byte & 0x7f);
        let len = more[..digits].iter().rev().fold(0, digit);
        found += u32::from(*id == u8::from(wanted));
        rest = &more[digits + len..];
    }
    found
}
