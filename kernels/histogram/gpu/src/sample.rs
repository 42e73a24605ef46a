//! Radii as the shaders compare them: by keys, integers in the order of the numbers.

/// What `extent.wgsl` finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    /// The smallest radius.
    pub(crate) low: f32,
    /// The largest.
    pub(crate) high: f32,
    /// The largest exponent of the data, as IEEE 754 stores it; at least 1.
    pub(crate) exponent: u32,
}

impl Extent {
    /// What `extent.wgsl` starts from: the largest key, the smallest, no exponent, no bad sample.
    pub(crate) const NONE: [u32; 4] = [u32::MAX, 0, 0, u32::MAX];

    /// Reads the shader's four words; `radius` gives a sample's radius.
    ///
    /// # Errors
    /// Names the first radius that is not finite.
    pub(crate) fn new(words: &[u32], radius: impl Fn(usize) -> f32) -> Result<Self, String> {
        let &[low, high, exponent, bad, ..] = words else {
            return Err("the device gave no extent".to_owned());
        };
        if bad != u32::MAX {
            let value = radius(bad as usize);
            return Err(format!("radius[{bad}] is {value}, which no bin holds"));
        }
        Ok(Self {
            low: value(low),
            high: value(high),
            exponent: exponent.max(1),
        })
    }
}

/// The key of the smallest `f32` in each of `bins` equal bins, from the smallest radius to the largest;
/// one unit around them where these are equal, like NumPy.
pub(crate) fn lower_edges(extent: &Extent, bins: usize) -> Vec<u32> {
    let (low, high) = (f64::from(extent.low), f64::from(extent.high));
    let (low, high) = if low < high {
        (low, high)
    } else {
        (low - 0.5, high + 0.5)
    };
    let width = (high - low) / bins as f64;
    let edges = (0..bins).map(|i| low + i as f64 * width);
    edges.map(|edge| key(round_up(edge))).collect()
}

/// The smallest `f32` that is not below.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what it rounds away is seen to"
)]
fn round_up(edge: f64) -> f32 {
    let near = edge as f32;
    if f64::from(near) < edge {
        near.next_up()
    } else {
        near
    }
}

/// An integer in the order of the numbers; both zeros have one.
fn key(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 {
        !bits
    } else {
        bits | 1 << 31
    }
}

/// The number of a key.
fn value(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 {
        key & !(1 << 31)
    } else {
        !key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_numbers_and_lead_back_to_them() {
        let ordered = [f32::MIN, -1.5, -1e-40, 0.0, 1e-40, 2.0, f32::MAX];
        assert!(ordered.is_sorted_by(|a, b| key(*a) < key(*b)));
        assert!(ordered.iter().all(|x| value(key(*x)) == *x));
        assert_eq!(key(-0.0), key(0.0));
    }

    #[test]
    fn a_number_is_not_below_its_bins_edge_nor_the_one_before_it() {
        let extent = Extent {
            low: -0.3,
            high: 0.7,
            exponent: 1,
        };
        for (i, edge) in lower_edges(&extent, 1000).into_iter().enumerate() {
            let exact = -f64::from(0.3_f32)
                + i as f64 * ((f64::from(0.7_f32) + f64::from(0.3_f32)) / 1000.0);
            assert!(f64::from(value(edge)) >= exact, "{i}");
            assert!(f64::from(value(edge).next_down()) < exact, "{i}");
        }
    }

    #[test]
    fn equal_radii_have_one_unit_around_them() {
        let extent = Extent {
            low: 2.0,
            high: 2.0,
            exponent: 1,
        };
        let edges: Vec<f32> = lower_edges(&extent, 4).into_iter().map(value).collect();
        assert_eq!(edges, [1.5, 1.75, 2.0, 2.25]);
    }

    #[test]
    fn a_radius_that_no_bin_holds_is_named() {
        let refused = Extent::new(&[0, 0, 0, 3], |_| f32::NAN).unwrap_err();
        assert_eq!(refused, "radius[3] is NaN, which no bin holds");
    }
}
