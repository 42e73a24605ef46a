//! What values come from, in words of the shader's author.

use std::collections::HashMap;

/// The most words of a shader that are told apart. Honest ones have some dozens.
const MOST: usize = 1 << 12;
/// The most values that a count is said to depend on.
const LISTED: usize = 4;

/// Words that were said before, or are said for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(u16);

/// All words about a shader.
#[derive(Debug, Default)]
pub(super) struct Names {
    words: Vec<String>,
    known: HashMap<String, Name>,
}

impl Names {
    /// The name for these words; one for all that are too many to tell apart.
    pub(super) fn of(&mut self, words: String) -> Name {
        if let Some(name) = self.known.get(&words) {
            return *name;
        }
        let position = self.words.len();
        if position >= MOST {
            return Name(u16::MAX);
        }
        let name = Name(u16::try_from(position).unwrap_or(u16::MAX));
        self.words.push(words.clone());
        self.known.insert(words, name);
        name
    }

    /// The words of a name.
    pub(super) fn words(&self, name: Name) -> &str {
        self.words
            .get(usize::from(name.0))
            .map_or("other values", String::as_str)
    }
}

/// Values that are known before a dispatch, on which another depends: at most four are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    listed: [Option<Name>; LISTED],
    has_more: bool,
    /// Arguments of the function, by position: stand-ins for what its callers give it.
    arguments: u64,
}

impl Sources {
    /// A value of that name.
    pub(super) fn named(name: Name) -> Self {
        let mut sources = Self::default();
        sources.add(name);
        sources
    }

    /// An argument of the function; `None` for one that no function can have.
    pub(super) fn argument(position: u32) -> Option<Self> {
        Some(Self {
            arguments: 1_u64.checked_shl(position)?,
            ..Self::default()
        })
    }

    /// The positions of the arguments among them.
    pub(super) fn arguments(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |position| self.arguments >> position & 1 == 1)
    }

    /// Without arguments.
    pub(super) fn without_arguments(self) -> Self {
        Self {
            arguments: 0,
            ..self
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Both.
    pub(super) fn and(mut self, other: Self) -> Self {
        other
            .listed
            .into_iter()
            .flatten()
            .for_each(|name| self.add(name));
        Self {
            has_more: self.has_more || other.has_more,
            arguments: self.arguments | other.arguments,
            ..self
        }
    }

    /// In words, with commas between them.
    pub(super) fn words(self, names: &Names) -> String {
        let listed = self.listed.into_iter().flatten();
        let listed: Vec<&str> = listed.map(|name| names.words(name)).collect();
        let rest = if self.has_more { " and others" } else { "" };
        listed.join(", ") + rest
    }

    fn add(&mut self, name: Name) {
        match self
            .listed
            .iter_mut()
            .find(|listed| listed.is_none_or(|listed| listed == name))
        {
            Some(place) => *place = Some(name),
            None => self.has_more = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_said_once_and_what_is_too_much_is_summed_up() {
        let mut names = Names::default();
        let mut sources = Sources::default();
        for words in ["a", "b", "a", "c", "d"] {
            sources = sources.and(Sources::named(names.of(words.to_owned())));
        }
        assert_eq!(sources.words(&names), "a, b, c, d");
        let more = sources.and(Sources::named(names.of("e".to_owned())));
        assert_eq!(more.words(&names), "a, b, c, d and others");
        assert_eq!(Sources::argument(64), None);
        let last = Sources::argument(63).unwrap().and(sources);
        assert_eq!(last.arguments().collect::<Vec<_>>(), [63]);
    }

    #[test]
    fn names_come_to_an_end() {
        let mut names = Names::default();
        for number in 0..2 * MOST {
            names.of(number.to_string());
        }
        assert_eq!(names.words.len(), MOST);
        let late = names.of("late".to_owned());
        assert_eq!(names.words(late), "other values");
    }
}
