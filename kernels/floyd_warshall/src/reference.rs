//! Another algorithm for the same distances: Dijkstra's from each vertex, in 64 bits.

/// NPBench's input: edge (i, j) has length i·j mod 7 + 1, or 999 where i + j is a multiple of 7, 11
/// or 13.
pub(crate) fn npbench_graph(n: usize) -> Vec<i32> {
    let length = |i: usize, j: usize| match i + j {
        s if s % 13 == 0 || s % 7 == 0 || s % 11 == 0 => 999,
        _ => i32::try_from(i * j % 7 + 1).expect("at most 7"),
    };
    (0..n)
        .flat_map(|i| (0..n).map(move |j| length(i, j)))
        .collect()
}

/// The length of a shortest path for each pair.
///
/// As in the recurrence, a vertex's way to itself is its loop or a shorter cycle, not zero.
pub(crate) fn floyd_warshall(n: usize, edges: &[i32]) -> Vec<i32> {
    (0..n)
        .flat_map(|source| from_vertex(n, edges, source))
        .collect()
}

fn from_vertex(n: usize, edges: &[i32], source: usize) -> Vec<i32> {
    let edge = |i: usize, j: usize| i64::from(edges[i * n + j]);
    let mut dist: Vec<i64> = (0..n).map(|j| edge(source, j)).collect();
    let mut open: Vec<usize> = (0..n).collect();
    while let Some(at) = (0..open.len()).min_by_key(|&at| dist[open[at]]) {
        let nearest = open.swap_remove(at);
        let to_nearest = dist[nearest];
        for (j, to_j) in dist.iter_mut().enumerate() {
            *to_j = (*to_j).min(to_nearest + edge(nearest, j));
        }
    }
    dist.into_iter()
        .map(|d| i32::try_from(d).expect("no longer than the edge"))
        .collect()
}
