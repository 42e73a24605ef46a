//! The shaders of a component's section, as the compile process reads and judges them: what an operator sees of them
//! before a launch.
//!
//! All of it is a claim. Where a text stands is held against the component's size, and the text itself is admitted where a
//! kernel is made of it, as if nobody had looked at it before.

use crate::bounded;
use crate::gpu::NamedShader;
use bytes::Bytes;
use hotcell_manifest::{ShaderRecord, Shaders};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The most entry points of one shader that are judged.
pub const SHADER_ENTRIES: usize = 64;
/// The longest words about a shader, in bytes, and the longest name of an entry point.
pub const SHADER_WORDS_BYTES: usize = 512;

/// A shader of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shader {
    /// What a kernel asks for it by.
    pub name: String,
    /// Where its text begins in the component.
    pub offset_bytes: u64,
    /// How long its text is.
    pub len_bytes: u64,
    /// What is to be made of it.
    pub judged: Judged,
}

/// What is to be made of a shader under the default limits, on a device with the least that is promised and subgroups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// Its compute entry points.
    Entries(#[serde(deserialize_with = "bounded::list::<_, _, SHADER_ENTRIES>")] Vec<ShaderEntry>),
    /// Nothing, and why.
    Refused(String),
}

/// An entry point of a shader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShaderEntry {
    /// Its name.
    pub name: String,
    /// Whether it is admitted.
    pub verdict: Verdict,
}

/// Whether an entry point is admitted, where no `override` constant is given a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Admitted {
        /// Its operations once every call is inlined; loops count once.
        operations: u64,
    },
    /// That depends on this constant, which has no default.
    Open(String),
    /// It is not, and why.
    Refused(String),
}

impl Shader {
    /// Its text, where it is said to stand in the component; `None` where that is not within it.
    pub fn of(&self, component: &Bytes) -> Option<NamedShader> {
        let begin = usize::try_from(self.offset_bytes).ok()?;
        let end = begin.checked_add(usize::try_from(self.len_bytes).ok()?)?;
        (end <= component.len()).then(|| NamedShader {
            name: self.name.clone(),
            text: component.slice(begin..end),
        })
    }

    /// About what its description takes in memory.
    pub fn weight_bytes(&self) -> u64 {
        let words = self.judged.words();
        let words: usize = words.iter().map(|words| 64 + words.len()).sum();
        (64 + self.name.len() + words) as u64
    }
}

impl Judged {
    /// The first refusal in it, with the entry point where it is one's.
    pub fn refusal(&self) -> Option<(Option<&str>, &str)> {
        match self {
            Self::Refused(why) => Some((None, why)),
            Self::Entries(entries) => entries.iter().find_map(|entry| match &entry.verdict {
                Verdict::Refused(why) => Some((Some(entry.name.as_str()), why.as_str())),
                Verdict::Admitted { .. } | Verdict::Open(_) => None,
            }),
        }
    }

    fn words(&self) -> Vec<&str> {
        match self {
            Self::Refused(why) => vec![why],
            Self::Entries(entries) => entries.iter().flat_map(ShaderEntry::words).collect(),
        }
    }
}

impl ShaderEntry {
    fn words(&self) -> [&str; 2] {
        let words = match &self.verdict {
            Verdict::Admitted { .. } => "",
            Verdict::Open(words) | Verdict::Refused(words) => words,
        };
        [&self.name, words]
    }
}

/// Whether these can be the shaders of a component: names that differ, words and texts no longer than they may be.
pub(crate) fn can_be(shaders: &[Shader]) -> bool {
    let mut names = HashSet::new();
    let total = shaders.iter().map(|shader| shader.len_bytes);
    let total = total.fold(0, u64::saturating_add);
    let are_named = shaders
        .iter()
        .all(|shader| ShaderRecord::is_name(&shader.name) && names.insert(&shader.name));
    let mut words = shaders.iter().flat_map(|shader| shader.judged.words());
    are_named
        && total <= Shaders::MAX_BYTES as u64
        && words.all(|words| words.len() <= SHADER_WORDS_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shader(name: &str, len_bytes: u64, why: &str) -> Shader {
        Shader {
            name: name.to_owned(),
            offset_bytes: 0,
            len_bytes,
            judged: Judged::Refused(why.to_owned()),
        }
    }

    #[test]
    fn shaders_that_cannot_be_are_found() {
        let can = |shaders: &[Shader]| can_be(shaders);
        let most = Shaders::MAX_BYTES as u64;
        let (half, long) = (
            shader("a", most / 2, ""),
            "x".repeat(SHADER_WORDS_BYTES + 1),
        );
        assert!(can(&[half.clone(), shader("b", most / 2, &long[1..])]));
        assert!(!can(&[half.clone(), half.clone()]));
        assert!(!can(&[half.clone(), shader("b", most / 2 + 1, "")]));
        assert!(!can(&[half, shader("b", u64::MAX, "")]));
        assert!(!can(&[shader("", 0, "")]));
        assert!(!can(&[shader("a", 0, &long)]));
        let entry = |name: &str, verdict| ShaderEntry {
            name: name.to_owned(),
            verdict,
        };
        for entry in [
            entry(&long, Verdict::Admitted { operations: 1 }),
            entry("main", Verdict::Open(long.clone())),
        ] {
            let judged = Judged::Entries(vec![entry]);
            assert!(!can(&[Shader {
                judged,
                ..shader("a", 0, "")
            }]));
        }
    }

    #[test]
    fn a_text_is_within_its_component_or_nowhere() {
        let component = Bytes::from_static(b"0123");
        let text = |offset_bytes, len_bytes| {
            let shader = Shader {
                offset_bytes,
                ..shader("a", len_bytes, "")
            };
            shader.of(&component).map(|shader| shader.text)
        };
        assert_eq!(text(1, 2).unwrap(), "12");
        assert_eq!(text(4, 0).unwrap(), "");
        for (offset, len) in [(5, 0), (4, 1), (1, 4), (u64::MAX, 1), (1, u64::MAX)] {
            assert_eq!(text(offset, len), None);
        }
    }

    #[test]
    fn a_refusal_names_its_entry_point() {
        let entry = |name: &str, verdict| ShaderEntry {
            name: name.to_owned(),
            verdict,
        };
        let mut entries = vec![
            entry("a", Verdict::Admitted { operations: 1 }),
            entry("b", Verdict::Open("N".to_owned())),
        ];
        assert_eq!(Judged::Entries(entries.clone()).refusal(), None);
        entries.push(entry("c", Verdict::Refused("no".to_owned())));
        let judged = Judged::Entries(entries);
        assert_eq!(judged.refusal(), Some((Some("c"), "no")));
        let whole = Judged::Refused("not at all".to_owned());
        assert_eq!(whole.refusal(), Some((None, "not at all")));
    }
}
