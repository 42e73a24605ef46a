//! The lengths of all shortest paths of a dense graph, by Floyd and Warshall's recurrence.
//!
//! `d[i,j] ← min(d[i,j], d[i,k] + d[k,j])` for k = 0 … n−1. Size and dtype are those of NPBench's
//! `floyd_warshall` (after PolyBench): int32, n = 200. Row k does not change in round k as long as no
//! distance is negative, which is what the kernel demands; it is copied out so that the compiler
//! sees two rows that do not overlap.

#[cfg(test)]
mod reference;

use hotcell_guest::prelude::*;

hotcell_guest::export!(floyd_warshall);

/// The greatest distance accepted, and the one to use for "no edge": twice it fits an `i32`.
pub const UNREACHABLE: i32 = i32::MAX / 2;

/// Replaces edge lengths by the lengths of shortest paths.
///
/// Lengths lie between 0 and 2³⁰ − 1, the latter standing for "no edge".
#[kernel(sig = "(n,n)->(n,n)", inout = "dist", cost = "2*n*n*n")]
pub fn floyd_warshall(n: usize, dist: &mut [i32]) -> Result<(), String> {
    if let Some(at) = dist.iter().position(|d| !(0..=UNREACHABLE).contains(d)) {
        let (row, column) = (at / n, at % n);
        return Err(format!(
            "dist[{row},{column}] is {}, outside 0..={UNREACHABLE}",
            dist[at]
        ));
    }
    let mut via = vec![0; n];
    for k in 0..n {
        via.copy_from_slice(&dist[k * n..][..n]);
        for row in dist.chunks_exact_mut(n) {
            let to_k = row[k];
            for (distance, onward) in row.iter_mut().zip(&via) {
                // Cannot wrap: both are at most UNREACHABLE. A checked addition would not vectorise.
                *distance = (*distance).min(to_k.wrapping_add(*onward));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_values::Case;
    use reference::npbench_graph;

    #[test]
    fn agrees_with_dijkstra_on_npbench_graphs() {
        for n in [1, 2, 3, 17, 64, 200] {
            let graph = npbench_graph(n);
            let mut dist = graph.clone();
            floyd_warshall(n, &mut dist).unwrap();
            assert_eq!(dist, reference::floyd_warshall(n, &graph), "n {n}");
        }
    }

    #[test]
    fn agrees_with_numpy() {
        let case = Case::of(include_str!("../expected/numpy.json"));
        let mut dist = case.input::<i32>("dist");
        assert_eq!(dist, npbench_graph(9));
        floyd_warshall(9, &mut dist).unwrap();
        assert_eq!(dist, case.output::<i32>("dist"));
    }

    #[test]
    fn npbench_size_s_adds_up_as_in_numpy() {
        let mut dist = npbench_graph(200);
        floyd_warshall(200, &mut dist).unwrap();
        assert_eq!(
            (dist.iter().sum::<i32>(), dist.iter().max()),
            (73_270, Some(&3))
        );
    }

    #[test]
    fn no_vertices_have_no_distances() {
        floyd_warshall(0, &mut []).unwrap();
    }

    #[test]
    fn what_cannot_be_reached_stays_unreachable() {
        let far = UNREACHABLE;
        let mut dist = [0, 5, far, far, 0, far, far, far, 0];
        floyd_warshall(3, &mut dist).unwrap();
        assert_eq!(dist, [0, 5, far, far, 0, far, far, far, 0]);
    }

    #[test]
    fn negative_and_overlong_edges_are_refused() {
        for (edge, shown) in [(-1, "-1"), (UNREACHABLE + 1, "1073741824")] {
            let refused = floyd_warshall(2, &mut [0, 1, edge, 0]).unwrap_err();
            assert_eq!(
                refused,
                format!("dist[1,0] is {shown}, outside 0..=1073741823")
            );
        }
    }
}
