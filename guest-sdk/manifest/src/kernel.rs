//! The record of one kernel, as written and as checked.
//!
//! [`KernelRecord`] is what stands in the manifest. [`Kernel`] can only be made by checking one, so
//! whoever holds a `Kernel` knows that its signature, split, cost and limits fit together.

mod record;
mod rules;

pub use record::{KernelRecord, Parameter, Role, WantedLimits, Weight};
pub use rules::{CAPABILITIES, RecordError};

use crate::{Cost, DType, Dim, ScalarValue, Signature, units};
use std::time::Duration;

/// An array of a checked kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ArrayParameter {
    /// The parameter's name.
    pub name: String,
    /// Input, output or in-out.
    pub role: Role,
    /// The element type.
    pub dtype: DType,
    /// The dimensions, outermost first.
    pub dims: Vec<Dim>,
    /// Indices of the split dimension that a chunk gets on either side of its own.
    pub halo: u32,
}

/// A scalar of a checked kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarParameter {
    /// The parameter's name.
    pub name: String,
    /// Its type.
    pub dtype: DType,
    /// Its value when the caller gives none.
    pub default: Option<ScalarValue>,
}

/// A kernel whose record has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    record: KernelRecord,
    signature: Signature,
    dims: Vec<String>,
    arrays: Vec<ArrayParameter>,
    scalars: Vec<ScalarParameter>,
    cost: Option<Cost>,
    fuel: Option<u64>,
    timeout: Option<Duration>,
    memory_bytes: Option<u64>,
}

impl Kernel {
    /// The longest documentation kept, in bytes.
    pub const MAX_DOC_BYTES: usize = 4096;

    /// Checks a record.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(record: KernelRecord) -> Result<Self, RecordError> {
        rules::check_names(&record)?;
        let signature = Signature::parse(&record.signature)?;
        let arrays = rules::match_arrays(&record.parameters, &signature)?;
        let scalars = rules::check_scalars(&record.parameters)?;
        let dims: Vec<String> = signature.names().into_iter().map(str::to_owned).collect();
        if let Some(clash) = dims
            .iter()
            .find(|dim| record.parameters.iter().any(|p| p.name == **dim))
        {
            return Err(RecordError::Duplicate(clash.clone()));
        }
        if let Some(split) = &record.split {
            rules::check_split(split, &dims, &arrays)?;
        }
        rules::check_halos(&record, &arrays)?;
        rules::check_wants(record.wants.as_deref().unwrap_or_default())?;
        let cost = record.cost.as_deref().map(Cost::parse).transpose()?;
        if let Some(cost) = &cost {
            rules::check_cost(cost, &dims, &scalars)?;
        }
        let limits = &record.limits;
        Ok(Self {
            fuel: limits.fuel.as_deref().map(units::parse_count).transpose()?,
            timeout: limits
                .timeout
                .as_deref()
                .map(units::parse_duration)
                .transpose()?,
            memory_bytes: limits
                .memory
                .as_deref()
                .map(units::parse_bytes)
                .transpose()?,
            signature,
            dims,
            arrays,
            scalars,
            cost,
            record,
        })
    }

    /// The entry's name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The record it was made from.
    pub fn record(&self) -> &KernelRecord {
        &self.record
    }

    /// The shapes.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The named dimensions, in order of first appearance in the signature.
    pub fn dims(&self) -> &[String] {
        &self.dims
    }

    /// The arrays, in the order of the author's function.
    pub fn arrays(&self) -> &[ArrayParameter] {
        &self.arrays
    }

    /// The scalars, in the order of the author's function.
    pub fn scalars(&self) -> &[ScalarParameter] {
        &self.scalars
    }

    /// The dimension that the host may cut.
    pub fn split(&self) -> Option<&str> {
        self.record.split.as_deref()
    }

    /// The capabilities that the entry uses; `None` where its author does not say.
    pub fn wants(&self) -> Option<&[String]> {
        self.record.wants.as_deref()
    }

    /// Arithmetic operations of a launch.
    pub fn cost(&self) -> Option<&Cost> {
        self.cost.as_ref()
    }

    /// How much the author expects a launch to take.
    pub fn weight(&self) -> Weight {
        self.record.weight
    }

    /// Fuel that the author asks for.
    pub fn wanted_fuel(&self) -> Option<u64> {
        self.fuel
    }

    /// The timeout that the author asks for.
    pub fn wanted_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Memory that the author asks for, in bytes.
    pub fn wanted_memory_bytes(&self) -> Option<u64> {
        self.memory_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, role: Role) -> Parameter {
        Parameter {
            name: name.into(),
            role,
            dtype: DType::F32,
            default: None,
            halo: 0,
        }
    }

    fn saxpy() -> KernelRecord {
        KernelRecord {
            name: "saxpy".into(),
            doc: String::new(),
            signature: "(n),(n)->(n)".into(),
            parameters: vec![
                parameter("a", Role::Scalar),
                parameter("x", Role::Input),
                parameter("y", Role::Input),
                parameter("out", Role::Output),
            ],
            split: Some("n".into()),
            cost: Some("2*n".into()),
            weight: Weight::Normal,
            limits: WantedLimits {
                fuel: Some("1G".into()),
                ..WantedLimits::default()
            },
            wants: None,
        }
    }

    fn broken(change: impl FnOnce(&mut KernelRecord)) -> RecordError {
        let mut record = saxpy();
        change(&mut record);
        Kernel::check(record).unwrap_err()
    }

    #[test]
    fn a_good_record_is_checked_into_its_parts() {
        let kernel = Kernel::check(saxpy()).unwrap();
        assert_eq!(kernel.dims(), ["n"]);
        assert_eq!(kernel.arrays().len(), 3);
        assert_eq!(kernel.scalars()[0].name, "a");
        assert_eq!(kernel.wanted_fuel(), Some(1_000_000_000));
        let json = serde_json::to_string(kernel.record()).unwrap();
        assert_eq!(
            serde_json::from_str::<KernelRecord>(&json).unwrap(),
            saxpy()
        );
    }

    #[test]
    fn only_inputs_that_are_cut_have_a_halo() {
        let mut record = saxpy();
        record.parameters[1].halo = 2;
        let kernel = Kernel::check(record.clone()).unwrap();
        let halos: Vec<_> = kernel.arrays().iter().map(|array| array.halo).collect();
        assert_eq!(halos, [2, 0, 0]);
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(json.matches("halo").count(), 1);

        let refused = |change: fn(&mut KernelRecord)| {
            assert!(matches!(broken(change), RecordError::Halo(_)));
        };
        refused(|r| r.parameters[0].halo = 1);
        refused(|r| r.parameters[3].halo = 1);
        refused(|r| {
            r.split = None;
            r.parameters[1].halo = 1;
        });
        refused(|r| {
            r.signature = "(k),(n)->(n)".into();
            r.parameters[1].halo = 1;
        });
        refused(|r| {
            r.signature = "(n),(n),(n)->(n)".into();
            r.parameters[3].role = Role::Inout;
            r.parameters[3].halo = 1;
        });
    }

    #[test]
    fn wants_are_capabilities_without_duplicates() {
        let wants = |names: &[&str]| {
            let mut record = saxpy();
            record.wants = Some(names.iter().map(|name| (*name).to_owned()).collect());
            Kernel::check(record)
        };
        assert_eq!(wants(&[]).unwrap().wants(), Some(&[][..]));
        assert_eq!(wants(&["gpu", "log"]).unwrap().wants().unwrap().len(), 2);
        assert_eq!(Kernel::check(saxpy()).unwrap().wants(), None);
        assert!(matches!(wants(&["sockets"]), Err(RecordError::Want(_))));
        assert!(matches!(
            wants(&["log", "log"]),
            Err(RecordError::Duplicate(_))
        ));
    }

    #[test]
    fn an_inout_array_stands_on_both_sides() {
        let mut record = saxpy();
        record.signature = "(n),(n),(n)->(n)".into();
        record.parameters[3].role = Role::Inout;
        assert_eq!(Kernel::check(record.clone()).unwrap().arrays().len(), 3);
        record.signature = "(n),(n),(m)->(n)".into();
        assert_eq!(
            Kernel::check(record).unwrap_err(),
            RecordError::InoutShape("out".into())
        );
    }

    #[test]
    fn each_broken_rule_is_named() {
        assert!(matches!(
            broken(|r| r.name = "a b".into()),
            RecordError::Name(_)
        ));
        assert!(matches!(
            broken(|r| r.doc = "x".repeat(5000)),
            RecordError::DocTooLong { .. }
        ));
        assert!(matches!(
            broken(|r| r.signature = "(n".into()),
            RecordError::Signature(_)
        ));
        assert!(matches!(
            broken(|r| r.signature = "(n)->(n)".into()),
            RecordError::Arity { .. }
        ));
        assert!(matches!(
            broken(|r| r.cost = Some("k".into())),
            RecordError::Cost(_)
        ));
        assert!(matches!(
            broken(|r| r.cost = Some("a".into())),
            RecordError::Cost(_)
        ));
        assert!(matches!(
            broken(|r| r.split = Some("m".into())),
            RecordError::SplitUnknown(_)
        ));
        assert!(matches!(
            broken(|r| r.limits.memory = Some("1MB".into())),
            RecordError::Unit(_)
        ));
        assert!(matches!(
            broken(|r| r.parameters[1].name = "a".into()),
            RecordError::Duplicate(_)
        ));
        assert!(matches!(
            broken(|r| r.parameters[1].name = "n".into()),
            RecordError::Duplicate(_)
        ));
        assert!(matches!(
            broken(|r| r.parameters[0].dtype = DType::U8),
            RecordError::ScalarType { .. }
        ));
        assert!(matches!(
            broken(|r| r.parameters[0].default = Some(ScalarValue::I32(1))),
            RecordError::Default(_)
        ));
        assert!(matches!(
            broken(|r| r.signature = "(n),(k,n)->(n)".into()),
            RecordError::SplitPlace { .. }
        ));
        assert!(matches!(
            broken(|r| {
                r.signature = "(n),(n)->()".into();
                r.split = Some("n".into());
            }),
            RecordError::SplitPlace { .. }
        ));
    }
}
