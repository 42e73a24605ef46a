//! Copies blocks of the factors into the order in which the tile loop reads them.
//!
//! A panel holds, for each term `k` in turn, the elements of one tile's rows or columns. Panels at
//! the edge are filled up with zeros, so that the tile loop has one form only.

use std::ops::Range;

use hotcell_guest::prelude::*;

use crate::tile::{COLUMNS, ROWS};

/// Packs the rows `rows` of `a`, terms `terms`, into one panel for each `ROWS` of them.
pub(crate) fn pack_rows(
    a: View2<f32>,
    rows: Range<usize>,
    terms: Range<usize>,
    panels: &mut Vec<[f32; ROWS]>,
) {
    panels.clear();
    panels.resize(rows.len().div_ceil(ROWS) * terms.len(), [0.0; ROWS]);
    for (index, row) in rows.enumerate() {
        let panel = &mut panels[index / ROWS * terms.len()..][..terms.len()];
        for (slot, &value) in panel.iter_mut().zip(&a.row(row)[terms.clone()]) {
            slot[index % ROWS] = value;
        }
    }
}

/// Packs the rows `terms` of `b`, all `n` columns, into one panel for each `COLUMNS` columns.
pub(crate) fn pack_columns(
    b: View2<f32>,
    terms: Range<usize>,
    n: usize,
    panels: &mut Vec<[f32; COLUMNS]>,
) {
    panels.clear();
    panels.resize(n.div_ceil(COLUMNS) * terms.len(), [0.0; COLUMNS]);
    let depth = terms.len();
    for (index, term) in terms.enumerate() {
        let (whole, rest) = b.row(term).as_chunks::<COLUMNS>();
        let mut slots = panels.iter_mut().skip(index).step_by(depth);
        for (columns, slot) in whole.iter().zip(&mut slots) {
            *slot = *columns;
        }
        if let Some(slot) = slots.next() {
            slot[..rest.len()].copy_from_slice(rest);
        }
    }
}
