//! The core module of a component that has the kernels, as far as analysis needs it.

use super::passages::{self, Passage};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use wasmparser::{
    CompositeInnerType, ConstExpr, ElementItems, ElementKind, Encoding, ExternalKind, FuncType,
    FunctionBody, Operator, Payload, SubType, TypeRef, ValType,
};

/// A core module.
#[derive(Default)]
pub(super) struct Code<'a> {
    types: Vec<Option<FuncType>>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    imported: Vec<(&'a str, &'a str)>,
    bodies: Vec<FunctionBody<'a>>,
    read: Vec<OnceCell<Option<Rc<Body<'a>>>>>,
    pub(super) exports: HashMap<&'a str, u32>,
    /// What globals begin with, where that is a number.
    pub(super) globals: Vec<Option<i64>>,
    /// What stands in the first table, by index, as the module fills it.
    elements: HashMap<u32, u32>,
    /// Whether the first table can change while the module runs.
    table_changes: bool,
    pub(super) names: HashMap<u32, &'a str>,
    /// Where the code begins in the component: places in debug information count from there.
    pub(super) code_begin: Option<u32>,
    pub(super) debug_line: Option<&'a [u8]>,
}

/// A function of the language's runtime, which programs call by the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    Allocate,
    AllocateZeroed,
    Reallocate,
    Free,
    /// Text for a failure's message.
    Format,
}

/// A function's body, with where its blocks end.
pub(super) struct Body<'a> {
    pub(super) locals: Vec<ValType>,
    pub(super) operators: Vec<Operator<'a>>,
    /// Where each operator stands in the component.
    pub(super) offsets: Vec<u32>,
    /// For what opens a block: its `end`. For an `if` also its `else`, if it has one.
    pub(super) ends: HashMap<usize, (usize, Option<usize>)>,
    /// For what opens a block: the locals that may be read after it; for a loop, from its beginning on.
    pub(super) live: HashMap<usize, Rc<Live>>,
    /// What opens a block behind which there is nothing but a trap.
    pub(super) doomed: HashSet<usize>,
    /// For each operator, the passage that begins there.
    pub(super) passages: Vec<Option<Passage>>,
}

/// How many operators in loops are looked at in one function for what they read, each as often as there are loops around it.
const MAX_READ: usize = 4_000_000;

/// A set of locals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Live(Vec<u64>);

impl Live {
    pub(super) fn has(&self, local: usize) -> bool {
        self.0
            .get(local / 64)
            .is_some_and(|word| word >> (local % 64) & 1 == 1)
    }

    fn put(&mut self, local: u32, is_in: bool) {
        let (word, bit) = (local as usize / 64, local % 64);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] &= !(1 << bit);
        self.0[word] |= u64::from(is_in) << bit;
    }

    fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own |= other;
        }
    }
}

impl<'a> Code<'a> {
    /// The module of a component that exports a function of that kind of name; the first, if several do.
    pub(super) fn find(component: &'a [u8], is_wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut open: Vec<Option<Code<'a>>> = Vec::new();
        for payload in crate::census::payloads(component) {
            match payload.ok()? {
                Payload::Version { encoding, .. } => {
                    open.push((encoding == Encoding::Module).then(Code::default));
                }
                Payload::End(_) => {
                    if let Some(Some(mut module)) = open.pop()
                        && module.exports.keys().any(|name| is_wanted(name))
                    {
                        module.read = module.bodies.iter().map(|_| OnceCell::new()).collect();
                        return Some(module);
                    }
                }
                payload => {
                    if let Some(Some(module)) = open.last_mut() {
                        module.payload(payload)?;
                    }
                }
            }
        }
        None
    }

    fn payload(&mut self, payload: Payload<'a>) -> Option<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    self.types
                        .extend(group.ok()?.into_types().map(function_type));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.ok()?;
                    match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            self.functions.push(ty);
                            self.imported.push((import.module, import.name));
                        }
                        TypeRef::Global(_) => self.globals.push(None),
                        TypeRef::Table(_) => self.table_changes = true,
                        TypeRef::Memory(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty.ok()?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.globals.push(constant(&global.ok()?.init_expr));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    match export.kind {
                        ExternalKind::Func => {
                            self.exports.insert(export.name, export.index);
                        }
                        ExternalKind::Table => self.table_changes = true,
                        _ => {}
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element.ok()?)?;
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CodeSectionStart { range, .. } => {
                self.code_begin = u32::try_from(range.start).ok();
            }
            Payload::CustomSection(section) if section.name() == ".debug_line" => {
                self.debug_line = Some(section.data());
            }
            Payload::CustomSection(section) => {
                if let wasmparser::KnownCustom::Name(names) = section.as_known() {
                    self.names(names);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn names(&mut self, names: wasmparser::NameSectionReader<'a>) {
        for subsection in names.into_iter().flatten() {
            if let wasmparser::Name::Function(map) = subsection {
                for naming in map.into_iter().flatten() {
                    self.names.insert(naming.index, naming.name);
                }
            }
        }
    }

    fn element(&mut self, element: wasmparser::Element<'a>) -> Option<()> {
        let ElementKind::Active {
            table_index,
            offset_expr,
        } = element.kind
        else {
            return Some(());
        };
        let (None | Some(0), ElementItems::Functions(functions)) = (table_index, element.items)
        else {
            self.table_changes = true;
            return Some(());
        };
        let Some(first) = constant(&offset_expr) else {
            self.table_changes = true;
            return Some(());
        };
        for (at, function) in functions.into_iter().enumerate() {
            let place = u32::try_from(first)
                .ok()?
                .checked_add(u32::try_from(at).ok()?)?;
            self.elements.insert(place, function.ok()?);
        }
        Some(())
    }

    /// The function at a place of the first table, if it stays there.
    pub(super) fn in_table(&self, place: u32) -> Option<u32> {
        match self.table_changes {
            true => None,
            false => self.elements.get(&place).copied(),
        }
    }

    /// A function's type by its number.
    pub(super) fn type_of(&self, function: u32) -> Option<&FuncType> {
        self.type_at(*self.functions.get(function as usize)?)
    }

    pub(super) fn type_at(&self, index: u32) -> Option<&FuncType> {
        self.types.get(index as usize)?.as_ref()
    }

    /// Module and name of an imported function.
    pub(super) fn import(&self, function: u32) -> Option<(&'a str, &'a str)> {
        self.imported.get(function as usize).copied()
    }

    /// Which function of Rust's runtime it is, by its name in the module. A name that lies makes the bounds of its own
    /// component wrong, and nothing else.
    pub(super) fn runtime(&self, function: u32) -> Option<Runtime> {
        let name = self.names.get(&function)?;
        let of = [
            ("___rust_alloc_zeroed", Runtime::AllocateZeroed),
            ("___rust_alloc", Runtime::Allocate),
            ("___rust_realloc", Runtime::Reallocate),
            ("___rust_dealloc", Runtime::Free),
            ("6format12format_inner", Runtime::Format),
        ];
        of.into_iter()
            .find(|(end, _)| name.ends_with(end))
            .map(|(_, is)| is)
    }

    /// A function's body; `None` for an imported one.
    pub(super) fn body(&self, function: u32) -> Option<Rc<Body<'a>>> {
        let at = (function as usize).checked_sub(self.imported.len())?;
        let read = self.read.get(at)?;
        let parameters = self.type_of(function)?.params();
        read.get_or_init(|| Body::read(self.bodies.get(at)?, parameters).map(Rc::new))
            .clone()
    }
}

impl<'a> Body<'a> {
    fn read(body: &FunctionBody<'a>, parameters: &[ValType]) -> Option<Self> {
        let mut locals = Vec::new();
        for group in body.get_locals_reader().ok()? {
            let (count, ty) = group.ok()?;
            locals.extend(std::iter::repeat_n(ty, count as usize));
        }
        let mut read = Self {
            locals,
            operators: Vec::new(),
            offsets: Vec::new(),
            ends: HashMap::new(),
            live: HashMap::new(),
            doomed: HashSet::new(),
            passages: Vec::new(),
        };
        let mut open: Vec<(usize, Option<usize>)> = Vec::new();
        for operator in body.get_operators_reader().ok()?.into_iter_with_offsets() {
            let (operator, offset) = operator.ok()?;
            let at = read.operators.len();
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    open.push((at, None));
                }
                Operator::Else => open.last_mut()?.1 = Some(at),
                Operator::End => {
                    if let Some((opened, other)) = open.pop() {
                        read.ends.insert(opened, (at, other));
                    }
                }
                _ => {}
            }
            read.operators.push(operator);
            read.offsets.push(u32::try_from(offset).ok()?);
        }
        read.find_live()?;
        read.find_doomed();
        read.passages = passages::find(&read, parameters);
        Some(read)
    }

    /// Goes from the end to the beginning. A loop may read whatever is read anywhere in it: more than it does, and
    /// enough to leave most locals alone where paths meet.
    fn find_live(&mut self) -> Option<()> {
        let mut left = MAX_READ;
        let mut opened: HashMap<usize, usize> = HashMap::new();
        for (open, (end, _)) in &self.ends {
            opened.insert(*end, *open);
        }
        let mut others: HashMap<usize, usize> = HashMap::new();
        for (open, (_, other)) in &self.ends {
            if let Some(other) = other {
                others.insert(*other, *open);
            }
        }
        let mut live = Live::default();
        // Of blocks that are open: what a branch to each may read.
        let mut labels: Vec<Rc<Live>> = vec![Rc::default()];
        for at in (0..self.operators.len()).rev() {
            match &self.operators[at] {
                Operator::End => {
                    let Some(open) = opened.get(&at) else {
                        continue;
                    };
                    let behind = Rc::new(live.clone());
                    let label = if matches!(self.operators[*open], Operator::Loop { .. }) {
                        left = left.checked_sub(at - *open)?;
                        let mut read = live.clone();
                        for operator in &self.operators[*open..at] {
                            if let Operator::LocalGet { local_index } = operator {
                                read.put(*local_index, true);
                            }
                        }
                        live = read;
                        Rc::new(live.clone())
                    } else {
                        behind
                    };
                    self.live.insert(*open, Rc::clone(&label));
                    labels.push(label);
                }
                Operator::Else => {
                    // What is read on the way without it counts on both.
                    let behind = others.get(&at).and_then(|open| self.live.get(open));
                    if let Some(behind) = behind {
                        live.join(behind);
                    }
                }
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    if let Some(label) = labels.pop() {
                        live.join(&label);
                    }
                }
                Operator::Br { relative_depth } => live = label(&labels, *relative_depth),
                Operator::BrIf { relative_depth } => live.join(&label(&labels, *relative_depth)),
                Operator::BrTable { targets } => {
                    live = label(&labels, targets.default());
                    for depth in targets.targets().flatten() {
                        live.join(&label(&labels, depth));
                    }
                }
                Operator::Return | Operator::Unreachable => live = Live::default(),
                Operator::LocalGet { local_index } => live.put(*local_index, true),
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    live.put(*local_index, false);
                }
                _ => {}
            }
        }
        Some(())
    }

    fn find_doomed(&mut self) {
        for (open, (end, _)) in &self.ends {
            if matches!(self.operators[*open], Operator::Loop { .. }) {
                continue;
            }
            let behind = self.operators[end + 1..].iter();
            let ends = behind.take(12).find(|operator| {
                !matches!(
                    operator,
                    Operator::LocalGet { .. }
                        | Operator::LocalSet { .. }
                        | Operator::I32Const { .. }
                        | Operator::I64Const { .. }
                        | Operator::I32Add
                        | Operator::I32Store { .. }
                        | Operator::I64Store { .. }
                        | Operator::Call { .. }
                )
            });
            if matches!(ends, Some(Operator::Unreachable)) {
                self.doomed.insert(*open);
            }
        }
    }
}

fn label(labels: &[Rc<Live>], depth: u32) -> Live {
    let at = labels.len().checked_sub(1 + depth as usize);
    at.map(|at| Live::clone(&labels[at])).unwrap_or_default()
}

fn function_type(ty: SubType) -> Option<FuncType> {
    match ty.composite_type.inner {
        CompositeInnerType::Func(function) => Some(function),
        _ => None,
    }
}

/// The number that a constant expression is, if it is one alone.
fn constant(expression: &ConstExpr<'_>) -> Option<i64> {
    let mut operators = expression.get_operators_reader();
    let value = match operators.read().ok()? {
        Operator::I32Const { value } => i64::from(value),
        Operator::I64Const { value } => value,
        _ => return None,
    };
    matches!(operators.read().ok()?, Operator::End).then_some(value)
}
