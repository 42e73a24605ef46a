//! The text of a shader before anything parses it: its size, and how deep it nests.
//!
//! The front end recurses over nested expressions, chains of operators and chains of `else`, evaluates
//! constants without bound, and takes time that grows with the square of some counts. So these are bounded on
//! the text, in one pass over its tokens; whatever is not WGSL is left for the front end to name.

mod expansion;
mod token;

use super::place::Source;
use super::refusal::{Refusal, RefusalReason};
use std::borrow::Cow;
use token::Token;

/// Tokens of a shader.
const TOKENS: usize = 1 << 16;
/// Semicolons of a shader.
const STATEMENTS: u64 = 4096;
/// Declarations outside functions.
const DECLARATIONS: u64 = 1024;
/// Brackets around, and operators and `else` in a row beside, any one place.
const DEPTH: u64 = 256;

/// Checks what can be said of a text without parsing it; the text for the front end, with every place as before.
///
/// # Errors
/// There is too much of something.
pub(super) fn check<'a>(source: Source<'a>, has_subgroups: bool) -> Result<Cow<'a, str>, Refusal> {
    let mut tokens = Vec::new();
    for token in token::Tokens::of(source.0) {
        if tokens.len() == TOKENS {
            return Err(too_many(source, token, "tokens", TOKENS as u64));
        }
        tokens.push(token);
    }
    check_words(source, &tokens)?;
    check_depth(source, &tokens)?;
    expansion::check(source, &tokens)?;
    without_subgroups_directive(source, &tokens, has_subgroups)
}

/// The front end knows subgroup operations, and not the directive that WGSL wants before them: it becomes space.
fn without_subgroups_directive<'a>(
    source: Source<'a>,
    tokens: &[Token<'a>],
    has_subgroups: bool,
) -> Result<Cow<'a, str>, Refusal> {
    let mut text = Cow::Borrowed(source.0);
    let mut is_start = true;
    for directive in tokens.windows(3) {
        let [enable, name, end] = directive else {
            continue;
        };
        if is_start && [enable.text, name.text, end.text] == ["enable", "subgroups", ";"] {
            if !has_subgroups {
                let reason =
                    RefusalReason::NotOffered("`enable subgroups` on this device".to_owned());
                return Err(source.refuse_at(enable.offset, reason));
            }
            for token in directive {
                let end = token.offset + token.text.len();
                let blank = " ".repeat(token.text.len());
                text.to_mut().replace_range(token.offset..end, &blank);
            }
        }
        is_start = enable.text == ";";
    }
    Ok(text)
}

fn too_many(source: Source<'_>, at: Token<'_>, what: &'static str, maximum: u64) -> Refusal {
    let reason = RefusalReason::TooMany {
        what,
        counted: maximum + 1,
        maximum,
    };
    source.refuse_at(at.offset, reason)
}

/// Statements, declarations, and words that kernels are not offered.
fn check_words(source: Source<'_>, tokens: &[Token<'_>]) -> Result<(), Refusal> {
    let (mut statements, mut declarations, mut braces) = (0, 0, 0_u64);
    for token in tokens {
        match token.text {
            "{" => braces += 1,
            "}" => braces = braces.saturating_sub(1),
            ";" => statements += 1,
            "fn" | "var" | "const" | "override" | "struct" | "alias" if braces == 0 => {
                declarations += 1;
            }
            // The front end gives up on those that it cannot evaluate in a way that cannot be caught.
            "const_assert" => {
                let reason = RefusalReason::NotOffered("`const_assert`".to_owned());
                return Err(source.refuse_at(token.offset, reason));
            }
            _ => {}
        }
        if statements > STATEMENTS {
            return Err(too_many(source, *token, "statements", STATEMENTS));
        }
        if declarations > DECLARATIONS {
            return Err(too_many(source, *token, "declarations", DECLARATIONS));
        }
    }
    Ok(())
}

/// One level of brackets.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Operators, and `else`, since the last separator.
    chain: u64,
    /// Members and indices of the operand at hand, and the most of any operand since the last separator.
    accesses: u64,
    most_accesses: u64,
    /// The deepest bracket since the last separator.
    deepest: u64,
    /// The depth of what the last separator ended, at most.
    ended: u64,
}

impl Level {
    /// A chain of operators becomes a tree as deep as it is long, and what stands in it hangs below.
    fn depth(self) -> u64 {
        let of_chain = self.chain + self.most_accesses + self.deepest;
        self.ended.max(of_chain)
    }

    fn separate(&mut self) {
        *self = Self {
            ended: self.depth(),
            ..Self::default()
        };
    }

    fn operate(&mut self) {
        self.chain += 1;
        self.accesses = 0;
    }

    fn access(&mut self) {
        self.accesses += 1;
        self.most_accesses = self.most_accesses.max(self.accesses);
    }
}

fn check_depth(source: Source<'_>, tokens: &[Token<'_>]) -> Result<(), Refusal> {
    let mut around = Vec::new();
    let mut level = Level::default();
    for (index, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" => around.push(std::mem::take(&mut level)),
            ")" | "]" | "}" => {
                let inner = std::mem::replace(&mut level, around.pop().unwrap_or_default());
                level.deepest = level.deepest.max(inner.depth() + 1);
                let goes_on = tokens
                    .get(index + 1)
                    .is_some_and(|next| next.text == "else");
                match token.text {
                    "}" if !goes_on => level.separate(),
                    "}" => {}
                    _ => level.access(),
                }
            }
            ";" | "," => level.separate(),
            "." => level.access(),
            "else" => level.operate(),
            _ if token.is_operator() => level.operate(),
            _ => {}
        }
        if level.depth() + around.len() as u64 > DEPTH {
            return Err(too_many(source, *token, "levels of nesting", DEPTH));
        }
    }
    Ok(())
}
