//! Inputs with halos, and kernels that a macro stamps out, launched as a host does.

use super::*;
use crate::chunk::Chunk;
use crate::prelude::*;

/// Sums each row with the row above and below, where there are any.
#[kernel(sig = "(h,w),(w)->(h,w)", split = "h", halo(image = 1))]
fn columns(image: View2<i32>, weight: &[i32], chunk: Chunk, h: usize, mut out: ViewMut2<i32>) {
    let [rows, w] = image.shape();
    assert_eq!(rows, chunk.before(1) + h + chunk.after(1));
    for y in 0..h {
        let here = chunk.before(1) + y;
        let near = here.saturating_sub(1)..(here + 2).min(rows);
        for x in 0..w {
            out[[y, x]] = near.clone().map(|y| image[[y, x]]).sum::<i32>() * weight[x];
        }
    }
}

/// The same over two streams with halos of their own.
#[kernel(sig = "(n),(n)->(n)", split = "n", halo(near = 1, far = 3))]
fn reach(near: Chunks<i64>, far: &[i64], out: &mut [i64]) {
    let near: i64 = near.blocks(2).flat_map(|block| block.to_vec()).sum();
    out.fill(1000 * near + far.iter().sum::<i64>());
}

macro_rules! halve {
    ($name:ident, $real:ty, $array:ty, $result:ty, $two:expr) => {
        #[kernel(sig = "(n),(n)->(n)", default(by = $two))]
        fn $name(by: $real, x: &[$real], y: $array, out: &mut [$real]) -> $result {
            for ((out, x), y) in out.iter_mut().zip(x).zip(y.iter()) {
                *out = (x + y) / by;
            }
            Default::default()
        }
    };
}

macro_rules! forms {
    ($name:ident, $view:ty, $element:ty, $slice:ty, $unit:ty) => {
        #[kernel(sig = "(m,n),(k)->(m),(k)")]
        fn $name(
            x: $view,
            c: Chunks<$element>,
            out: &mut $slice,
            mut back: ChunksMut<$element>,
        ) -> $unit {
            for (i, out) in out.iter_mut().enumerate() {
                *out = x.row(i).iter().sum();
            }
            back.write(0, &c.block(0..c.len()));
        }
    };
}

halve!(halve_single, f32, &[f32], (), 2.0);
halve!(halve_double, f64, &[f64], (), -2.0);
forms!(rows, View2<'_, u32>, Complex<f32>, [u32], ());

const ENTRIES: &[&Entry] = &[
    &columns__must_be_a_kernel_named_by_its_modules_path,
    &reach__must_be_a_kernel_named_by_its_modules_path,
    &halve_single__must_be_a_kernel_named_by_its_modules_path,
    &halve_double__must_be_a_kernel_named_by_its_modules_path,
    &rows__must_be_a_kernel_named_by_its_modules_path,
];

/// A chunk's launch of `columns` over a picture of `total` rows.
fn columns_of(start: usize, len: usize, total: usize) -> Vec<i32> {
    let chunk = Chunk { start, len, total };
    let rows = start - chunk.before(1)..start + len + chunk.after(1);
    let value = |at: usize| i32::try_from(at * at).unwrap();
    let image: Vec<i32> = (rows.start * 2..rows.end * 2).map(value).collect();
    // On the heap, where a block is aligned.
    let (weight, mut out) = (vec![1, 3], vec![0; len * 2]);
    Launch::new(ENTRIES, "columns")
        .dim(len as u64)
        .dim(2)
        .input(&image)
        .input(&weight)
        .output(&mut out)
        .chunk(chunk)
        .run()
        .unwrap();
    out
}

#[test]
fn chunks_with_halos_give_the_bits_of_the_whole() {
    let whole = columns_of(0, 9, 9);
    for cuts in [
        &[0, 9][..],
        &[0, 1, 9],
        &[0, 4, 8, 9],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    ] {
        let parts = cuts.windows(2);
        let parts = parts.flat_map(|cut| columns_of(cut[0], cut[1] - cut[0], 9));
        assert_eq!(parts.collect::<Vec<_>>(), whole, "{cuts:?}");
    }
}

#[test]
fn each_input_has_its_own_halo_cut_at_the_edges() {
    let launch = |chunk: Chunk, near: usize, far: usize| {
        // On the heap, where a block is aligned.
        let (near, far, mut out) = (vec![1_i64; near], vec![1_i64; far], vec![0_i64; chunk.len]);
        let launch = Launch::new(ENTRIES, "reach").dim(chunk.len as u64);
        let ran = launch
            .input(&near)
            .input(&far)
            .output(&mut out)
            .chunk(chunk)
            .run();
        ran.map(|()| out)
    };
    let chunk = |start, len| Chunk {
        start,
        len,
        total: 6,
    };
    assert_eq!(launch(chunk(2, 2), 4, 6).unwrap(), [4006; 2]);
    assert_eq!(launch(chunk(0, 2), 3, 5).unwrap(), [3005; 2]);
    assert_eq!(launch(chunk(0, 6), 6, 6).unwrap(), [6006; 6]);
    assert!(launch(chunk(2, 2), 4, 5).is_err(), "a row is missing");
    // A chunk that lies about the whole is refused or has no halo; nothing is read past the array.
    let lies = Chunk {
        start: usize::MAX,
        len: 2,
        total: 1,
    };
    assert!(launch(lies, 2, 2).is_err());
}

#[test]
fn a_chunk_counts_its_neighbours() {
    let chunk = Chunk {
        start: 2,
        len: 3,
        total: 9,
    };
    assert_eq!([chunk.before(1), chunk.before(5)], [1, 2]);
    assert_eq!([chunk.after(1), chunk.after(5)], [1, 4]);
    let whole = Chunk::whole(7);
    assert_eq!([whole.before(3), whole.after(3)], [0, 0]);
}

#[test]
fn types_that_a_macro_passes_are_looked_into() {
    let (x, mut out) = (vec![1.0_f64, 5.0], vec![0.0_f64; 2]);
    let launch = Launch::new(ENTRIES, "halve_double").dim(2).scalar(2.0_f64);
    launch.input(&x).input(&x).output(&mut out).run().unwrap();
    assert_eq!(out, [1.0, 5.0]);
    let mut single = [0.0_f32];
    halve_single(4.0, &[1.0], &[1.0], &mut single);
    assert_eq!(single, [0.5]);
    let records = hotcell_manifest::Manifest::decode(ENTRIES[3].record()).unwrap();
    let by = records.kernels()[0].scalars()[0].default;
    assert_eq!(by, Some(hotcell_manifest::ScalarValue::F64(-2.0)));
    assert_eq!(ENTRIES[4].arrays().count(), 4);
}
