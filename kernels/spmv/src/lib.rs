//! spmv: a sparse matrix in compressed rows (CSR) times a vector, bound by scattered reads.
//!
//! The three arrays are those of SciPy's `csr_matrix`: row `i` has its entries at
//! `offsets[i] .. offsets[i + 1]` of `columns` and `values`. Offsets and columns are checked as they
//! are used, and a matrix that contradicts itself ends the launch with an error that says where. The
//! listed size, 32768² with 65536 non-zeros, is NPBench's M.

use hotcell_guest::prelude::*;

#[cfg(test)]
mod reference;

/// Multiplies a sparse matrix in compressed rows by a vector. `offsets` has one element more than
/// the matrix has rows.
#[kernel(sig = "(r1),(nnz),(nnz),(n)->(r)", cost = "2*nnz")]
pub fn spmv(
    offsets: &[u32],
    columns: &[u32],
    values: &[f32],
    x: &[f32],
    out: &mut [f32],
) -> Result<(), String> {
    if offsets.len() != out.len() + 1 {
        return Err(format!(
            "r1 is {}, but {} rows need {} offsets",
            offsets.len(),
            out.len(),
            out.len() + 1
        ));
    }
    for (row, (bounds, out)) in offsets.windows(2).zip(out).enumerate() {
        let range = bounds[0] as usize..bounds[1] as usize;
        let (Some(columns), Some(values)) = (columns.get(range.clone()), values.get(range.clone()))
        else {
            return Err(bad_row(row, bounds, values.len()));
        };
        *out = row_times(columns, values, x).ok_or_else(|| bad_column(row, columns, x.len()))?;
    }
    Ok(())
}

/// One row's product; `None` if a column lies outside of `x`.
#[inline]
fn row_times(columns: &[u32], values: &[f32], x: &[f32]) -> Option<f32> {
    let mut sum = 0.0;
    for (&column, value) in columns.iter().zip(values) {
        sum += value * x.get(column as usize)?;
    }
    Some(sum)
}

#[cold]
fn bad_row(row: usize, bounds: &[u32], non_zeros: usize) -> String {
    format!(
        "row {row} has the offsets {} and {}, which are no range within {non_zeros} non-zeros",
        bounds[0], bounds[1]
    )
}

#[cold]
fn bad_column(row: usize, columns: &[u32], n: usize) -> String {
    let column = columns.iter().find(|&&column| column as usize >= n);
    let column = column.copied().unwrap_or_default();
    format!("row {row} names column {column} of a matrix with {n} columns")
}

hotcell_guest::export!(spmv);

#[cfg(test)]
mod tests;
