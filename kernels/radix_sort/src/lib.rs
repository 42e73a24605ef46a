//! radix_sort: unsigned integers in ascending order, an irregular scatter.
//!
//! Four stable passes over eight bits each, the lowest first. The digits of all four are counted in
//! one reading, since an order does not change how often a digit occurs. The listed size is 2²⁰.

use hotcell_guest::prelude::*;

#[cfg(test)]
mod reference;

/// Values of a digit of eight bits.
const RADIX: usize = 256;

/// How often each digit occurs, and then where the next key with it goes.
type Slots = [u32; RADIX];

/// Sorts 32-bit keys.
#[kernel(sig = "(n)->(n)", cost = "20*n")]
pub fn radix_sort(x: &[u32], out: &mut [u32]) {
    let [mut first, mut second, mut third, mut fourth] = slots(x);
    let mut spare = vec![0; x.len()];
    scatter::<0>(x, &mut first, &mut spare);
    scatter::<1>(&spare, &mut second, out);
    scatter::<2>(out, &mut third, &mut spare);
    scatter::<3>(&spare, &mut fourth, out);
}

/// For each of the four digits, where the keys with each value begin.
fn slots(keys: &[u32]) -> [Slots; 4] {
    let mut slots = [[0; RADIX]; 4];
    for key in keys {
        for (slots, digit) in slots.iter_mut().zip(key.to_le_bytes()) {
            slots[usize::from(digit)] += 1;
        }
    }
    slots.map(begins)
}

/// Where each digit's keys begin, from how often each occurs.
fn begins(counts: Slots) -> Slots {
    let mut next = 0;
    counts.map(|count| {
        let begin = next;
        next += count;
        begin
    })
}

/// Moves each key to the next slot of its digit `DIGIT`, which keeps equal digits in order.
fn scatter<const DIGIT: usize>(from: &[u32], slots: &mut Slots, to: &mut [u32]) {
    for &key in from {
        let slot = &mut slots[usize::from(key.to_le_bytes()[DIGIT])];
        to[*slot as usize] = key;
        *slot += 1;
    }
}

hotcell_guest::export!(radix_sort);

#[cfg(test)]
mod tests;
