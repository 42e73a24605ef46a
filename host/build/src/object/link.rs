//! Putting a module together of what is reached and what is put around it.

use super::layout::{Layout, PAGE_BYTES, STACK_BYTES};
use super::live::Live;
use super::read::{OBJECT_MODULE, Object, Source, Symbol};
use super::relocate::Linker;
use super::shim::{self, HOST_FUNCTIONS, Shim, Support};
use super::types::{self, Types};
use super::{Listed, ObjectError, count};
use hotcell_manifest::{Kernel, Manifest};
use hotcell_model::component::{ENTRIES, PACKAGE_VERSION};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection,
    MemoryType, Module, NameMap, NameSection, RefType, TableSection, TableType,
};
use wasmparser::ValType;

/// Memory for a kernel, until its launch ends.
pub(super) const ALLOCATE: &str = "hotcell_alloc";

/// The beginning of the name under which analysis finds a function that takes a kernel's parameters and extents as they are.
const PLAIN_KERNEL: &str = "hotcell-plain-kernel:";

/// A kernel and its function.
pub(super) struct LinkedKernel<'m> {
    pub(super) kernel: &'m Kernel,
    /// The function, by the object's count.
    function: u32,
    /// Whether it also takes its chunk's first index and the whole extent.
    pub(super) takes_chunk: bool,
    /// Whether it gives the address of a message, or 0.
    pub(super) may_fail: bool,
}

/// Finds each of the manifest's kernels among the object's functions.
pub(super) fn kernels<'m>(
    object: &Object<'_>,
    manifest: &'m Manifest,
) -> Result<Vec<LinkedKernel<'m>>, ObjectError> {
    let defined = |symbol: &Symbol<'_>| match symbol {
        Symbol::Function { index, .. } => matches!(
            object
                .functions
                .get(*index as usize)
                .map(|function| &function.source),
            Some(Source::Body(_))
        ),
        _ => false,
    };
    let find = |kernel: &'m Kernel| {
        let found = object.symbols.iter().find_map(|symbol| match symbol {
            Symbol::Function { index, name, .. } if *name == kernel.name() && defined(symbol) => {
                Some(*index)
            }
            _ => None,
        });
        let function = found.ok_or_else(|| ObjectError::NoFunction {
            kernel: kernel.name().to_owned(),
            defines: Listed::of(object.symbols.iter().filter_map(|symbol| match symbol {
                Symbol::Function { name, .. } if defined(symbol) => Some(*name),
                _ => None,
            })),
        })?;
        check_type(object, kernel, function)
    };
    manifest.kernels().iter().map(find).collect()
}

fn check_type<'m>(
    object: &Object<'_>,
    kernel: &'m Kernel,
    function: u32,
) -> Result<LinkedKernel<'m>, ObjectError> {
    let ty = object.functions[function as usize].ty;
    let ty = object
        .types
        .get(ty as usize)
        .ok_or_else(|| ObjectError::unsupported("a function of no type", "compile it again"))?;
    let expected = types::parameters(kernel);
    let mut with_chunk = expected.clone();
    with_chunk.extend([ValType::I32; 2]);
    let takes_chunk = kernel.split().is_some() && ty.params() == with_chunk;
    let fits = takes_chunk || ty.params() == expected;
    if !fits || !matches!(ty.results(), [] | [ValType::I32]) {
        return Err(ObjectError::Type {
            kernel: kernel.name().to_owned(),
            found: types::shown(ty.params(), ty.results()),
            expected: types::shown(&expected, &[]),
            dims: Listed::of(kernel.dims().iter().map(String::as_str)),
        });
    }
    Ok(LinkedKernel {
        kernel,
        function,
        takes_chunk,
        may_fail: !ty.results().is_empty(),
    })
}

/// The module of an object's kernels.
pub(super) fn link(
    object: &Object<'_>,
    kernels: &[LinkedKernel<'_>],
) -> Result<Vec<u8>, ObjectError> {
    let live = Live::from(object, kernels.iter().map(|kernel| kernel.function))?;
    let layout = Layout::of(&object.segments, &live.segments)?;
    let functions = Functions::of(object, &live, kernels.len());
    let linker = Linker {
        object,
        layout: &layout,
        places: &functions.of_object,
        slots: &live.slots,
    };
    let shim = Shim {
        place: functions.support(Support::Place),
        allocate: functions.support(Support::Allocate),
        take: functions.support(Support::Take),
        room: functions.support(Support::Room),
        give: functions.support(Support::Give),
        paged_from: layout.pages() * PAGE_BYTES,
    };
    let mut types = Types::new(&object.types);
    let imports = functions.imports(object, &mut types);
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    for function in &functions.defined {
        let (params, results) = match function {
            Defined::Own(at) | Defined::Trap(at) => {
                declared.function(object.functions[*at].ty);
                match &object.functions[*at].source {
                    Source::Body(body) => code.raw(&linker.applied(body, None)?),
                    Source::Import { .. } => code.function(&shim::trap()),
                };
                continue;
            }
            Defined::Support(support) => {
                code.function(&shim.support(*support));
                support.ty()
            }
            Defined::Run(at) => {
                let kernel = &kernels[*at];
                let place = functions.of_object[kernel.function as usize];
                code.function(&shim.run(kernel, place.unwrap_or_default()));
                shim::RUN
            }
            Defined::Launch => {
                let constructors = live.constructors.iter();
                let constructors = constructors.filter_map(|at| functions.of_object[*at as usize]);
                let names = kernels.iter().map(|kernel| kernel.kernel.name());
                let runs = (0..kernels.len()).map(|at| functions.place(&Defined::Run(at)));
                code.function(&Shim::launch(constructors, names.zip(runs)));
                shim::LAUNCH
            }
        };
        declared.function(types.place(params, results));
    }
    let (data, data_count) = linker.data()?;

    let mut module = Module::new();
    module.section(&types.section().ok_or_else(|| {
        ObjectError::unsupported(
            "a function that takes references",
            "compile without reference types",
        )
    })?);
    module.section(&imports);
    module.section(&declared);
    if object.has_table {
        module.section(&table(live.slots.len()));
    }
    module.section(&memory(&layout));
    module.section(&globals(&layout));
    module.section(&functions.exports(kernels));
    let slots = live.slots.iter();
    let slots: Vec<u32> = slots
        .filter_map(|slot| functions.of_object[*slot as usize])
        .collect();
    if !slots.is_empty() {
        let mut elements = ElementSection::new();
        elements.active(
            None,
            &ConstExpr::i32_const(1),
            Elements::Functions(slots.into()),
        );
        module.section(&elements);
    }
    module.section(&DataCountSection { count: data_count });
    module.section(&code);
    module.section(&data);
    module.section(&functions.names(object, &live, kernels));
    Ok(module.finish())
}

/// A function of the module that is not imported.
#[derive(Debug, PartialEq, Eq)]
enum Defined {
    /// One of the object's, by its place there.
    Own(usize),
    Support(Support),
    /// One that the object wants if there is one, and there is none.
    Trap(usize),
    /// What runs a kernel.
    Run(usize),
    Launch,
}

/// Every function of the module, by where it stands.
struct Functions {
    /// Those of the object that are imported, by their places there: the host's own come before them.
    imported: Vec<usize>,
    /// Those after them.
    defined: Vec<Defined>,
    /// Where each of the object's is, if it is reached.
    of_object: Vec<Option<u32>>,
}

impl Functions {
    fn of(object: &Object<'_>, live: &Live<'_>, kernels: usize) -> Self {
        let (mut imported, mut own, mut traps) = (Vec::new(), Vec::new(), Vec::new());
        let mut given = Vec::new();
        for (at, function) in object.functions.iter().enumerate() {
            if !live.functions[at] {
                continue;
            }
            match function.source {
                Source::Body(_) => own.push(Defined::Own(at)),
                Source::Import { module, name } if module == OBJECT_MODULE => {
                    match Support::of_symbol(name) {
                        Some(support) => given.push((at, support)),
                        None => traps.push(Defined::Trap(at)),
                    }
                }
                Source::Import { .. } => imported.push(at),
            }
        }
        let supports = Support::ALL.map(Defined::Support);
        let runs = (0..kernels).map(Defined::Run);
        let defined: Vec<Defined> = own
            .into_iter()
            .chain(supports)
            .chain(traps)
            .chain(runs)
            .chain([Defined::Launch])
            .collect();
        let mut functions = Self {
            imported,
            defined,
            of_object: vec![None; object.functions.len()],
        };
        for (place, at) in (HOST_FUNCTIONS..).zip(&functions.imported) {
            functions.of_object[*at] = Some(place);
        }
        for (place, function) in (functions.first_defined()..).zip(&functions.defined) {
            if let Defined::Own(at) | Defined::Trap(at) = function {
                functions.of_object[*at] = Some(place);
            }
        }
        for (at, support) in given {
            functions.of_object[at] = Some(functions.support(support));
        }
        functions
    }

    fn first_defined(&self) -> u32 {
        HOST_FUNCTIONS + count(self.imported.len())
    }

    fn place(&self, wanted: &Defined) -> u32 {
        let at = self.defined.iter().position(|own| own == wanted);
        self.first_defined() + count(at.unwrap_or_default())
    }

    fn support(&self, wanted: Support) -> u32 {
        self.place(&Defined::Support(wanted))
    }

    fn imports(&self, object: &Object<'_>, types: &mut Types) -> ImportSection {
        let mut imports = ImportSection::new();
        for (module, name, (params, results)) in shim::imports() {
            let ty = types.place(params, results);
            imports.import(&module, name, EntityType::Function(ty));
        }
        for at in &self.imported {
            let function = &object.functions[*at];
            if let Source::Import { module, name } = function.source {
                imports.import(module, name, EntityType::Function(function.ty));
            }
        }
        imports
    }

    fn exports(&self, kernels: &[LinkedKernel<'_>]) -> ExportSection {
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        let reallocate = self.support(Support::Reallocate);
        exports.export("cabi_realloc", ExportKind::Func, reallocate);
        let name = format!("{ENTRIES}@{PACKAGE_VERSION}#launch");
        exports.export(&name, ExportKind::Func, self.place(&Defined::Launch));
        for kernel in kernels {
            let place = self.of_object[kernel.function as usize].unwrap_or_default();
            let name = format!("{PLAIN_KERNEL}{}", kernel.kernel.name());
            exports.export(&name, ExportKind::Func, place);
        }
        exports
    }

    /// Names for traps.
    fn names(
        &self,
        object: &Object<'_>,
        live: &Live<'_>,
        kernels: &[LinkedKernel<'_>],
    ) -> NameSection {
        let mut names = NameMap::new();
        for (place, (_, name, _)) in (0..).zip(shim::imports()) {
            names.append(place, name);
        }
        for (place, at) in (HOST_FUNCTIONS..).zip(&self.imported) {
            if let Source::Import { name, .. } = object.functions[*at].source {
                names.append(place, name);
            }
        }
        for (place, function) in (self.first_defined()..).zip(&self.defined) {
            match function {
                Defined::Own(at) | Defined::Trap(at) => {
                    if let Some(name) = live.names.get(at) {
                        names.append(place, name);
                    }
                }
                Defined::Support(support) => names.append(place, support.name()),
                Defined::Run(at) => {
                    names.append(place, &format!("run {}", kernels[*at].kernel.name()));
                }
                Defined::Launch => names.append(place, "launch"),
            }
        }
        let mut section = NameSection::new();
        section.functions(&names);
        section
    }
}

/// The table; index 0 is nobody's, so that a null pointer that is called traps.
fn table(slots: usize) -> TableSection {
    let count = 1 + slots as u64;
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: count,
        maximum: Some(count),
        shared: false,
    });
    tables
}

fn memory(layout: &Layout) -> MemorySection {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: layout.pages().into(),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    memories
}

/// The stack's pointer, and where the heap's free part begins.
fn globals(layout: &Layout) -> GlobalSection {
    let mut globals = GlobalSection::new();
    let variable = GlobalType {
        val_type: wasm_encoder::ValType::I32,
        mutable: true,
        shared: false,
    };
    let address = |address: u32| ConstExpr::i32_const(address.cast_signed());
    globals.global(variable, &address(STACK_BYTES));
    globals.global(variable, &address(layout.heap));
    globals
}
