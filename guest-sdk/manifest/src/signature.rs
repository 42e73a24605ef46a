//! NumPy's generalized-ufunc notation for the shapes of arrays.
//!
//! ```text
//! signature = arrays "->" arrays        arrays = [ array { "," array } ]
//! array     = "(" [ dim { "," dim } ] ")"    dim = identifier | positive integer
//! ```
//!
//! Source of the notation: NumPy's reference, *Generalized universal function API*. Broadcasting
//! (`?`, `|1`) is left out: ranks must match.

use crate::is_identifier;
use std::fmt;

/// One dimension of an array in a signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A name: the same extent wherever it occurs.
    Name(String),
    /// A fixed extent, at least 1.
    Fixed(u64),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Fixed(extent) => write!(f, "{extent}"),
        }
    }
}

/// The shapes of an entry's arrays, inputs before outputs. An in-out array stands on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Dimensions of each input, in order.
    pub inputs: Vec<Vec<Dim>>,
    /// Dimensions of each output, in order.
    pub outputs: Vec<Vec<Dim>>,
}

/// Why a signature cannot be read; `column` counts bytes from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureError {
    /// Where in the text, in bytes from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: String,
}

crate::words! { SignatureError:
    Self { column, problem } => ("signature, column {column}: {problem}"),
}

impl std::error::Error for SignatureError {}

impl Signature {
    /// The longest text accepted, in bytes.
    pub const MAX_BYTES: usize = 2048;
    /// The highest rank accepted. NumPy's own limit is 64; no kernel needs more than this.
    pub const MAX_RANK: usize = 8;
    /// The most arrays accepted on both sides together.
    pub const MAX_ARRAYS: usize = 32;

    /// Reads a signature such as `(m,k),(k,n)->(m,n)`. Spaces are ignored.
    ///
    /// # Errors
    /// Says the column and what was expected there.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        Parser { text, at: 0 }.signature()
    }

    /// The named dimensions in order of first appearance.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for dim in self.inputs.iter().chain(&self.outputs).flatten() {
            if let Dim::Name(name) = dim
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |arrays: &[Vec<Dim>]| {
            let array = |dims: &Vec<Dim>| {
                let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
                format!("({})", dims.join(","))
            };
            arrays.iter().map(array).collect::<Vec<_>>().join(",")
        };
        write!(f, "{}->{}", side(&self.inputs), side(&self.outputs))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn signature(mut self) -> Result<Signature, SignatureError> {
        if self.text.len() > Signature::MAX_BYTES {
            return Err(self.error(format!(
                "{} bytes, at most {} are allowed",
                self.text.len(),
                Signature::MAX_BYTES
            )));
        }
        let inputs = self.arrays()?;
        self.expect("->")?;
        let outputs = self.arrays()?;
        if self.peek().is_some() {
            return Err(self.error("expected the end of the signature".into()));
        }
        if inputs.len() + outputs.len() > Signature::MAX_ARRAYS {
            return Err(self.error(format!(
                "{} arrays, at most {} are allowed",
                inputs.len() + outputs.len(),
                Signature::MAX_ARRAYS
            )));
        }
        Ok(Signature { inputs, outputs })
    }

    fn arrays(&mut self) -> Result<Vec<Vec<Dim>>, SignatureError> {
        let mut arrays = Vec::new();
        if self.peek() != Some(b'(') {
            return Ok(arrays);
        }
        loop {
            arrays.push(self.array()?);
            if self.peek() != Some(b',') {
                return Ok(arrays);
            }
            self.expect(",")?;
        }
    }

    fn array(&mut self) -> Result<Vec<Dim>, SignatureError> {
        self.expect("(")?;
        let mut dims = Vec::new();
        if self.peek() == Some(b')') {
            self.expect(")")?;
            return Ok(dims);
        }
        loop {
            if dims.len() == Signature::MAX_RANK {
                return Err(self.error(format!("rank above {}", Signature::MAX_RANK)));
            }
            dims.push(self.dim()?);
            match self.peek() {
                Some(b',') => self.expect(",")?,
                _ => {
                    self.expect(")")?;
                    return Ok(dims);
                }
            }
        }
    }

    fn dim(&mut self) -> Result<Dim, SignatureError> {
        self.peek();
        let start = self.at;
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let len = self.text.as_bytes()[start..]
            .iter()
            .take_while(|b| word(**b))
            .count();
        let token = &self.text[start..start + len];
        if is_identifier(token) {
            self.at += len;
            return Ok(Dim::Name(token.to_owned()));
        }
        match token.parse::<u64>() {
            Ok(extent) if extent > 0 => {
                self.at += len;
                Ok(Dim::Fixed(extent))
            }
            _ => Err(self.error("expected a dimension: a name or a positive integer".into())),
        }
    }

    /// The next byte that is not a space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.as_bytes().get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, token: &str) -> Result<(), SignatureError> {
        self.peek();
        // Byte comparison: the position may stand inside a multi-byte character's neighbour.
        if self.text.as_bytes()[self.at..].starts_with(token.as_bytes()) {
            self.at += token.len();
            return Ok(());
        }
        Err(self.error(format!("expected `{token}`")))
    }

    fn error(&self, problem: String) -> SignatureError {
        SignatureError {
            column: self.at + 1,
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_print_as_they_were_written() {
        for text in [
            "(m,k),(k,n)->(m,n)",
            "->(n)",
            "(n)->",
            "()->()",
            "(h,w,4)->(h,w,4)",
        ] {
            assert_eq!(Signature::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Signature::parse(" ( n ) , (n) -> (n) ")
                .unwrap()
                .to_string(),
            "(n),(n)->(n)"
        );
    }

    #[test]
    fn names_come_in_order_of_appearance() {
        let signature = Signature::parse("(m,k),(k,n)->(m,n,3)").unwrap();
        assert_eq!(signature.names(), ["m", "k", "n"]);
    }

    #[test]
    fn mistakes_name_their_column() {
        for (text, column) in [
            ("", 1),
            ("(n)", 4),
            ("(n)->(n", 8),
            ("(n,)->(n)", 4),
            ("(0)->()", 2),
            ("(n)->(n)x", 9),
            ("(é)->()", 2),
            ("(n)(n)->()", 4),
            ("(n)->é", 6),
        ] {
            assert_eq!(Signature::parse(text).unwrap_err().column, column, "{text}");
        }
        assert!(Signature::parse(&"(".repeat(5000)).is_err());
        assert!(Signature::parse("(a,b,c,d,e,f,g,h,i)->()").is_err());
    }
}
