//! Moves tables of constants into a buffer.
//!
//! A driver may compile an array of constants that is indexed at run time into one store or comparison for each element,
//! wherever it is used: lavapipe takes seconds for 512 elements. Here such arrays become the members of one hidden buffer
//! that is only read, and what indexes them becomes a call of a function that loads from it.

mod bytes;
mod site;

use bytes::Bytes;
use naga::proc::Layouter;
use naga::valid::ModuleInfo;
use naga::{
    AddressSpace, Arena, Block, Constant, Expression, Function, FunctionArgument, FunctionResult,
    GlobalVariable, Handle, Literal, MathFunction, MemoryDecorations, Module, Range,
    ResourceBinding, ScalarKind, Span, Statement, StorageAccess, StructMember, Type, TypeInner,
};
use site::{Sites, Step};
use std::collections::HashMap;

/// The group of the hidden buffer.
pub const TABLES_GROUP: u32 = 0;
/// Its slot: guests have those below.
pub const TABLES_SLOT: u32 = 999;

/// Arrays of fewer words stay where they are.
const FEWEST_WORDS: u64 = 32;
/// Bytes of all tables; those beyond stay where they are.
const BYTES: u64 = 256 << 10;

/// Moves what can be moved; what the buffer holds, where there is one.
pub(super) fn hoist(module: &mut Module, info: &ModuleInfo) -> Option<Vec<u8>> {
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).ok()?;
    let mut tables = Tables {
        layouter,
        members: Vec::new(),
        known: HashMap::new(),
        whole: HashMap::new(),
        bytes: Vec::new(),
    };
    let mut sites = Vec::new();
    for (handle, function) in module.functions.iter() {
        sites.push(Sites::of(module, function, &info[handle], &mut tables));
    }
    for (index, point) in module.entry_points.iter().enumerate() {
        let info = info.get_entry_point(index);
        sites.push(Sites::of(module, &point.function, info, &mut tables));
    }
    if sites.iter().all(Sites::is_empty) {
        return None;
    }
    let variable = tables.add_to(module);
    Rewrite::of(module, variable, &sites).apply(module, &sites);
    Some(tables.bytes)
}

/// A value that is the same wherever it stands.
#[derive(PartialEq, Eq, Hash)]
enum Whole {
    Constant(Handle<Constant>),
    Zeros(Handle<Type>),
}

/// What the hidden buffer holds.
struct Tables {
    layouter: Layouter,
    members: Vec<StructMember>,
    known: HashMap<(Handle<Type>, Vec<u8>), u32>,
    /// What values without parts were found to be.
    whole: HashMap<Whole, Option<u32>>,
    bytes: Vec<u8>,
}

impl Tables {
    /// The member that holds a constant array, added where there was none; `None` for what is not moved.
    fn member(
        &mut self,
        module: &Module,
        function: &Function,
        value: Handle<Expression>,
    ) -> Option<u32> {
        let whole = match function.expressions[value] {
            Expression::Constant(constant) => Whole::Constant(constant),
            Expression::ZeroValue(ty) => Whole::Zeros(ty),
            _ => return self.add(module, function, value),
        };
        if let Some(member) = self.whole.get(&whole) {
            return *member;
        }
        let member = self.add(module, function, value);
        self.whole.insert(whole, member);
        member
    }

    fn add(
        &mut self,
        module: &Module,
        function: &Function,
        value: Handle<Expression>,
    ) -> Option<u32> {
        let ty = bytes::type_of(module, &function.expressions, value)?;
        if !matches!(module.types[ty].inner, TypeInner::Array { .. }) {
            return None;
        }
        let layout = self.layouter[ty];
        let begin = layout
            .alignment
            .round_up(u32::try_from(self.bytes.len()).ok()?);
        let end = u64::from(begin) + u64::from(layout.size);
        if u64::from(layout.size) < 4 * FEWEST_WORDS || end > BYTES {
            return None;
        }
        let bytes = Bytes::of(module, &function.expressions, value, layout.size)?;
        if let Some(member) = self.known.get(&(ty, bytes.clone())) {
            return Some(*member);
        }
        let member = u32::try_from(self.members.len()).ok()?;
        self.members.push(StructMember {
            name: Some(format!("table_{member}")),
            ty,
            binding: None,
            offset: begin,
        });
        self.bytes.resize(begin as usize, 0);
        self.bytes.extend(&bytes);
        self.known.insert((ty, bytes), member);
        Some(member)
    }

    fn add_to(&mut self, module: &mut Module) -> Handle<GlobalVariable> {
        // A structure's size is a multiple of its alignment, which is at most 16.
        self.bytes.resize(self.bytes.len().next_multiple_of(16), 0);
        let inner = TypeInner::Struct {
            members: std::mem::take(&mut self.members),
            span: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
        };
        let name = Some("Tables".to_owned());
        let ty = module.types.insert(Type { name, inner }, Span::UNDEFINED);
        let variable = GlobalVariable {
            name: Some("tables".to_owned()),
            space: AddressSpace::Storage {
                access: StorageAccess::LOAD,
            },
            binding: Some(ResourceBinding {
                group: TABLES_GROUP,
                binding: TABLES_SLOT,
            }),
            ty,
            init: None,
            memory_decorations: MemoryDecorations::empty(),
        };
        module.global_variables.append(variable, Span::UNDEFINED)
    }
}

/// What loads an element: which member, the way there, and the type of what is found.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Load {
    member: u32,
    way: Vec<Step>,
    result: TypeInner,
}

/// The functions that load, and then all others.
struct Rewrite {
    functions: Arena<Function>,
    loads: HashMap<Load, Handle<Function>>,
}

impl Rewrite {
    fn of(module: &mut Module, variable: Handle<GlobalVariable>, sites: &[Sites]) -> Self {
        let mut rewrite = Self {
            functions: Arena::new(),
            loads: HashMap::new(),
        };
        for site in sites.iter().flat_map(|sites| sites.found.values()) {
            if !rewrite.loads.contains_key(&site.load) {
                let function = loader(module, variable, &site.load);
                let handle = rewrite.functions.append(function, Span::UNDEFINED);
                rewrite.loads.insert(site.load.clone(), handle);
            }
        }
        rewrite
    }

    fn apply(mut self, module: &mut Module, sites: &[Sites]) {
        let mut moved = HashMap::new();
        let mut sites = sites.iter();
        for (old, mut function, span) in std::mem::take(&mut module.functions).drain() {
            if let Some(sites) = sites.next() {
                self.rewrite(&mut function, sites, &moved);
            }
            moved.insert(old, self.functions.append(function, span));
        }
        for (point, sites) in module.entry_points.iter_mut().zip(sites) {
            self.rewrite(&mut point.function, sites, &moved);
        }
        module.functions = self.functions;
    }

    fn rewrite(&self, function: &mut Function, sites: &Sites, moved: &Moved) {
        for (handle, expression) in function.expressions.iter_mut() {
            if let Expression::CallResult(callee) = expression
                && let Some(new) = moved.get(callee)
            {
                *callee = *new;
            }
            if let Some(site) = sites.found.get(&handle) {
                *expression = Expression::CallResult(self.loads[&site.load]);
            }
        }
        let names = &mut function.named_expressions;
        names.retain(|handle, _| !sites.passed.contains(handle));
        self.rewrite_block(&mut function.body, sites, moved);
    }

    fn rewrite_block(&self, block: &mut Block, sites: &Sites, moved: &Moved) {
        let mut new = Block::with_capacity(block.len());
        for (mut statement, span) in std::mem::take(block).span_into_iter() {
            match &mut statement {
                Statement::Emit(range) => {
                    self.split(range, span, sites, &mut new);
                    continue;
                }
                Statement::Call { function, .. } => {
                    if let Some(callee) = moved.get(function) {
                        *function = *callee;
                    }
                }
                Statement::Block(inner) => self.rewrite_block(inner, sites, moved),
                Statement::If { accept, reject, .. } => {
                    self.rewrite_block(accept, sites, moved);
                    self.rewrite_block(reject, sites, moved);
                }
                Statement::Switch { cases, .. } => cases
                    .iter_mut()
                    .for_each(|case| self.rewrite_block(&mut case.body, sites, moved)),
                Statement::Loop {
                    body, continuing, ..
                } => {
                    self.rewrite_block(body, sites, moved);
                    self.rewrite_block(continuing, sites, moved);
                }
                _ => {}
            }
            new.push(statement, span);
        }
        *block = new;
    }

    /// Calls in the place of what is found, between what goes on being evaluated there.
    fn split(&self, range: &Range<Expression>, span: Span, sites: &Sites, block: &mut Block) {
        let mut kept: Option<(Handle<Expression>, Handle<Expression>)> = None;
        let emit = |kept: &mut Option<(_, _)>, block: &mut Block| {
            if let Some((first, last)) = kept.take() {
                block.push(Statement::Emit(Range::new_from_bounds(first, last)), span);
            }
        };
        for handle in range.clone() {
            match sites.found.get(&handle) {
                Some(site) => {
                    emit(&mut kept, block);
                    let call = Statement::Call {
                        function: self.loads[&site.load],
                        arguments: site.indices.clone(),
                        result: Some(handle),
                    };
                    block.push(call, span);
                }
                None if sites.passed.contains(&handle) => emit(&mut kept, block),
                None => kept = Some((kept.map_or(handle, |(first, _)| first), handle)),
            }
        }
        emit(&mut kept, block);
    }
}

type Moved = HashMap<Handle<Function>, Handle<Function>>;

/// A function that loads an element.
fn loader(module: &mut Module, variable: Handle<GlobalVariable>, load: &Load) -> Function {
    let mut type_of = |inner: TypeInner| {
        let ty = Type { name: None, inner };
        module.types.insert(ty, Span::UNDEFINED)
    };
    let result = FunctionResult {
        ty: type_of(load.result.clone()),
        binding: None,
    };
    let mut expressions = Arena::new();
    let mut append = |expression| expressions.append(expression, Span::UNDEFINED);
    let variable = append(Expression::GlobalVariable(variable));
    let (mut arguments, mut indices) = (Vec::new(), Vec::new());
    let mut positions = 0..;
    for step in &load.way {
        if let Step::Index(scalar, count) = *step {
            let argument = Expression::FunctionArgument(positions.next().unwrap_or(u32::MAX));
            let last = Expression::Literal(Literal::U32(count.saturating_sub(1)));
            indices.push((append(argument), append(last)));
            arguments.push(FunctionArgument {
                name: None,
                ty: type_of(TypeInner::Scalar(scalar)),
                binding: None,
            });
        }
    }
    let mut base = append(Expression::AccessIndex {
        base: variable,
        index: load.member,
    });
    let first = base;
    let mut indices = indices.into_iter();
    for step in &load.way {
        let access = match *step {
            Step::Member(index) => Expression::AccessIndex { base, index },
            Step::Index(..) => match indices.next() {
                Some((index, last)) => {
                    let index = bounded(&mut append, index, last);
                    Expression::Access { base, index }
                }
                None => continue,
            },
        };
        base = append(access);
    }
    let value = append(Expression::Load { pointer: base });
    let evaluated = Statement::Emit(Range::new_from_bounds(first, value));
    let value = Statement::Return { value: Some(value) };
    Function {
        name: Some("table".to_owned()),
        arguments,
        result: Some(result),
        expressions,
        body: Block::from_vec(vec![evaluated, value]),
        ..Function::default()
    }
}

/// An index that leads to the last element where it is beyond it: what lies there is another table's.
fn bounded(
    append: &mut impl FnMut(Expression) -> Handle<Expression>,
    index: Handle<Expression>,
    last: Handle<Expression>,
) -> Handle<Expression> {
    let positive = append(Expression::As {
        expr: index,
        kind: ScalarKind::Uint,
        convert: Some(4),
    });
    append(Expression::Math {
        fun: MathFunction::Min,
        arg: positive,
        arg1: Some(last),
        arg2: None,
        arg3: None,
    })
}
