//! One walk over a component that counts, checks each count against its limit, and validates.
//!
//! A count is checked before the bytes behind it are validated or kept, so that the work done on a
//! hostile component is bounded by the limits and not by what it claims.

use crate::need::Needs;
use hotcell_engine::{FEATURES, METADATA_BYTES, room};
use hotcell_model::component::{Counts, Extent, Refusal};
use hotcell_model::limit::{Amount, Breach, Limit, Limits, Unit};
use wasmparser::{
    BinaryReaderError, CanonicalFunction, CanonicalOption, Encoding, FuncToValidate,
    FuncValidatorAllocations, FunctionBody, Operator, Parser, Payload, ValidPayload, Validator,
    ValidatorResources,
};

/// Counts and validates; [`Census::payload`] takes the payloads in order.
pub(crate) struct Census<'a> {
    bytes: &'a [u8],
    limits: &'a Limits,
    counts: Counts,
    needs: Needs,
    validator: Validator,
    allocations: FuncValidatorAllocations,
}

impl<'a> Census<'a> {
    pub(crate) fn new(bytes: &'a [u8], limits: &'a Limits) -> Result<Self, Refusal> {
        let mut census = Self {
            bytes,
            limits,
            counts: Counts::default(),
            needs: Needs::default(),
            validator: Validator::new_with_features(FEATURES),
            allocations: FuncValidatorAllocations::default(),
        };
        census.counts.component_bytes = bytes.len() as u64;
        census.check(Limit::ComponentBytes, bytes.len() as u64)?;
        Ok(census)
    }

    /// Counts and validates one payload.
    pub(crate) fn payload(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        self.count(payload)?;
        let valid = self.validator.payload(payload).map_err(invalid)?;
        self.needs.payload(payload).map_err(invalid)?;
        match valid {
            ValidPayload::Func(function, body) => self.function(function, &body),
            ValidPayload::Ok | ValidPayload::Parser(_) | ValidPayload::End(_) => Ok(()),
        }
    }

    /// The counts, once everything was read, if a runner has room for an instance of the component.
    pub(crate) fn finish(mut self) -> Result<Counts, Refusal> {
        let whole = self.needs.whole();
        for (limit, requested) in whole.need.counts() {
            check(limit, requested, room(limit).unwrap_or(u64::MAX))?;
        }
        self.counts.items = self.counts.items.max(whole.entries);
        self.check(Limit::Items, self.counts.items)?;
        let (requested, maximum) = (whole.need.metadata_bytes, METADATA_BYTES);
        if requested > maximum {
            let [requested, maximum] = [requested, maximum].map(|bytes| Unit::Bytes.format(bytes));
            return Err(Refusal::Malformed(format!(
                "its core instances have so many imports, functions and globals that the engine would keep {requested} about them, at most {maximum} allowed; instantiate fewer or smaller modules"
            )));
        }
        Ok(self.counts)
    }

    fn count(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.counts.modules += u64::from(*encoding == Encoding::Module);
                self.items(1)?;
            }
            Payload::TypeSection(section) => self.types(section.count())?,
            Payload::CoreTypeSection(section) => self.types(section.count())?,
            Payload::ComponentTypeSection(section) => {
                check_nesting(self.bytes.get(section.range()).unwrap_or_default())?;
                self.types(section.count())?;
            }
            Payload::FunctionSection(section) => {
                self.counts.functions += u64::from(section.count());
                self.check(Limit::Functions, self.counts.functions)?;
            }
            Payload::CodeSectionEntry(body) => self.body(body)?,
            Payload::MemorySection(section) => {
                self.items(section.count())?;
                for memory in section.clone() {
                    let memory = memory.map_err(invalid)?;
                    self.counts.memories.push(Extent {
                        initial: memory.initial,
                        maximum: memory.maximum,
                    });
                }
            }
            Payload::TableSection(section) => {
                self.items(section.count())?;
                for table in section.clone() {
                    let table = table.map_err(invalid)?.ty;
                    self.counts.tables.push(Extent {
                        initial: table.initial,
                        maximum: table.maximum,
                    });
                }
            }
            Payload::DataSection(section) => {
                self.items(section.count())?;
                self.counts.data_bytes += section.range().len() as u64;
            }
            Payload::CustomSection(section) => {
                self.items(1)?;
                self.counts.custom_bytes += section.data().len() as u64;
            }
            Payload::ComponentCanonicalSection(section) => {
                self.items(section.count())?;
                for function in section.clone() {
                    check_encoding(&function.map_err(invalid)?)?;
                }
            }
            other => {
                let count = section_count(other);
                self.items(count)?;
            }
        }
        Ok(())
    }

    fn types(&mut self, count: u32) -> Result<(), Refusal> {
        self.counts.types += u64::from(count);
        self.check(Limit::Types, self.counts.types)
    }

    fn items(&mut self, count: u32) -> Result<(), Refusal> {
        self.counts.items += u64::from(count);
        self.check(Limit::Items, self.counts.items)
    }

    fn body(&mut self, body: &FunctionBody<'_>) -> Result<(), Refusal> {
        let bytes = body.range().len() as u64;
        self.counts.code_bytes += bytes;
        self.counts.largest_function_bytes = self.counts.largest_function_bytes.max(bytes);
        self.check(Limit::FunctionBytes, bytes)?;
        let mut locals = 0u64;
        for group in body.get_locals_reader().map_err(invalid)? {
            locals += u64::from(group.map_err(invalid)?.0);
            self.check(Limit::FunctionLocals, locals)?;
        }
        self.counts.most_locals = self.counts.most_locals.max(locals);
        Ok(())
    }

    /// Validates one function operator by operator, watching what makes compilation slow.
    fn function(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), Refusal> {
        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader).map_err(invalid)?;
        let mut operators = wasmparser::OperatorsReader::new(reader);
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().map_err(invalid)?;
            validator.op(offset, &operator).map_err(invalid)?;
            match &operator {
                Operator::BrTable { targets } => {
                    let targets = u64::from(targets.len());
                    self.check(Limit::BrTableTargets, targets)?;
                    let most = &mut self.counts.most_br_table_targets;
                    *most = targets.max(*most);
                }
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    let nesting = u64::from(validator.control_stack_height());
                    self.check(Limit::Nesting, nesting)?;
                    let deepest = &mut self.counts.deepest_nesting;
                    *deepest = nesting.max(*deepest);
                }
                _ => {}
            }
        }
        operators.finish().map_err(invalid)?;
        self.allocations = validator.into_allocations();
        Ok(())
    }

    fn check(&self, limit: Limit, requested: u64) -> Result<(), Refusal> {
        check(limit, requested, self.limits.get(limit))
    }
}

fn check(limit: Limit, requested: u64, maximum: u64) -> Result<(), Refusal> {
    if requested <= maximum {
        return Ok(());
    }
    Err(Refusal::TooMuch(Breach {
        limit,
        amount: Amount::Requested(requested),
        maximum,
    }))
}

/// The deepest nesting of component and instance types in one section. Honest ones have two or three.
const TYPE_NESTING: usize = 100;

/// Refuses a section of component types that could nest deeper than the stack is good for.
///
/// Readers of the binary format recurse into a component type (`0x41`) or instance type (`0x42`) that
/// another one declares (`0x01`), without a bound of their own. Those pairs of bytes are counted where
/// they stand, which is never less than the depth.
fn check_nesting(section: &[u8]) -> Result<(), Refusal> {
    let opens = |pair: &&[u8]| matches!(pair, [0x01, 0x41 | 0x42]);
    if section.windows(2).filter(opens).count() <= TYPE_NESTING {
        return Ok(());
    }
    let message =
        format!("the component nests types deeper than {TYPE_NESTING}, which no kernel needs");
    Err(Refusal::Malformed(message))
}

/// Strings cross in UTF-8 alone: any other encoding would make the host allocate to convert what the guest
/// says, before it could be counted.
fn check_encoding(function: &CanonicalFunction) -> Result<(), Refusal> {
    let options = match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            options
        }
        _ => return Ok(()),
    };
    let other = |option: &CanonicalOption| {
        matches!(
            option,
            CanonicalOption::UTF16 | CanonicalOption::CompactUTF16
        )
    };
    if options.iter().any(other) {
        let message = "the component passes strings in UTF-16; a kernel must use UTF-8";
        return Err(Refusal::Malformed(message.to_owned()));
    }
    Ok(())
}

/// Entries of the sections that only count as items.
fn section_count(payload: &Payload<'_>) -> u32 {
    match payload {
        Payload::ImportSection(section) => section.count(),
        Payload::GlobalSection(section) => section.count(),
        Payload::ExportSection(section) => section.count(),
        Payload::ElementSection(section) => section.count(),
        Payload::TagSection(section) => section.count(),
        Payload::InstanceSection(section) => section.count(),
        Payload::ComponentInstanceSection(section) => section.count(),
        Payload::ComponentAliasSection(section) => section.count(),
        Payload::ComponentImportSection(section) => section.count(),
        Payload::ComponentExportSection(section) => section.count(),
        _ => 0,
    }
}

/// The validator's complaint, with the offset it names.
pub(crate) fn invalid(error: BinaryReaderError) -> Refusal {
    Refusal::Malformed(format!("not a valid component: {error}"))
}

/// The payloads of a component and of everything nested in it, in order.
pub(crate) fn payloads(
    bytes: &[u8],
) -> impl Iterator<Item = Result<Payload<'_>, BinaryReaderError>> {
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    parser.parse_all(bytes)
}
