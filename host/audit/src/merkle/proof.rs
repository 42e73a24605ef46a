//! Proofs that a record is in a tree, and that a tree continues another. Source: RFC 6962, sections 2.1.1 and 2.1.2; how
//! they are checked: RFC 9162, sections 2.1.3.2 and 2.1.4.2, which has the same tree.

use super::{Frontier, Hash};
use std::ops::Range;

/// The nodes of a tree that are known: the frontier of the tree that the first leaves made, and the leaves after it.
///
/// Of a log whose beginning was removed that is all there is, and enough for every proof about what is left.
#[derive(Clone, Debug, Default)]
pub struct Nodes {
    start: Frontier,
    leaves: Vec<Hash>,
}

impl Nodes {
    /// Those after a tree of which the frontier is known.
    pub fn after(start: Frontier) -> Self {
        Self {
            start,
            leaves: Vec::new(),
        }
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.leaves.push(leaf);
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.start.size() + self.leaves.len() as u64
    }

    /// The hashes beside the path from a leaf to the root of the tree of that size, the lowest first. `None` if a node that it
    /// takes is not known.
    pub fn inclusion(&self, leaf: u64, size: u64) -> Option<Vec<Hash>> {
        if leaf >= size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let mut range = 0..size;
        while range.end - range.start > 1 {
            let middle = split(&range);
            let (inside, beside) = match leaf < middle {
                true => (range.start..middle, middle..range.end),
                false => (middle..range.end, range.start..middle),
            };
            path.push(self.hash(beside)?);
            range = inside;
        }
        path.reverse();
        Some(path)
    }

    /// The proof that the tree of one size continues that of another. `None` if a node that it takes is not known.
    pub fn consistency(&self, old: u64, size: u64) -> Option<Vec<Hash>> {
        if old > size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        if old == 0 || old == size {
            return Some(path);
        }
        let mut range = 0..size;
        while range.end != old {
            let middle = split(&range);
            let (inside, beside) = match old <= middle {
                true => (range.start..middle, middle..range.end),
                false => (middle..range.end, range.start..middle),
            };
            path.push(self.hash(beside)?);
            range = inside;
        }
        // The old tree itself is known to whoever checks.
        if range.start != 0 {
            path.push(self.hash(range)?);
        }
        path.reverse();
        Some(path)
    }

    /// The hash of a subtree, as the tree is split.
    fn hash(&self, range: Range<u64>) -> Option<Hash> {
        let first = self.start.size();
        if range.end <= first {
            return self.known(&range);
        }
        if range.end - range.start == 1 {
            let at = usize::try_from(range.start - first).ok()?;
            return self.leaves.get(at).copied();
        }
        let middle = split(&range);
        let left = self.hash(range.start..middle)?;
        let right = self.hash(middle..range.end)?;
        Some(Hash::of_node(&left, &right))
    }

    /// A subtree of the frontier.
    fn known(&self, range: &Range<u64>) -> Option<Hash> {
        let size = self.start.size();
        let mut at = 0;
        for (bit, hash) in (0..u64::BITS)
            .rev()
            .filter(|bit| size >> bit & 1 == 1)
            .zip(self.start.hashes())
        {
            let end = at + (1 << bit);
            if range.start == at && range.end == end {
                return Some(*hash);
            }
            at = end;
        }
        None
    }
}

/// Where a tree is split: after the largest power of two that is smaller than its size.
fn split(range: &Range<u64>) -> u64 {
    let size = range.end - range.start;
    range.start + (1 << (size - 1).ilog2())
}

/// Whether the leaf at `index` is in the tree of that size and root.
pub fn check_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = Hash::of_node(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::of_node(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the tree of the second size and root continues that of the first.
pub fn check_consistency(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    let ((old_size, old_root), (size, root)) = (old, new);
    if old_size == 0 || old_size == size {
        return path.is_empty() && (old_size == 0 || old_root == root);
    }
    if old_size > size {
        return false;
    }
    let mut path = path.iter().copied();
    let mut next = match old_size.is_power_of_two() {
        true => Some(*old_root),
        false => path.next(),
    };
    let Some(first) = next.take() else {
        return false;
    };
    let (mut at, mut last) = (old_size - 1, size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut of_old, mut of_new) = (first, first);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            of_old = Hash::of_node(&beside, &of_old);
            of_new = Hash::of_node(&beside, &of_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            of_new = Hash::of_node(&of_new, &beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == *old_root && of_new == *root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree as the RFC defines it, without any of the above.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of_nothing(),
            [leaf] => *leaf,
            leaves => {
                let middle = leaves.len().next_power_of_two() / 2;
                Hash::of_node(&naive(&leaves[..middle]), &naive(&leaves[middle..]))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count)
            .map(|n| Hash::of_leaf(&n.to_le_bytes()))
            .collect()
    }

    fn nodes_after(first: usize, leaves: &[Hash]) -> Nodes {
        let mut start = Frontier::default();
        leaves[..first].iter().for_each(|leaf| start.push(*leaf));
        let mut nodes = Nodes::after(start);
        leaves[first..].iter().for_each(|leaf| nodes.push(*leaf));
        nodes
    }

    #[test]
    fn roots_and_proofs_are_those_of_the_naive_tree_at_every_size() {
        let leaves = leaves(70);
        let nodes = nodes_after(0, &leaves);
        let mut frontier = Frontier::default();
        for (size, at) in (0_u64..).zip(0..=leaves.len()) {
            let root = naive(&leaves[..at]);
            assert_eq!(frontier.root(), root);
            for (index, leaf) in (0..size).zip(leaves.iter().copied()) {
                let path = nodes.inclusion(index, size).unwrap();
                assert!(check_inclusion(leaf, index, size, &path, &root));
                assert!(!check_inclusion(leaf, index + 1, size, &path, &root));
                assert!(!check_inclusion(root, index, size, &path, &root) || size == 1);
            }
            for (old, old_at) in (0..=size).zip(0..) {
                let before = naive(&leaves[..old_at]);
                let path = nodes.consistency(old, size).unwrap();
                assert!(check_consistency((old, &before), (size, &root), &path));
                if old != 0 && old != size {
                    let other = Hash::of_leaf(b"other");
                    assert!(!check_consistency((old, &other), (size, &root), &path));
                    assert!(!check_consistency((old, &before), (size, &other), &path));
                    assert!(!check_consistency(
                        (old, &before),
                        (size, &root),
                        &path[1..]
                    ));
                }
            }
            if let Some(leaf) = leaves.get(at) {
                frontier.push(*leaf);
            }
        }
    }

    #[test]
    fn what_is_left_of_a_log_proves_what_is_left() {
        let leaves = leaves(40);
        let root = naive(&leaves);
        for first in 0..40 {
            let nodes = nodes_after(first, &leaves);
            for (index, leaf) in (0..).zip(&leaves).skip(first) {
                let path = nodes.inclusion(index, 40).unwrap();
                assert!(check_inclusion(*leaf, index, 40, &path, &root));
            }
            let old = naive(&leaves[..first]);
            let path = nodes.consistency(first as u64, 40).unwrap();
            assert!(check_consistency((first as u64, &old), (40, &root), &path));
        }
        assert_eq!(nodes_after(8, &leaves).inclusion(3, 40), None);
    }

    #[test]
    fn a_proof_that_is_longer_or_of_another_size_is_none() {
        let leaves = leaves(9);
        let (nodes, root) = (nodes_after(0, &leaves), naive(&leaves));
        let mut path = nodes.inclusion(4, 9).unwrap();
        assert!(!check_inclusion(leaves[4], 4, 17, &path, &root));
        path.push(root);
        assert!(!check_inclusion(leaves[4], 4, 9, &path, &root));
        assert_eq!(nodes.inclusion(9, 9), None);
        assert_eq!(nodes.consistency(3, 10), None);
    }
}
