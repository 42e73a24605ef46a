//! Directives: `enable`, `requires` and `diagnostic`, which stand before all declarations.
//!
//! The front end knows subgroup operations and not the directive that WGSL wants before them, and it knows some language
//! extensions by other names or by none. What is offered is taken here, and is space in the text for the front end.

use super::Token;
use crate::admission::place::ShaderText;
use crate::admission::refusal::{RefusalReason, ShaderRefusal};
use std::borrow::Cow;

/// Language extensions that kernels may ask for.
const LANGUAGE: [&str; 4] = [
    "packed_4x8_integer_dot_product",
    "pointer_composite_access",
    // Pointers to whole variables; those to parts are refused where they are.
    "unrestricted_pointer_parameters",
    SUBGROUP_ID,
];
/// The one of them that a device may lack.
const SUBGROUP_ID: &str = "subgroup_id";

/// A text without the directives that are taken, every place as before.
///
/// # Errors
/// A directive is not offered, or comes after something else.
pub(super) fn without<'a>(
    source: ShaderText<'a>,
    tokens: &[Token<'a>],
    has_subgroups: bool,
) -> Result<Cow<'a, str>, ShaderRefusal> {
    let mut text = Cow::Borrowed(source.0);
    let mut rest = tokens;
    while let [first, ..] = rest
        && matches!(first.text, "enable" | "requires" | "diagnostic")
    {
        let is_end = |token: &Token<'_>| token.text == ";";
        let end = rest
            .iter()
            .position(is_end)
            .map_or(rest.len(), |end| end + 1);
        let (directive, after) = rest.split_at(end);
        if let [kind, names @ .., _] = directive
            && matches!(kind.text, "enable" | "requires")
            && is_list(names)
        {
            check(source, kind.text, names, has_subgroups)?;
            erase(&mut text, directive);
        }
        rest = after;
    }
    check_late(source, rest)?;
    erase_attributes(&mut text, rest);
    Ok(text)
}

fn erase(text: &mut Cow<'_, str>, tokens: &[Token<'_>]) {
    for token in tokens {
        let end = token.offset + token.text.len();
        let blank = " ".repeat(token.text.len());
        text.to_mut().replace_range(token.offset..end, &blank);
    }
}

/// What `@diagnostic(severity, rule)` filters is nothing that kernels are told; the front end takes it in some places only.
fn erase_attributes(text: &mut Cow<'_, str>, mut tokens: &[Token<'_>]) {
    while !tokens.is_empty() {
        let len = attribute_len(tokens);
        erase(text, &tokens[..len]);
        tokens = &tokens[len.max(1)..];
    }
}

/// The tokens of a `@diagnostic(severity, rule)` that begins there; 0 where none does.
fn attribute_len(tokens: &[Token<'_>]) -> usize {
    if tokens.first().is_none_or(|token| token.text != "@") {
        return 0;
    }
    let texts: Vec<_> = tokens.iter().take(9).map(|token| token.text).collect();
    let is_severity = |word| matches!(word, "off" | "info" | "warning" | "error");
    match texts[..] {
        ["@", "diagnostic", "(", severity, ",", _, ")", ..] if is_severity(severity) => 7,
        ["@", "diagnostic", "(", severity, ",", _, ".", _, ")"] if is_severity(severity) => 9,
        _ => 0,
    }
}

/// Names with commas between; what is none is the front end's to refuse.
fn is_list(names: &[Token<'_>]) -> bool {
    let mut pairs = names.chunks(2);
    !names.is_empty()
        && pairs.all(|pair| match pair {
            [name] => name.is_word(),
            [name, comma] => name.is_word() && comma.text == ",",
            _ => false,
        })
}

/// Looks at the names of an `enable` or a `requires`.
fn check(
    source: ShaderText<'_>,
    kind: &str,
    names: &[Token<'_>],
    has_subgroups: bool,
) -> Result<(), ShaderRefusal> {
    for name in names.iter().step_by(2) {
        let offered = match kind {
            "enable" => name.text == "subgroups",
            _ => LANGUAGE.contains(&name.text),
        };
        let is_of_subgroups = matches!(name.text, "subgroups" | SUBGROUP_ID);
        let on = match offered {
            true if has_subgroups || !is_of_subgroups => continue,
            true => " on this device",
            false => "",
        };
        let what = format!("`{kind} {}`{on}", name.text);
        return Err(source.refuse_at(name.offset, RefusalReason::NotOffered(what)));
    }
    Ok(())
}

/// Refuses directives where statements or declarations begin.
fn check_late(source: ShaderText<'_>, tokens: &[Token<'_>]) -> Result<(), ShaderRefusal> {
    for pair in tokens.windows(2) {
        let [before, token] = pair else {
            continue;
        };
        let late = match token.text {
            "enable" => "enable",
            "requires" => "requires",
            "diagnostic" => "diagnostic",
            _ => continue,
        };
        if matches!(before.text, ";" | "{" | "}") {
            let reason = RefusalReason::LateDirective(late);
            return Err(source.refuse_at(token.offset, reason));
        }
    }
    Ok(())
}
