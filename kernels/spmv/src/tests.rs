//! Checks of the native form.

use hotcell_values::{floats, integers, numbers};
use serde_json::Value;

use super::{reference, spmv};

/// A matrix of `rows` rows and 50 columns with `row % 7` entries in each row.
fn matrix(rows: u32) -> (Vec<u32>, Vec<u32>, Vec<f32>) {
    let mut offsets = vec![0];
    let mut columns = Vec::new();
    for row in 0..rows {
        columns.extend((0..row % 7).map(|at| (row * 13 + at * 7) % 50));
        offsets.push(u32::try_from(columns.len()).unwrap());
    }
    let values = numbers(columns.len(), 1);
    (offsets, columns, values)
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let inputs = &case["inputs"];
    let (offsets, columns) = (integers(&inputs["offsets"]), integers(&inputs["columns"]));
    let (values, x) = (floats(&inputs["values"]), floats(&inputs["x"]));
    let mut out = vec![f32::NAN; 5];
    spmv(&offsets, &columns, &values, &x, &mut out).unwrap();
    assert_eq!(out, floats(&case["outputs"]["out"]));
}

#[test]
fn every_size_agrees_with_double_precision() {
    for rows in [0, 1, 2, 100] {
        let (offsets, columns, values) = matrix(rows);
        let x = numbers(50, 2);
        let mut out = vec![f32::NAN; rows as usize];
        spmv(&offsets, &columns, &values, &x, &mut out).unwrap();
        let want = reference::spmv(&offsets, &columns, &values, &x);
        for (got, want) in out.iter().zip(want) {
            assert!((f64::from(*got) - want).abs() <= 1e-6, "{got} for {want}");
        }
    }
}

#[test]
fn a_row_without_entries_is_zero() {
    let mut out = [f32::NAN; 2];
    spmv(&[0, 0, 0], &[], &[], &[1.0], &mut out).unwrap();
    let bits = out.map(f32::to_bits);
    assert_eq!(bits, [0.0_f32.to_bits(); 2]);
    let want = reference::spmv(&[0, 0, 0], &[], &[], &[1.0]);
    assert!(want.iter().all(|sum| sum.to_bits() == 0.0_f64.to_bits()));
}

#[test]
fn a_matrix_that_contradicts_itself_is_refused_with_the_place() {
    let cases: [(&[u32], &[u32], &str); 5] = [
        (&[0, 1], &[0, 1], "r1 is 2, but 2 rows need 3 offsets"),
        (&[], &[0, 1], "r1 is 0, but 2 rows need 3 offsets"),
        (
            &[0, 2, 1],
            &[0, 1],
            "row 1 has the offsets 2 and 1, which are no range within 2 non-zeros",
        ),
        (
            &[0, 1, 3],
            &[0, 1],
            "row 1 has the offsets 1 and 3, which are no range within 2 non-zeros",
        ),
        (
            &[0, 1, 2],
            &[0, 4],
            "row 1 names column 4 of a matrix with 3 columns",
        ),
    ];
    for (offsets, columns, message) in cases {
        let mut out = [0.0; 2];
        let refusal = spmv(offsets, columns, &[1.0; 2], &[1.0; 3], &mut out);
        assert_eq!(refusal, Err(message.to_owned()));
    }
}

#[test]
fn the_listed_size_agrees_with_double_precision() {
    // Rows of one to three elements, two on average.
    let (rows, mut offsets) = (32_768_u32, vec![0_u32]);
    offsets.extend((0..rows).scan(0, |end, row| {
        *end += 1 + row % 3;
        Some(*end)
    }));
    let non_zeros = *offsets.last().unwrap();
    let column = |i: u32| u32::try_from(u64::from(i) * 2_654_435_761 % u64::from(rows)).unwrap();
    let columns: Vec<u32> = (0..non_zeros).map(column).collect();
    let (values, x) = (numbers(columns.len(), 1), numbers(rows as usize, 2));
    let mut out = vec![f32::NAN; rows as usize];
    spmv(&offsets, &columns, &values, &x, &mut out).unwrap();
    let want = reference::spmv(&offsets, &columns, &values, &x);
    for (got, want) in out.iter().zip(want) {
        assert!((f64::from(*got) - want).abs() <= 1e-6, "{got} for {want}");
    }
}
