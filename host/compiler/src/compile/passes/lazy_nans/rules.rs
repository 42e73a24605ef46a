//! What each instruction does to lazy values: which operands it has settled, and what is known of its result.
//!
//! An instruction that is not named here sees bits: all its operands are settled. That is the rule for whatever is new, for
//! stores, calls, branches and ends of blocks, integer and bitwise operations, and for `neg` and `copysign`, which would
//! carry a sign over that is not the official one.

use super::value::{Facts, Value, Width};
use wasmparser::Operator;

/// What an instruction does to lazy values. Those with a rule have one result at most, and three operands at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Sees bits.
    Bits,
    /// Looks at no operand at all.
    Blind,
    /// Makes NaNs of any bits out of lanes of which it sees at most that they are NaNs.
    Arithmetic {
        reads: Width,
        makes: Width,
    },
    /// Sees of a lane at most that it is a NaN, and makes something without NaNs, with these facts.
    Compare {
        reads: Width,
        makes: Facts,
    },
    /// Sees bits, and makes something with these facts.
    Known(Facts),
    /// Puts lanes of this width elsewhere, or chooses one of two; no width where it moves the widest lanes there are.
    Move(Option<Width>),
    /// As `Move`, with a condition as the third operand.
    Select,
    /// Clears signs.
    Abs(Width),
    And,
    AndNot,
    /// A bitwise operation that leaves masks masks.
    Masks,
    BitSelect,
}

const W32: Width = Width::W32;
const W64: Width = Width::W64;
const MASK_32: Facts = Facts::mask(W32);
const MASK_64: Facts = Facts::mask(W64);

impl Rule {
    pub(super) fn of(operator: &Operator<'_>) -> Self {
        arithmetic(operator)
            .or_else(|| comparison(operator))
            .or_else(|| known(operator))
            .unwrap_or_else(|| transport(operator))
    }

    /// What is known of the result. Operands that have to be settled first are replaced by what they are then.
    pub(super) fn apply(self, operands: &mut [Value]) -> Value {
        match (self, operands) {
            (Self::Blind, _) => Value::BOTTOM,
            (Self::Arithmetic { reads, makes }, operands) => {
                settle_unless(reads, operands);
                Value::Lazy(makes)
            }
            (Self::Compare { reads, makes }, operands) => {
                settle_unless(reads, operands);
                Value::Settled(makes)
            }
            (Self::Known(facts), operands) => {
                settle(operands);
                Value::Settled(facts)
            }
            (Self::Move(width), operands) => moved(width, operands),
            (Self::Select, [one, other, _]) => {
                let mut both = [*one, *other];
                let made = moved(None, &mut both);
                [*one, *other] = both;
                made
            }
            (Self::Abs(width), [value]) => abs(width, value),
            (Self::And, [one, other]) => {
                let (value, mask) = match one.lazy() {
                    Some(_) => (one, other),
                    None => (other, one),
                };
                masked(value, mask)
                    .unwrap_or_else(|| Value::Settled(under(*value, *mask) | under(*mask, *value)))
            }
            (Self::AndNot, [value, mask]) => {
                masked(value, mask).unwrap_or_else(|| Value::Settled(under(*value, *mask)))
            }
            (Self::Masks, operands) => {
                settle(operands);
                let facts = operands.iter().map(|value| value.facts());
                Value::Settled(facts.fold(MASK_64, |both, facts| both & facts))
            }
            (Self::BitSelect, [one, other, mask]) => chosen(one, other, mask),
            (_, operands) => {
                settle(operands);
                Value::BOTTOM
            }
        }
    }
}

fn settle(operands: &mut [Value]) {
    for operand in operands {
        *operand = operand.settled();
    }
}

/// Settles what is lazy in another width.
fn settle_unless(width: Width, operands: &mut [Value]) {
    for operand in operands {
        if !operand.fits(width) {
            *operand = operand.settled();
        }
    }
}

/// The width in which all can be taken for lazy, if one is lazy at all.
fn common(operands: &[Value]) -> Option<Width> {
    let width = operands.iter().find_map(|operand| operand.lazy())?;
    operands
        .iter()
        .all(|operand| operand.fits(width))
        .then_some(width)
}

fn moved(width: Option<Width>, operands: &mut [Value]) -> Value {
    let lazy = common(operands);
    if let Some(lazy) = lazy.filter(|lazy| width.is_none_or(|width| width == *lazy)) {
        return Value::Lazy(lazy);
    }
    settle(operands);
    let facts = operands.iter().map(|operand| operand.facts());
    let facts = facts.fold(Facts::ALL, |both, facts| both & facts);
    Value::Settled(width.map_or(facts, |width| facts.of_lanes(width)))
}

fn abs(width: Width, value: &mut Value) -> Value {
    match *value {
        Value::Lazy(lazy) if lazy == width => Value::Lazy(width),
        _ => {
            *value = value.settled();
            Value::Settled(value.facts() & Facts::canonical(width))
        }
    }
}

/// Lanes of a value where a mask leaves them, and zeros elsewhere: lazy if the value is. Else both are settled.
fn masked(value: &mut Value, mask: &mut Value) -> Option<Value> {
    if let (Value::Lazy(width), Value::Settled(facts)) = (*value, *mask)
        && facts.has(Facts::mask(width))
    {
        return Some(Value::Lazy(width));
    }
    (*value, *mask) = (value.settled(), mask.settled());
    None
}

/// The facts of a settled value under a settled mask.
fn under(value: Value, mask: Value) -> Facts {
    let (value, mask) = (value.facts(), mask.facts());
    kept_under(mask, value) | (value & mask & MASK_64)
}

/// What stays known of lanes of which a mask leaves some and zeroes the others.
fn kept_under(mask: Facts, value: Facts) -> Facts {
    let of = |width| match mask.has(Facts::mask(width)) {
        true => value & Facts::canonical(width),
        false => Facts::NONE,
    };
    of(W32) | of(W64)
}

fn chosen(one: &mut Value, other: &mut Value, mask: &mut Value) -> Value {
    *mask = mask.settled();
    let mask = mask.facts();
    let lazy = common(&[*one, *other]).filter(|width| mask.has(Facts::mask(*width)));
    if let Some(width) = lazy {
        return Value::Lazy(width);
    }
    (*one, *other) = (one.settled(), other.settled());
    let both = one.facts() & other.facts();
    Value::Settled(kept_under(mask, both) | (both & mask & MASK_64))
}

/// The operations of which Cranelift canonicalises the result if it is told to (`nan_canonicalization.rs` there).
pub(super) fn arithmetic(operator: &Operator<'_>) -> Option<Rule> {
    use Operator::*;
    let (reads, makes) = match operator {
        F32Add | F32Sub | F32Mul | F32Div | F32Sqrt | F32Min | F32Max | F32Ceil | F32Floor
        | F32Trunc | F32Nearest | F32x4Add | F32x4Sub | F32x4Mul | F32x4Div | F32x4Sqrt
        | F32x4Min | F32x4Max | F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest => (W32, W32),
        F64Add | F64Sub | F64Mul | F64Div | F64Sqrt | F64Min | F64Max | F64Ceil | F64Floor
        | F64Trunc | F64Nearest | F64x2Add | F64x2Sub | F64x2Mul | F64x2Div | F64x2Sqrt
        | F64x2Min | F64x2Max | F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest => (W64, W64),
        F32DemoteF64 | F32x4DemoteF64x2Zero => (W64, W32),
        F64PromoteF32 | F64x2PromoteLowF32x4 => (W32, W64),
        _ => return None,
    };
    Some(Rule::Arithmetic { reads, makes })
}

fn comparison(operator: &Operator<'_>) -> Option<Rule> {
    use Operator::*;
    let (reads, makes) = match operator {
        F32Eq | F32Ne | F32Lt | F32Gt | F32Le | F32Ge | I32TruncF32S | I32TruncF32U
        | I64TruncF32S | I64TruncF32U | I32TruncSatF32S | I32TruncSatF32U | I64TruncSatF32S
        | I64TruncSatF32U | I32x4TruncSatF32x4S | I32x4TruncSatF32x4U => (W32, Facts::NONE),
        F64Eq
        | F64Ne
        | F64Lt
        | F64Gt
        | F64Le
        | F64Ge
        | I32TruncF64S
        | I32TruncF64U
        | I64TruncF64S
        | I64TruncF64U
        | I32TruncSatF64S
        | I32TruncSatF64U
        | I64TruncSatF64S
        | I64TruncSatF64U
        | I32x4TruncSatF64x2SZero
        | I32x4TruncSatF64x2UZero => (W64, Facts::NONE),
        F32x4Eq | F32x4Ne | F32x4Lt | F32x4Gt | F32x4Le | F32x4Ge => (W32, MASK_32),
        F64x2Eq | F64x2Ne | F64x2Lt | F64x2Gt | F64x2Le | F64x2Ge => (W64, MASK_64),
        _ => return None,
    };
    Some(Rule::Compare { reads, makes })
}

/// Constants, conversions of integers, and comparisons of integers.
fn known(operator: &Operator<'_>) -> Option<Rule> {
    use Operator::*;
    Some(Rule::Known(match operator {
        F32Const { value } => Facts::of_f32(value.bits()),
        F64Const { value } => Facts::of_f64(value.bits()),
        V128Const { value } => Facts::of_vector(u128::from_le_bytes(*value.bytes())),
        F32ConvertI32S | F32ConvertI32U | F32ConvertI64S | F32ConvertI64U | F32x4ConvertI32x4S
        | F32x4ConvertI32x4U => Facts::canonical(W32),
        F64ConvertI32S
        | F64ConvertI32U
        | F64ConvertI64S
        | F64ConvertI64U
        | F64x2ConvertLowI32x4S
        | F64x2ConvertLowI32x4U => Facts::canonical(W64),
        I32x4Eq | I32x4Ne | I32x4LtS | I32x4LtU | I32x4GtS | I32x4GtU | I32x4LeS | I32x4LeU
        | I32x4GeS | I32x4GeU => MASK_32,
        I64x2Eq | I64x2Ne | I64x2LtS | I64x2GtS | I64x2LeS | I64x2GeS => MASK_64,
        _ => return None,
    }))
}

/// What brings lanes from one place to another as they are.
fn transport(operator: &Operator<'_>) -> Rule {
    use Operator::*;
    match operator {
        Drop => Rule::Blind,
        Select | TypedSelect { .. } => Rule::Select,
        F32Abs | F32x4Abs => Rule::Abs(W32),
        F64Abs | F64x2Abs => Rule::Abs(W64),
        F32x4PMin | F32x4PMax | F32x4Splat | F32x4ExtractLane { .. } | F32x4ReplaceLane { .. } => {
            Rule::Move(Some(W32))
        }
        F64x2PMin | F64x2PMax | F64x2Splat | F64x2ExtractLane { .. } | F64x2ReplaceLane { .. } => {
            Rule::Move(Some(W64))
        }
        I8x16Shuffle { lanes } if is_aligned::<8>(lanes) => Rule::Move(None),
        I8x16Shuffle { lanes } if is_aligned::<4>(lanes) => Rule::Move(Some(W32)),
        V128And => Rule::And,
        V128AndNot => Rule::AndNot,
        V128Or | V128Xor | V128Not => Rule::Masks,
        V128Bitselect => Rule::BitSelect,
        _ => Rule::Bits,
    }
}

/// Whether a shuffle moves whole lanes of so many bytes.
fn is_aligned<const BYTES: usize>(lanes: &[u8; 16]) -> bool {
    let (places, _) = lanes.as_chunks::<BYTES>();
    places.iter().all(|place| {
        let follow = |pair: &[u8]| pair[1] == pair[0] + 1;
        usize::from(place[0]) % BYTES == 0 && place.windows(2).all(follow)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every rule that depends on operands, with how many it takes.
    const RULES: [(Rule, usize); 13] = [
        (Rule::Move(None), 2),
        (Rule::Move(Some(W32)), 2),
        (Rule::Move(Some(W64)), 1),
        (Rule::Select, 3),
        (Rule::Abs(W32), 1),
        (Rule::Abs(W64), 1),
        (Rule::And, 2),
        (Rule::AndNot, 2),
        (Rule::Masks, 1),
        (Rule::Masks, 2),
        (Rule::BitSelect, 3),
        (
            Rule::Arithmetic {
                reads: W64,
                makes: W32,
            },
            2,
        ),
        (
            Rule::Compare {
                reads: W32,
                makes: MASK_32,
            },
            2,
        ),
    ];

    /// A graph is solved by taking values down: what follows from less must not be more.
    #[test]
    fn less_known_of_an_operand_is_no_more_known_of_the_result() {
        let values = Value::all();
        for (rule, len) in RULES {
            let mut places = vec![0; len];
            loop {
                let operands: Vec<Value> = places.iter().map(|place| values[*place]).collect();
                let made = rule.apply(&mut operands.clone());
                for place in 0..len {
                    for other in &values {
                        let mut lower = operands.clone();
                        lower[place] = lower[place].meet(*other);
                        let less = rule.apply(&mut lower.clone());
                        assert_eq!(less.meet(made), less, "{rule:?} {operands:?} {lower:?}");
                    }
                }
                let Some(next) = places.iter().position(|place| place + 1 < values.len()) else {
                    break;
                };
                places[..next].fill(0);
                places[next] += 1;
            }
        }
    }

    /// A result is lazy only if no operand had to be settled into it unnoticed: all that were lazy still are.
    #[test]
    fn a_lazy_result_of_moves_comes_from_operands_that_stay_lazy() {
        let values = Value::all();
        for (rule, _) in RULES.into_iter().filter(|(_, len)| *len == 2) {
            for one in &values {
                for other in &values {
                    let mut operands = [*one, *other];
                    let made = rule.apply(&mut operands);
                    let is_move = !matches!(rule, Rule::Arithmetic { .. } | Rule::Compare { .. });
                    if is_move && made.lazy().is_some() {
                        assert_eq!(operands, [*one, *other], "{rule:?}");
                    }
                    if is_move && made.lazy().is_none() {
                        let lazy = operands.iter().any(|operand| operand.lazy().is_some());
                        assert!(!lazy, "{rule:?} {operands:?}");
                    }
                }
            }
        }
    }
}
