//! The parameters of a kernel's function, by their types' spelling.
//!
//! A macro sees tokens, not types: it goes by the last segment of a path. The expansion makes the
//! compiler check that the type behind the spelling is the SDK's. What another macro passed as
//! `$t:ty` arrives in an invisible group, and is looked into wherever a type may stand.

use crate::function::{Function, Input};
use hotcell_manifest::DType;
use quote::ToTokens;
use std::fmt::Display;
use syn::{Error, GenericArgument, Ident, PathArguments, Result, Type};

/// One parameter.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) kind: Kind,
}

/// What a parameter is.
pub(crate) enum Kind {
    /// A number or truth value that the caller gives.
    Scalar(DType),
    /// A `usize`: the extent of the dimension of its name.
    Extent,
    /// A `Chunk`.
    Chunk,
    /// An array.
    Array(Box<Array>),
}

/// An array parameter.
pub(crate) struct Array {
    pub(crate) form: Form,
    pub(crate) mutable: bool,
    pub(crate) dtype: DType,
    /// The element type as the author wrote it.
    pub(crate) element: Type,
}

/// How the function holds an array.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `&[T]`, `&mut [T]`
    Slice,
    /// `View2<T>`, `ViewMut2<T>`, of this rank
    View(usize),
    /// `Chunks<T>`, `ChunksMut<T>`
    Stream,
    /// `ChunksInOut<T>`
    Exchange,
}

/// An input of which a chunk gets `rows` indices of the split dimension on either side of its own.
pub(crate) struct Halo {
    pub(crate) parameter: Ident,
    pub(crate) rows: u32,
}

/// The halo of a parameter, if it has one.
pub(crate) fn halo_of<'a>(halos: &'a [Halo], parameter: &Parameter) -> Option<&'a Halo> {
    halos.iter().find(|halo| halo.parameter == parameter.name)
}

const TYPES: &str = "a kernel takes scalars (bool, i32, i64, u32, u64, f32, f64), extents (`usize`, \
     named after a dimension), `Chunk`, and arrays: `&[T]`, `&mut [T]`, `View1<T>` to `View4<T>`, \
     `ViewMut1<T>` to `ViewMut4<T>`, `Chunks<T>`, `ChunksMut<T>`, `ChunksInOut<T>`";
const ELEMENTS: &str = "elements are bool, u8 to u64, i8 to i64, f32, f64, F16, Bf16, \
     Complex<f32> or Complex<f64>";

/// Reads every parameter; refuses functions that cannot be kernels.
pub(crate) fn read(function: &Function) -> Result<Vec<Parameter>> {
    check_plain(function)?;
    function.inputs.iter().map(parameter).collect()
}

fn check_plain(function: &Function) -> Result<()> {
    let refuse = |token: &dyn ToTokens, message: &str| {
        Err(Error::new_spanned(token.to_token_stream(), message))
    };
    if let Some(token) = &function.asyncness {
        return refuse(token, "a kernel cannot be async: a launch is one call");
    }
    if let Some(token) = &function.unsafety {
        return refuse(token, "a kernel is a safe function");
    }
    if let Some(abi) = &function.abi {
        return refuse(abi, "a kernel is an ordinary Rust function");
    }
    if !function.generics.params.is_empty() {
        let message = "a kernel cannot be generic: the manifest names one type for each parameter";
        return refuse(&function.generics, message);
    }
    if let Some(clause) = &function.generics.where_clause {
        return refuse(clause, "a kernel has no where clause");
    }
    Ok(())
}

fn parameter(argument: &Input) -> Result<Parameter> {
    let ty = match &argument.ty {
        Some((_, ty)) if !argument.is_self() => ty,
        _ => {
            let message = "a kernel is a free function, without `self`";
            return Err(Error::new_spanned(argument, message));
        }
    };
    let Some(name) = argument.name() else {
        let message = "a kernel's parameter has a plain name, which the manifest shows";
        return Err(Error::new_spanned(&argument.pattern, message));
    };
    Ok(Parameter {
        name,
        ty: ty.clone(),
        kind: kind(ty)?,
    })
}

/// An error at a token.
pub(crate) fn at(token: &impl ToTokens, message: impl Display) -> Error {
    Error::new_spanned(token, message)
}

/// A type without the groups and parentheses around it.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

fn kind(ty: &Type) -> Result<Kind> {
    if let Type::Reference(reference) = ungrouped(ty) {
        let Type::Slice(slice) = ungrouped(&reference.elem) else {
            return Err(Error::new_spanned(ty, TYPES));
        };
        return array(Form::Slice, reference.mutability.is_some(), &slice.elem);
    }
    let Some((name, argument)) = last_segment(ty) else {
        return Err(Error::new_spanned(ty, TYPES));
    };
    let Some(argument) = argument else {
        return plain(ty, &name.to_string());
    };
    let (form, mutable) = match name.to_string().as_str() {
        "Chunks" => (Form::Stream, false),
        "ChunksMut" => (Form::Stream, true),
        "ChunksInOut" => (Form::Exchange, true),
        name => view(name).ok_or_else(|| Error::new_spanned(ty, TYPES))?,
    };
    array(form, mutable, argument)
}

/// A type without arguments.
fn plain(ty: &Type, name: &str) -> Result<Kind> {
    Ok(match name {
        "usize" => Kind::Extent,
        "Chunk" => Kind::Chunk,
        _ => match name.parse::<DType>() {
            Ok(dtype) if is_scalar(dtype) => Kind::Scalar(dtype),
            Ok(dtype) => {
                let message = format!(
                    "a scalar cannot be {dtype}; scalars are bool, i32, i64, u32, u64, f32 or f64"
                );
                return Err(Error::new_spanned(ty, message));
            }
            Err(_) => return Err(Error::new_spanned(ty, TYPES)),
        },
    })
}

fn is_scalar(dtype: DType) -> bool {
    hotcell_manifest::ScalarValue::parse(dtype, "0").is_some() || dtype == DType::Bool
}

/// `View2` as rank and mutability.
fn view(name: &str) -> Option<(Form, bool)> {
    let rest = name.strip_prefix("View")?;
    let (mutable, rank) = match rest.strip_prefix("Mut") {
        Some(rank) => (true, rank),
        None => (false, rest),
    };
    let rank = rank.parse().ok().filter(|rank| (1..=4).contains(rank))?;
    Some((Form::View(rank), mutable))
}

fn array(form: Form, mutable: bool, element: &Type) -> Result<Kind> {
    let dtype = dtype(element).ok_or_else(|| Error::new_spanned(element, ELEMENTS))?;
    Ok(Kind::Array(Box::new(Array {
        form,
        mutable,
        dtype,
        element: element.clone(),
    })))
}

fn dtype(element: &Type) -> Option<DType> {
    let (name, argument) = last_segment(element)?;
    match (name.to_string().as_str(), argument) {
        ("F16", None) => Some(DType::F16),
        ("Bf16", None) => Some(DType::Bf16),
        ("f16" | "bf16" | "complex64" | "complex128", None) => None,
        (name, None) => name.parse().ok(),
        ("Complex", Some(part)) => match dtype(part)? {
            DType::F32 => Some(DType::Complex64),
            DType::F64 => Some(DType::Complex128),
            _ => None,
        },
        (_, Some(_)) => None,
    }
}

/// A path's last name and its type argument, if it has one.
fn last_segment(ty: &Type) -> Option<(&Ident, Option<&Type>)> {
    let Type::Path(path) = ungrouped(ty) else {
        return None;
    };
    let segment = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return Some((&segment.ident, None));
    };
    let argument = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some((&segment.ident, argument))
}
