//! The attribute and the function matched with each other: all that the expansion needs, checked.
//!
//! The rules are the manifest's (`hotcell_manifest::Kernel`), which has the last word; they are
//! looked at here first because only here it is known which token breaks them.

use crate::attributes::{Attributes, NamedValue};
use crate::function::Function;
use crate::parameters::{self, Array, Form, Halo, Kind, Parameter, at};
use crate::record;
use hotcell_manifest::{Cost, DType, Dim, Kernel, Record, Role, Signature};
use syn::{Ident, Lit, LitStr, Result};

/// A kernel whose parts fit together.
pub(crate) struct Model {
    pub(crate) name: Ident,
    /// Named dimensions in order of first appearance.
    pub(crate) dims: Vec<String>,
    pub(crate) parameters: Vec<Parameter>,
    /// One for each parameter; `None` for what is no array.
    pub(crate) arrays: Vec<Option<Matched>>,
    /// The inputs of which a chunk gets more than its part, in the attribute's order.
    pub(crate) halos: Vec<Halo>,
    /// The manifest's record, length prefix included.
    pub(crate) record: Vec<u8>,
}

/// What the signature says of an array parameter.
pub(crate) struct Matched {
    pub(crate) role: Role,
    pub(crate) dims: Vec<Dim>,
}

impl Model {
    pub(crate) fn new(attributes: Attributes, function: &Function) -> Result<Self> {
        let parameters = parameters::read(function)?;
        let sig = &attributes.sig;
        let signature = Signature::parse(&sig.value()).map_err(|e| at(sig, e))?;
        let dims: Vec<String> = signature.names().into_iter().map(str::to_owned).collect();
        check_names(&parameters, &dims)?;
        let inout = inout_names(attributes.inout.as_ref(), &parameters)?;
        let roles: Vec<Role> = parameters.iter().map(|p| role(p, &inout)).collect();
        let arrays = Matching::new(sig, &signature).match_all(&parameters, &roles)?;
        check_split(attributes.split.as_ref(), &dims, &parameters, &arrays)?;
        let split = attributes.split.as_ref().map(LitStr::value);
        let halos = attributes.halos.iter();
        let halos = halos.map(|value| halo(value, split.as_deref(), &parameters, &arrays));
        let halos = halos.collect::<Result<Vec<_>>>()?;
        check_cost(attributes.cost.as_ref(), &dims, &parameters)?;
        let record = record::record(&attributes, function, &parameters, &roles, &halos)?;
        Kernel::check(record.clone()).map_err(|error| at(&function.name, error))?;
        Ok(Self {
            name: function.name.clone(),
            dims,
            parameters,
            arrays,
            halos,
            record: Record::from(record).encode(),
        })
    }

    /// Where a dimension stands among `dims`.
    pub(crate) fn dim_position(&self, name: &str) -> usize {
        let position = self.dims.iter().position(|dim| dim == name);
        position.expect("the signature's names are all in `dims`")
    }
}

/// `1 input`, `2 inputs`
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// `usize` parameters are dimensions; no other parameter has a dimension's name.
fn check_names(parameters: &[Parameter], dims: &[String]) -> Result<()> {
    for parameter in parameters {
        let name = &parameter.name;
        let is_dim = dims.iter().any(|dim| name == dim);
        match (&parameter.kind, is_dim) {
            (Kind::Extent, false) => {
                let message = format!(
                    "a `usize` receives the extent of a dimension, and `{name}` is none of the \
                     signature's ({}); for a scalar use `u32` or `u64`",
                    list(dims)
                );
                return Err(at(name, message));
            }
            (Kind::Scalar(_) | Kind::Array(_) | Kind::Chunk, true) => {
                let message = format!(
                    "`{name}` is a dimension of the signature: a parameter of that name is its \
                     extent, a `usize`"
                );
                return Err(at(name, message));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The names in `inout`, each a mutable array that is not streamed.
fn inout_names(inout: Option<&LitStr>, parameters: &[Parameter]) -> Result<Vec<String>> {
    let Some(literal) = inout else {
        return Ok(Vec::new());
    };
    let text = literal.value();
    let names = text.split(',').map(|name| {
        let name = name.trim();
        let Some(parameter) = parameters.iter().find(|p| p.name == name) else {
            return Err(at(literal, format!("there is no parameter `{name}`")));
        };
        match &parameter.kind {
            Kind::Array(array) if array.mutable && array.form != Form::Stream => {
                Ok(name.to_owned())
            }
            _ => {
                let message = format!(
                    "`{name}` is none of `&mut [T]`, `ViewMut` and `ChunksInOut`: in-out arrays are"
                );
                Err(at(literal, message))
            }
        }
    });
    names.collect()
}

fn role(parameter: &Parameter, inout: &[String]) -> Role {
    match &parameter.kind {
        Kind::Array(array) if !array.mutable => Role::Input,
        Kind::Array(array) if array.form == Form::Exchange => Role::Inout,
        Kind::Array(_) if inout.iter().any(|name| parameter.name == name) => Role::Inout,
        Kind::Array(_) => Role::Output,
        Kind::Scalar(_) | Kind::Extent | Kind::Chunk => Role::Scalar,
    }
}

/// Array parameters on their way through a signature, both sides in order.
struct Matching<'a> {
    literal: &'a LitStr,
    signature: &'a Signature,
    inputs: std::slice::Iter<'a, Vec<Dim>>,
    outputs: std::slice::Iter<'a, Vec<Dim>>,
}

impl<'a> Matching<'a> {
    fn new(literal: &'a LitStr, signature: &'a Signature) -> Self {
        Self {
            literal,
            signature,
            inputs: signature.inputs.iter(),
            outputs: signature.outputs.iter(),
        }
    }

    fn match_all(
        mut self,
        parameters: &[Parameter],
        roles: &[Role],
    ) -> Result<Vec<Option<Matched>>> {
        let matched = parameters.iter().zip(roles).map(|(parameter, &role)| {
            let Kind::Array(array) = &parameter.kind else {
                return Ok(None);
            };
            let dims = self.match_one(&parameter.name, role)?;
            check_rank(parameter, array, &dims)?;
            Ok(Some(Matched { role, dims }))
        });
        let matched = matched.collect::<Result<_>>()?;
        self.check_used_up()?;
        Ok(matched)
    }

    fn match_one(&mut self, name: &Ident, role: Role) -> Result<Vec<Dim>> {
        let extra = |side, count, how| {
            let message = format!("the signature has {count} {side}; `{name}` is one more, {how}");
            at(name, message)
        };
        let (inputs, outputs) = (self.signature.inputs.len(), self.signature.outputs.len());
        let read = if role.is_read() {
            let next = self.inputs.next();
            Some(next.ok_or_else(|| extra("input", inputs, "as it is read"))?)
        } else {
            None
        };
        let written = if role.is_written() {
            let next = self.outputs.next();
            Some(next.ok_or_else(|| extra("output", outputs, "as it is written"))?)
        } else {
            None
        };
        match (read, written) {
            (Some(read), Some(written)) if read != written => {
                let message =
                    format!("in-out `{name}` has two shapes: the same must stand on both sides");
                Err(at(self.literal, message))
            }
            (Some(dims), _) | (None, Some(dims)) => Ok(dims.clone()),
            (None, None) => unreachable!("an array is read or written"),
        }
    }

    fn check_used_up(&self) -> Result<()> {
        let sides = [
            (
                "input",
                self.signature.inputs.len(),
                self.inputs.len(),
                "shared (`&[T]`, `View`, `Chunks`) or in-out (`inout`, `ChunksInOut`)",
            ),
            (
                "output",
                self.signature.outputs.len(),
                self.outputs.len(),
                "mutable (`&mut [T]`, `ViewMut`, `ChunksMut`, `ChunksInOut`)",
            ),
        ];
        for (side, count, left, kind) in sides {
            if left > 0 {
                let message = format!(
                    "the signature has {}, the function {}: arrays that are {kind}",
                    counted(count, side),
                    count - left
                );
                return Err(at(self.literal, message));
            }
        }
        Ok(())
    }
}

fn check_rank(parameter: &Parameter, array: &Array, dims: &[Dim]) -> Result<()> {
    match array.form {
        Form::View(rank) if rank != dims.len() => {
            let shape: Vec<String> = dims.iter().map(Dim::to_string).collect();
            let message = format!(
                "a view of rank {rank}, but the signature gives `{}` the shape ({}) of rank {}",
                parameter.name,
                shape.join(","),
                dims.len()
            );
            Err(at(&parameter.ty, message))
        }
        _ => Ok(()),
    }
}

fn check_split(
    split: Option<&LitStr>,
    dims: &[String],
    parameters: &[Parameter],
    arrays: &[Option<Matched>],
) -> Result<()> {
    let Some(literal) = split else {
        return Ok(());
    };
    let split = literal.value();
    if !dims.contains(&split) {
        let message = format!(
            "`{split}` is no dimension of the signature ({})",
            list(dims)
        );
        return Err(at(literal, message));
    }
    let dim = Dim::Name(split.clone());
    for (parameter, array) in parameters.iter().zip(arrays) {
        let Some(Matched { role, dims }) = array else {
            continue;
        };
        let place = dims.iter().rposition(|other| *other == dim);
        let name = &parameter.name;
        let message = match place {
            None if role.is_written() => {
                format!("every output has the split dimension, `{name}` does not")
            }
            Some(place) if place > 0 => format!(
                "a split dimension is the first of every array that has it; in `{name}` it is not"
            ),
            _ => continue,
        };
        return Err(at(literal, message));
    }
    Ok(())
}

/// A halo belongs to an input that is cut, and has at least one row.
fn halo(
    value: &NamedValue,
    split: Option<&str>,
    parameters: &[Parameter],
    arrays: &[Option<Matched>],
) -> Result<Halo> {
    let name = &value.name;
    let Some(split) = split else {
        let message = "only a kernel with `split` has halos: nothing else is cut";
        return Err(at(name, message));
    };
    let mut matched = parameters.iter().zip(arrays);
    let is_cut = |array: &Matched| {
        let first = matches!(array.dims.first(), Some(Dim::Name(first)) if first == split);
        array.role == Role::Input && first
    };
    let found = matched.find(|(parameter, _)| parameter.name == *name);
    if !found.is_some_and(|(_, array)| array.as_ref().is_some_and(is_cut)) {
        let message = format!(
            "`{name}` is no input that begins with `{split}`: only such an input has a halo"
        );
        return Err(at(name, message));
    }
    let rows = match &value.value {
        Lit::Int(rows) if !value.negative => rows.base10_parse().ok().filter(|rows| *rows > 0),
        _ => None,
    };
    let rows = rows.ok_or_else(|| {
        let message = format!("a halo is how many indices of `{split}` there are on either side");
        at(&value.value, message)
    })?;
    Ok(Halo {
        parameter: name.clone(),
        rows,
    })
}

fn check_cost(cost: Option<&LitStr>, dims: &[String], parameters: &[Parameter]) -> Result<()> {
    let Some(literal) = cost else {
        return Ok(());
    };
    let cost = Cost::parse(&literal.value()).map_err(|error| at(literal, error))?;
    let is_integer = |parameter: &Parameter| {
        let integers = [DType::I32, DType::I64, DType::U32, DType::U64];
        matches!(parameter.kind, Kind::Scalar(dtype) if integers.contains(&dtype))
    };
    for name in cost.names() {
        let known = dims.iter().any(|dim| dim == name)
            || parameters.iter().any(|p| p.name == name && is_integer(p));
        if !known {
            let message = format!(
                "`{name}` is neither a dimension ({}) nor an integer scalar",
                list(dims)
            );
            return Err(at(literal, message));
        }
    }
    Ok(())
}
