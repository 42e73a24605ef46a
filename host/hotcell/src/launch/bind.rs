//! From a request and a manifest to a job: every argument checked against the signature.

use crate::array::Array;
use crate::files::{Directory, FileSession, open_all};
use crate::kept::memory::too_much;
use crate::launch::about::shown;
use crate::request::{Cutting, GivenScalar, Request};
use hotcell_model::array::ArrayType;
use hotcell_model::files::FileLink;
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::job::{Job, JobArray, JobData, Source, Split};
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::manifest::{
    ArrayParameter, Dim, Kernel, Manifest, ScalarParameter, ScalarValue,
};
use hotcell_model::outcome::{Blame, Cause, NAMES_LISTED, NameKind, Outcome};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A request's arguments, bound to a kernel's parameters.
pub(crate) struct Bound {
    pub(crate) job: Job,
    pub(crate) data: JobData,
    /// The types of the job's arrays, in its order.
    pub(crate) types: Vec<ArrayType>,
    /// The arrays that were given, in the job's order of those it reads.
    pub(crate) arguments: Vec<(String, Array)>,
    /// Its file work, if it has any.
    pub(crate) files: Option<Arc<FileSession>>,
}

impl Bound {
    /// The arrays that the launch will write, by name, in the manifest's order.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&str, &ArrayType)> {
        let arrays = self.job.arrays.iter().zip(&self.types);
        arrays
            .filter(|(array, _)| array.is_written)
            .map(|(array, ty)| (array.name.as_str(), ty))
    }

    /// The bytes of the host's memory that the launch holds: its outputs, its inputs that are in memory, and the copies
    /// that workers map.
    pub(crate) fn host_bytes(&self) -> u64 {
        let input = |source: &Source| match source {
            // Once where it came from, once where a worker reads it.
            Source::Memory(bytes) => 2 * bytes.len() as u64,
            Source::Sealed { bytes, .. } => bytes.len() as u64,
            // Read as the guest asks for it.
            Source::File { .. } => 0,
        };
        let inputs = self.data.sources.iter().map(input);
        let outputs = self.job.arrays.iter().filter(|array| array.is_written);
        let outputs = outputs.map(|array| array.size_bytes);
        inputs.chain(outputs).fold(0, u64::saturating_add)
    }

    /// Opens the directories of a launch that may have files.
    pub(crate) fn open_files(&mut self, directories: &[Directory]) -> Result<(), Outcome> {
        if !self.job.grants.has(Capability::Files) {
            return Ok(());
        }
        let (limits, grants) = (self.job.limits.clone(), &self.job.grants);
        let session = FileSession::new(open_all(directories)?, limits, grants);
        let session = Arc::new(session);
        self.data.files = Some(Arc::clone(&session) as Arc<dyn FileLink>);
        self.files = Some(session);
        Ok(())
    }

    /// Holds what the launch needs against its own limit.
    pub(crate) fn check_host_memory(&self, limits: &Limits) -> Result<(), Outcome> {
        let (requested, maximum) = (self.host_bytes(), limits.get(Limit::HostMemory));
        match requested <= maximum {
            true => Ok(()),
            false => Err(too_much(requested, maximum)),
        }
    }
}

/// The kernel that a request means.
pub(crate) fn choose<'a>(manifest: &'a Manifest, request: &Request) -> Result<&'a Kernel, Cause> {
    let known = || names(manifest.kernels().iter().map(Kernel::name));
    match (&request.entry, manifest.kernels()) {
        (Some(name), _) => manifest.kernel(name).ok_or_else(|| Cause::UnknownEntry {
            name: shown(name),
            known: known(),
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(Cause::EntryMissing { known: known() }),
    }
}

/// Binds a request's arguments, whose names were checked, to a kernel's parameters.
pub(crate) fn bind(kernel: &Kernel, request: &Request, limits: Limits) -> Result<Bound, Outcome> {
    let inputs = inputs(kernel, request);
    let mut causes = Vec::new();
    let dims = resolve_dims(kernel, &inputs, request, &mut causes);
    let scalars = resolve_scalars(kernel, request, &mut causes);
    let types = match causes.is_empty() {
        true => array_types(kernel, &dims, &mut causes),
        false => Vec::new(),
    };
    if !causes.is_empty() {
        return Err(Outcome::because(causes));
    }
    check_output_sizes(kernel, &types, &limits)?;
    let read = kernel.arrays().iter().filter(|array| array.role.is_read());
    let argument = |parameter: &ArrayParameter| {
        let given = inputs[parameter.name.as_str()].clone();
        (parameter.name.clone(), given)
    };
    let arguments: Vec<(String, Array)> = read.map(argument).collect();
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
        grants: Grants::none(),
        seed: request.seed,
        threads: request.threads,
        stop_grace: request.stop_grace,
        has_gpu_profile: request.has_gpu_profile,
        sample_every: request.sample_every,
    };
    let sources = arguments
        .iter()
        .map(|(_, array)| array.launched())
        .collect();
    Ok(Bound {
        job,
        data: JobData {
            sources,
            ..JobData::default()
        },
        types,
        arguments,
        files: None,
    })
}

/// Names for a cause, as many as it lists.
fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let names = names.into_iter().take(NAMES_LISTED);
    names.map(str::to_owned).collect()
}

/// What is wrong with the names in a request: every one must be one of the kernel's, and every array be there.
pub(crate) fn check_names(kernel: &Kernel, request: &Request) -> Vec<Cause> {
    let read = kernel.arrays().iter().filter(|array| array.role.is_read());
    let inputs: Vec<&str> = read.map(|array| array.name.as_str()).collect();
    let scalars: Vec<&str> = kernel.scalars().iter().map(|s| s.name.as_str()).collect();
    let dims: Vec<&str> = kernel.dims().iter().map(String::as_str).collect();
    let entry = || kernel.name().to_owned();
    let unknown = |what, name: &str, known: &[&str]| Cause::UnknownName {
        entry: entry(),
        what,
        name: shown(name),
        known: names(known.iter().copied()),
    };
    let mut causes = Vec::new();
    for name in request.input_names().filter(|name| !inputs.contains(name)) {
        causes.push(match scalars.contains(&name) {
            true => Cause::NotAnArray {
                entry: entry(),
                name: shown(name),
            },
            false => unknown(NameKind::Input, name, &inputs),
        });
    }
    let given = request.scalars.keys().map(String::as_str);
    for name in given.filter(|name| !scalars.contains(name)) {
        causes.push(match inputs.contains(&name) {
            true => Cause::NotAScalar {
                entry: entry(),
                name: shown(name),
            },
            false => unknown(NameKind::Scalar, name, &scalars),
        });
    }
    let given = request.dims.keys().map(String::as_str);
    let strangers = given.filter(|name| !dims.contains(name));
    causes.extend(strangers.map(|name| unknown(NameKind::Dim, name, &dims)));
    let is_given = |name: &&&str| request.input_names().any(|given| given == **name);
    let missing = inputs.iter().filter(|name| {
        // Given as a scalar, it is not missing as well.
        !is_given(name) && !request.scalars.contains_key(**name)
    });
    causes.extend(missing.map(|name| Cause::InputMissing {
        entry: entry(),
        name: (*name).to_owned(),
    }));
    causes
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

/// Extents that are known, each with where it came from, for the message when another disagrees.
type Extents<'a> = BTreeMap<&'a str, (u64, String)>;

/// Each dimension's extent, from the inputs' shapes and the request.
fn resolve_dims(
    kernel: &Kernel,
    inputs: &BTreeMap<&str, Array>,
    request: &Request,
    causes: &mut Vec<Cause>,
) -> Vec<(String, u64)> {
    let mut known = Extents::new();
    for parameter in kernel.arrays().iter().filter(|array| array.role.is_read()) {
        let array = &inputs[parameter.name.as_str()];
        match check_type(parameter, array) {
            Ok(()) => causes.extend(learn(&mut known, parameter, array)),
            Err(cause) => causes.push(cause),
        }
    }
    for (name, extent) in &request.dims {
        let place = format!("dimension {name}={extent}");
        causes.extend(agree(&mut known, name, *extent, place));
    }
    let has_all_inputs = causes.is_empty();
    let mut dims = Vec::new();
    for name in kernel.dims() {
        match known.get(name.as_str()) {
            Some((extent, place)) => {
                causes.extend(check_extent(name, *extent, place));
                dims.push((name.clone(), *extent));
            }
            // An input that does not fit may have been the one to fix it.
            None if !has_all_inputs => {}
            None => causes.push(Cause::DimMissing {
                entry: kernel.name().to_owned(),
                name: name.clone(),
            }),
        }
    }
    dims
}

/// Takes the extents of an input's shape; what is wrong with them.
fn learn<'a>(known: &mut Extents<'a>, parameter: &'a ArrayParameter, array: &Array) -> Vec<Cause> {
    let given = array.ty();
    let place = || format!("input `{}`", parameter.name);
    let mut causes = Vec::new();
    for (dim, extent) in parameter.dims.iter().zip(given.shape()) {
        causes.extend(match dim {
            Dim::Fixed(fixed) if fixed == extent => None,
            Dim::Fixed(fixed) => Some(misfit(
                &parameter.name,
                format!(
                    "{} is {given}, its shape must be {}: {extent} is not {fixed}{}",
                    place(),
                    shape(parameter),
                    advice(array)
                ),
            )),
            Dim::Name(name) => agree(known, name, *extent, place()),
        });
    }
    causes
}

fn misfit(name: &str, why: String) -> Cause {
    let name = name.to_owned();
    Cause::Misfit { name, why }
}

/// The most elements along a dimension: a kernel counts them in its own integers, which have 32 bits.
const MAX_EXTENT: u64 = u32::MAX as u64;

fn check_extent(name: &str, extent: u64, place: &str) -> Option<Cause> {
    if extent <= MAX_EXTENT {
        return None;
    }
    let why = format!(
        "dimension `{name}` is {extent} by {place}, maximum {MAX_EXTENT}: a kernel counts in 32 bits; give it less at \
         a time, or spread it over two dimensions"
    );
    Some(misfit(name, why))
}

fn agree<'a>(known: &mut Extents<'a>, name: &'a str, extent: u64, place: String) -> Option<Cause> {
    match known.get(name) {
        Some((other, first)) if *other != extent => {
            let why = format!("dimension `{name}` is {other} by {first} and {extent} by {place}");
            Some(misfit(name, why))
        }
        Some(_) => None,
        None => {
            known.insert(name, (extent, place));
            None
        }
    }
}

fn check_type(parameter: &ArrayParameter, array: &Array) -> Result<(), Cause> {
    let (name, given) = (&parameter.name, array.ty());
    let why = match () {
        () if given.dtype() != parameter.dtype => format!(
            "input `{name}` is {}, the kernel takes {}; convert it first",
            given.dtype(),
            parameter.dtype
        ),
        () if given.rank() != parameter.dims.len() => format!(
            "input `{name}` is {given}, its shape must be {}: ranks must match{}",
            shape(parameter),
            advice(array)
        ),
        () => return Ok(()),
    };
    Err(misfit(name, why))
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

/// Every scalar's value, given or by default.
fn resolve_scalars(
    kernel: &Kernel,
    request: &Request,
    causes: &mut Vec<Cause>,
) -> Vec<(String, ScalarValue)> {
    let mut scalars = Vec::new();
    for scalar in kernel.scalars() {
        match resolve_scalar(kernel, scalar, request) {
            Ok(value) => scalars.push((scalar.name.clone(), value)),
            Err(cause) => causes.push(cause),
        }
    }
    scalars
}

fn resolve_scalar(
    kernel: &Kernel,
    scalar: &ScalarParameter,
    request: &Request,
) -> Result<ScalarValue, Cause> {
    let (name, dtype) = (&scalar.name, scalar.dtype);
    match request.scalars.get(name) {
        None => scalar.default.ok_or_else(|| Cause::ScalarMissing {
            entry: kernel.name().to_owned(),
            name: name.clone(),
            dtype,
        }),
        Some(GivenScalar::Value(value)) if value.dtype() == dtype => Ok(*value),
        Some(GivenScalar::Value(value)) => {
            let given = value.dtype();
            let why = format!("scalar `{name}` is {given}, the kernel takes {dtype}");
            Err(misfit(name, why))
        }
        Some(GivenScalar::Text(text)) => ScalarValue::try_parse(dtype, text)
            .map_err(|error| misfit(name, format!("scalar `{name}`: {error}"))),
    }
}

/// The types of a kernel's arrays, whose dimensions are known.
fn array_types(kernel: &Kernel, dims: &[(String, u64)], causes: &mut Vec<Cause>) -> Vec<ArrayType> {
    let extent = |dim: &Dim| match dim {
        Dim::Fixed(extent) => *extent,
        Dim::Name(name) => dims
            .iter()
            .find(|(known, _)| known == name)
            .map_or(0, |(_, extent)| *extent),
    };
    let mut types = Vec::new();
    for parameter in kernel.arrays() {
        let shape: Vec<u64> = parameter.dims.iter().map(extent).collect();
        match ArrayType::new(parameter.dtype, shape) {
            Ok(ty) => types.push(ty),
            Err(error) => {
                let why = format!("array `{}`: {error}", parameter.name);
                causes.push(misfit(&parameter.name, why));
            }
        }
    }
    types
}

/// Outputs are allocated before the guest runs, so their size is held against what it may write.
fn check_output_sizes(
    kernel: &Kernel,
    types: &[ArrayType],
    limits: &Limits,
) -> Result<(), Outcome> {
    let arrays = kernel.arrays().iter().zip(types);
    let written = arrays.filter(|(parameter, _)| parameter.role.is_written());
    let sizes = written.map(|(_, ty)| ty.size_bytes());
    let requested = sizes.fold(0u64, u64::saturating_add);
    let maximum = limits.get(Limit::BytesOut);
    match requested <= maximum {
        true => Ok(()),
        false => Err(Outcome {
            blame: Some(Blame::Request),
            ..Outcome::breached(Breach {
                limit: Limit::BytesOut,
                amount: Amount::Requested(requested),
                maximum,
            })
        }),
    }
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
    let strides = kernel.arrays().iter().zip(types);
    let strides =
        strides.filter_map(|(parameter, ty)| job_array(kernel, parameter, ty).split_stride_bytes);
    Some(Split::cut(dim, dims[dim].1, operations, strides))
}
