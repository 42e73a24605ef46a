//! How large the constants of a text become when the front end evaluates them.
//!
//! Each use of a constant in a function copies its value, so a tower in which each constant holds the one below
//! twice grows without bound; and a zero value of an array may be written out element by element. Here every
//! constant and type has a size that its value cannot pass, and what functions use of them is added up. A name
//! that stands for several things counts as the largest of them.

use super::token::Token;
use super::{ShaderText, too_many};
use crate::admission::refusal::ShaderRefusal;
use std::collections::HashMap;

/// Parts of values that functions may use of constants and zero values, all together.
const PARTS: u64 = 1 << 20;
/// What a matrix counts for: the front end takes long over arithmetic on constant ones.
const MATRIX: u64 = 512;
/// Names that are looked up within one another.
const LOOKUPS: u32 = 128;

/// Checks what the constants and zero values of a text would be written out to.
///
/// # Errors
/// They are too large.
pub(super) fn check(source: ShaderText<'_>, tokens: &[Token<'_>]) -> Result<(), ShaderRefusal> {
    let mut sizes = Sizes::of(tokens);
    let mut parts = 0_u64;
    for (index, token) in tokens.iter().enumerate() {
        parts = parts.saturating_add(sizes.of_token(tokens, index, 0));
        if matches!(token.text, "const" | "let") {
            sizes.declare(tokens, index);
        }
        if parts > PARTS {
            return Err(too_many(source, *token, "parts of constants", PARTS));
        }
    }
    Ok(())
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SymbolKind {
    Constant,
    Type,
}

/// A declaration outside functions: its kind, and its tokens after the name.
#[derive(Clone, Copy)]
struct Declaration {
    kind: SymbolKind,
    start: usize,
    end: usize,
}

struct Sizes<'a> {
    declared: HashMap<&'a str, Declaration>,
    /// Sizes of names; 1 while one is being found.
    known: HashMap<&'a str, u64>,
    /// Bounds of constants' values; none while one is being found.
    values: HashMap<&'a str, u64>,
    /// The largest list that a `let` holds.
    lists: HashMap<&'a str, u64>,
}

impl<'a> Sizes<'a> {
    fn of(tokens: &[Token<'a>]) -> Self {
        let declared = declarations(tokens);
        let mut names: Vec<_> = declared
            .iter()
            .map(|(name, declaration)| (declaration.start, *name))
            .collect();
        names.sort_unstable();
        let mut sizes = Self {
            declared,
            known: HashMap::new(),
            values: HashMap::new(),
            lists: HashMap::new(),
        };
        for (_, name) in names {
            sizes.of_name(tokens, name, 0);
            sizes.value(tokens, name, 0);
        }
        sizes
    }

    /// A constant inside a function, or a `let`.
    fn declare(&mut self, tokens: &[Token<'a>], index: usize) {
        let Some(name) = tokens.get(index + 1).map(|token| token.text) else {
            return;
        };
        let (start, end) = (index + 2, end_of(tokens, index));
        if text(tokens, index) == "let" {
            let words = (start..end).map(|at| text(tokens, at));
            let commas = words.clone().filter(|word| *word == ",").count() as u64;
            let held = words.filter_map(|word| self.lists.get(word).or(self.known.get(word)));
            let list = held.copied().fold(commas, u64::max);
            self.lists.insert(name, list);
            return;
        }
        let size = self.of_range(tokens, start, end, 0);
        let value = self.bound(tokens, after_equals(tokens, start, end), end, 0);
        for (map, new) in [(&mut self.known, size), (&mut self.values, value)] {
            let old = map.entry(name).or_insert(0);
            *old = new.max(*old);
        }
    }

    /// The size of a name.
    fn of_name(&mut self, tokens: &[Token<'a>], name: &'a str, lookups: u32) -> u64 {
        if let Some(size) = self.known.get(name) {
            return *size;
        }
        let Some(Declaration { kind, start, end }) = self.declared.get(name).copied() else {
            return if is_matrix(name) { MATRIX } else { 1 };
        };
        if lookups > LOOKUPS {
            return u64::MAX;
        }
        self.known.insert(name, 1);
        let size = match kind {
            SymbolKind::Constant => self.of_range(tokens, start, end, lookups + 1),
            SymbolKind::Type => self.of_type(tokens, start, end, lookups + 1),
        };
        self.known.insert(name, size);
        size
    }

    /// An expression: what it is made of, each name written out.
    fn of_range(&mut self, tokens: &[Token<'a>], start: usize, end: usize, lookups: u32) -> u64 {
        (start..end).fold(1, |size: u64, index| {
            let of_token = match text(tokens, index) {
                "," => 1,
                _ => self.of_token(tokens, index, lookups),
            };
            size.saturating_add(of_token)
        })
    }

    /// What a token stands for where a value is written: types only where one is constructed.
    fn of_token(&mut self, tokens: &[Token<'a>], index: usize, lookups: u32) -> u64 {
        let word = text(tokens, index);
        if word == "array" {
            return match template_end(tokens, index) {
                Some(end) if text(tokens, end) == "(" => self.of_type(tokens, index, end, lookups),
                _ => 0,
            };
        }
        if is_matrix(word) && matches!(text(tokens, index + 1), "(" | "<") {
            return MATRIX;
        }
        if let Some(list) = self.lists.get(word) {
            return *list;
        }
        let is_type = self
            .declared
            .get(word)
            .is_some_and(|declared| declared.kind == SymbolKind::Type);
        let is_unused_type = is_type && text(tokens, index + 1) != "(";
        let is_unknown = !self.known.contains_key(word) && !self.declared.contains_key(word);
        if is_unused_type || is_unknown {
            return 0;
        }
        self.of_name(tokens, word, lookups)
    }

    /// The scalars that a type's value is made of, and its structures and arrays.
    fn of_type(&mut self, tokens: &[Token<'a>], start: usize, end: usize, lookups: u32) -> u64 {
        let mut size = 1_u64;
        let mut index = start;
        while index < end {
            let array = template_end(tokens, index).filter(|_| text(tokens, index) == "array");
            let part = match (array, tokens.get(index)) {
                (Some(after), _) => self.of_array(tokens, index + 2, after - 1, lookups),
                (None, Some(token)) if token.is_word() => self.of_name(tokens, token.text, lookups),
                _ => 0,
            };
            size = size.saturating_add(part);
            index = array.unwrap_or(index + 1);
        }
        size
    }

    /// An array, from the tokens between its angle brackets.
    fn of_array(&mut self, tokens: &[Token<'a>], start: usize, end: usize, lookups: u32) -> u64 {
        let end = if end > start && text(tokens, end - 1) == "," {
            end - 1
        } else {
            end
        };
        let mut depth = 0_u64;
        let mut comma = None;
        for index in start..end {
            match text(tokens, index) {
                "<" | "(" => depth += 1,
                ">" | ")" => depth = depth.saturating_sub(1),
                "," if depth == 0 => comma = Some(index),
                _ => {}
            }
        }
        let Some(comma) = comma else {
            return self.of_type(tokens, start, end, lookups);
        };
        let element = self.of_type(tokens, start, comma, lookups);
        element.saturating_mul(self.bound(tokens, comma + 1, end, lookups))
    }

    /// A number that the magnitude of a constant does not pass.
    fn value(&mut self, tokens: &[Token<'a>], name: &'a str, lookups: u32) -> u64 {
        if let Some(value) = self.values.get(name) {
            return *value;
        }
        let declaration = self.declared.get(name).copied();
        let Some(Declaration { start, end, .. }) = declaration.filter(|_| lookups <= LOOKUPS)
        else {
            return u64::MAX;
        };
        self.values.insert(name, u64::MAX);
        let start = after_equals(tokens, start, end);
        let value = self.bound(tokens, start, end, lookups + 1);
        self.values.insert(name, value);
        value
    }

    /// A number that the magnitude of an expression of whole numbers does not pass: terms are added up, and the
    /// factors of each multiplied; what is divided by is left out.
    fn bound(&mut self, tokens: &[Token<'a>], start: usize, end: usize, lookups: u32) -> u64 {
        let (mut sum, mut product) = (0_u64, 0_u64);
        let mut operator = "+";
        let mut index = start;
        while index < end {
            let word = text(tokens, index);
            let next = text(tokens, index + 1);
            let factor = match word {
                "+" | "-" | "*" | "/" | "%" => {
                    operator = if operator == "<<" { "?" } else { word };
                    index += 1;
                    continue;
                }
                "<<" => {
                    operator = word;
                    index += 1;
                    continue;
                }
                "(" => {
                    let close = closing(tokens, index).min(end);
                    let inner = self.bound(tokens, index + 1, close, lookups);
                    index = close;
                    inner
                }
                _ if next == "(" || next == "." || next == "[" => return u64::MAX,
                _ if word.starts_with(|char: char| char.is_ascii_digit()) => literal(word),
                _ => self.value(tokens, word, lookups),
            };
            product = match operator {
                "*" => product.saturating_mul(factor),
                "/" | "%" => product,
                "<<" if factor < 32 => sum.saturating_add(product).saturating_mul(1 << factor),
                "+" | "-" => {
                    sum = sum.saturating_add(product);
                    factor
                }
                _ => u64::MAX,
            };
            index += 1;
        }
        sum.saturating_add(product)
    }
}

fn text<'a>(tokens: &[Token<'a>], index: usize) -> &'a str {
    tokens.get(index).map_or("", |token| token.text)
}

/// The names of WGSL's matrix types.
fn is_matrix(word: &str) -> bool {
    word.starts_with("mat") && word.as_bytes().get(4) == Some(&b'x')
}

/// The constants and types declared outside functions.
fn declarations<'a>(tokens: &[Token<'a>]) -> HashMap<&'a str, Declaration> {
    let mut declared = HashMap::new();
    let mut braces = 0_u64;
    for index in 0..tokens.len() {
        let kind = match text(tokens, index) {
            "{" => {
                braces += 1;
                continue;
            }
            "}" => {
                braces = braces.saturating_sub(1);
                continue;
            }
            "const" | "override" if braces == 0 => SymbolKind::Constant,
            "alias" | "struct" if braces == 0 => SymbolKind::Type,
            _ => continue,
        };
        let is_struct = text(tokens, index) == "struct";
        let end = if is_struct {
            closing(tokens, index + 2)
        } else {
            end_of(tokens, index)
        };
        let start = index + 2;
        declared.insert(text(tokens, index + 1), Declaration { kind, start, end });
    }
    declared
}

/// The semicolon that ends a declaration, or the next declaration: no token is looked at twice.
fn end_of(tokens: &[Token<'_>], start: usize) -> usize {
    let is_end = |index: &usize| {
        matches!(
            text(tokens, *index),
            ";" | "let" | "const" | "var" | "override" | "alias" | "struct" | "fn"
        )
    };
    (start + 1..tokens.len())
        .find(is_end)
        .unwrap_or(tokens.len())
}

/// Where a declaration's value begins; its end if it has none.
fn after_equals(tokens: &[Token<'_>], start: usize, end: usize) -> usize {
    let equals = (start..end).find(|index| text(tokens, *index) == "=");
    equals.map_or(end, |index| index + 1)
}

/// The bracket that closes the one there; the place itself if there is none.
fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    if !matches!(text(tokens, open), "(" | "{") {
        return open;
    }
    let mut depth = 0_u64;
    for index in open..tokens.len() {
        match text(tokens, index) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth <= 1 => return index,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Templates within templates: the front end has fewer.
const TEMPLATES: u64 = 256;

/// The token after the angle brackets that follow a word; `None` where none do.
fn template_end(tokens: &[Token<'_>], word: usize) -> Option<usize> {
    if text(tokens, word + 1) != "<" {
        return None;
    }
    let mut depth = 0_u64;
    for index in word + 1..tokens.len() {
        match text(tokens, index) {
            "<" if depth == TEMPLATES => return None,
            "<" => depth += 1,
            ">" if depth == 1 => return Some(index + 1),
            ">" => depth -= 1,
            ";" | "{" | "}" => return None,
            _ => {}
        }
    }
    None
}

/// A whole number; the largest there is for everything else.
fn literal(word: &str) -> u64 {
    let digits = word.trim_end_matches(['u', 'i']);
    let number = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    number.unwrap_or(u64::MAX)
}
