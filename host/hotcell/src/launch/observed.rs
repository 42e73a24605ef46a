//! Limits that are only observed: what they would have refused or stopped, told afterwards.

use hotcell_model::component::Counts;
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::report::{Timings, Usage};
use std::collections::BTreeMap;

/// What was seen of a launch, or of whatever of it came about.
pub(crate) struct Seen<'a> {
    pub(crate) usage: &'a Usage,
    pub(crate) timings: &'a Timings,
    /// Absent where the component was not described.
    pub(crate) counts: Option<&'a Counts>,
}

/// Where the amount of a limit that a launch takes is found.
enum Measured {
    /// In what was seen, if it came to that.
    Seen(fn(&Seen<'_>) -> Option<u64>),
    /// Nowhere.
    Never,
}

/// Whether a limit can be observed: whether anything measures how much of it a launch takes.
pub fn observable(limit: Limit) -> bool {
    matches!(measured(limit), Measured::Seen(_))
}

/// Those of the observed limits that would have refused the launch or stopped it.
pub(crate) fn would_stop(observed: &BTreeMap<Limit, u64>, seen: &Seen<'_>) -> Vec<Breach> {
    let above = observed.iter().filter_map(|(limit, maximum)| {
        let Measured::Seen(amount) = measured(*limit) else {
            return None;
        };
        let used = amount(seen)?;
        (used > *maximum).then_some(Breach {
            limit: *limit,
            amount: Amount::Used(used),
            maximum: *maximum,
        })
    });
    above.collect()
}

fn measured(limit: Limit) -> Measured {
    use Measured::{Never, Seen};
    match limit {
        Limit::Fuel => Seen(|seen| seen.usage.fuel_used),
        Limit::Timeout => Seen(|seen| Some(seen.usage.wall_ns)),
        Limit::CpuTime => Seen(|seen| Some(seen.usage.cpu_ns)),
        Limit::Memory => Seen(|seen| Some(seen.usage.peak_memory_bytes)),
        Limit::BytesIn => Seen(|seen| Some(seen.usage.bytes_in)),
        Limit::BytesOut => Seen(|seen| Some(seen.usage.bytes_out)),
        Limit::HostCalls => Seen(|seen| Some(seen.usage.host_calls)),
        Limit::LogBytes => Seen(|seen| Some(seen.usage.log_bytes)),
        Limit::FileOpens => Seen(|seen| Some(seen.usage.files.as_ref()?.opens)),
        Limit::FileHandles => Seen(|seen| Some(seen.usage.files.as_ref()?.peak_handles)),
        Limit::FileBytes => Seen(|seen| {
            let files = seen.usage.files.as_ref()?;
            Some(files.bytes_read.saturating_add(files.bytes_written))
        }),
        Limit::FileBytesWritten => Seen(|seen| Some(seen.usage.files.as_ref()?.bytes_written)),
        Limit::ProcessMemory => Seen(|seen| Some(seen.usage.process.as_ref()?.peak_memory_bytes)),
        Limit::Threads => Seen(|seen| Some(seen.usage.process.as_ref()?.peak_threads)),
        Limit::ComponentBytes => Seen(|seen| Some(seen.counts?.component_bytes)),
        Limit::Functions => Seen(|seen| Some(seen.counts?.functions)),
        Limit::FunctionBytes => Seen(|seen| Some(seen.counts?.largest_function_bytes)),
        Limit::FunctionLocals => Seen(|seen| Some(seen.counts?.most_locals)),
        Limit::BrTableTargets => Seen(|seen| Some(seen.counts?.most_br_table_targets)),
        Limit::Nesting => Seen(|seen| Some(seen.counts?.deepest_nesting)),
        Limit::Types => Seen(|seen| Some(seen.counts?.types)),
        Limit::Items => Seen(|seen| Some(seen.counts?.items)),
        Limit::CompileCpu => Seen(|seen| Some(seen.timings.compilation.as_ref()?.cpu_ns)),
        Limit::CompileMemory => {
            Seen(|seen| Some(seen.timings.compilation.as_ref()?.peak_memory_bytes))
        }
        Limit::CompileWall => Seen(|seen| {
            seen.timings.compilation.as_ref()?;
            Some(seen.timings.compile_ns)
        }),
        Limit::GpuFuel => Seen(|seen| {
            let gpu = seen.usage.gpu.as_ref()?;
            Some(gpu.fuel_static.saturating_add(gpu.fuel_dynamic))
        }),
        Limit::GpuTime => Seen(|seen| Some(seen.usage.gpu.as_ref()?.time_ns)),
        Limit::GpuBytes => Seen(|seen| Some(seen.usage.gpu.as_ref()?.peak_bytes)),
        Limit::GpuPipelines => Seen(|seen| Some(seen.usage.gpu.as_ref()?.pipelines)),
        Limit::GpuBindSets => Seen(|seen| Some(seen.usage.gpu.as_ref()?.bind_sets)),
        Limit::GpuShaderBytes => Seen(|seen| Some(seen.usage.gpu.as_ref()?.shader_bytes)),
        Limit::GpuDispatches => Seen(|seen| Some(seen.usage.gpu.as_ref()?.dispatches)),
        Limit::GpuInvocations => Seen(|seen| Some(seen.usage.gpu.as_ref()?.invocations)),
        Limit::TableElements
        | Limit::Instances
        | Limit::Memories
        | Limit::Tables
        | Limit::Stack
        | Limit::Handles
        | Limit::HostMemory
        | Limit::LogLines
        | Limit::Processes
        | Limit::ScratchBytes
        | Limit::ArtifactBytes
        // What is counted is those that were made, and not those that were held at once.
        | Limit::GpuBuffers
        | Limit::GpuShaderOperations
        | Limit::GpuWorkgroupBytes => Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_above_an_observed_value_is_told_and_what_was_not_measured_is_not() {
        let usage = Usage {
            fuel_used: Some(11),
            host_calls: 7,
            ..Usage::default()
        };
        let timings = Timings::default();
        let seen = Seen {
            usage: &usage,
            timings: &timings,
            counts: None,
        };
        let observed = BTreeMap::from([
            (Limit::Fuel, 10),
            (Limit::HostCalls, 7),
            (Limit::Functions, 0),
            (Limit::CompileCpu, 0),
            (Limit::GpuFuel, 0),
        ]);
        let breach = Breach {
            limit: Limit::Fuel,
            amount: Amount::Used(11),
            maximum: 10,
        };
        assert_eq!(would_stop(&observed, &seen), [breach]);
    }
}
