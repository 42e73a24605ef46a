//! One function with its innermost loops repeated.
//!
//! With `A` for a body and three rounds, `loop A end` becomes
//!
//! ```text
//! block $exit
//!   loop $again
//!     block $next  A  br $exit  end
//!     block $next  A  br $exit  end
//!     A
//!   end
//! end
//! ```
//!
//! A branch to the loop goes to the next copy, that of the last one back to the beginning; what falls out of a body leaves,
//! with its results. Any body will do, whatever its branches, since each copy keeps all of them. But a loop with parameters
//! would need a type of its own for `$next`, and stays, and so does any whose block type is not among the short ones; compilers
//! make none.

use super::Repeat;
use std::borrow::Cow;
use std::ops::Range;
use wasm_encoder::{BlockType, Encode as _, Instruction};
use wasmparser::{BinaryReaderError, FunctionBody, Operator};

/// The longest body that is repeated, in operators. A longer one pays little for its check, and more for being so large
/// (docs/decisions/0033-repeated-loops.md).
const BODY_OPERATORS: usize = 160;

/// An operator, and its bytes.
struct Op<'a> {
    operator: Operator<'a>,
    bytes: &'a [u8],
}

/// A function's body with its innermost loops repeated, and one more in `loops` for each.
pub(super) fn repeat(
    body: &FunctionBody<'_>,
    count: Repeat,
    loops: &mut usize,
) -> Result<Vec<u8>, BinaryReaderError> {
    let (locals, ops) = read(body)?;
    let (mut made, mut kept) = (locals.to_vec(), 0);
    let keep = |ops: &[Op<'_>], made: &mut Vec<u8>| {
        ops.iter().for_each(|op| made.extend_from_slice(op.bytes));
    };
    for Range { start, end } in chosen(&ops) {
        keep(&ops[kept..start], &mut made);
        write(&ops[start..end], count, &mut made);
        kept = end + 1;
        *loops += 1;
    }
    keep(&ops[kept..], &mut made);
    Ok(made)
}

/// A body's declarations of locals, and its operators.
fn read<'a>(body: &FunctionBody<'a>) -> Result<(&'a [u8], Vec<Op<'a>>), BinaryReaderError> {
    let (bytes, origin) = (body.as_bytes(), body.range().start);
    let mut reader = body.get_operators_reader()?;
    let first = reader.original_position() - origin;
    let (mut ops, mut from) = (Vec::new(), first);
    while !reader.eof() {
        let operator = reader.read()?;
        let to = reader.original_position() - origin;
        let bytes = &bytes[from..to];
        ops.push(Op { operator, bytes });
        from = to;
    }
    Ok((&bytes[..first], ops))
}

/// The loops to repeat, from front to back: each from its `loop` to its `end`, which is not in it.
fn chosen(ops: &[Op<'_>]) -> Vec<Range<usize>> {
    let mut chosen = Vec::new();
    // Where each open block begins.
    let mut open = Vec::new();
    // How many of them hold a loop: the outermost ones.
    let mut outer = 0;
    for (at, op) in ops.iter().enumerate() {
        match op.operator {
            Operator::Block { .. } | Operator::If { .. } => open.push(at),
            Operator::Loop { .. } => {
                outer = open.len();
                open.push(at);
            }
            // The last one is the function's.
            Operator::End => {
                let Some(begin) = open.pop() else { continue };
                let is_innermost = open.len() >= outer;
                outer = outer.min(open.len());
                if is_innermost && gains(&ops[begin], &ops[begin + 1..at]) {
                    chosen.push(begin..at);
                }
            }
            _ => {}
        }
    }
    chosen
}

/// Whether a block is a loop that can be repeated and may gain by it. A call is checked by itself.
fn gains(block: &Op<'_>, inside: &[Op<'_>]) -> bool {
    let Operator::Loop { blockty } = block.operator else {
        return false;
    };
    let has_parameters = matches!(blockty, wasmparser::BlockType::FuncType(_));
    let is_call = |op: &Op<'_>| {
        matches!(
            op.operator,
            Operator::Call { .. } | Operator::CallIndirect { .. }
        )
    };
    !has_parameters
        && inside.len() <= BODY_OPERATORS
        && !inside.iter().any(is_call)
        && goes_round(inside)
}

/// Whether something inside a loop branches to it.
fn goes_round(inside: &[Op<'_>]) -> bool {
    let mut depth = 0;
    inside.iter().any(|op| {
        depth = depth_behind(depth, &op.operator);
        match &op.operator {
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                *relative_depth == depth
            }
            Operator::BrTable { targets } => {
                let mut labels = targets.targets().filter_map(Result::ok);
                targets.default() == depth || labels.any(|label| label == depth)
            }
            _ => false,
        }
    })
}

/// How many blocks are open behind an operator, of `depth` before it.
fn depth_behind(depth: u32, operator: &Operator<'_>) -> u32 {
    match operator {
        Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth + 1,
        Operator::End => depth.saturating_sub(1),
        _ => depth,
    }
}

/// Writes a loop, its `loop` first and without its `end`, with `count` copies of what is inside.
fn write(ops: &[Op<'_>], Repeat(count): Repeat, made: &mut Vec<u8>) {
    let Some((head, inside)) = ops.split_first() else {
        return;
    };
    // The block has the loop's results, and so its type: that of a `loop` without its opcode.
    made.push(BLOCK);
    made.extend_from_slice(&head.bytes[1..]);
    made.extend_from_slice(head.bytes);
    for _ in 1..count {
        Instruction::Block(BlockType::Empty).encode(made);
        copy(inside, 2, made);
        Instruction::Br(2).encode(made);
        Instruction::End.encode(made);
    }
    copy(inside, 1, made);
    Instruction::End.encode(made);
    Instruction::End.encode(made);
}

/// The opcode of `block`.
const BLOCK: u8 = 0x02;

/// Copies the inside of a loop, with so many labels `more` between it and what is around it.
///
/// No other operators than these have labels, in what a kernel may be made of; with others, the host refuses it.
fn copy(ops: &[Op<'_>], more: u32, made: &mut Vec<u8>) {
    let mut depth = 0;
    for Op { operator, bytes } in ops {
        depth = depth_behind(depth, operator);
        // The loop itself is as far away as before: it is the next copy, or the loop.
        let moved = |label: u32| if label > depth { label + more } else { label };
        match operator {
            Operator::Br { relative_depth } => Instruction::Br(moved(*relative_depth)).encode(made),
            Operator::BrIf { relative_depth } => {
                Instruction::BrIf(moved(*relative_depth)).encode(made);
            }
            Operator::BrTable { targets } => {
                let labels = targets.targets().filter_map(Result::ok).map(moved);
                let labels = Cow::Owned(labels.collect());
                Instruction::BrTable(labels, moved(targets.default())).encode(made);
            }
            _ => made.extend_from_slice(bytes),
        }
    }
}
