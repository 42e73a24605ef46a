//! What an instance of a component takes of a runner's pool, counted without making one. The engine looks at each
//! module by itself too, even at one that nothing instantiates.
//!
//! A component's core instances are those of its own modules and those of the components inside it, once for each
//! time that they are instantiated: a few lines that instantiate each other can make millions. So each part's need
//! is summed up when it ends, and added where it is instantiated. What is instantiated is known but for modules and
//! components that come as arguments or out of instances, which no tool for kernels makes: of those only the
//! instance itself is counted, and what it holds shows when the artifact is loaded.

use hotcell_engine::{METADATA_BYTES_PER_ENTRY, METADATA_BYTES_PER_INSTANCE, PoolNeed};
use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Encoding, Instance, Payload,
};

/// The unit of a linear memory's size.
const PAGE_BYTES: u64 = 64 << 10;

/// What an instance of a component takes, with all that is instantiated in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WholeNeed {
    pub(crate) need: PoolNeed,
    /// Entries of sections, each as often as it is instantiated.
    pub(crate) entries: u64,
}

/// Sums needs up over the payloads of a component, in order. They must be valid.
#[derive(Default)]
pub(crate) struct Needs {
    /// Modules and components that are open, from the outside in.
    open: Vec<NeedPart>,
    whole: WholeNeed,
    /// The most that any module takes by itself.
    module: PoolNeed,
}

/// A module or component that is being read.
enum NeedPart {
    Module(PoolNeed),
    Component(ComponentNeeds),
}

/// What a component has by number, as far as it is known.
#[derive(Default)]
struct ComponentNeeds {
    modules: Vec<Option<PoolNeed>>,
    components: Vec<Option<WholeNeed>>,
    whole: WholeNeed,
}

impl Needs {
    /// Takes a payload, which has been validated.
    pub(crate) fn payload(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { encoding, .. } => self.open.push(match encoding {
                Encoding::Module => NeedPart::Module(PoolNeed {
                    core_instances: 1,
                    metadata_bytes: METADATA_BYTES_PER_INSTANCE,
                    ..PoolNeed::default()
                }),
                Encoding::Component => NeedPart::Component(ComponentNeeds::default()),
            }),
            Payload::End(_) => self.end(),
            payload => match self.open.last_mut() {
                Some(NeedPart::Module(need)) => in_module(need, payload)?,
                Some(NeedPart::Component(_)) => self.in_component(payload)?,
                None => {}
            },
        }
        Ok(())
    }

    /// What a runner must have room for, once all of the component was read: each module, and an instance of all.
    pub(crate) fn whole(&self) -> WholeNeed {
        let mut whole = self.whole;
        whole.need.widen(&self.module);
        whole
    }

    fn end(&mut self) {
        let ended = self.open.pop();
        if let Some(NeedPart::Module(need)) = &ended {
            self.module.widen(need);
        }
        match (ended, self.component()) {
            (Some(NeedPart::Module(need)), Some(outer)) => outer.modules.push(Some(need)),
            (Some(NeedPart::Component(part)), Some(outer)) => {
                outer.components.push(Some(part.whole));
            }
            (Some(NeedPart::Component(part)), None) => {
                self.whole = part.whole;
                // Of components there is one context, in which those inside have entries.
                let metadata = &mut self.whole.need.metadata_bytes;
                *metadata = metadata.saturating_add(METADATA_BYTES_PER_INSTANCE);
            }
            _ => {}
        }
    }

    fn component(&mut self) -> Option<&mut ComponentNeeds> {
        match self.open.last_mut()? {
            NeedPart::Component(component) => Some(component),
            NeedPart::Module(_) => None,
        }
    }

    fn in_component(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        if let Payload::ComponentAliasSection(section) = payload {
            for alias in section.clone() {
                self.alias(&alias?);
            }
        }
        match self.component() {
            Some(component) => component.payload(payload),
            None => Ok(()),
        }
    }

    /// An alias is one more number for what has one elsewhere.
    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::Outer { kind, count, index } => {
                let (outer, index) = (self.outer(*count), *index as usize);
                let module = outer.and_then(|outer| *outer.modules.get(index)?);
                let component = outer.and_then(|outer| *outer.components.get(index)?);
                let Some(own) = self.component() else { return };
                match kind {
                    ComponentOuterAliasKind::CoreModule => own.modules.push(module),
                    ComponentOuterAliasKind::Component => own.components.push(component),
                    ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
                }
            }
            ComponentAlias::InstanceExport { kind, .. } => {
                if let Some(own) = self.component() {
                    own.unknown(*kind);
                }
            }
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }

    /// The component so many levels out.
    fn outer(&self, count: u32) -> Option<&ComponentNeeds> {
        match self.open.iter().rev().nth(count as usize)? {
            NeedPart::Component(component) => Some(component),
            NeedPart::Module(_) => None,
        }
    }
}

impl ComponentNeeds {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        let entries = match payload {
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    match import?.ty {
                        ComponentTypeRef::Module(_) => self.modules.push(None),
                        ComponentTypeRef::Component(_) => self.components.push(None),
                        _ => {}
                    }
                }
                section.count()
            }
            Payload::ComponentExportSection(section) => {
                // An export is one more number too.
                for export in section.clone() {
                    let export = export?;
                    let index = export.index as usize;
                    match export.kind {
                        ComponentExternalKind::Module => {
                            let module = self.modules.get(index).copied().flatten();
                            self.modules.push(module);
                        }
                        ComponentExternalKind::Component => {
                            let component = self.components.get(index).copied().flatten();
                            self.components.push(component);
                        }
                        _ => {}
                    }
                }
                section.count()
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        self.add_module(module_index);
                    }
                }
                section.count()
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance?
                    {
                        self.add_component(component_index);
                    }
                }
                section.count()
            }
            Payload::ComponentAliasSection(section) => section.count(),
            Payload::ComponentCanonicalSection(section) => section.count(),
            _ => 0,
        };
        self.whole.entries = self.whole.entries.saturating_add(u64::from(entries));
        add_entries(&mut self.whole.need, entries);
        Ok(())
    }

    fn add_module(&mut self, index: u32) {
        let known = self.modules.get(index as usize).copied().flatten();
        let need = known.unwrap_or(PoolNeed {
            core_instances: 1,
            ..PoolNeed::default()
        });
        self.whole.need.add(&need);
    }

    fn add_component(&mut self, index: u32) {
        if let Some(inner) = self.components.get(index as usize).copied().flatten() {
            self.whole.need.add(&inner.need);
            self.whole.entries = self.whole.entries.saturating_add(inner.entries);
        }
    }

    /// A number for what comes from outside.
    fn unknown(&mut self, kind: ComponentExternalKind) {
        match kind {
            ComponentExternalKind::Module => self.modules.push(None),
            ComponentExternalKind::Component => self.components.push(None),
            _ => {}
        }
    }
}

/// What a payload of a module adds to what each of its instances takes.
fn in_module(need: &mut PoolNeed, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
    match payload {
        Payload::ImportSection(section) => add_entries(need, section.count()),
        Payload::FunctionSection(section) => add_entries(need, section.count()),
        Payload::GlobalSection(section) => add_entries(need, section.count()),
        Payload::TagSection(section) => add_entries(need, section.count()),
        Payload::MemorySection(section) => {
            add_entries(need, section.count());
            for memory in section.clone() {
                let bytes = memory?.initial.saturating_mul(PAGE_BYTES);
                need.memories += 1;
                need.memory_bytes = need.memory_bytes.max(bytes);
            }
        }
        Payload::TableSection(section) => {
            add_entries(need, section.count());
            for table in section.clone() {
                need.tables += 1;
                need.table_elements = need.table_elements.max(table?.ty.initial);
            }
        }
        _ => {}
    }
    Ok(())
}

fn add_entries(need: &mut PoolNeed, count: u32) {
    let bytes = u64::from(count) * METADATA_BYTES_PER_ENTRY;
    need.metadata_bytes = need.metadata_bytes.saturating_add(bytes);
}
