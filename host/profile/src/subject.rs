//! What is measured: one entry, launched on arrays that are made for it.

use crate::fit::Sizes;
use crate::inputs::{InputsError, Recipe};
use crate::record::{Sample, Shape};
use hotcell::{Cell, Component, Digests, Metering, Request};
use hotcell_model::component::{Import, Need};
use hotcell_model::grant::{Capability, Determinism};
use hotcell_model::manifest::{Cost, CostError, DType, Dim, Kernel, ScalarError, ScalarValue};
use std::collections::{BTreeMap, BTreeSet};

/// Whatever can be measured: a kernel, or in tests a function.
pub trait Measure {
    /// Launches on arrays of that recipe, so many times, and gives what it took; of times the shortest.
    ///
    /// # Errors
    /// The arrays cannot be made. How a launch ends is no error.
    fn measure(
        &mut self,
        sizes: &Sizes,
        recipe: &Recipe,
        times: u32,
    ) -> Result<Sample, SubjectError>;

    /// Every dimension and whole scalar, of those that are swept.
    ///
    /// # Errors
    /// One has no size.
    fn sizes(&self, swept: &Sizes) -> Result<Sizes, SubjectError>;
}

/// Why something cannot be launched at all.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The arrays cannot be made.
    #[error(transparent)]
    Inputs(#[from] InputsError),
    /// A name is neither a dimension nor a scalar.
    #[error("{option} {name}: the entry has no {what} of that name; it has: {known}")]
    Unknown {
        /// Where it was given.
        option: &'static str,
        /// The name.
        name: String,
        /// What there is none of.
        what: &'static str,
        /// Those that there are.
        known: String,
    },
    /// A scalar's text is none of its type.
    #[error("scalar `{name}`")]
    Scalar {
        /// The scalar.
        name: String,
        /// What is wrong.
        source: ScalarError,
    },
    /// A dimension's size names something that has none.
    #[error("--dim {name}")]
    Dim {
        /// The dimension.
        name: String,
        /// What is wrong.
        source: CostError,
    },
}

/// How an entry is metered that is measured: deterministic, where fuel is the same on every machine; strict where it uses what that
/// does not have, as a GPU.
pub fn metering_of(imports: &[Import], kernel: &Kernel) -> Metering {
    let is_used = |capability: &Capability| {
        let is_imported = imports
            .iter()
            .any(|import| import.needs == Need::Grant(*capability));
        let wants = kernel.wants();
        is_imported && wants.is_none_or(|wants| wants.iter().any(|name| name == capability.name()))
    };
    let mut used = Capability::ALL.into_iter().filter(is_used);
    match used.any(|capability| capability.determinism() == Determinism::Never) {
        true => Metering::Strict,
        false => Metering::Deterministic,
    }
}

/// One entry of a component, in a cell.
pub struct Subject<'a> {
    cell: &'a Cell,
    component: &'a Component,
    kernel: &'a Kernel,
    /// Tenant, wants and limits.
    request: Request,
    metering: Metering,
    fixed: BTreeMap<String, Cost>,
    scalars: BTreeMap<String, String>,
}

impl<'a> Subject<'a> {
    /// An entry, with the dimensions that are fixed and the scalars that are given. A scalar without a value and without a
    /// default is 1.
    ///
    /// # Errors
    /// Something is given that the entry does not have, or a scalar's text is none of its type.
    pub fn new(
        cell: &'a Cell,
        component: &'a Component,
        kernel: &'a Kernel,
        request: Request,
        fixed: BTreeMap<String, Cost>,
        mut scalars: BTreeMap<String, String>,
    ) -> Result<Self, SubjectError> {
        let named = |name: &String| kernel.scalars().iter().any(|scalar| scalar.name == *name);
        if let Some(name) = scalars.keys().find(|name| !named(name)) {
            let known = kernel.scalars().iter().map(|scalar| scalar.name.as_str());
            return Err(unknown("--in", name, "scalar", known));
        }
        if let Some(name) = fixed.keys().find(|name| !kernel.dims().contains(name)) {
            let known = kernel.dims().iter().map(String::as_str);
            return Err(unknown("--dim", name, "dimension", known));
        }
        for scalar in kernel.scalars() {
            if scalar.default.is_none() {
                scalars
                    .entry(scalar.name.clone())
                    .or_insert_with(|| "1".to_owned());
            }
            if let Some(text) = scalars.get(&scalar.name) {
                let read = ScalarValue::try_parse(scalar.dtype, text);
                read.map_err(|source| SubjectError::Scalar {
                    name: scalar.name.clone(),
                    source,
                })?;
            }
        }
        Ok(Self {
            cell,
            component,
            kernel,
            request: request.entry(kernel.name()),
            metering: Metering::Deterministic,
            fixed,
            scalars,
        })
    }

    /// The same, metered otherwise than deterministic: as [`metering_of`] says.
    #[must_use]
    pub fn metered(mut self, metering: Metering) -> Self {
        self.metering = metering;
        self
    }

    /// How launches are metered.
    pub fn metering(&self) -> Metering {
        self.metering
    }

    /// The entry.
    pub fn kernel(&self) -> &Kernel {
        self.kernel
    }

    /// The component.
    pub fn component(&self) -> &Component {
        self.component
    }

    /// The cell.
    pub fn cell(&self) -> &Cell {
        self.cell
    }

    /// The scalars that have a value other than their default.
    pub fn scalars(&self) -> &BTreeMap<String, String> {
        &self.scalars
    }

    /// Dimensions that are not swept.
    pub fn fixed(&self) -> &BTreeMap<String, Cost> {
        &self.fixed
    }

    /// What its chunks are a function of.
    pub fn shape(&self) -> Shape {
        Shape::of(self.kernel)
    }

    /// Refuses to sweep what is neither a dimension nor a whole scalar.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn check_swept<'b>(
        &self,
        names: impl Iterator<Item = &'b str>,
    ) -> Result<(), SubjectError> {
        let whole = self
            .kernel
            .scalars()
            .iter()
            .filter(|scalar| is_whole(scalar.dtype));
        let dims = self.kernel.dims().iter().map(String::as_str);
        let known: BTreeSet<&str> = dims
            .chain(whole.map(|scalar| scalar.name.as_str()))
            .collect();
        for name in names {
            if !known.contains(name) {
                let known = known.into_iter();
                return Err(unknown("--sweep", name, "dimension or whole scalar", known));
            }
        }
        Ok(())
    }

    pub(crate) fn request(&self, sizes: &Sizes, recipe: &Recipe) -> Result<Request, SubjectError> {
        let mut request = self
            .request
            .clone()
            .metering(self.metering)
            .digests(Digests::None)
            .threads(1);
        let mut fixed_by_inputs = BTreeSet::new();
        for array in self
            .kernel
            .arrays()
            .iter()
            .filter(|array| array.role.is_read())
        {
            let names = array.dims.iter().filter_map(|dim| match dim {
                Dim::Name(name) => Some(name.as_str()),
                Dim::Fixed(_) => None,
            });
            fixed_by_inputs.extend(names);
        }
        for dim in self.kernel.dims() {
            let size = sizes.get(dim).copied();
            let size = size.ok_or_else(|| InputsError::NoSize(dim.clone()))?;
            if !fixed_by_inputs.contains(dim.as_str()) {
                request = request.dim(dim, size);
            }
        }
        for scalar in self.kernel.scalars() {
            // One that is swept has another value in each launch; what is no whole number is among those that are given alone.
            let swept = sizes.get(&scalar.name).map(u64::to_string);
            if let Some(text) = swept.or_else(|| self.scalars.get(&scalar.name).cloned()) {
                request = request.scalar_text(&scalar.name, text);
            }
        }
        for (name, array) in recipe.make(self.kernel, sizes)? {
            request = request.input(name, array);
        }
        Ok(request)
    }
}

impl Measure for Subject<'_> {
    fn measure(
        &mut self,
        sizes: &Sizes,
        recipe: &Recipe,
        times: u32,
    ) -> Result<Sample, SubjectError> {
        let request = self.request(sizes, recipe)?;
        let mut best: Option<Sample> = None;
        for _ in 0..times.max(1) {
            let ended = self.cell.run(self.component, request.clone());
            let usage = &ended.report.usage;
            let sample = Sample {
                outcome: ended.outcome.kind,
                message: ended.outcome.message.clone(),
                fuel: usage.fuel_used.unwrap_or(0),
                time_ns: usage.wall_ns,
                memory_bytes: usage.peak_memory_bytes,
                bytes_in: usage.bytes_in,
                bytes_out: usage.bytes_out,
                instances: usage.instances,
                gpu_fuel: usage
                    .gpu
                    .as_ref()
                    .map_or(0, |gpu| gpu.fuel_static.saturating_add(gpu.fuel_dynamic)),
                gpu_time_ns: usage.gpu.as_ref().map_or(0, |gpu| gpu.time_ns),
            };
            let is_done = sample.is_done();
            if best
                .as_ref()
                .is_none_or(|best| sample.time_ns < best.time_ns || !is_done)
            {
                best = Some(sample);
            }
            if !is_done {
                break;
            }
        }
        // It ran at least once.
        best.ok_or_else(|| InputsError::NoSize(String::new()).into())
    }

    fn sizes(&self, swept: &Sizes) -> Result<Sizes, SubjectError> {
        let mut sizes = swept.clone();
        for scalar in self.kernel.scalars() {
            let given = self.scalars.get(&scalar.name);
            let given = given.and_then(|text| ScalarValue::parse(scalar.dtype, text));
            if let Some(extent) = given.or(scalar.default).and_then(ScalarValue::as_extent) {
                sizes.entry(scalar.name.clone()).or_insert(extent);
            }
        }
        // A dimension may be a function of another that is one itself.
        let mut left: Vec<(&String, &Cost)> = self.fixed.iter().collect();
        while !left.is_empty() {
            let before = left.len();
            let mut wrong = None;
            left.retain(
                |(name, cost)| match cost.evaluate(|of| sizes.get(of).copied()) {
                    Ok(size) => {
                        sizes.insert((*name).clone(), size);
                        false
                    }
                    Err(source) => {
                        wrong = Some(SubjectError::Dim {
                            name: (*name).clone(),
                            source,
                        });
                        true
                    }
                },
            );
            if let (true, Some(wrong)) = (left.len() == before, wrong) {
                return Err(wrong);
            }
        }
        match self
            .kernel
            .dims()
            .iter()
            .find(|dim| !sizes.contains_key(*dim))
        {
            Some(dim) => Err(InputsError::NoSize(dim.clone()).into()),
            None => Ok(sizes),
        }
    }
}

fn is_whole(dtype: DType) -> bool {
    matches!(dtype, DType::I32 | DType::I64 | DType::U32 | DType::U64)
}

fn unknown<'b>(
    option: &'static str,
    name: &str,
    what: &'static str,
    known: impl Iterator<Item = &'b str>,
) -> SubjectError {
    let known: Vec<&str> = known.collect();
    SubjectError::Unknown {
        option,
        name: name.to_owned(),
        what,
        known: match known.is_empty() {
            true => "none".to_owned(),
            false => known.join(", "),
        },
    }
}
