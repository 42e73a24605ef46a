//! What a component's code says of its kernels' cost before any of them ran: read by the compile process, believed by
//! nobody else.
//!
//! A bound is of a kernel's function alone, in [strict](crate::profile::Metering::Strict) metering, and of a launch that ends well;
//! what stands around the function is added by [`EntryCost::fuel`]. It rests on what Rust promises of safe code: that a kernel writes
//! to memory only where it has any. A kernel that breaks this makes its own bounds wrong, and nothing else: the launch's limits hold
//! whatever was foretold.

use crate::bounded;
pub use crate::shader::CostClass;
use hotcell_manifest::{DType, Kernel, Role, Weight};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most loops of one kernel that are told of by themselves.
pub const LISTED_LOOPS: usize = 64;
/// The most kernels of one component that are told of.
pub const LISTED_ENTRIES: usize = 256;
/// The longest name of a function, or of a file, in bytes.
pub const LISTED_NAME_BYTES: usize = 128;
const LISTED_BOUNDS: usize = 4;
/// The most terms of a formula.
pub const LISTED_TERMS: usize = 40;
/// The most variables of a term, each as often as it is a factor.
pub const LISTED_POWERS: usize = 6;
const LISTED_GAPS: usize = 4;

/// What a kernel's code says of its cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryCost {
    /// The kernel, by its place in the manifest.
    pub kernel: u32,
    /// What stands around its function.
    pub interface: Interface,
    /// Why it cannot be told, or not all of it.
    #[serde(deserialize_with = "bounded::list::<_, _, LISTED_GAPS>")]
    pub gaps: Vec<Gap>,
    /// Bounds of its fuel, the most general first.
    #[serde(deserialize_with = "bounded::list::<_, _, LISTED_BOUNDS>")]
    pub bounds: Vec<Bounds>,
    /// Its loops, those of the functions that it calls among them, in the order of the code.
    #[serde(deserialize_with = "bounded::list::<_, _, LISTED_LOOPS>")]
    pub loops: Vec<KernelLoop>,
    /// How many more there are.
    pub loops_left_out: u64,
    /// Functions that it reaches, itself among them.
    pub functions: u64,
    /// What is done outside of loops.
    pub outside: KernelWork,
}

/// What stands around a kernel's function in its component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interface {
    /// The SDK's own code.
    Sdk,
    /// What `hotcell build` puts around the functions of an object.
    Plain,
}

impl Interface {
    /// What it takes around a function: at least and at most this, and this for each parameter. Measured, with the least and the
    /// most put further out (`docs/performance.md`).
    fn around(self, parameters: u64) -> [u64; 2] {
        let (once, each) = match self {
            Self::Sdk => ([4_000, 12_000], [1_000, 4_500]),
            Self::Plain => ([200, 6_000], [50, 500]),
        };
        [0, 1].map(|side| once[side] + parameters * each[side])
    }
}

/// Why a kernel's cost cannot be told, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gap {
    /// The component was made neither with the SDK nor of an object: which of its code is which kernel's is not known.
    NotTheSdks,
    /// A function calls itself.
    Recursion,
    /// A call goes where a value says.
    IndirectCall,
    /// There is more of it than is looked at.
    TooLarge,
}

impl Gap {
    /// Why, for whoever wrote the kernel.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotTheSdks => {
                "it was made neither with the SDK nor of an object, so it is not known which of its code a launch runs"
            }
            Self::Recursion => "a function calls itself",
            Self::IndirectCall => "a call goes through a table to where a value says",
            Self::TooLarge => "there is more code, or it branches more, than the analysis looks at",
        }
    }
}

/// Bounds of a kernel's fuel, for shapes whose every named dimension has at least so many indices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least extent of every dimension.
    pub from_extent: u64,
    /// It takes at least that.
    pub lower: Formula,
    /// It takes at most that, if anything bounds it.
    pub upper: Option<Formula>,
}

impl Bounds {
    /// Whether the least upper one is at most that many times the greatest lower one, where every variable has that value.
    pub fn are_close(all: &[Self], value: u64, times: f64) -> bool {
        let values = [value; u8::MAX as usize + 1];
        let hold = || all.iter().filter(|bounds| bounds.from_extent <= value);
        let lower = hold().map(|bounds| bounds.lower.value(&values));
        let upper = hold().filter_map(|bounds| bounds.upper.as_ref());
        let upper = upper.map(|upper| upper.value(&values)).reduce(f64::min);
        let both = lower.reduce(f64::max).zip(upper);
        both.is_some_and(|(lower, upper)| upper <= times * lower)
    }
}

/// A polynomial in a kernel's dimensions and integer scalars: see [`variables`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formula(
    #[serde(deserialize_with = "bounded::list::<_, _, LISTED_TERMS>")] pub Vec<Term>,
);

/// A term of a [`Formula`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The coefficient in 1024ths: of a lower bound rounded down, of an upper one up.
    pub in_1024ths: i64,
    /// Its variables by their places, each as often as its power says.
    #[serde(deserialize_with = "bounded::list::<_, _, LISTED_POWERS>")]
    pub variables: Vec<u8>,
}

/// A loop of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelLoop {
    /// The function that it is in, as the component names it; its number, where it names none.
    pub function: String,
    /// Where it begins in the component, in bytes.
    pub offset_bytes: u64,
    /// The file and the line that it was compiled from, where the component has debug information.
    pub source: Option<(String, u32)>,
    /// How many loops are around it, those around calls of its function included.
    pub depth: u32,
    /// What the number of its turns depends on.
    pub turns: Turns,
    /// At least so many, each time that it is come to.
    pub least: Formula,
    /// At most so many, if anything bounds them.
    pub most: Option<Formula>,
    /// What stands in its body, without loops inside.
    pub turn: KernelWork,
}

/// What the number of a loop's turns depends on. An order: what is further back is less known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turns {
    /// Nothing.
    Constant,
    /// The shapes of the arrays.
    Shapes,
    /// Scalar arguments.
    Arguments,
    /// What is in the arrays, up to a bound.
    Data,
    /// Nothing bounds them that could be found.
    Unbounded,
}

impl Turns {
    /// The word for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Shapes => "shapes",
            Self::Arguments => "arguments",
            Self::Data => "data",
            Self::Unbounded => "unbounded",
        }
    }
}

/// Instructions, counted where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelWork {
    /// Floating-point operations, those on vectors among them.
    pub floating: u64,
    /// Integer operations, those on vectors among them.
    pub integer: u64,
    /// Loads, stores and bulk operations.
    pub memory: u64,
    /// How many of all are on vectors.
    pub vector: u64,
    /// Calls of the host.
    pub host_calls: u64,
    /// Places where memory grows.
    pub grows: u64,
}

/// What a launch will take by its kernel's code, if it ends well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foretold {
    /// At least that much fuel.
    #[serde(rename = "fuel_at_least", with = "crate::exact")]
    pub at_least: u64,
    /// At most that much fuel, if anything bounds it.
    #[serde(rename = "fuel_at_most", with = "crate::exact::option")]
    pub at_most: Option<u64>,
    /// At least so many bytes of linear memory in its largest instance; absent where the arrays need not be there at once.
    #[serde(with = "crate::exact::option", default)]
    pub memory_bytes_at_least: Option<u64>,
}

impl Foretold {
    /// What [`Self::at_most`] is no further above [`Self::at_least`] than bounds are meant to be: a launch that is above its limit by
    /// such a bound is near it, where a far one says nothing.
    pub fn close_at_most(&self) -> Option<u64> {
        let furthest = self.at_least.saturating_mul(CLOSE);
        self.at_most.filter(|most| *most <= furthest)
    }
}

/// A part of a manifest that the code contradicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// It calls itself heavy, and its code is light.
    Heavier,
    /// It calls itself light, and its code certainly takes more.
    Lighter {
        /// The dimension with which it takes more than in proportion to its arrays.
        dim: String,
    },
    /// The cost as a function of the shapes.
    Cost {
        /// By the manifest.
        cost: String,
        /// The dimension with which the code's cost grows faster.
        dim: String,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heavier => write!(
                f,
                "its manifest has the weight `heavy`, its code is light; limits are those of a light kernel"
            ),
            Self::Lighter { dim } => write!(
                f,
                "its manifest has the weight `light`, its code takes more than in proportion to its arrays as `{dim}` grows; \
                 limits are those of a light kernel"
            ),
            Self::Cost { cost, dim } => {
                write!(
                    f,
                    "its manifest has the cost `{cost}`, its code takes far more as `{dim}` grows"
                )
            }
        }
    }
}

/// A class in one word.
pub fn class_name(class: CostClass) -> &'static str {
    match class {
        CostClass::Light => "light",
        CostClass::Heavy => "heavy",
        CostClass::Unbounded => "unbounded",
    }
}

/// An annotated cost that is behind by more than this many units of fuel for each operation is wrong.
const COST_BEHIND: f64 = 64.0;

/// What a [`Formula`] of the kernel speaks of: its dimensions, then its integer scalars, each in the manifest's order.
pub fn variables(kernel: &Kernel) -> impl Iterator<Item = &str> {
    let dims = kernel.dims().iter().map(String::as_str);
    let parameters = kernel.record().parameters.iter();
    let scalars = parameters
        .filter(|parameter| parameter.role == Role::Scalar && is_integer(parameter.dtype))
        .map(|parameter| parameter.name.as_str());
    dims.chain(scalars)
}

fn is_integer(dtype: DType) -> bool {
    !matches!(dtype, DType::F32 | DType::F64)
}

/// So far apart a lower and an upper bound are at most that say about how much something takes.
const CLOSE: u64 = 4;

/// What [deterministic](crate::profile::Metering::Deterministic) metering adds at most to a kernel's own, in parts of it: the pass that makes NaNs
/// canonical.
const DETERMINISTIC: u64 = 3;

impl EntryCost {
    /// What a launch takes at least and at most, with a value for each of the kernel's [`variables`]; `None` where nothing is known.
    ///
    /// `chunks` has the values for each chunk of a split launch.
    pub fn fuel(
        &self,
        kernel: &Kernel,
        chunks: &[Vec<u64>],
        deterministic: bool,
    ) -> Option<Foretold> {
        if self.gaps.contains(&Gap::NotTheSdks) {
            return None;
        }
        let parameters = kernel.record().parameters.len() as u64;
        let around = self.interface.around(parameters);
        let mut sum = Foretold {
            at_least: 0,
            at_most: Some(0),
            memory_bytes_at_least: None,
        };
        for values in chunks {
            let own = self.of_function(kernel.dims().len(), values)?;
            let most = own.at_most.map(|most| match deterministic {
                true => most.saturating_mul(DETERMINISTIC),
                false => most,
            });
            sum.at_least = sum
                .at_least
                .saturating_add(own.at_least)
                .saturating_add(around[0]);
            sum.at_most = sum
                .at_most
                .zip(most)
                .map(|(sum, most)| sum.saturating_add(most).saturating_add(around[1]));
        }
        Some(sum)
    }

    /// Whether its arrays are in the guest's memory, all at once, while it runs: those of an object's function are, and so are those
    /// of a function that never asks the host for a part of one.
    pub fn holds_its_arrays(&self) -> bool {
        match self.interface {
            Interface::Plain => true,
            Interface::Sdk => {
                let calls = self.loops.iter().map(|one| one.turn.host_calls);
                let calls = calls.chain([self.outside.host_calls]).sum::<u64>();
                self.gaps.is_empty() && self.loops_left_out == 0 && calls == 0
            }
        }
    }

    /// What the kernel's function takes by itself.
    fn of_function(&self, dims: usize, values: &[u64]) -> Option<Foretold> {
        let extents = values.get(..dims)?;
        let hold = |bounds: &&Bounds| extents.iter().all(|extent| *extent >= bounds.from_extent);
        let bounds: Vec<&Bounds> = self.bounds.iter().filter(hold).collect();
        let lower = bounds.iter().map(|bounds| bounds.lower.value(values));
        let upper = bounds.iter().filter_map(|bounds| bounds.upper.as_ref());
        let upper = upper.map(|upper| upper.value(values));
        Some(Foretold {
            at_least: whole(lower.reduce(f64::max).unwrap_or_default().floor()),
            at_most: upper.reduce(f64::min).map(|most| whole(most.ceil())),
            memory_bytes_at_least: None,
        })
    }

    /// Its cost in one word, and why, in words for its author.
    ///
    /// `Light`: every loop's turns follow from the shapes, and it takes no more than in proportion to its arrays. `Unbounded`: nothing bounds how
    /// often a loop turns, or it cannot be told. All else is `Heavy`.
    pub fn class(&self, kernel: &Kernel) -> (CostClass, Vec<String>) {
        let mut class = CostClass::Light;
        let mut reasons = Vec::new();
        for gap in &self.gaps {
            class = CostClass::Unbounded;
            reasons.push(gap.words().to_owned());
        }
        let names: Vec<&str> = variables(kernel).collect();
        for one in &self.loops {
            let (least, what) = match one.turns {
                Turns::Constant | Turns::Shapes => continue,
                Turns::Arguments => (CostClass::Heavy, "turns as often as scalar arguments say"),
                Turns::Data => (
                    CostClass::Heavy,
                    "turns as often as the data says, up to a bound",
                ),
                Turns::Unbounded => (
                    CostClass::Unbounded,
                    "turns as often as the data says, and nothing bounds it",
                ),
            };
            class = class.max(least);
            let most = one
                .most
                .as_ref()
                .map(|most| format!(": at most {}", most.shown(&names)));
            reasons.push(format!(
                "the loop {} {what}{}",
                one.place(),
                most.unwrap_or_default()
            ));
        }
        if self.loops_left_out > 0 {
            class = class.max(CostClass::Heavy);
            reasons.push(format!("{} loops are not listed", self.loops_left_out));
        }
        let uppers: Vec<&Formula> = self
            .bounds
            .iter()
            .filter_map(|bounds| bounds.upper.as_ref())
            .collect();
        match uppers.last() {
            None if class < CostClass::Unbounded => {
                class = CostClass::Unbounded;
                reasons.push("no bound of its fuel was found: the length of a copy or of a fill depends on data".to_owned());
            }
            Some(upper) if class == CostClass::Light => {
                if let Some(why) = upper.outgrows(kernel, &names) {
                    class = CostClass::Heavy;
                    reasons.push(why);
                }
            }
            _ => {}
        }
        if reasons.is_empty() {
            reasons.push(
                "every loop turns as often as the shapes say, in proportion to the arrays"
                    .to_owned(),
            );
        }
        (class, reasons)
    }

    /// What the kernel's manifest says of it that its code contradicts, in words for its author and the operator.
    pub fn contradictions(&self, kernel: &Kernel) -> Vec<Contradiction> {
        let mut found = Vec::new();
        let (class, _) = self.class(kernel);
        match kernel.weight() {
            Weight::Heavy if class == CostClass::Light => found.push(Contradiction::Heavier),
            // That nothing bounds a loop is no proof: it may be one that no launch comes to, as where errors are put in words.
            Weight::Light => {
                let names: Vec<&str> = variables(kernel).collect();
                let lower = self.bounds.last().map(|bounds| &bounds.lower);
                let dim = lower.and_then(|lower| lower.outgrown(kernel, &names));
                found.extend(dim.map(|dim| Contradiction::Lighter {
                    dim: dim.to_owned(),
                }));
            }
            Weight::Normal | Weight::Heavy => {}
        }
        found.extend(self.contradicted_cost(kernel));
        found
    }

    /// Whether the annotated cost falls behind what the code certainly takes as a dimension grows.
    fn contradicted_cost(&self, kernel: &Kernel) -> Option<Contradiction> {
        let cost = kernel.cost()?;
        let names: Vec<&str> = variables(kernel).collect();
        for (at, dim) in kernel.dims().iter().enumerate() {
            let falls_behind = |extent: u64| {
                let mut values = vec![1 << 12; names.len()];
                values[at] = extent;
                let value_of = |name: &str| {
                    let at = names.iter().position(|own| *own == name);
                    Some(at.and_then(|at| values.get(at)).copied().unwrap_or(1))
                };
                let said = cost.evaluate(value_of).ok()?.max(1);
                let takes = self.of_function(kernel.dims().len(), &values)?.at_least;
                Some(takes as f64 / said as f64)
            };
            let (small, large) = (falls_behind(1 << 12)?, falls_behind(1 << 18)?);
            if large > COST_BEHIND && large > 4.0 * small {
                return Some(Contradiction::Cost {
                    cost: cost.to_string(),
                    dim: dim.clone(),
                });
            }
        }
        None
    }

    /// Whether it can be said of one of so many kernels.
    fn can_be(&self, kernels: &[Kernel]) -> bool {
        let Some(kernel) = kernels.get(self.kernel as usize) else {
            return false;
        };
        let count = variables(kernel).count();
        let formulas = self
            .bounds
            .iter()
            .flat_map(|bounds| [Some(&bounds.lower), bounds.upper.as_ref()]);
        let turns = self
            .loops
            .iter()
            .flat_map(|one| [Some(&one.least), one.most.as_ref()]);
        let mut terms = formulas
            .chain(turns)
            .flatten()
            .flat_map(|formula| &formula.0);
        let is_short = |one: &KernelLoop| {
            let file = one.source.as_ref().map_or(0, |(file, _)| file.len());
            one.function.len() <= LISTED_NAME_BYTES && file <= LISTED_NAME_BYTES
        };
        terms.all(|term| term.variables.iter().all(|at| usize::from(*at) < count))
            && self.loops.iter().all(is_short)
            && self
                .loops
                .iter()
                .all(|one| (one.turns == Turns::Unbounded) == one.most.is_none())
    }

    /// About what it takes in memory.
    pub fn weight_bytes(&self) -> u64 {
        let formula = |formula: &Formula| 64 * formula.0.len();
        let bounds = self
            .bounds
            .iter()
            .map(|bounds| formula(&bounds.lower) + bounds.upper.as_ref().map_or(0, formula));
        let loops = self.loops.iter().map(|one| {
            let source = one.source.as_ref().map_or(0, |(file, _)| file.len());
            size_of::<KernelLoop>()
                + one.function.len()
                + source
                + formula(&one.least)
                + one.most.as_ref().map_or(0, formula)
        });
        (size_of::<Self>() + bounds.sum::<usize>() + loops.sum::<usize>()) as u64
    }
}

/// Whether these can be the costs of a component with these kernels.
pub(crate) fn can_be(costs: &[EntryCost], kernels: &[Kernel]) -> bool {
    costs.len() <= kernels.len()
        && costs.iter().all(|cost| cost.can_be(kernels))
        && costs.is_sorted_by(|a, b| a.kernel < b.kernel)
}

impl KernelLoop {
    /// Where it is, for people: a line of source, or its function.
    pub fn place(&self) -> String {
        match &self.source {
            Some((file, line)) => {
                format!("at {}:{line}", crate::text::escape(file, LISTED_NAME_BYTES))
            }
            None => format!(
                "in {} at byte {}",
                crate::text::escape(&self.function, LISTED_NAME_BYTES),
                self.offset_bytes
            ),
        }
    }
}

impl Formula {
    /// Its value, which may be below 0.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a bound of so many units is off by less than they are many"
    )]
    fn value(&self, values: &[u64]) -> f64 {
        let term = |term: &Term| {
            let of = |at: &u8| values.get(usize::from(*at)).copied().unwrap_or(0) as f64;
            let product: f64 = term.variables.iter().map(of).product();
            term.in_1024ths as f64 / 1024.0 * product
        };
        self.0.iter().map(term).sum()
    }

    /// As a person writes it.
    pub fn shown(&self, names: &[&str]) -> String {
        Shown {
            formula: self,
            names,
        }
        .to_string()
    }

    /// Why it is more than in proportion to the kernel's arrays, if it is.
    fn outgrows(&self, kernel: &Kernel, names: &[&str]) -> Option<String> {
        if let Some(dim) = self.outgrown(kernel, names) {
            return Some(format!(
                "it takes more than in proportion to its arrays as `{dim}` grows: at most {}",
                self.shown(names)
            ));
        }
        let values = vec![1 << 10; names.len()];
        let each = self.value(&values) / elements(kernel, names, &values);
        (each > LIGHT_EACH)
            .then(|| format!("it may take {each:.0} units of fuel for each element of its arrays"))
    }

    /// The dimension with which it grows faster than the kernel's arrays do, if there is one.
    fn outgrown<'a>(&self, kernel: &Kernel, names: &[&'a str]) -> Option<&'a str> {
        let each = |dim: usize, extent: u64| {
            let mut values = vec![SMALL; names.len()];
            values[dim] = extent;
            self.value(&values) / elements(kernel, names, &values)
        };
        let grows = |dim: &usize| each(*dim, LARGE) > 2.0 * each(*dim, SMALL).max(1.0);
        let dim = (0..kernel.dims().len()).find(grows)?;
        names.get(dim).copied()
    }
}

/// How many elements a kernel's arrays have together, of at least one.
fn elements(kernel: &Kernel, names: &[&str], values: &[u64]) -> f64 {
    let extent = |dim: &hotcell_manifest::Dim| match dim {
        hotcell_manifest::Dim::Fixed(extent) => *extent as f64,
        hotcell_manifest::Dim::Name(name) => {
            let at = names.iter().position(|own| own == name);
            at.and_then(|at| values.get(at)).copied().unwrap_or(1) as f64
        }
    };
    let arrays = kernel.arrays().iter();
    let sum: f64 = arrays
        .map(|one| one.dims.iter().map(extent).product::<f64>())
        .sum();
    sum.max(1.0)
}

/// Two extents that tell how something grows: all bounds hold from the small one on.
const SMALL: u64 = 1 << 12;
const LARGE: u64 = 1 << 16;

/// The most fuel for each element of its arrays that a light kernel may take.
const LIGHT_EACH: f64 = 256.0;

struct Shown<'f> {
    formula: &'f Formula,
    names: &'f [&'f str],
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The highest powers first, as people write them.
        let mut terms: Vec<&Term> = self.formula.0.iter().collect();
        terms.sort_by_key(|term| std::cmp::Reverse(term.variables.len()));
        if terms.is_empty() {
            return f.write_str("0");
        }
        for (at, term) in terms.iter().enumerate() {
            let sign = match (at, term.in_1024ths < 0) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            let size = term.in_1024ths.unsigned_abs() as f64 / 1024.0;
            f.write_str(sign)?;
            let is_one = term.in_1024ths.unsigned_abs() == 1024 && !term.variables.is_empty();
            if !is_one {
                match size {
                    100.0.. => write!(f, "{size:.0}")?,
                    1.0.. => write!(f, "{}", trimmed(size, 2))?,
                    _ => write!(f, "{}", trimmed(size, 4))?,
                }
            }
            for (place, variable) in term.variables.iter().enumerate() {
                let name = self
                    .names
                    .get(usize::from(*variable))
                    .copied()
                    .unwrap_or("?");
                let times = if place > 0 || !is_one { "·" } else { "" };
                write!(f, "{times}{name}")?;
            }
        }
        Ok(())
    }
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number that is not below 0 as a count, no more than there are.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

#[cfg(test)]
mod tests;
