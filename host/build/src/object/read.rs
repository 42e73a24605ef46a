//! An object's parts: its sections, its symbols, and for each piece of code and data the relocations in it.

use super::ObjectError;
use wasmparser::{
    DataKind, FuncType, ImportSectionReader, KnownCustom, Linking, Parser, Payload,
    RelocationEntry, RelocationType, SymbolFlags, SymbolInfo, TypeRef,
};

/// The module that objects import from what others define.
pub(super) const OBJECT_MODULE: &str = "env";

/// An object, as far as linking looks at it.
#[derive(Default)]
pub(super) struct Object<'a> {
    pub(super) types: Vec<FuncType>,
    /// Imported ones first, as everything that names one counts them.
    pub(super) functions: Vec<Function<'a>>,
    pub(super) segments: Vec<Piece<'a>>,
    pub(super) symbols: Vec<Symbol<'a>>,
    /// Symbols of functions that are to run before anything else, in their order.
    pub(super) constructors: Vec<u32>,
    /// Whether it calls through a table.
    pub(super) has_table: bool,
    /// Imported globals' names.
    globals: Vec<&'a str>,
}

pub(super) struct Function<'a> {
    /// Its type, by its place.
    pub(super) ty: u32,
    pub(super) source: Source<'a>,
}

pub(super) enum Source<'a> {
    Import { module: &'a str, name: &'a str },
    Body(Piece<'a>),
}

/// Bytes with the places in them that are filled in when addresses and indices are known.
#[derive(Default)]
pub(super) struct Piece<'a> {
    /// In the object's own words, or none.
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
    /// Its address is a multiple of two to that.
    pub(super) align: u32,
    pub(super) relocations: Vec<Relocation>,
}

pub(super) struct Relocation {
    pub(super) ty: RelocationType,
    /// Where it is, from the piece's beginning.
    pub(super) at: usize,
    /// The symbol's place; of a [`RelocationType::TypeIndexLeb`] the type's.
    pub(super) index: u32,
    pub(super) addend: i64,
}

pub(super) enum Symbol<'a> {
    Function {
        index: u32,
        name: &'a str,
        is_weak: bool,
    },
    Data {
        name: &'a str,
        place: DataPlace,
    },
    Global(&'a str),
    /// The table, which is one.
    Table,
    /// A section: of debug information, which is left out.
    Section,
    /// An exception's tag.
    Tag,
}

pub(super) enum DataPlace {
    /// So far into a segment.
    Segment(u32, u32),
    /// A number.
    Absolute(u32),
    /// Nowhere, and whoever asks for it can live with that.
    Weak,
    /// Nowhere yet.
    Undefined,
}

/// Whether a core module has the section that linkers read.
pub(super) fn has_linking(module: &[u8]) -> bool {
    Parser::new(0).parse_all(module).any(
        |payload| matches!(payload, Ok(Payload::CustomSection(section)) if section.name() == "linking"),
    )
}

pub(super) fn read(bytes: &[u8]) -> Result<Object<'_>, ObjectError> {
    let mut object = Object::default();
    let mut types_of_bodies = Vec::new();
    let mut reader = Reader::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    object.types.push(ty?);
                }
            }
            Payload::ImportSection(section) => reader.imports(&mut object, section)?,
            Payload::FunctionSection(section) => {
                types_of_bodies = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::CodeSectionStart { range, .. } => reader.code = range.start,
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let ty = types_of_bodies.get(reader.bodies.len()).copied();
                let ty = ty.ok_or_else(|| {
                    ObjectError::unsupported(
                        "it has more bodies than functions",
                        "compile it again",
                    )
                })?;
                reader.bodies.push(range.start);
                let source = Source::Body(Piece {
                    bytes: body.as_bytes(),
                    ..Piece::default()
                });
                object.functions.push(Function { ty, source });
            }
            Payload::DataSection(section) => {
                reader.data = section.range().start;
                for data in section {
                    let data = data?;
                    if !matches!(
                        data.kind,
                        DataKind::Active {
                            memory_index: 0,
                            ..
                        }
                    ) {
                        return Err(ObjectError::unsupported(
                            "a passive data segment",
                            "compile without threads",
                        ));
                    }
                    reader.segments.push(data.range.end - data.data.len());
                    object.segments.push(Piece {
                        bytes: data.data,
                        ..Piece::default()
                    });
                }
            }
            Payload::GlobalSection(_) => {
                return Err(ObjectError::unsupported(
                    "a global of its own",
                    "keep the value in memory",
                ));
            }
            Payload::TagSection(_) => return Err(exceptions()),
            Payload::StartSection { .. } => {
                return Err(ObjectError::unsupported(
                    "a start function",
                    "compile with -c, and do not link it",
                ));
            }
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Linking(linking) => {
                    for part in linking.subsections() {
                        read_linking(&mut object, &mut reader, part?)?;
                    }
                }
                KnownCustom::Reloc(relocations) => {
                    let found = match section.name() {
                        "reloc.CODE" => &mut reader.in_code,
                        "reloc.DATA" => &mut reader.in_data,
                        _ => continue,
                    };
                    for entry in relocations.entries() {
                        found.push(entry?);
                    }
                }
                _ => {}
            },
            // The elements of its table are those whose addresses are taken, which the relocations say too.
            _ => {}
        }
    }
    reader.finish(&mut object)?;
    Ok(object)
}

/// Where pieces are in the file, until all of it is read: relocations come last.
#[derive(Default)]
struct Reader {
    code: usize,
    data: usize,
    bodies: Vec<usize>,
    segments: Vec<usize>,
    in_code: Vec<RelocationEntry>,
    in_data: Vec<RelocationEntry>,
    constructors: Vec<(u32, u32)>,
}

impl Reader {
    fn imports<'a>(
        &mut self,
        object: &mut Object<'a>,
        section: ImportSectionReader<'a>,
    ) -> Result<(), ObjectError> {
        for import in section.into_imports() {
            let import = import?;
            match import.ty {
                TypeRef::Func(ty) => {
                    let source = Source::Import {
                        module: import.module,
                        name: import.name,
                    };
                    object.functions.push(Function { ty, source });
                }
                TypeRef::Memory(memory) if memory.memory64 => {
                    return Err(ObjectError::unsupported(
                        "a memory of 64 bits",
                        "compile for wasm32",
                    ));
                }
                TypeRef::Memory(memory) if memory.shared => {
                    return Err(ObjectError::unsupported(
                        "a memory that threads share",
                        "compile without -pthread and -matomics: the host splits a launch's work over threads",
                    ));
                }
                TypeRef::Table(_) => object.has_table = true,
                TypeRef::Global(_) => object.globals.push(import.name),
                TypeRef::Tag(_) => return Err(exceptions()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives each piece the relocations inside it.
    fn finish(self, object: &mut Object<'_>) -> Result<(), ObjectError> {
        let imported = object.functions.len() - self.bodies.len();
        let code = object.functions[imported..].iter_mut();
        let code = code.filter_map(|function| match &mut function.source {
            Source::Body(body) => Some(body),
            Source::Import { .. } => None,
        });
        distribute(self.in_code, self.code, &self.bodies, code.collect())?;
        let segments = object.segments.iter_mut().collect();
        distribute(self.in_data, self.data, &self.segments, segments)?;
        let mut constructors = self.constructors;
        constructors.sort_by_key(|(priority, _)| *priority);
        object.constructors = constructors.into_iter().map(|(_, symbol)| symbol).collect();
        Ok(())
    }
}

fn distribute(
    entries: Vec<RelocationEntry>,
    section: usize,
    starts: &[usize],
    mut pieces: Vec<&mut Piece<'_>>,
) -> Result<(), ObjectError> {
    for entry in entries {
        let at = section + entry.offset as usize;
        let piece = starts.partition_point(|start| *start <= at).checked_sub(1);
        let found = piece.and_then(|piece| {
            let at = at - starts[piece];
            let piece = pieces.get_mut(piece)?;
            (at + entry.ty.extent() <= piece.bytes.len()).then_some((at, piece))
        });
        let Some((at, piece)) = found else {
            return Err(ObjectError::unsupported(
                format!("a relocation at byte {at} that is in no function and no data"),
                "compile it again",
            ));
        };
        piece.relocations.push(Relocation {
            ty: entry.ty,
            at,
            index: entry.index,
            addend: entry.addend,
        });
    }
    Ok(())
}

fn read_linking<'a>(
    object: &mut Object<'a>,
    reader: &mut Reader,
    part: Linking<'a>,
) -> Result<(), ObjectError> {
    match part {
        Linking::SegmentInfo(segments) => {
            for (at, segment) in segments.into_iter().enumerate() {
                let segment = segment?;
                if let Some(piece) = object.segments.get_mut(at) {
                    piece.name = segment.name;
                    // Two to that is a power that addresses have.
                    piece.align = segment.alignment.min(16);
                }
            }
        }
        Linking::InitFuncs(functions) => {
            for function in functions {
                let function = function?;
                reader
                    .constructors
                    .push((function.priority, function.symbol_index));
            }
        }
        Linking::SymbolTable(symbols) => {
            for symbol in symbols {
                let symbol = read_symbol(object, symbol?)?;
                object.symbols.push(symbol);
            }
        }
        _ => {}
    }
    Ok(())
}

fn read_symbol<'a>(object: &Object<'a>, symbol: SymbolInfo<'a>) -> Result<Symbol<'a>, ObjectError> {
    Ok(match symbol {
        SymbolInfo::Func { flags, index, name } => {
            let function = object.functions.get(index as usize).ok_or_else(|| {
                ObjectError::unsupported("a symbol of no function", "compile it again")
            })?;
            let own = match function.source {
                Source::Import { name, .. } => name,
                Source::Body(_) => "",
            };
            Symbol::Function {
                index,
                name: name.unwrap_or(own),
                is_weak: flags.contains(SymbolFlags::BINDING_WEAK),
            }
        }
        SymbolInfo::Data {
            flags,
            name,
            symbol,
        } => {
            if flags.contains(SymbolFlags::TLS) {
                return Err(ObjectError::unsupported(
                    format!("the variable `{}` of a thread", name.escape_debug()),
                    "a kernel has one thread: leave `thread_local` out",
                ));
            }
            let place = match symbol {
                Some(place) if flags.contains(SymbolFlags::ABSOLUTE) => {
                    DataPlace::Absolute(place.offset)
                }
                Some(place) if (place.index as usize) < object.segments.len() => {
                    DataPlace::Segment(place.index, place.offset)
                }
                Some(_) => {
                    return Err(ObjectError::unsupported(
                        format!("the symbol `{}` of no data", name.escape_debug()),
                        "compile it again",
                    ));
                }
                None if flags.contains(SymbolFlags::BINDING_WEAK) => DataPlace::Weak,
                None => DataPlace::Undefined,
            };
            Symbol::Data { name, place }
        }
        SymbolInfo::Global { name, index, .. } => {
            let own = object.globals.get(index as usize).copied();
            Symbol::Global(name.or(own).unwrap_or_default())
        }
        SymbolInfo::Table { .. } => Symbol::Table,
        SymbolInfo::Section { .. } => Symbol::Section,
        SymbolInfo::Event { .. } => Symbol::Tag,
    })
}

fn exceptions() -> ObjectError {
    ObjectError::unsupported(
        "an exception of WebAssembly's",
        "compile with -fno-exceptions: a kernel returns a message where it fails",
    )
}
