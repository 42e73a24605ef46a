//! Checks of the native form.

use hotcell_guest::native::Launch;
use hotcell_guest::prelude::*;
use hotcell_values::words;
use serde_json::Value;

use super::{edges, reference};

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::from_value(value.clone()).expect("an array of bytes")
}

/// Bytes from a linear congruential generator.
fn noise(n: usize, seed: u64) -> Vec<u8> {
    let drawn = words(n, seed);
    drawn.iter().map(|word| word.to_be_bytes()[0]).collect()
}

fn run(image: &[u8], [height, width]: [usize; 2]) -> Vec<u8> {
    let mut out = vec![0; image.len()];
    let shape = [height, width, 4];
    let whole = Chunk::whole(height);
    edges(
        View3::new(image, shape),
        whole,
        ViewMut3::new(&mut out, shape),
    );
    out
}

/// In chunks that begin at `cuts`, through the entry as a host launches it.
fn run_cut(image: &[u8], [height, width]: [usize; 2], cuts: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, &start) in cuts.iter().enumerate() {
        let end = cuts.get(at + 1).copied().unwrap_or(height);
        let (len, total) = (end - start, height);
        let chunk = Chunk { start, len, total };
        let stride = width * 4;
        let rows = start - chunk.before(3)..end + chunk.after(3);
        let part = image[rows.start * stride..rows.end * stride].to_vec();
        let mut found = vec![0; len * stride];
        Launch::new(super::HOTCELL_ENTRIES, "edges")
            .dim(len as u64)
            .dim(width as u64)
            .input(&part)
            .output(&mut found)
            .chunk(chunk)
            .run()
            .expect("the part has its rows and their neighbours");
        out.append(&mut found);
    }
    out
}

#[test]
fn chunks_of_any_size_give_the_bytes_of_the_whole() {
    let (size, image) = ([23, 9], noise(23 * 9 * 4, 7));
    let whole = run(&image, size);
    for cuts in [
        vec![0],
        vec![0, 1],
        vec![0, 2, 4, 22],
        vec![0, 11],
        (0..23).collect(),
    ] {
        assert_eq!(run_cut(&image, size, &cuts), whole, "{cuts:?}");
    }
}

#[test]
fn a_part_without_its_neighbours_is_refused() {
    let (part, mut found) = (noise(5 * 4 * 4, 1), vec![0; 5 * 4 * 4]);
    let chunk = Chunk {
        start: 5,
        len: 5,
        total: 20,
    };
    let launch = Launch::new(super::HOTCELL_ENTRIES, "edges").dim(5).dim(4);
    let refused = launch.input(&part).output(&mut found).chunk(chunk).run();
    assert!(refused.is_err());
}

#[test]
fn result_agrees_with_numpy() {
    let case: Value = serde_json::from_str(include_str!("../expected/numpy.json")).unwrap();
    let out = run(&bytes(&case["inputs"]["image"]), [5, 6]);
    assert_eq!(out, bytes(&case["outputs"]["out"]));
}

#[test]
fn every_size_agrees_with_the_definition() {
    for size @ [height, width] in [
        [1, 1],
        [1, 9],
        [9, 1],
        [2, 3],
        [7, 5],
        [33, 41],
        [1080, 1920],
    ] {
        let image = noise(height * width * 4, 5);
        assert_eq!(
            run(&image, size),
            reference::edges(&image, size),
            "{size:?}"
        );
    }
}

#[test]
fn the_largest_contrast_agrees_with_the_definition() {
    let checks = (0..24 * 24).map(|at| {
        if (at / 24 / 6 + at % 24 / 6) % 2 == 0 {
            255
        } else {
            0
        }
    });
    let image: Vec<u8> = checks.flat_map(|value| [value; 4]).collect();
    let out = run(&image, [24, 24]);
    assert!(out.contains(&255));
    assert_eq!(out, reference::edges(&image, [24, 24]));
}

#[test]
fn an_even_picture_has_no_edges_and_keeps_its_alpha() {
    let image = [200, 100, 50, 130].repeat(12);
    assert_eq!(run(&image, [3, 4]), [0, 0, 0, 130].repeat(12));
}

#[test]
fn empty_pictures_are_accepted() {
    assert!(run(&[], [0, 7]).is_empty());
    assert!(run(&[], [7, 0]).is_empty());
}
