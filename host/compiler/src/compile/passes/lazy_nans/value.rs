//! What is known of a value: whether its bits are the official ones, and what they look like.
//!
//! The official bits are those that canonicalising after each operation would give. A lazy value differs from them in
//! the payloads and signs of its NaNs alone, so that settling it (each NaN made the canonical one) gives the official bits.

use std::ops::{BitAnd, BitOr};

/// The width of the lanes of which one can be a NaN; a scalar is one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    W32,
    W64,
}

/// Facts of a value whose bits are the official ones, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts(u8);

impl Facts {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(0b1111);

    /// No lane is a NaN other than the canonical one: settling would change nothing.
    pub(super) const fn canonical(width: Width) -> Self {
        match width {
            Width::W32 => Self(0b0001),
            Width::W64 => Self(0b0010),
        }
    }

    /// Each lane is all ones or all zeros. Halves of wider lanes are so too.
    pub(super) const fn mask(width: Width) -> Self {
        match width {
            Width::W32 => Self(0b0100),
            Width::W64 => Self(0b1100),
        }
    }

    pub(super) fn has(self, other: Self) -> bool {
        self & other == other
    }

    /// What stays known of lanes of `width` that are put elsewhere, if this is known of them.
    pub(super) fn of_lanes(self, width: Width) -> Self {
        self & (Self::canonical(width) | Self::mask(width))
    }

    /// The facts of a constant.
    pub(super) fn of_vector(bits: u128) -> Self {
        let bytes = bits.to_le_bytes();
        let (narrow, _) = bytes.as_chunks();
        let narrow = narrow
            .iter()
            .map(|lane| lane_of_32(u32::from_le_bytes(*lane)));
        let (wide, _) = bytes.as_chunks();
        let wide = wide
            .iter()
            .map(|lane| lane_of_64(u64::from_le_bytes(*lane)));
        narrow.chain(wide).fold(Self::ALL, Self::bitand)
    }

    /// As [`Facts::of_vector`], of a scalar.
    pub(super) fn of_f32(bits: u32) -> Self {
        let bits = u128::from(bits) * 0x1_0000_0001_0000_0001_0000_0001;
        Self::of_vector(bits).of_lanes(Width::W32)
    }

    /// As [`Facts::of_vector`], of a scalar.
    pub(super) fn of_f64(bits: u64) -> Self {
        let bits = u128::from(bits) * 0x1_0000_0000_0000_0001;
        Self::of_vector(bits).of_lanes(Width::W64)
    }
}

impl BitAnd for Facts {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Facts {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The canonical NaNs, as Cranelift has them: positive and quiet, without a payload.
pub(super) const NAN_32: u32 = 0x7fc0_0000;
pub(super) const NAN_64: u64 = 0x7ff8_0000_0000_0000;

fn lane_of_32(bits: u32) -> Facts {
    let canonical = !f32::from_bits(bits).is_nan() || bits == NAN_32;
    lane(canonical, bits == 0 || bits == u32::MAX, Width::W32)
}

fn lane_of_64(bits: u64) -> Facts {
    let canonical = !f64::from_bits(bits).is_nan() || bits == NAN_64;
    lane(canonical, bits == 0 || bits == u64::MAX, Width::W64)
}

/// The facts of a lane, and whatever can be known of the other width.
fn lane(canonical: bool, mask: bool, width: Width) -> Facts {
    let mut facts = Facts::ALL;
    if !canonical {
        facts.0 &= !Facts::canonical(width).0;
    }
    if !mask {
        let (narrow, wide) = (Facts::mask(Width::W32).0, Facts::mask(Width::W64).0);
        facts.0 &= match width {
            Width::W32 => !wide,
            Width::W64 => !(wide & !narrow),
        };
    }
    facts
}

/// What is known of a value.
///
/// Values are ordered by how much is known: all facts at the top, a settled value without any at the bottom. A lazy value
/// stands below a settled one that is canonical in its width, since that can be taken for lazy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Its bits are the official ones.
    Settled(Facts),
    /// Each lane of that width is the official one, or both are NaNs and the official one is canonical.
    Lazy(Width),
}

impl Value {
    /// A zero, and whatever was not looked at yet.
    pub(super) const TOP: Self = Self::Settled(Facts::ALL);
    pub(super) const BOTTOM: Self = Self::Settled(Facts::NONE);

    pub(super) fn lazy(self) -> Option<Width> {
        match self {
            Self::Lazy(width) => Some(width),
            Self::Settled(_) => None,
        }
    }

    /// Whether it can be taken for a lazy value of `width`.
    pub(super) fn fits(self, width: Width) -> bool {
        match self {
            Self::Lazy(own) => own == width,
            Self::Settled(facts) => facts.has(Facts::canonical(width)),
        }
    }

    /// The value once it was settled, if it was lazy.
    pub(super) fn settled(self) -> Self {
        Self::Settled(self.facts())
    }

    /// The facts of the value once it was settled.
    pub(super) fn facts(self) -> Facts {
        match self {
            Self::Settled(facts) => facts,
            Self::Lazy(width) => Facts::canonical(width),
        }
    }

    /// What is known of a place that holds the one or the other. Where that is settled, whichever is lazy has to be settled.
    pub(super) fn meet(self, other: Self) -> Self {
        match (self, other) {
            (Self::Lazy(width), value) | (value, Self::Lazy(width)) if value.fits(width) => {
                Self::Lazy(width)
            }
            _ => Self::Settled(self.facts() & other.facts()),
        }
    }
}

#[cfg(test)]
impl Value {
    /// Everything that can be known of a value.
    pub(super) fn all() -> Vec<Self> {
        let (wide, narrow) = (Facts::mask(Width::W64), Facts::mask(Width::W32));
        let facts = (0..16).map(Facts);
        // Wide masks are narrow ones too.
        let facts = facts.filter(|facts| facts.has(narrow) || *facts & wide == Facts::NONE);
        let lazy = [Width::W32, Width::W64].map(Self::Lazy);
        facts.map(Self::Settled).chain(lazy).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meeting_goes_down_and_ends_where_both_agree() {
        for one in Value::all() {
            assert_eq!(one.meet(one), one);
            for other in Value::all() {
                let both = one.meet(other);
                assert_eq!(both, other.meet(one));
                assert_eq!(both.meet(one), both, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn order_of_meeting_does_not_matter() {
        for one in Value::all() {
            for two in Value::all() {
                for three in Value::all() {
                    let left = one.meet(two).meet(three);
                    assert_eq!(left, one.meet(two.meet(three)), "{one:?} {two:?} {three:?}");
                }
            }
        }
    }

    #[test]
    fn constants_are_known_by_their_bits() {
        assert_eq!(Facts::of_vector(0), Facts::ALL);
        let canonical = |width| Facts::canonical(width);
        let both = canonical(Width::W32) | canonical(Width::W64);
        assert_eq!(Facts::of_vector(u128::from(1.5f32.to_bits())), both);
        // The low half of a number in double precision can be a NaN in single precision.
        let third = Facts::of_vector(u128::from(0x3ff0_0000_ffff_fffeu64));
        assert_eq!(third, canonical(Width::W64));
        assert_eq!(
            Facts::of_vector(u128::MAX),
            Facts::mask(Width::W64) | Facts::mask(Width::W32)
        );
        assert_eq!(
            Facts::of_vector(0xffff_ffff),
            Facts::mask(Width::W32) | canonical(Width::W64)
        );
        assert_eq!(Facts::of_f32(NAN_32), canonical(Width::W32));
        assert_eq!(Facts::of_f32(NAN_32 | 1), Facts::NONE);
        assert_eq!(Facts::of_f64(NAN_64 | 1 << 63), Facts::NONE);
        assert_eq!(Facts::of_f64(1.5f64.to_bits()), canonical(Width::W64));
    }
}
