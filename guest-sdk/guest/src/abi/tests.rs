//! The checked-in bindings against the WIT: every function's name and core signature, and every record's layout.

use super::*;
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    Function, Int, InterfaceId, ManglingAndAbi, Resolve, SizeAlign, Type, TypeDefKind, TypeId,
    WasmExport, WasmImport, WorldItem, WorldKey,
};

fn resolve() -> Resolve {
    let mut resolve = Resolve::default();
    for (path, text) in hotcell_wit::FILES {
        resolve.push_source(path, text).unwrap();
    }
    resolve
}

/// An interface by its full name.
fn interface(resolve: &Resolve, name: &str) -> InterfaceId {
    let found = resolve.interfaces.iter().map(|(id, _)| id);
    let mut found = found.filter(|id| resolve.id_of(*id).as_deref() == Some(name));
    found
        .next()
        .unwrap_or_else(|| panic!("no interface `{name}`"))
}

fn core(ty: &WasmType) -> CoreType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => CoreType::I32,
        WasmType::I64 => CoreType::I64,
        other => panic!("{other:?} is in no signature here"),
    }
}

/// A function as the canonical ABI has it: its core name, parameters and results.
fn lowered(
    resolve: &Resolve,
    module: &str,
    function: &Function,
) -> (String, Vec<CoreType>, Vec<CoreType>) {
    let key = WorldKey::Interface(interface(resolve, module));
    let import = WasmImport::Func {
        interface: Some(&key),
        func: function,
    };
    let mangling = ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync);
    let (found, name) = resolve.wasm_import_name(mangling, import);
    assert_eq!(found, module);
    let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
    let types = |types: &[WasmType]| types.iter().map(core).collect();
    (name, types(&signature.params), types(&signature.results))
}

/// Functions of an interface, and a drop for each resource of its own.
fn check_imports((module, imports): (&str, &[Import])) {
    let resolve = resolve();
    let interface = &resolve.interfaces[interface(&resolve, module)];
    let functions = interface.functions.values();
    let mut wanted: Vec<_> = functions.map(|f| lowered(&resolve, module, f)).collect();
    for (name, ty) in &interface.types {
        if matches!(resolve.types[*ty].kind, TypeDefKind::Resource) {
            let drop = format!("[resource-drop]{name}");
            wanted.push((drop, vec![CoreType::I32], vec![]));
        }
    }
    let found = imports.iter().map(|import| {
        let (params, results) = (import.params.to_vec(), import.results.to_vec());
        (import.name.to_owned(), params, results)
    });
    let mut found: Vec<_> = found.collect();
    // What is not dropped needs no drop.
    let is_drop = |name: &str| name.starts_with("[resource-drop]");
    wanted.retain(|(name, ..)| !is_drop(name) || found.iter().any(|(found, ..)| found == name));
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, wanted, "{module}");
}

#[test]
fn every_import_is_what_the_wit_lowers_to() {
    for imports in [
        arrays::IMPORTS,
        clock::IMPORTS,
        control::IMPORTS,
        failure::IMPORTS,
        log::IMPORTS,
        random::IMPORTS,
        #[cfg(feature = "gpu")]
        gpu::IMPORTS,
        #[cfg(feature = "gpu")]
        gpu::text::IMPORTS,
    ] {
        check_imports(imports);
    }
}

#[test]
fn every_interface_of_the_worlds_imports_is_here() {
    let resolve = resolve();
    let (_, world) = resolve
        .worlds
        .iter()
        .find(|(_, world)| world.name == "kernel")
        .unwrap();
    let names = world.imports.keys().map(|key| resolve.name_world_key(key));
    let mut names: Vec<String> = names.collect();
    names.sort();
    let mut found = [
        arrays::IMPORTS.0,
        clock::IMPORTS.0,
        control::IMPORTS.0,
        failure::IMPORTS.0,
        log::IMPORTS.0,
        random::IMPORTS.0,
    ];
    found.sort_unstable();
    assert_eq!(names, found);
}

#[test]
fn the_export_is_what_the_wit_lifts_from() {
    let resolve = resolve();
    let (_, world) = resolve
        .worlds
        .iter()
        .find(|(_, world)| world.name == "kernel")
        .unwrap();
    let [(key, WorldItem::Interface { id, .. })] = world.exports.iter().collect::<Vec<_>>()[..]
    else {
        panic!("one interface is exported");
    };
    let functions: Vec<_> = resolve.interfaces[*id].functions.values().collect();
    let [function] = functions[..] else {
        panic!("one function is exported");
    };
    let export = WasmExport::Func {
        interface: Some(key),
        func: function,
        kind: wit_parser::WasmExportKind::Normal,
    };
    let mangling = ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync);
    assert_eq!(resolve.wasm_export_name(mangling, export), entries::LAUNCH);
    let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
    let params: Vec<_> = signature.params.iter().map(core).collect();
    assert_eq!(params[..10], [CoreType::I32; 10], "five lists");
    assert_eq!(params[10..], [CoreType::I64; 3], "the chunk");
    assert!(signature.retptr, "a pointer to the answer");
    assert_eq!(
        signature.results.iter().map(core).collect::<Vec<_>>(),
        [CoreType::I32]
    );
}

/// A type of an interface by its name.
fn type_of(resolve: &Resolve, module: &str, name: &str) -> TypeId {
    resolve.interfaces[interface(resolve, module)].types[name]
}

/// Offsets and size of a record where pointers have 32 bits; a variant's are those of its tag and payload.
fn layout_of(module: &str, name: &str) -> (Vec<usize>, usize) {
    let resolve = resolve();
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve);
    let ty = type_of(&resolve, module, name);
    let size = sizes.size(&Type::Id(ty)).size_wasm32();
    let offsets = match &resolve.types[ty].kind {
        TypeDefKind::Record(record) => {
            let offsets = sizes.field_offsets(record.fields.iter().map(|field| &field.ty));
            offsets
                .into_iter()
                .map(|(offset, _)| offset.size_wasm32())
                .collect()
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| case.ty.as_ref());
            vec![0, sizes.payload_offset(variant.tag(), cases).size_wasm32()]
        }
        other => panic!("{other:?} has no layout here"),
    };
    (offsets, size)
}

/// As a test's layout.
fn here((offsets, size): (&[usize], usize)) -> (Vec<usize>, usize) {
    (offsets.to_vec(), size)
}

const ENTRIES: &str = "hotcell:kernel/entries@0.2.0";

#[test]
fn the_requests_records_lie_as_the_wit_says() {
    assert_eq!(here(entries::DIMENSION), layout_of(ENTRIES, "dimension"));
    assert_eq!(here(entries::SOURCE), layout_of(ENTRIES, "source"));
    assert_eq!(
        here(entries::DESTINATION),
        layout_of(ENTRIES, "destination")
    );
    // The variant's tag and payload stand in the record.
    let (record, size) = layout_of(ENTRIES, "scalar");
    let (variant, _) = layout_of(ENTRIES, "scalar-value");
    let wanted = vec![record[0], record[1] + variant[0], record[1] + variant[1]];
    assert_eq!(here(entries::SCALAR), (wanted, size));
}

#[test]
fn the_answer_lies_as_the_wit_says() {
    let (argument, _) = layout_of(ENTRIES, "bad-argument");
    let (error, error_size) = layout_of(ENTRIES, "kernel-error");
    let (resolve, mut sizes) = (resolve(), SizeAlign::default());
    sizes.fill(&resolve);
    let error_type = Type::Id(type_of(&resolve, ENTRIES, "kernel-error"));
    let payload = sizes
        .payload_offset(Int::U8, [None, Some(&error_type)])
        .size_wasm32();
    let text = payload + error[1];
    let wanted = vec![0, payload, text + argument[0], text + argument[1]];
    assert_eq!(here(entries::ANSWER), (wanted, payload + error_size));
}

#[test]
fn tags_are_in_the_wits_order() {
    let resolve = resolve();
    let cases = |name: &str| match &resolve.types[type_of(&resolve, ENTRIES, name)].kind {
        TypeDefKind::Variant(variant) => {
            let names = variant.cases.iter().map(|case| case.name.clone());
            names.collect::<Vec<_>>()
        }
        other => panic!("{other:?} is no variant"),
    };
    let kinds = cases("scalar-value");
    for (tag, name) in kinds.iter().enumerate() {
        let scalar = entries::Scalar {
            name: entries::Text::new(""),
            tag: u8::try_from(tag).unwrap(),
            bits: 0,
        };
        let kind = scalar.kind();
        assert_eq!(kind as usize, tag);
        assert_eq!(kind.name(), if name == "boolean" { "bool" } else { name });
    }
    assert_eq!(
        cases("kernel-error"),
        ["unknown-entry", "bad-argument", "failed"]
    );
    let log = type_of(&resolve, "hotcell:kernel/log@0.2.0", "level");
    let TypeDefKind::Enum(levels) = &resolve.types[log].kind else {
        panic!("levels are an enum");
    };
    let levels: Vec<_> = levels.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(levels, ["debug", "info", "warn", "error"]);
}

#[cfg(feature = "gpu")]
#[test]
fn the_gpus_records_lie_as_the_wit_says() {
    const COMPUTE: &str = "hotcell:gpu/compute@0.2.0";
    for (name, layout) in [
        ("properties", gpu::PROPERTIES),
        ("constant", gpu::CONSTANT),
        ("copy", gpu::COPY),
        ("fill", gpu::FILL),
        ("read-array", gpu::READ_ARRAY),
        ("clear", gpu::CLEAR),
        ("command", gpu::COMMAND),
    ] {
        assert_eq!(here(layout), layout_of(COMPUTE, name), "{name}");
    }
    // Workgroups are one field here, and an optional length two.
    let (dispatch, size) = layout_of(COMPUTE, "dispatch");
    assert_eq!(here(gpu::DISPATCH), (dispatch[..2].to_vec(), size));
    let (mut binding, size) = layout_of(COMPUTE, "binding");
    binding.push(binding[4] + 8);
    assert_eq!(here(gpu::BINDING), (binding, size));
}

#[cfg(feature = "gpu")]
#[test]
fn every_error_of_the_gpus_is_whole_words_behind_its_tag() {
    const COMPUTE: &str = "hotcell:gpu/compute@0.2.0";
    assert_eq!(layout_of(COMPUTE, "error"), (vec![0, 8], 32));
    assert_eq!(layout_of(COMPUTE, "shader-error"), (vec![0, 4, 8], 16));
    assert_eq!(layout_of(COMPUTE, "limit-error"), (vec![0, 8, 16], 24));
    assert_eq!(layout_of(COMPUTE, "range-error"), (vec![0, 8, 16], 24));
    assert_eq!(here(gpu::RETURNED), (vec![0, 8], 8 + 32));
    let resolve = resolve();
    let cases = |name: &str| match &resolve.types[type_of(&resolve, COMPUTE, name)].kind {
        TypeDefKind::Variant(variant) => {
            let names = variant.cases.iter().map(|case| case.name.clone());
            names.collect::<Vec<_>>()
        }
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| case.name.clone()).collect(),
        other => panic!("{other:?} has no cases"),
    };
    assert_eq!(
        cases("error"),
        ["shader", "limit", "out-of-range", "misuse"]
    );
    assert_eq!(
        cases("command"),
        ["dispatch", "copy", "fill", "read-array", "clear"]
    );
    assert_eq!(
        cases("quota"),
        ["bytes", "dispatches", "invocations", "fuel"]
    );
}
