//! From text to a valid module with one entry point and no `override` left.

use super::place::ShaderText;
use super::refusal::{RefusalReason, ShaderRefusal};
use super::text::assertions;
use super::{pointers, returns};
use crate::panics::caught;
use naga::back::pipeline_constants::{PipelineConstantError, process_overrides};
use naga::compact::{KeepUnused, compact};
use naga::front::wgsl::{Frontend, Options};
use naga::valid::{Capabilities, ModuleInfo, ValidationError, ValidationFlags, Validator};
use naga::{Module, Override, ScalarKind, ShaderStage, Span, TypeInner, WithSpan};
use std::error::Error;

/// What of naga's optional features kernels are offered: none but the subgroups of a device that has them.
fn capabilities(has_subgroups: bool) -> Capabilities {
    let always = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    if has_subgroups {
        always | Capabilities::SUBGROUP
    } else {
        always
    }
}

/// Parses, validates and keeps one compute entry point.
pub(super) fn read(
    source: ShaderText<'_>,
    entry: &str,
    constants: &[(String, f64)],
    has_subgroups: bool,
) -> Result<(Module, ModuleInfo), ShaderRefusal> {
    guarded(source, |source| {
        read_or_panic(source, entry, constants, has_subgroups)
    })
}

/// The names of the compute entry points of a text that is only parsed.
pub(super) fn compute_entries(
    source: ShaderText<'_>,
    has_subgroups: bool,
) -> Result<Vec<String>, ShaderRefusal> {
    let module = guarded(source, |source| parse(source, has_subgroups))?;
    let points = module.entry_points.into_iter();
    let points = points.filter(|point| point.stage == ShaderStage::Compute);
    Ok(points.map(|point| point.name).collect())
}

/// Reads a text. The front end is known to panic on some. It only reads: nothing is broken when it does.
fn guarded<T>(
    source: ShaderText<'_>,
    read: impl Fn(ShaderText<'_>) -> Result<T, ShaderRefusal>,
) -> Result<T, ShaderRefusal> {
    let read = |text: &str| caught(|| read(ShaderText(text)));
    read(source.0).unwrap_or_else(|_| Err(front_end(source, |text| read(text).is_err())))
}

/// The refusal of a text on which the front end panics. It gives up on a `const_assert` of what is no constant `bool`;
/// where that is why, the panic is gone without the assertion.
fn front_end(source: ShaderText<'_>, panics: impl Fn(&str) -> bool) -> ShaderRefusal {
    let asserts = assertions(source);
    let without = |first: usize| {
        let mut text = source.0.to_owned();
        for range in &asserts[first..] {
            let blank = " ".repeat(range.len());
            text.replace_range(range.clone(), &blank);
        }
        text
    };
    // With fewer of them than this, it does not panic.
    let (mut fewest, mut most) = (0, asserts.len());
    if asserts.is_empty() || panics(&without(0)) {
        return ShaderRefusal::of_shader(RefusalReason::FrontEnd);
    }
    while most - fewest > 1 {
        let half = fewest + (most - fewest) / 2;
        if panics(&without(half)) {
            most = half;
        } else {
            fewest = half;
        }
    }
    source.refuse_at(asserts[fewest].start, RefusalReason::NotAsserted)
}

fn read_or_panic(
    source: ShaderText<'_>,
    entry: &str,
    constants: &[(String, f64)],
    has_subgroups: bool,
) -> Result<(Module, ModuleInfo), ShaderRefusal> {
    let mut module = parse(source, has_subgroups)?;
    returns::complete(source, &mut module)?;
    pointers::write_out(source, &mut module)?;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities(has_subgroups));
    let info = validator
        .validate(&module)
        .map_err(|error| invalid(source, &error))?;
    let mut module = resolve(source, &module, &info, entry, constants)?;
    compact(&mut module, KeepUnused::No);
    let info = validator
        .validate_resolved_overrides(&module)
        .map_err(|error| invalid(source, &error))?;
    Ok((module, info))
}

/// What the validator says of a module that was rewritten, once what nothing needs any more is gone.
pub(super) fn validate_again(
    source: ShaderText<'_>,
    module: &mut Module,
    has_subgroups: bool,
) -> Result<ModuleInfo, ShaderRefusal> {
    compact(module, KeepUnused::No);
    Validator::new(ValidationFlags::all(), capabilities(has_subgroups))
        .validate_resolved_overrides(module)
        .map_err(|error| invalid(source, &error))
}

fn parse(source: ShaderText<'_>, has_subgroups: bool) -> Result<Module, ShaderRefusal> {
    let options = Options {
        parse_doc_comments: false,
        capabilities: capabilities(has_subgroups),
    };
    Frontend::new_with_options(options)
        .parse(source.0)
        .map_err(|error| {
            let first = error.labels().next();
            let span = first.map_or(Span::UNDEFINED, |(span, _)| span);
            source.refuse(span, RefusalReason::Invalid(shorten(error.message())))
        })
}

fn invalid(source: ShaderText<'_>, error: &WithSpan<ValidationError>) -> ShaderRefusal {
    let narrowest = error
        .spans()
        .filter_map(|(span, _)| Some((span, span.to_range()?.len())))
        .min_by_key(|(_, len)| *len)
        .map_or(Span::UNDEFINED, |(span, _)| *span);
    source.refuse(narrowest, RefusalReason::Invalid(chain(error.as_inner())))
}

/// An error with its causes, as one line.
fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&error.to_string());
        cause = error.source();
    }
    shorten(&message)
}

/// The validator's words as a fragment; they may hold pieces of the text.
fn shorten(message: &str) -> String {
    let mut short = shorten_name(message);
    if let Some(first) = short.get(..1) {
        let lower = first.to_lowercase();
        short.replace_range(..1, &lower);
    }
    short
}

/// Words of a guest, of bounded length and on one line.
fn shorten_name(name: &str) -> String {
    const LONGEST: usize = 400;
    name.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .take(LONGEST)
        .collect()
}

/// Keeps the entry point alone and gives every `override` its value.
fn resolve(
    source: ShaderText<'_>,
    module: &Module,
    info: &ModuleInfo,
    entry: &str,
    constants: &[(String, f64)],
) -> Result<Module, ShaderRefusal> {
    let named = |stage: Option<ShaderStage>| {
        let is = |point: &naga::EntryPoint| stage.is_none_or(|stage| point.stage == stage);
        module
            .entry_points
            .iter()
            .any(|point| point.name == entry && is(point))
    };
    if !named(Some(ShaderStage::Compute)) {
        return Err(ShaderRefusal::of_shader(if named(None) {
            RefusalReason::NotCompute(shorten_name(entry))
        } else {
            RefusalReason::NoEntryPoint(shorten_name(entry))
        }));
    }
    check_constants(module, constants)?;
    let values = constants.iter().cloned().collect();
    let point = Some((ShaderStage::Compute, entry));
    process_overrides(module, info, point, &values)
        .map(|(module, _)| module.into_owned())
        .map_err(|error| constant_refusal(source, error))
}

/// Checks each given value: of a constant that there is, given once, and one of its type.
fn check_constants(module: &Module, constants: &[(String, f64)]) -> Result<(), ShaderRefusal> {
    for (index, (name, value)) in constants.iter().enumerate() {
        let is_named = |constant: &Override| match constant.id {
            Some(id) => *name == id.to_string(),
            None => constant.name.as_deref() == Some(name),
        };
        let mut overrides = module.overrides.iter().map(|(_, constant)| constant);
        let short = || shorten_name(name);
        let reason = match overrides.find(|constant| is_named(constant)) {
            None => RefusalReason::UnknownConstant(short()),
            Some(_) if constants[..index].iter().any(|(other, _)| other == name) => {
                RefusalReason::ConstantGivenTwice(short())
            }
            Some(constant) if !fits(&module.types[constant.ty].inner, *value) => {
                RefusalReason::ConstantValue {
                    name: short(),
                    value: *value,
                }
            }
            Some(_) => continue,
        };
        return Err(ShaderRefusal::of_shader(reason));
    }
    Ok(())
}

/// Whether a value is one of a scalar type. Fractions are cut off, as WebGPU does.
fn fits(inner: &TypeInner, value: f64) -> bool {
    let TypeInner::Scalar(scalar) = inner else {
        return false;
    };
    let whole = value.trunc();
    match scalar.kind {
        ScalarKind::Bool => true,
        ScalarKind::Sint => f64::from(i32::MIN) <= whole && whole <= f64::from(i32::MAX),
        ScalarKind::Uint => 0.0 <= whole && whole <= f64::from(u32::MAX),
        _ => value.abs() <= f64::from(f32::MAX),
    }
}

fn constant_refusal(source: ShaderText<'_>, error: PipelineConstantError) -> ShaderRefusal {
    use PipelineConstantError as E;
    match error {
        E::MissingValue(name) => {
            ShaderRefusal::of_shader(RefusalReason::MissingConstant(shorten_name(&name)))
        }
        E::NotFound(name) => {
            ShaderRefusal::of_shader(RefusalReason::UnknownConstant(shorten_name(&name)))
        }
        E::ValidationError(error) => invalid(source, &error),
        other => ShaderRefusal::of_shader(RefusalReason::Invalid(chain(&other))),
    }
}
