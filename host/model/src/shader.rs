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
/// The most loops of one entry point that are told of by themselves.
pub const SHADER_LOOPS: usize = 16;
/// The most reasons for a [`CostClass`].
pub const COST_REASONS: usize = 4;
/// The longest words about one loop, in bytes.
pub const LOOP_WORDS_BYTES: usize = 96;

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
        /// What it costs an invocation, as far as its text tells.
        cost: Box<ShaderCost>,
    },
    /// That depends on this constant, which has no default.
    Open(String),
    /// It is not, and why.
    Refused(String),
}

/// What an entry point costs an invocation, as far as its text tells: for whoever decides what to grant. Fuel is what bounds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShaderCost {
    /// In one word.
    pub class: CostClass,
    /// Why, in words that name lines.
    #[serde(deserialize_with = "bounded::list::<_, _, COST_REASONS>")]
    pub reasons: Vec<String>,
    /// What is done outside of loops.
    pub outside: Work,
    /// Workgroup memory in bytes.
    pub workgroup_bytes: u64,
    /// Its loops in the order of their lines, those of the functions that it calls among them. A function that is called in several
    /// places is told of once, for any of them.
    #[serde(deserialize_with = "bounded::list::<_, _, SHADER_LOOPS>")]
    pub loops: Vec<ShaderLoop>,
    /// How many more there are.
    pub loops_left_out: u64,
}

/// How much a shader's loops may make of its size. An order: what is further back may cost more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CostClass {
    /// All of them together make a small number of turns, whatever the shader is given.
    Light,
    /// They make many turns, or as many as values say that are known before the dispatch.
    Heavy,
    /// How often one of them turns is known when it has.
    Unbounded,
}

/// A loop of a shader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShaderLoop {
    /// The line of the text that it begins in, from 1.
    pub line: u32,
    /// How many loops are around it, those around calls of its function included.
    pub depth: u32,
    /// How often it turns each time that it is reached.
    pub trips: Trips,
    /// Whether it may turn less often.
    pub at_most: bool,
    /// Whether all invocations of a workgroup enter it together and leave it in the same turn.
    pub is_uniform: bool,
    /// What one turn does, without loops inside.
    pub turn: Work,
}

/// How often a loop turns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trips {
    /// So often, whatever the shader is given.
    Constant(u64),
    /// As a function of these values, which are the same for every invocation and known before the dispatch.
    Shape(String),
    /// That depends on data, or nothing is known of it, and why.
    Unknown(String),
}

/// Work in the units of admission: one simple operation on one scalar. Calls are inlined, of the sides of a branch the dearest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Floating-point operations.
    pub floating: u64,
    /// Operations on integers and truth values, branches and calls.
    pub integer: u64,
    /// Loads, stores, addresses, atomic operations and barriers.
    pub memory: u64,
    /// How many barriers there are.
    pub barriers: u64,
    /// How many atomic operations there are.
    pub atomics: u64,
}

impl Work {
    /// Operations of all kinds.
    pub fn operations(&self) -> u64 {
        let kinds = [self.floating, self.integer, self.memory];
        kinds.into_iter().fold(0, u64::saturating_add)
    }
}

impl ShaderCost {
    fn loop_words(&self) -> impl Iterator<Item = &str> {
        self.loops.iter().map(|one| match &one.trips {
            Trips::Constant(_) => "",
            Trips::Shape(words) | Trips::Unknown(words) => words,
        })
    }

    /// Whether it can be said of a shader: words no longer than they may be, and a class that its loops do not belie.
    fn can_be(&self) -> bool {
        let least = self.loops.iter().map(|one| match one.trips {
            Trips::Constant(_) => CostClass::Light,
            Trips::Shape(_) => CostClass::Heavy,
            Trips::Unknown(_) => CostClass::Unbounded,
        });
        let is_short = |words: &String| words.len() <= SHADER_WORDS_BYTES;
        let mut loop_words = self.loop_words();
        least.max() <= Some(self.class)
            && self.reasons.iter().all(is_short)
            && loop_words.all(|words| words.len() <= LOOP_WORDS_BYTES)
    }

    fn weight_bytes(&self) -> usize {
        let reasons = self.reasons.iter().map(|reason| 64 + reason.len());
        let loops = self
            .loop_words()
            .map(|words| size_of::<ShaderLoop>() + words.len());
        size_of::<Self>() + reasons.sum::<usize>() + loops.sum::<usize>()
    }
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
        let costs: usize = self.judged.costs().map(ShaderCost::weight_bytes).sum();
        (64 + self.name.len() + words + costs) as u64
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

    /// The costs of the entry points that are admitted.
    pub fn costs(&self) -> impl Iterator<Item = &ShaderCost> {
        let entries = match self {
            Self::Refused(_) => &[],
            Self::Entries(entries) => &entries[..],
        };
        entries.iter().filter_map(|entry| match &entry.verdict {
            Verdict::Admitted { cost, .. } => Some(&**cost),
            Verdict::Open(_) | Verdict::Refused(_) => None,
        })
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

/// Whether these can be the shaders of a component: names that differ, words and texts no longer than they may be, costs
/// that do not belie themselves.
pub(crate) fn can_be(shaders: &[Shader]) -> bool {
    let mut names = HashSet::new();
    let total = shaders.iter().map(|shader| shader.len_bytes);
    let total = total.fold(0, u64::saturating_add);
    let are_named = shaders
        .iter()
        .all(|shader| ShaderRecord::is_name(&shader.name) && names.insert(&shader.name));
    let mut words = shaders.iter().flat_map(|shader| shader.judged.words());
    let mut costs = shaders.iter().flat_map(|shader| shader.judged.costs());
    are_named
        && total <= Shaders::MAX_BYTES as u64
        && words.all(|words| words.len() <= SHADER_WORDS_BYTES)
        && costs.all(ShaderCost::can_be)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{decode_long, encode_long};

    fn shader(name: &str, len_bytes: u64, why: &str) -> Shader {
        Shader {
            name: name.to_owned(),
            offset_bytes: 0,
            len_bytes,
            judged: Judged::Refused(why.to_owned()),
        }
    }

    fn cost(class: CostClass, trips: &[Trips]) -> ShaderCost {
        let one = |trips: &Trips| ShaderLoop {
            line: 1,
            depth: 0,
            trips: trips.clone(),
            at_most: false,
            is_uniform: true,
            turn: Work::default(),
        };
        ShaderCost {
            class,
            reasons: vec!["it is".to_owned()],
            outside: Work::default(),
            workgroup_bytes: 0,
            loops: trips.iter().map(one).collect(),
            loops_left_out: 0,
        }
    }

    fn admitted(cost: ShaderCost) -> Verdict {
        Verdict::Admitted {
            operations: 1,
            cost: Box::new(cost),
        }
    }

    /// Whether a shader can have an entry point of that cost.
    fn can_cost(cost: ShaderCost) -> bool {
        let entry = ShaderEntry {
            name: "main".to_owned(),
            verdict: admitted(cost),
        };
        can_be(&[Shader {
            judged: Judged::Entries(vec![entry]),
            ..shader("a", 0, "")
        }])
    }

    #[test]
    fn a_cost_that_belies_itself_cannot_be() {
        let shape = Trips::Shape("params.n".to_owned());
        let unknown = Trips::Unknown("why".to_owned());
        let constant = Trips::Constant(1 << 40);
        for (class, trips, can) in [
            (CostClass::Light, vec![], true),
            (CostClass::Heavy, vec![], true),
            (CostClass::Light, vec![constant.clone()], true),
            (CostClass::Light, vec![constant, shape.clone()], false),
            (CostClass::Heavy, vec![shape.clone()], true),
            (CostClass::Light, vec![unknown.clone()], false),
            (
                CostClass::Heavy,
                vec![shape.clone(), unknown.clone()],
                false,
            ),
            (CostClass::Unbounded, vec![shape, unknown], true),
        ] {
            assert_eq!(can_cost(cost(class, &trips)), can, "{class:?} {trips:?}");
        }
        let long = "x".repeat(SHADER_WORDS_BYTES + 1);
        let of_loop = |len: usize| cost(CostClass::Heavy, &[Trips::Shape(long[..len].to_owned())]);
        assert!(can_cost(of_loop(LOOP_WORDS_BYTES)));
        assert!(!can_cost(of_loop(LOOP_WORDS_BYTES + 1)));
        let reason = |len: usize| ShaderCost {
            reasons: vec![long[..len].to_owned()],
            ..cost(CostClass::Light, &[])
        };
        assert!(can_cost(reason(SHADER_WORDS_BYTES)));
        assert!(!can_cost(reason(SHADER_WORDS_BYTES + 1)));
    }

    #[test]
    fn a_cost_with_too_long_a_list_is_refused_while_it_is_read() {
        let read = |cost: &ShaderCost| {
            let mut bytes = Vec::new();
            encode_long(cost, &mut bytes).unwrap();
            decode_long::<ShaderCost>(&bytes).is_ok()
        };
        let loops = |count: usize| cost(CostClass::Light, &vec![Trips::Constant(1); count]);
        assert!(read(&loops(SHADER_LOOPS)));
        assert!(!read(&loops(SHADER_LOOPS + 1)));
        let reasons = |count: usize| ShaderCost {
            reasons: vec![String::new(); count],
            ..loops(0)
        };
        assert!(read(&reasons(COST_REASONS)));
        assert!(!read(&reasons(COST_REASONS + 1)));
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
            entry(&long, admitted(cost(CostClass::Light, &[]))),
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
            entry("a", admitted(cost(CostClass::Light, &[]))),
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
