//! The tree of RFC 6962 over the records: hashes of leaves and nodes, and the few hashes that a tree is continued from.
//!
//! Source: RFC 6962, section 2.1. A leaf is `SHA-256(0x00 || record)`, a node `SHA-256(0x01 || left || right)`.

mod proof;

pub use proof::{Nodes, check_consistency, check_inclusion};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// A hash of the tree; base64 in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of a record.
    pub fn of_leaf(record: &[u8]) -> Self {
        let hash = Sha256::new().chain_update([0]).chain_update(record);
        Self(hash.finalize().into())
    }

    /// Of two subtrees.
    pub fn of_node(left: &Self, right: &Self) -> Self {
        let hash = Sha256::new().chain_update([1]);
        let hash = hash.chain_update(left.0).chain_update(right.0);
        Self(hash.finalize().into())
    }

    /// Of a tree without leaves.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 32 bytes in base64")]
pub struct NotAHash;

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = STANDARD.decode(text).map_err(|_| NotAHash)?;
        bytes.try_into().map(Self).map_err(|_| NotAHash)
    }
}

/// The roots of the complete subtrees that a tree consists of, the largest first: what it is continued from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One for each bit that is set in the size.
    hashes: Vec<Hash>,
}

impl Frontier {
    /// Of a tree of that size; `None` if there are more or fewer hashes than such a tree has.
    pub fn of(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, those of the largest subtrees first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each subtree of the same size as what is added becomes one with it.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = Hash::of_node(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.hashes.iter().rev().copied();
        let smallest = smallest_first.next();
        smallest.map_or_else(Hash::of_nothing, |smallest| {
            smallest_first.fold(smallest, |right, left| Hash::of_node(&left, &right))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots by which implementations of Certificate Transparency (RFC 6962) test themselves.
    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks_exact(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.map(|pair| byte(pair).unwrap()).collect()
    }

    #[test]
    fn roots_are_those_of_the_known_vectors() {
        let mut frontier = Frontier::default();
        for (size, root) in ROOTS.iter().enumerate() {
            assert_eq!(frontier.root().as_bytes().as_slice(), bytes(root), "{size}");
            if let Some(leaf) = LEAVES.get(size) {
                frontier.push(Hash::of_leaf(&bytes(leaf)));
            }
        }
    }

    #[test]
    fn a_hash_is_read_as_it_is_written_and_in_no_other_form() {
        let hash = Hash::of_nothing();
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        for text in [
            "",
            &text[1..],
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
            "AAAA",
        ] {
            assert_eq!(text.parse::<Hash>(), Err(NotAHash), "{text}");
        }
    }

    #[test]
    fn a_frontier_has_a_hash_for_each_subtree() {
        let hashes = vec![Hash::of_nothing(); 2];
        assert!(Frontier::of(5, hashes.clone()).is_some());
        assert!(Frontier::of(7, hashes).is_none());
    }
}
