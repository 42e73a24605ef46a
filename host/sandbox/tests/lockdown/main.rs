//! Real workers, locked in, and what they can still do: nothing.
//!
//! The binary is its own worker: started with an argument it locks itself in as a compile process or a runner
//! would, and tries what it is asked to. Everything runs as root and as an unprivileged user.

#![cfg(target_os = "linux")]

mod death;
mod driver;
mod filters;
mod harness;
mod timing;
mod walls;
mod worker;

use harness::{Claim, run_all};
use hotcell_sandbox::filter::IS_TRAP_REPORT;

const CLAIMS: &[Claim] = &[
    (
        "every_probe_is_refused_or_kills",
        filters::every_probe_is_refused_or_kills,
    ),
    (
        "every_rule_lets_its_arguments_through_and_no_others",
        filters::every_rule_holds,
    ),
    (
        "a_software_driver_makes_code_and_nothing_else_is_let_through",
        filters::a_software_driver_makes_code_and_nothing_else_is_let_through,
    ),
    (
        "only_the_listed_calls_survive",
        filters::only_the_listed_calls_survive,
    ),
    (
        "a_fault_ends_a_compiler_as_a_fault",
        filters::a_fault_ends_a_compiler_as_a_fault,
    ),
    (
        "threads_and_handlers_are_made_before_the_lock_only",
        filters::threads_and_handlers,
    ),
    (
        "code_is_mapped_before_the_lock_only",
        filters::code_is_mapped_before_the_lock_only,
    ),
    ("every_layer_is_spoken_of", walls::every_layer_is_spoken_of),
    (
        "layers_are_in_force_as_seen_from_outside",
        walls::layers_are_in_force_as_seen_from_outside,
    ),
    (
        "walls_hold_without_the_filter",
        walls::walls_hold_without_the_filter,
    ),
    (
        "a_driver_may_be_read_and_nothing_else",
        driver::a_driver_may_be_read_and_nothing_else,
    ),
    (
        "a_software_driver_lacks_a_layer",
        driver::a_software_driver_lacks_a_layer,
    ),
    (
        "limits_can_be_lowered_from_outside",
        walls::limits_can_be_lowered_from_outside,
    ),
    (
        "figures_are_measured_from_outside",
        walls::figures_are_measured_from_outside,
    ),
    ("a_cgroup_counts_cpu_time", walls::a_cgroup_counts_cpu_time),
    (
        "inherited_descriptors_and_variables_are_gone",
        walls::inheritance_is_gone,
    ),
    (
        "more_than_one_thread_is_an_error",
        walls::more_than_one_thread_is_an_error,
    ),
    (
        "a_worker_dies_with_its_supervisor",
        death::a_worker_dies_with_its_supervisor,
    ),
    (
        "a_worker_that_is_dropped_is_reaped",
        death::a_worker_that_is_dropped_is_reaped,
    ),
    (
        "a_forked_process_does_not_kill_its_parents_workers",
        death::a_forked_process_does_not_kill_its_parents_workers,
    ),
    (
        "a_thousand_workers_leak_nothing",
        death::a_thousand_workers_leak_nothing,
    ),
    (
        "a_missing_program_is_an_error",
        death::a_missing_program_is_an_error,
    ),
];

const TRAP_CLAIMS: &[Claim] = &[
    ("refused_calls_are_named", filters::refused_calls_are_named),
    (
        "reporting_filters_are_no_layers",
        walls::reporting_filters_are_no_layers,
    ),
];

fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == worker::ARGUMENT => worker::main(rest),
        Some((first, _)) if first == death::SUPERVISOR => death::supervise(),
        Some((first, _)) if first == timing::ARGUMENT => timing::print(),
        // A filter that reports in place of killing fails every other claim, and says so in its layer.
        _ if IS_TRAP_REPORT => run_all(TRAP_CLAIMS, &arguments),
        _ => run_all(CLAIMS, &arguments),
    }
}
