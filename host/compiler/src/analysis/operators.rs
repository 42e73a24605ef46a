//! What operators that branch nowhere do to values and to the cells of memory that are followed.

use super::atoms::{Atoms, Taint, U32};
use super::passages;
use super::poly::Poly;
use super::run::Run;
use super::value::{State, Value};
use std::rc::Rc;
use wasmparser::{BlockType, Operator};

/// What a failure's cell holds where there is none: `None` of an `Option<String>`.
const NO_FAILURE: f64 = -2_147_483_648.0;

/// The most that a function of the host writes of what it returns.
const ANSWER_BYTES: f64 = 64.0;

/// The counts of operands for operators that are all alike to analysis.
pub(super) struct Arity;

impl wasmparser::ModuleArity for Arity {
    fn sub_type_at(&self, _: u32) -> Option<&wasmparser::SubType> {
        None
    }
    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }
    fn type_index_of_function(&self, _: u32) -> Option<u32> {
        None
    }
    fn func_type_of_cont_type(&self, _: &wasmparser::ContType) -> Option<&wasmparser::FuncType> {
        None
    }
    fn sub_type_of_ref_type(&self, _: &wasmparser::RefType) -> Option<&wasmparser::SubType> {
        None
    }
    fn control_stack_height(&self) -> u32 {
        0
    }
    fn label_block(&self, _: u32) -> Option<(BlockType, wasmparser::FrameKind)> {
        None
    }
}

impl<'a> Run<'_, 'a> {
    /// Runs an operator that branches nowhere.
    pub(super) fn operator(&mut self, operator: &Operator<'a>, state: &mut State) -> Option<()> {
        state.spent.counted += f64::from(passages::cost(operator));
        let mut stack = std::mem::take(&mut state.stack);
        let done = self.on_stack(operator, state, &mut stack);
        state.stack = stack;
        done
    }

    fn on_stack(
        &mut self,
        operator: &Operator<'a>,
        state: &mut State,
        stack: &mut Vec<Value>,
    ) -> Option<()> {
        use Operator as O;
        macro_rules! binary {
            ($name:ident $(, $bits:expr)?) => {{
                let (b, a) = (stack.pop()?, stack.pop()?);
                stack.push(self.arithmetic(state).$name(&a, &b $(, $bits)?));
            }};
        }
        macro_rules! less {
            ($swap:expr, $by:expr, $unsigned:expr) => {{
                let (b, a) = (stack.pop()?, stack.pop()?);
                let (a, b) = if $swap { (b, a) } else { (a, b) };
                let is = self.arithmetic(state).less(&a, &b, $by, $unsigned);
                stack.push(Value::Is(Rc::new(is)));
            }};
        }
        match operator {
            O::Drop => {
                stack.pop()?;
            }
            O::LocalGet { local_index } => stack.push(state.locals[*local_index as usize].clone()),
            O::LocalSet { local_index } => state.locals[*local_index as usize] = stack.pop()?,
            O::LocalTee { local_index } => {
                state.locals[*local_index as usize] = stack.last()?.clone();
            }
            O::GlobalGet { global_index } => {
                stack.push(state.globals.get(*global_index as usize)?.clone());
            }
            O::GlobalSet { global_index } => {
                let value = stack.pop()?;
                *Rc::make_mut(&mut state.globals).get_mut(*global_index as usize)? = value;
            }
            O::I32Const { value } => {
                stack.push(Value::Int(Rc::new(Poly::constant(f64::from(*value)))));
            }
            O::I64Const { value } => {
                stack.push(Value::Int(Rc::new(Poly::constant(*value as f64))));
            }
            O::I32Add | O::I64Add => binary!(add),
            O::I32Sub | O::I64Sub => binary!(sub),
            O::I32Mul | O::I64Mul => binary!(mul),
            O::I32Shl => binary!(shl, 32.0),
            O::I64Shl => binary!(shl, 64.0),
            O::I32ShrU | O::I32ShrS => binary!(shr, 32.0),
            O::I64ShrU | O::I64ShrS => binary!(shr, 64.0),
            O::I32And | O::I64And => binary!(and),
            O::I32Or | O::I64Or => binary!(or),
            O::I32Xor | O::I64Xor => binary!(xor),
            O::I32DivU | O::I32DivS | O::I64DivU | O::I64DivS => binary!(div),
            O::I32RemU | O::I32RemS | O::I64RemU | O::I64RemS => binary!(rem),
            O::I64ExtendI32U | O::I64ExtendI32S | O::I32WrapI64 => match stack.last_mut()? {
                Value::Pair(low, _) if matches!(operator, O::I32WrapI64) => {
                    let low = Rc::clone(low);
                    *stack.last_mut()? = Value::Int(low);
                }
                _ => {}
            },
            O::I32Eqz | O::I64Eqz => {
                let value = stack.pop()?;
                let is = self.arithmetic(state).condition(&value).negated();
                stack.push(Value::Is(Rc::new(is)));
            }
            O::I32Eq | O::I64Eq | O::I32Ne | O::I64Ne => {
                let (b, a) = (stack.pop()?, stack.pop()?);
                let mut is = self.arithmetic(state).equal(&a, &b);
                if matches!(operator, O::I32Ne | O::I64Ne) {
                    is = is.negated();
                }
                stack.push(Value::Is(Rc::new(is)));
            }
            O::I32LtU | O::I64LtU => less!(false, 1.0, true),
            O::I32LtS | O::I64LtS => less!(false, 1.0, false),
            O::I32LeU | O::I64LeU => less!(false, 0.0, true),
            O::I32LeS | O::I64LeS => less!(false, 0.0, false),
            O::I32GtU | O::I64GtU => less!(true, 1.0, true),
            O::I32GtS | O::I64GtS => less!(true, 1.0, false),
            O::I32GeU | O::I64GeU => less!(true, 0.0, true),
            O::I32GeS | O::I64GeS => less!(true, 0.0, false),
            O::Select | O::TypedSelect { .. } => {
                let (condition, b, a) = (stack.pop()?, stack.pop()?, stack.pop()?);
                let mut arithmetic = self.arithmetic(state);
                let condition = arithmetic.condition(&condition);
                let condition = arithmetic.known(condition);
                stack.push(arithmetic.select(&a, &b, &condition));
            }
            O::I32Clz | O::I64Clz | O::I32Ctz | O::I64Ctz | O::I32Popcnt | O::I64Popcnt => {
                let value = stack.pop()?;
                stack.push(self.arithmetic(state).other("bits", &[&value], 64.0));
            }
            O::I32Load { memarg } => self.load(state, stack, memarg.offset, false)?,
            O::I64Load { memarg } => self.load(state, stack, memarg.offset, true)?,
            O::I32Load8U { .. } | O::I64Load8U { .. } => self.small(stack, 255.0)?,
            O::I32Load16U { .. } | O::I64Load16U { .. } => self.small(stack, 65_535.0)?,
            O::I32Store { memarg } => self.store(state, stack, memarg.offset, false)?,
            O::I64Store { memarg } => self.store(state, stack, memarg.offset, true)?,
            O::I32Store8 { memarg }
            | O::I32Store16 { memarg }
            | O::F32Store { memarg }
            | O::I64Store8 { memarg }
            | O::I64Store16 { memarg }
            | O::I64Store32 { memarg }
            | O::V128Store8Lane { memarg, .. }
            | O::V128Store16Lane { memarg, .. }
            | O::V128Store32Lane { memarg, .. } => {
                self.forget(state, stack, memarg.offset, 4.0)?;
            }
            O::F64Store { memarg } | O::V128Store64Lane { memarg, .. } => {
                self.forget(state, stack, memarg.offset, 8.0)?
            }
            O::V128Store { memarg } => self.forget(state, stack, memarg.offset, 16.0)?,
            O::MemoryCopy { .. } | O::MemoryFill { .. } | O::MemoryInit { .. } => {
                let (len, _, to) = (stack.pop()?, stack.pop()?, stack.pop()?);
                let len = self.arithmetic(state).number(&len);
                let to = self.address(state, &to, 0);
                self.forget_filled(state, &to, &len);
                state.spent.lower = state.spent.lower.add(&len).unwrap_or_default();
                let upper = state.spent.upper.as_ref();
                state.spent.upper = upper.and_then(|upper| upper.add(&len));
            }
            operator => {
                let (pops, pushes) = operator.operator_arity(&Arity)?;
                let left = stack.len().checked_sub(pops as usize)?;
                stack.truncate(left);
                stack.extend((0..pushes).map(|_| Value::Unknown(Taint::Data)));
            }
        }
        Some(())
    }

    fn small(&mut self, stack: &mut Vec<Value>, greatest: f64) -> Option<()> {
        stack.pop()?;
        let atom = self.atoms.unknown(Taint::Data, greatest);
        stack.push(Value::Int(Rc::new(Poly::atom(atom))));
        Some(())
    }

    fn address(&mut self, state: &State, value: &Value, offset: u64) -> Rc<Poly> {
        let address = self.arithmetic(state).number(value);
        Rc::new(address.plus(offset as f64))
    }

    fn load(
        &mut self,
        state: &mut State,
        stack: &mut Vec<Value>,
        offset: u64,
        wide: bool,
    ) -> Option<()> {
        let base = stack.pop()?;
        let address = self.address(state, &base, offset);
        let low = self.cell(state, &address);
        let value = match (low, wide) {
            (Some(Value::Pair(low, high)), true) => Some(Value::Pair(low, high)),
            (Some(low), true) => {
                let high = self.cell(state, &Rc::new(address.plus(4.0)));
                high.map(|high| {
                    let mut arithmetic = self.arithmetic(state);
                    let (low, high) = (arithmetic.number(&low), arithmetic.number(&high));
                    Value::Pair(low, high)
                })
            }
            (low, _) => low,
        };
        stack.push(value.unwrap_or_else(|| self.any()));
        Some(())
    }

    /// What a cell that is followed holds; a number that is not known is the same whenever it is read.
    fn cell(&mut self, state: &mut State, address: &Rc<Poly>) -> Option<Value> {
        let held = state.cells.get(address)?;
        if !matches!(held, Value::Unknown(_)) {
            return Some(held.clone());
        }
        let value = self.any();
        Rc::make_mut(&mut state.cells).insert(Rc::clone(address), value.clone());
        Some(value)
    }

    /// A number of which nothing is known.
    fn any(&mut self) -> Value {
        let atom = self.atoms.unknown(Taint::Data, U32);
        Value::Int(Rc::new(Poly::atom(atom)))
    }

    fn store(
        &mut self,
        state: &mut State,
        stack: &mut Vec<Value>,
        offset: u64,
        wide: bool,
    ) -> Option<()> {
        let (value, base) = (stack.pop()?, stack.pop()?);
        let address = self.address(state, &base, offset);
        let parts = match (&value, wide) {
            (Value::Pair(low, high), true) => {
                vec![Value::Int(Rc::clone(low)), Value::Int(Rc::clone(high))]
            }
            (Value::Int(poly), true) if let Some(whole) = poly.as_whole() => halves(whole).to_vec(),
            (_, true) => vec![value.clone(), Value::Unknown(Taint::Data)],
            (_, false) => vec![value.clone()],
        };
        if self.failure.as_ref() == Some(&address) {
            let number = parts
                .first()
                .map(|part| self.arithmetic(state).number(part));
            let number = number.and_then(|number| number.as_constant());
            state.has_failed |= number.is_some_and(|number| number != NO_FAILURE);
        }
        for (at, part) in parts.into_iter().enumerate() {
            self.write(state, Rc::new(address.plus(4.0 * at as f64)), Some(part));
        }
        Some(())
    }

    /// A store of something that is not followed.
    fn forget(
        &mut self,
        state: &mut State,
        stack: &mut Vec<Value>,
        offset: u64,
        bytes: f64,
    ) -> Option<()> {
        let (_, base) = (stack.pop()?, stack.pop()?);
        let address = self.address(state, &base, offset);
        let mut at = 0.0;
        while at < bytes {
            self.write(state, Rc::new(address.plus(at)), None);
            at += 4.0;
        }
        Some(())
    }

    fn write(&mut self, state: &mut State, address: Rc<Poly>, value: Option<Value>) {
        for written in &mut self.written {
            written.insert(Rc::clone(&address));
        }
        self.forget_overlapped(state, &address);
        match value {
            Some(value) if state.cells.len() < 4096 => {
                Rc::make_mut(&mut state.cells).insert(address, value);
            }
            _ if state.cells.contains_key(&address) => {
                Rc::make_mut(&mut state.cells).remove(&address);
            }
            _ => {}
        }
    }

    /// What a copy or a fill of that many bytes may have changed.
    fn forget_filled(&mut self, state: &mut State, to: &Poly, len: &Poly) {
        let most = self.atoms.greatest(len, &state.refined);
        self.forget_where(state, |atoms, cell| match cell.sub(to) {
            Some(apart) => match apart.as_constant() {
                Some(bytes) => bytes > -4.0 && bytes < most,
                None => !atoms.has_address(&apart),
            },
            None => true,
        });
    }

    /// What the host may have changed that was called with those arguments: it writes where one of them points to. On the stack, whose
    /// addresses are constants, that is what it answers.
    pub(super) fn forget_answered(&mut self, state: &mut State, arguments: &[Value]) {
        for argument in arguments {
            let to = self.address(state, argument, 0);
            let len = match to.as_constant() {
                Some(_) => ANSWER_BYTES,
                None if self.atoms.has_address(&to) => U32,
                None => continue,
            };
            self.forget_filled(state, &to, &Poly::constant(len));
        }
    }

    /// All that memory holds, behind a call that is not followed.
    pub(super) fn forget_all(&mut self, state: &mut State) {
        self.forget_where(state, |_, _| true);
    }

    fn forget_where(&mut self, state: &mut State, is_changed: impl Fn(&Atoms, &Poly) -> bool) {
        let looked_at = u32::try_from(state.cells.len() / 8).unwrap_or(u32::MAX);
        self.steps = self.steps.saturating_sub(looked_at);
        let changed = state.cells.keys();
        let changed = changed.filter(|cell| is_changed(&self.atoms, cell));
        let changed: Vec<Rc<Poly>> = changed.cloned().collect();
        for cell in changed {
            Rc::make_mut(&mut state.cells).remove(&cell);
            for written in &mut self.written {
                written.insert(Rc::clone(&cell));
            }
        }
    }

    /// What a store to an address may have changed elsewhere in the same array: two indices may be one.
    ///
    /// Addresses whose difference has an address in it that nobody knows are of two arrays, or of an array and the stack.
    fn forget_overlapped(&mut self, state: &mut State, address: &Rc<Poly>) {
        if address.as_constant().is_some() {
            return;
        }
        self.forget_where(state, |atoms, cell| {
            cell.as_constant().is_none()
                && *cell != **address
                && match cell.sub(address) {
                    Some(apart) => match apart.as_constant() {
                        Some(bytes) => bytes.abs() < 4.0,
                        None => !atoms.has_address(&apart),
                    },
                    None => true,
                }
        });
    }
}

/// The two words of a number, the low one first.
fn halves(whole: i64) -> [Value; 2] {
    let bytes = whole.to_le_bytes();
    let [a, b, c, d, e, f, g, h] = bytes;
    [[a, b, c, d], [e, f, g, h]].map(|word| {
        let word = f64::from(i32::from_le_bytes(word));
        Value::Int(Rc::new(Poly::constant(word)))
    })
}
