//! From a request and a manifest to a job: every argument checked against the signature.

use crate::array::Array;
use crate::request::{Cutting, GivenScalar, Request};
use hotcell_model::array::ArrayType;
use hotcell_model::job::{Job, JobArray, JobData, Split};
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::manifest::{ArrayParameter, Dim, Kernel, Manifest, ScalarValue};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use std::collections::BTreeMap;

/// A request's arguments, bound to a kernel's parameters.
pub(crate) struct Bound {
    pub(crate) job: Job,
    pub(crate) data: JobData,
    /// The types of the job's arrays, in its order.
    pub(crate) types: Vec<ArrayType>,
    /// The arrays that were given, in the job's order of those it reads.
    pub(crate) arguments: Vec<(String, Array)>,
}

impl Bound {
    /// The arrays that the launch will write, by name, in the manifest's order.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&str, &ArrayType)> {
        let arrays = self.job.arrays.iter().zip(&self.types);
        arrays
            .filter(|(array, _)| array.is_written)
            .map(|(array, ty)| (array.name.as_str(), ty))
    }
}

/// A request that cannot be bound: whoever asked has to ask differently.
fn usage(message: impl Into<String>) -> Outcome {
    Outcome::failed(OutcomeKind::Usage, Blame::Request, message)
}

/// The kernel that a request means.
pub(crate) fn choose<'a>(manifest: &'a Manifest, request: &Request) -> Result<&'a Kernel, Outcome> {
    let names = || -> String {
        let names: Vec<_> = manifest.kernels().iter().map(Kernel::name).collect();
        names.join(", ")
    };
    match (&request.entry, manifest.kernels()) {
        (Some(name), _) => manifest.kernel(name).ok_or_else(|| {
            usage(format!(
                "the component has no entry `{name}`; it has: {}",
                names()
            ))
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(usage(format!(
            "the component has several entries, name one: {}",
            names()
        ))),
    }
}

/// Binds a request's arguments, whose names were checked, to a kernel's parameters.
pub(crate) fn bind(kernel: &Kernel, request: &Request, limits: Limits) -> Result<Bound, Outcome> {
    let inputs = inputs(kernel, request);
    let dims = resolve_dims(kernel, &inputs, request)?;
    let scalars = resolve_scalars(kernel, request)?;
    let mut types = Vec::new();
    let mut arguments = Vec::new();
    for parameter in kernel.arrays() {
        let ty = array_type(parameter, &dims)?;
        if parameter.role.is_read() {
            let given = inputs[parameter.name.as_str()].clone();
            arguments.push((parameter.name.clone(), given));
        }
        types.push(ty);
    }
    check_output_sizes(kernel, &types, &limits)?;
    let split = split(kernel, &dims, &scalars, &types, request.cutting);
    let arrays = kernel.arrays().iter().zip(&types);
    let job = Job {
        entry: kernel.name().to_owned(),
        arrays: arrays
            .map(|(parameter, ty)| job_array(kernel, parameter, ty))
            .collect(),
        dims,
        scalars,
        split,
        limits,
        grants: request.grants.clone(),
        seed: request.seed,
        threads: request.threads,
        stop_grace: request.stop_grace,
        has_gpu_profile: request.has_gpu_profile,
    };
    let sources = arguments
        .iter()
        .map(|(_, array)| array.source().clone())
        .collect();
    Ok(Bound {
        job,
        data: JobData {
            sources,
            ..JobData::default()
        },
        types,
        arguments,
    })
}

/// Every name in the request must be one of the kernel's, and every argument be there.
pub(crate) fn check_names(kernel: &Kernel, request: &Request) -> Result<(), Outcome> {
    let reads: Vec<&str> = kernel
        .arrays()
        .iter()
        .filter(|array| array.role.is_read())
        .map(|array| array.name.as_str())
        .collect();
    let scalars: Vec<&str> = kernel.scalars().iter().map(|s| s.name.as_str()).collect();
    let dims: Vec<&str> = kernel.dims().iter().map(String::as_str).collect();
    let list = |names: &[&str]| match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let entry = kernel.name();
    for name in request.input_names() {
        if scalars.contains(&name) {
            return Err(usage(format!(
                "`{name}` of `{entry}` is a scalar, not an array"
            )));
        }
        if !reads.contains(&name) {
            let known = list(&reads);
            return Err(usage(format!(
                "`{entry}` has no input array `{name}`; it has: {known}"
            )));
        }
    }
    for name in request.scalars.keys() {
        if reads.contains(&name.as_str()) {
            return Err(usage(format!(
                "`{name}` of `{entry}` is an array, not a scalar; give a file as `{name}=@FILE`"
            )));
        }
        if !scalars.contains(&name.as_str()) {
            let known = list(&scalars);
            return Err(usage(format!(
                "`{entry}` has no scalar `{name}`; it has: {known}"
            )));
        }
    }
    for name in request.dims.keys() {
        if !dims.contains(&name.as_str()) {
            let known = list(&dims);
            return Err(usage(format!(
                "`{entry}` has no dimension `{name}`; it has: {known}"
            )));
        }
    }
    match reads
        .iter()
        .find(|name| !request.input_names().any(|given| given == **name))
    {
        None => Ok(()),
        Some(name) => Err(usage(format!("input `{name}` of `{entry}` is missing"))),
    }
}

/// The arrays that are given, as the parameters take them. Every one is there.
fn inputs<'a>(kernel: &'a Kernel, request: &Request) -> BTreeMap<&'a str, Array> {
    let read = kernel.arrays().iter().filter(|array| array.role.is_read());
    read.map(|parameter| {
        let given = &request.inputs[&parameter.name];
        (parameter.name.as_str(), given.fitted(parameter.dims.len()))
    })
    .collect()
}

/// Each dimension's extent, from the inputs' shapes and the request.
fn resolve_dims(
    kernel: &Kernel,
    inputs: &BTreeMap<&str, Array>,
    request: &Request,
) -> Result<Vec<(String, u64)>, Outcome> {
    // Where each extent came from, for the message when another disagrees.
    let mut known: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    for parameter in kernel.arrays().iter().filter(|array| array.role.is_read()) {
        let array = &inputs[parameter.name.as_str()];
        let given = array.ty();
        check_type(parameter, array)?;
        for (dim, extent) in parameter.dims.iter().zip(given.shape()) {
            let place = format!("input `{}`", parameter.name);
            match dim {
                Dim::Fixed(fixed) if fixed == extent => {}
                Dim::Fixed(fixed) => {
                    return Err(usage(format!(
                        "{place} is {given}, its shape must be {}: {extent} is not {fixed}{}",
                        shape(parameter),
                        advice(array)
                    )));
                }
                Dim::Name(name) => agree(&mut known, name, *extent, place)?,
            }
        }
    }
    for (name, extent) in &request.dims {
        agree(
            &mut known,
            name,
            *extent,
            format!("dimension {name}={extent}"),
        )?;
    }
    let extent = |name: &String| match known.get(name.as_str()) {
        Some((extent, place)) => {
            check_extent(name, *extent, place)?;
            Ok((name.clone(), *extent))
        }
        None => Err(usage(format!(
            "dimension `{name}` of `{}` is fixed by no input; give its extent (`--dim {name}=…`)",
            kernel.name()
        ))),
    };
    kernel.dims().iter().map(extent).collect()
}

/// The most elements along a dimension: a kernel counts them in its own integers, which have 32 bits.
const MAX_EXTENT: u64 = u32::MAX as u64;

fn check_extent(name: &str, extent: u64, place: &str) -> Result<(), Outcome> {
    if extent <= MAX_EXTENT {
        return Ok(());
    }
    Err(usage(format!(
        "dimension `{name}` is {extent} by {place}, maximum {MAX_EXTENT}: a kernel counts in 32 bits; give it less at \
         a time, or spread it over two dimensions"
    )))
}

fn agree<'a>(
    known: &mut BTreeMap<&'a str, (u64, String)>,
    name: &'a str,
    extent: u64,
    place: String,
) -> Result<(), Outcome> {
    match known.get(name) {
        Some((other, first)) if *other != extent => Err(usage(format!(
            "dimension `{name}` is {other} by {first} and {extent} by {place}"
        ))),
        Some(_) => Ok(()),
        None => {
            known.insert(name, (extent, place));
            Ok(())
        }
    }
}

fn check_type(parameter: &ArrayParameter, array: &Array) -> Result<(), Outcome> {
    let (name, given) = (&parameter.name, array.ty());
    if given.dtype() != parameter.dtype {
        return Err(usage(format!(
            "input `{name}` is {}, the kernel takes {}; convert it first",
            given.dtype(),
            parameter.dtype
        )));
    }
    if given.rank() != parameter.dims.len() {
        return Err(usage(format!(
            "input `{name}` is {given}, its shape must be {}: ranks must match{}",
            shape(parameter),
            advice(array)
        )));
    }
    Ok(())
}

/// What to do about a picture whose channels are not those of the kernel.
fn advice(array: &Array) -> &'static str {
    match array.is_picture() {
        true => "; convert the picture to gray, RGB or RGBA first, whichever the kernel takes",
        false => "",
    }
}

fn shape(parameter: &ArrayParameter) -> String {
    let dims: Vec<String> = parameter.dims.iter().map(Dim::to_string).collect();
    format!("({})", dims.join(","))
}

fn resolve_scalars(
    kernel: &Kernel,
    request: &Request,
) -> Result<Vec<(String, ScalarValue)>, Outcome> {
    let resolve = |scalar: &hotcell_model::manifest::ScalarParameter| {
        let (name, dtype) = (&scalar.name, scalar.dtype);
        let value = match request.scalars.get(name) {
            None => scalar.default.ok_or_else(|| {
                usage(format!(
                    "scalar `{name}` of `{}` is missing ({dtype})",
                    kernel.name()
                ))
            })?,
            Some(GivenScalar::Value(value)) if value.dtype() == dtype => *value,
            Some(GivenScalar::Value(value)) => {
                let given = value.dtype();
                return Err(usage(format!(
                    "scalar `{name}` is {given}, the kernel takes {dtype}"
                )));
            }
            Some(GivenScalar::Text(text)) => ScalarValue::try_parse(dtype, text)
                .map_err(|error| usage(format!("scalar `{name}`: {error}")))?,
        };
        Ok((name.clone(), value))
    };
    kernel.scalars().iter().map(resolve).collect()
}

fn array_type(parameter: &ArrayParameter, dims: &[(String, u64)]) -> Result<ArrayType, Outcome> {
    let extent = |dim: &Dim| match dim {
        Dim::Fixed(extent) => *extent,
        Dim::Name(name) => dims
            .iter()
            .find(|(known, _)| known == name)
            .map_or(0, |(_, extent)| *extent),
    };
    let shape: Vec<u64> = parameter.dims.iter().map(extent).collect();
    ArrayType::new(parameter.dtype, shape)
        .map_err(|error| usage(format!("array `{}`: {error}", parameter.name)))
}

/// Outputs are allocated before the guest runs, so their size is held against what it may write.
fn check_output_sizes(
    kernel: &Kernel,
    types: &[ArrayType],
    limits: &Limits,
) -> Result<(), Outcome> {
    let maximum = limits.get(Limit::BytesOut);
    let mut requested = 0u64;
    for (_, ty) in kernel
        .arrays()
        .iter()
        .zip(types)
        .filter(|(p, _)| p.role.is_written())
    {
        requested = requested.saturating_add(ty.size_bytes());
    }
    if requested <= maximum {
        return Ok(());
    }
    let limit = Limit::BytesOut;
    let amount = Amount::Requested(requested);
    let mut outcome = Outcome::breached(Breach {
        limit,
        amount,
        maximum,
    });
    outcome.blame = Some(Blame::Request);
    Err(outcome)
}

fn job_array(kernel: &Kernel, parameter: &ArrayParameter, ty: &ArrayType) -> JobArray {
    let first = parameter.dims.first();
    let is_split =
        matches!((first, kernel.split()), (Some(Dim::Name(name)), Some(split)) if name == split);
    let row: u64 = ty.shape().iter().skip(1).product();
    JobArray {
        name: parameter.name.clone(),
        is_read: parameter.role.is_read(),
        is_written: parameter.role.is_written(),
        size_bytes: ty.size_bytes(),
        split_stride_bytes: is_split.then_some(row * ty.dtype().size_bytes()),
        halo: parameter.halo.into(),
    }
}

/// How the work is cut: by the author's cost where there is one, else by the elements written.
fn split(
    kernel: &Kernel,
    dims: &[(String, u64)],
    scalars: &[(String, ScalarValue)],
    types: &[ArrayType],
    cutting: Cutting,
) -> Option<Split> {
    let dim = kernel
        .dims()
        .iter()
        .position(|name| Some(name.as_str()) == kernel.split())?;
    if cutting == Cutting::Whole {
        return Some(Split::whole(dim, dims[dim].1));
    }
    let value = |name: &str| {
        let dims = dims
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, extent)| *extent);
        let scalar = || {
            scalars
                .iter()
                .find(|(known, _)| known == name)?
                .1
                .as_extent()
        };
        // A negative integer has no extent: it counts nothing.
        dims.or_else(scalar).or(Some(0))
    };
    let written = || {
        let outputs = kernel
            .arrays()
            .iter()
            .zip(types)
            .filter(|(p, _)| p.role.is_written());
        outputs.fold(0u64, |sum, (_, ty)| sum.saturating_add(ty.elements()))
    };
    let operations = kernel
        .cost()
        .and_then(|cost| cost.evaluate(value).ok())
        .unwrap_or_else(written);
    Some(Split::cut(dim, dims[dim].1, operations))
}
