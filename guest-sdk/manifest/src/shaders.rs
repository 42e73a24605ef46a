//! The custom section `hotcell:shaders`: the WGSL of a component by name.
//!
//! A record is three numbers (u32, little-endian) and two texts: the schema, the lengths of name and text, and
//! these. In a core module the linker concatenates what the SDK's macro left there, a shader as often as it is used; at a
//! component's top level there is at most one section, in which every name stands once, written by `hotcell build`.
//! Whether a text is WGSL, or even UTF-8, is not asked here.

use std::ops::Range;

/// The name of the custom section.
pub const SHADERS_SECTION: &str = "hotcell:shaders";
/// The version of the records' schema.
const SCHEMA: u32 = 1;

/// The shaders of a component, checked: each name once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaders<'a>(Vec<ShaderRecord<'a>>);

/// One record of the section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShaderRecord<'a> {
    /// What a kernel asks for it by; at most [`Shaders::NAME_BYTES`].
    pub name: &'a str,
    /// The text.
    pub text: &'a [u8],
    /// Where the text stands in the section.
    pub place: Range<usize>,
}

/// Why bytes are no section of shaders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShadersError {
    /// The section is larger than any honest one.
    TooLong {
        /// The section's size in bytes.
        used: usize,
        /// [`Shaders::MAX_BYTES`].
        maximum: usize,
    },
    /// A record's lengths point past the section's end.
    Truncated(usize),
    /// A record of another schema.
    Schema {
        /// Which record, from 0.
        index: usize,
        /// Its schema.
        schema: u32,
    },
    /// A name that is empty, too long, not UTF-8 or has control characters.
    Name(usize),
    /// More shaders than allowed.
    TooMany(usize),
    /// Two shaders of one name.
    Two(String),
}

crate::words! { ShadersError:
    Self::TooLong { used, maximum } => ("the shaders are {used} bytes, at most {maximum} are allowed"),
    Self::Truncated(a) => ("the shaders are cut short at byte {a}"),
    Self::Schema { index, schema } => ("record {index} of the shaders has schema {schema}, this host reads schema 1"),
    Self::Name(a) => ("record {a} of the shaders has a name that is none"),
    Self::TooMany(a) => ("there are more than {a} shaders"),
    Self::Two(a) => ("there are two shaders named `{a}`"),
}

impl std::error::Error for ShadersError {}

impl<'a> Shaders<'a> {
    /// The largest section read, in bytes.
    pub const MAX_BYTES: usize = 1 << 20;
    /// The most shaders in a component.
    pub const MAX_SHADERS: usize = 64;
    /// The longest name in bytes.
    pub const NAME_BYTES: usize = 128;

    /// Reads a component's section.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn decode(section: &'a [u8]) -> Result<Self, ShadersError> {
        let mut shaders: Vec<ShaderRecord<'_>> = Vec::new();
        for record in Records::new(section)? {
            let record = record?;
            if shaders.iter().any(|shader| shader.name == record.name) {
                return Err(ShadersError::Two(record.name.to_owned()));
            }
            keep(&mut shaders, record)?;
        }
        Ok(Self(shaders))
    }

    /// Reads what a core module has: what stands there twice is one shader, if the texts are the same.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn merge(records: &'a [u8]) -> Result<Self, ShadersError> {
        let mut shaders: Vec<ShaderRecord<'_>> = Vec::new();
        for record in Records::new(records)? {
            let record = record?;
            match shaders.iter().find(|shader| shader.name == record.name) {
                Some(shader) if shader.text == record.text => {}
                Some(_) => return Err(ShadersError::Two(record.name.to_owned())),
                None => keep(&mut shaders, record)?,
            }
        }
        shaders.sort_by_key(|shader| shader.name);
        Ok(Self(shaders))
    }

    /// The section's bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(ShaderRecord::encode).collect()
    }

    /// The shaders, in the section's order.
    pub fn records(&self) -> &[ShaderRecord<'a>] {
        &self.0
    }
}

impl ShaderRecord<'_> {
    /// Whether `name` may be a shader's.
    pub fn is_name(name: &str) -> bool {
        (1..=Shaders::NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
    }

    /// The record as it stands in the section.
    fn encode(&self) -> Vec<u8> {
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a section is far below 4 GiB");
        let head = [SCHEMA, len(self.name.as_bytes()), len(self.text)];
        let head = head.map(u32::to_le_bytes).concat();
        [&head, self.name.as_bytes(), self.text].concat()
    }
}

fn keep<'a>(
    shaders: &mut Vec<ShaderRecord<'a>>,
    record: ShaderRecord<'a>,
) -> Result<(), ShadersError> {
    if shaders.len() == Shaders::MAX_SHADERS {
        return Err(ShadersError::TooMany(Shaders::MAX_SHADERS));
    }
    shaders.push(record);
    Ok(())
}

/// The records of a section, one after the other.
struct Records<'a> {
    section: &'a [u8],
    at: usize,
    index: usize,
}

impl<'a> Records<'a> {
    fn new(section: &'a [u8]) -> Result<Self, ShadersError> {
        let (used, maximum) = (section.len(), Shaders::MAX_BYTES);
        if used > maximum {
            return Err(ShadersError::TooLong { used, maximum });
        }
        Ok(Self {
            section,
            at: 0,
            index: 0,
        })
    }

    fn read(&mut self) -> Result<ShaderRecord<'a>, ShadersError> {
        let start = self.at;
        let truncated = || ShadersError::Truncated(start);
        let [schema, name, text] = [self.word(), self.word(), self.word()];
        let schema = schema.ok_or_else(truncated)?;
        if schema != SCHEMA {
            let index = self.index;
            return Err(ShadersError::Schema { index, schema });
        }
        let name = self.take(name).ok_or_else(truncated)?;
        let text = self.take(text).ok_or_else(truncated)?;
        let name = std::str::from_utf8(name).ok();
        let name = name.filter(|name| ShaderRecord::is_name(name));
        Ok(ShaderRecord {
            name: name.ok_or(ShadersError::Name(self.index))?,
            text,
            place: self.at - text.len()..self.at,
        })
    }

    fn word(&mut self) -> Option<u32> {
        let bytes = self.take(Some(4))?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn take(&mut self, len: Option<u32>) -> Option<&'a [u8]> {
        let len = usize::try_from(len?).ok()?;
        let bytes = self.section.get(self.at..)?.get(..len)?;
        self.at += len;
        Some(bytes)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<ShaderRecord<'a>, ShadersError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.section.len() {
            return None;
        }
        let record = self.read();
        self.index += 1;
        // Nothing is read behind what is none.
        if record.is_err() {
            self.at = self.section.len();
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, text: &str) -> Vec<u8> {
        let (text, place) = (text.as_bytes(), 0..0);
        ShaderRecord { name, text, place }.encode()
    }

    #[test]
    fn a_shader_is_found_where_it_stands() {
        let section = [record("b.wgsl", "fn b() {}"), record("a.wgsl", "")].concat();
        let shaders = Shaders::decode(&section).unwrap();
        let [b, a] = shaders.records() else {
            panic!("{shaders:?}");
        };
        assert_eq!((b.name, a.name), ("b.wgsl", "a.wgsl"));
        assert_eq!(&section[b.place.clone()], b"fn b() {}");
        assert_eq!(a.place, section.len()..section.len());
        assert_eq!(shaders.encode(), section);
        assert_eq!(Shaders::decode(b"").unwrap().records(), []);
    }

    #[test]
    fn what_is_used_twice_is_one_shader_and_what_only_has_its_name_is_refused() {
        let (a, b) = (record("a.wgsl", "1"), record("b.wgsl", "2"));
        let merged = [b.clone(), a.clone(), b.clone()].concat();
        let merged = Shaders::merge(&merged).unwrap();
        assert_eq!(merged.encode(), [a.clone(), b.clone()].concat());
        let says = "there are two shaders named `a.wgsl`";
        let twice = [a.clone(), a.clone()].concat();
        assert_eq!(Shaders::decode(&twice).unwrap_err().to_string(), says);
        let other = [a, record("a.wgsl", "3")].concat();
        assert_eq!(Shaders::merge(&other).unwrap_err().to_string(), says);
    }

    #[test]
    fn each_lie_is_refused_by_name() {
        let refused = |bytes: &[u8]| Shaders::decode(bytes).unwrap_err().to_string();
        let good = record("a.wgsl", "text");
        for len in 1..good.len() {
            assert!(refused(&good[..len]).contains("cut short at byte 0"));
        }
        let mut bytes = [good.clone(), good.clone()].concat();
        bytes[good.len() + 8..][..4].fill(0xff);
        assert!(refused(&bytes).contains(&format!("cut short at byte {}", good.len())));
        bytes[good.len()] = 2;
        assert!(refused(&bytes).contains("record 1 of the shaders has schema 2"));
        for name in ["", "a\n", &"a".repeat(129)] {
            assert!(refused(&record(name, "")).contains("a name that is none"));
        }
        let mut bytes = good;
        bytes[12] = 0xff;
        assert!(refused(&bytes).contains("a name that is none"));
        assert!(refused(&vec![0; Shaders::MAX_BYTES + 1]).contains("at most 1048576"));
        let many = (0..=Shaders::MAX_SHADERS).map(|number| record(&number.to_string(), ""));
        assert!(refused(&many.collect::<Vec<_>>().concat()).contains("more than 64 shaders"));
    }
}
