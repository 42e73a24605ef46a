//! The text of a shader before anything parses it: its size, and how deep it nests.
//!
//! The front end recurses over nested expressions, chains of operators and chains of `else`, evaluates
//! constants without bound, and takes time that grows with the square of some counts. So these are bounded on
//! the text, in one pass over its tokens; whatever is not WGSL is left for the front end to name.

mod directive;
mod expansion;
mod token;

use super::place::ShaderText;
use super::refusal::{RefusalReason, ShaderRefusal};
use std::borrow::Cow;
use std::ops::Range;
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
pub(super) fn check<'a>(
    source: ShaderText<'a>,
    has_subgroups: bool,
) -> Result<Cow<'a, str>, ShaderRefusal> {
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
    directive::without(source, &tokens, has_subgroups)
}

fn too_many(
    source: ShaderText<'_>,
    at: Token<'_>,
    what: &'static str,
    maximum: u64,
) -> ShaderRefusal {
    let reason = RefusalReason::TooMany {
        what,
        counted: maximum + 1,
        maximum,
    };
    source.refuse_at(at.offset, reason)
}

/// Every `const_assert` of a text, up to its semicolon.
pub(super) fn assertions(source: ShaderText<'_>) -> Vec<Range<usize>> {
    let mut asserts = Vec::new();
    let mut tokens = token::Tokens::of(source.0);
    while let Some(start) = tokens.find(|token| token.text == "const_assert") {
        if let Some(end) = tokens.find(|token| token.text == ";") {
            asserts.push(start.offset..end.offset);
        }
    }
    asserts
}

/// Statements and declarations.
fn check_words(source: ShaderText<'_>, tokens: &[Token<'_>]) -> Result<(), ShaderRefusal> {
    let (mut statements, mut declarations, mut braces) = (0, 0, 0_u64);
    for token in tokens {
        match token.text {
            "{" => braces += 1,
            "}" => braces = braces.saturating_sub(1),
            ";" => statements += 1,
            "fn" | "var" | "const" | "override" | "struct" | "alias" if braces == 0 => {
                declarations += 1;
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

/// What a text is deep by. Each counts towards the same maximum, and a refusal names the one that counted most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DepthKind {
    #[default]
    Brackets,
    Operators,
    Else,
    Accesses,
}

impl DepthKind {
    fn name(self) -> &'static str {
        match self {
            Self::Brackets => "levels of brackets within one another",
            Self::Operators => "operators in one expression, with the brackets around it",
            Self::Else => "`else` in one chain, with the brackets around it",
            Self::Accesses => "members and indices of one operand, with the brackets around it",
        }
    }
}

/// A depth, by what it comes about most.
#[derive(Clone, Copy, Default)]
struct Depth {
    levels: u64,
    kind: DepthKind,
    of_kind: u64,
}

impl Depth {
    fn of(kind: DepthKind, levels: u64) -> Self {
        Self {
            levels,
            kind,
            of_kind: levels,
        }
    }

    /// One within the other.
    fn within(self, other: Self) -> Self {
        let levels = self.levels + other.levels;
        if self.kind == other.kind {
            let of_kind = self.of_kind + other.of_kind;
            return Self {
                levels,
                of_kind,
                ..self
            };
        }
        let most = if other.of_kind > self.of_kind {
            other
        } else {
            self
        };
        Self { levels, ..most }
    }

    fn max(self, other: Self) -> Self {
        if other.levels > self.levels {
            other
        } else {
            self
        }
    }
}

/// One level of brackets.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Operators since the last separator.
    operators: u64,
    /// `else` since the last separator.
    elses: u64,
    /// Members and indices of the operand at hand, and the most of any operand since the last separator.
    accesses: u64,
    most_accesses: u64,
    /// The deepest bracket since the last separator.
    deepest: Depth,
    /// The depth of what the last separator ended, at most.
    ended: Depth,
}

impl Level {
    /// A chain of operators becomes a tree as deep as it is long, and what stands in it hangs below.
    fn depth(self) -> Depth {
        let of_chain = Depth::of(DepthKind::Operators, self.operators)
            .within(Depth::of(DepthKind::Else, self.elses))
            .within(Depth::of(DepthKind::Accesses, self.most_accesses))
            .within(self.deepest);
        self.ended.max(of_chain)
    }

    fn separate(&mut self) {
        *self = Self {
            ended: self.depth(),
            ..Self::default()
        };
    }

    /// Ends what stands before an `else`: only the chain goes on.
    fn end_link(&mut self) {
        let elses = self.elses;
        self.separate();
        self.elses = elses;
    }

    fn operate(&mut self) {
        self.operators += 1;
        self.accesses = 0;
    }

    fn otherwise(&mut self) {
        self.elses += 1;
        self.accesses = 0;
    }

    fn access(&mut self) {
        self.accesses += 1;
        self.most_accesses = self.most_accesses.max(self.accesses);
    }
}

fn check_depth(source: ShaderText<'_>, tokens: &[Token<'_>]) -> Result<(), ShaderRefusal> {
    let mut around = Vec::new();
    let mut level = Level::default();
    for (index, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" => around.push(std::mem::take(&mut level)),
            ")" | "]" | "}" => {
                let inner = std::mem::replace(&mut level, around.pop().unwrap_or_default());
                let bracket = Depth::of(DepthKind::Brackets, 1);
                level.deepest = level.deepest.max(bracket.within(inner.depth()));
                let goes_on = tokens
                    .get(index + 1)
                    .is_some_and(|next| next.text == "else");
                match token.text {
                    "}" if !goes_on => level.separate(),
                    "}" => level.end_link(),
                    _ => level.access(),
                }
            }
            ";" | "," => level.separate(),
            "." => level.access(),
            "else" => level.otherwise(),
            _ if token.is_operator() => level.operate(),
            _ => {}
        }
        let depth = Depth::of(DepthKind::Brackets, around.len() as u64).within(level.depth());
        if depth.levels > DEPTH {
            return Err(too_many(source, *token, depth.kind.name(), DEPTH));
        }
    }
    Ok(())
}
