//! What a runner claims of a launch, held against what the supervisor knows.
//!
//! A runner counts for itself what nobody else can see: fuel, host calls, bytes copied. What can be seen
//! from outside, and what an honest count cannot be, is checked here, one rule a line. A rule speaks only of what no
//! honest runner says, however busy the machine is and however often it was paused: where a clock is compared, the
//! slack is what a runner cannot help. A figure that is not true is an alert; an end that is not true is not believed
//! either.

use hotcell_model::grant::Capability;
use hotcell_model::job::Job;
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind, Usage};
use hotcell_model::samples::Samples;
use std::time::Duration;

/// What the supervisor knows.
pub(crate) struct Facts<'a> {
    pub(crate) job: &'a Job,
    /// Whether fuel is counted.
    pub(crate) has_fuel: bool,
    /// Whether an input is read from a file while the guest runs.
    pub(crate) has_files: bool,
    /// From the request to the answer.
    pub(crate) wall: Duration,
    /// The process's CPU time meanwhile.
    pub(crate) cpu: Option<Duration>,
    /// How much of it may be a pause of the machine.
    pub(crate) pauses: Duration,
    /// Whether the launch was cancelled.
    pub(crate) was_cancelled: bool,
}

/// What the runner says.
pub(crate) struct Claim<'a> {
    pub(crate) outcome: &'a Outcome,
    pub(crate) usage: &'a Usage,
    /// Where the guest's time went.
    pub(crate) samples: Option<&'a Samples>,
}

/// What a claim gives reason for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ClaimVerdict {
    pub(crate) alerts: Vec<Alert>,
    /// The end in place of one that cannot be.
    pub(crate) overruled: Option<Outcome>,
    /// CPU time that is missing in the claim, and was put down to a pause.
    pub(crate) excused: Duration,
}

/// The figures of [`Usage`] that only a runner knows.
pub(crate) const CLAIMED: [&str; 8] = [
    "fuel_used",
    "peak_memory_bytes",
    "bytes_in",
    "bytes_out",
    "host_calls",
    "log_bytes",
    "log_lines_dropped",
    "instances",
];

/// CPU time that a runner may use besides its guests, whatever the launch: reading the request, writing the answer,
/// waking threads.
const OWN_CPU: Duration = Duration::from_millis(5);
/// The part of a launch's time that its clock may use: a thread that wakes a thousand times a second for the epoch,
/// at some 10 to 30 µs, the rest for machines where waking is dear.
const TICKING_PART: u32 = 16;
/// Clocks are read at different moments.
const CLOCK_SLACK: Duration = Duration::from_millis(2);
/// CPU time beyond the limit before a check sees it, on each thread.
const LATE_CPU: Duration = Duration::from_millis(100);

/// A rule: what is wrong, in words, if anything is.
type Rule = fn(&Facts<'_>, &Claim<'_>) -> Option<String>;

/// What is wrong with figures.
const OF_FIGURES: [Rule; 10] = [
    too_little_cpu,
    too_much_wall,
    cpu_beyond_its_limit,
    fuel_beyond_its_limit,
    fuel_in_another_mode,
    counts_beyond_their_limits,
    nothing_ran,
    early_timeout,
    samples_beyond_their_time,
    samples_beyond_the_cpu,
];

/// What is wrong with an end.
const OF_ENDS: [Rule; 4] = [
    cancelled_by_nobody,
    unread_without_files,
    gpu_without_one,
    breach_of_another_limit,
];

/// What a claim gives reason for.
pub(crate) fn check(facts: &Facts<'_>, claim: &Claim<'_>) -> ClaimVerdict {
    let broken = |rules: &[Rule]| -> Vec<String> {
        let broken = rules.iter().filter_map(|rule| rule(facts, claim));
        broken.collect()
    };
    let (figures, ends) = (broken(&OF_FIGURES), broken(&OF_ENDS));
    ClaimVerdict {
        overruled: ends.first().map(|why| unbelieved(why)),
        excused: missing_cpu(facts, claim).min(facts.pauses),
        alerts: figures.into_iter().chain(ends).map(mismatch).collect(),
    }
}

/// The alert for a claim that is not true.
pub(crate) fn mismatch(message: String) -> Alert {
    Alert {
        kind: AlertKind::ClaimMismatch,
        message,
    }
}

/// The end of a launch whose own word of it is not believed.
fn unbelieved(why: &str) -> Outcome {
    Outcome {
        reproducible: false,
        ..Outcome::failed(OutcomeKind::HostFault, Blame::Unknown, why)
    }
}

/// CPU time that a runner may use in that launch besides its guests.
fn own_cpu(facts: &Facts<'_>) -> Duration {
    // Mapping and unmapping shared arrays is the runner's own work: some 4 GB a second.
    let arrays = facts.job.arrays.iter().map(|array| array.size_bytes);
    let mapping = Duration::from_nanos(arrays.fold(0, u64::saturating_add) / 4);
    OWN_CPU + mapping + facts.wall / TICKING_PART
}

/// CPU time that was measured, and neither claimed nor the runner's own.
fn missing_cpu(facts: &Facts<'_>, claim: &Claim<'_>) -> Duration {
    let measured = facts.cpu.unwrap_or_default();
    let least = (measured / 5 * 4).saturating_sub(own_cpu(facts));
    least.saturating_sub(Duration::from_nanos(claim.usage.cpu_ns))
}

fn too_little_cpu(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let measured = facts.cpu?;
    let claimed = Duration::from_nanos(claim.usage.cpu_ns);
    (missing_cpu(facts, claim) > facts.pauses).then(|| {
        format!("the runner claims {claimed:?} of CPU time, and {measured:?} were measured")
    })
}

fn too_much_wall(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let claimed = Duration::from_nanos(claim.usage.wall_ns);
    let measured = facts.wall;
    (claimed > measured + CLOCK_SLACK)
        .then(|| format!("the runner claims to have run {claimed:?}, and only {measured:?} passed"))
}

fn cpu_beyond_its_limit(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let (measured, limit) = (facts.cpu?, facts.job.limits.duration(Limit::CpuTime));
    let threads = u32::try_from(facts.job.threads.clamp(1, 64)).unwrap_or(1);
    // One bulk operation runs whole, over all of the memory at most, and resetting that is the launch's too: some
    // gigabyte a second.
    let bulk = Duration::from_nanos(facts.job.limits.get(Limit::Memory));
    let most = limit + limit / 4 + LATE_CPU * threads + bulk + own_cpu(facts);
    let is_told = claim.outcome.kind == OutcomeKind::Timeout;
    (measured > most && !is_told).then(|| {
        format!("{measured:?} of CPU time were measured, {limit:?} allowed, and the runner went on")
    })
}

fn fuel_beyond_its_limit(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let (used, limit) = (claim.usage.fuel_used?, facts.job.limits.get(Limit::Fuel));
    (used > limit && claim.outcome.keeps_outputs())
        .then(|| format!("the runner claims {used} units of fuel, {limit} allowed, and went on"))
}

fn fuel_in_another_mode(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    (claim.usage.fuel_used.is_some() && !facts.has_fuel)
        .then(|| "the runner claims fuel, which this metering mode does not count".to_owned())
}

fn counts_beyond_their_limits(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let usage = claim.usage;
    let counts = [
        (Limit::Memory, usage.peak_memory_bytes),
        (Limit::BytesIn, usage.bytes_in),
        (Limit::BytesOut, usage.bytes_out),
        (Limit::HostCalls, usage.host_calls),
    ];
    let beyond = |(limit, count): &(Limit, u64)| {
        claim.outcome.keeps_outputs() && *count > facts.job.limits.get(*limit)
    };
    let (limit, count) = counts.into_iter().find(beyond)?;
    let breach = Breach {
        limit,
        amount: Amount::Used(count),
        maximum: facts.job.limits.get(limit),
    };
    Some(format!("the runner claims, and went on: {breach}"))
}

fn nothing_ran(_: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    (claim.outcome.keeps_outputs() && claim.usage.instances == 0)
        .then(|| "the runner claims results of a launch in which nothing ran".to_owned())
}

fn early_timeout(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let is_cpu = claim.outcome.breach().map(|breach| breach.limit) == Some(Limit::CpuTime);
    let (spent, what, limit) = match is_cpu {
        true => (facts.cpu?, "CPU time", Limit::CpuTime),
        false => (facts.wall, "time", Limit::Timeout),
    };
    // A guest that is asked to stop may return from half of its timeout on.
    let least = facts.job.limits.duration(limit) / 2;
    (claim.outcome.kind == OutcomeKind::Timeout && spent + CLOCK_SLACK < least).then(|| {
        format!("the runner claims a timeout after {spent:?} of {what}, long before its limit")
    })
}

fn samples_beyond_their_time(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let (samples, period) = (claim.samples?.total().samples, facts.job.sample_every?);
    let looks = (facts.wall + CLOCK_SLACK).as_nanos() / period.as_nanos().max(1);
    let threads = facts.job.threads as u128;
    // A look that is late leaves half of the time to the next, and a cancel brings one that is early.
    let most = (looks + 2) * 2 * threads.max(1);
    (u128::from(samples) > most).then(|| {
        format!(
            "the runner claims {samples} samples, for no more than {most} of which there was time"
        )
    })
}

fn samples_beyond_the_cpu(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let claimed = Duration::from_nanos(claim.samples?.total().cpu_ns);
    let measured = facts.cpu?;
    (claimed > measured + measured / 4 + OWN_CPU).then(|| {
        format!(
            "the runner claims samples of {claimed:?} of CPU time, and {measured:?} were measured"
        )
    })
}

fn cancelled_by_nobody(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    (claim.outcome.kind == OutcomeKind::Cancelled && !facts.was_cancelled)
        .then(|| "the runner claims that the launch was cancelled, and nobody did".to_owned())
}

fn unread_without_files(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    (claim.outcome.kind == OutcomeKind::Io && !facts.has_files)
        .then(|| "the runner claims that an input could not be read, and none is a file".to_owned())
}

fn gpu_without_one(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let kind = claim.outcome.kind;
    let is_of_gpu = matches!(
        kind,
        OutcomeKind::GpuFuelExhausted
            | OutcomeKind::GpuLimit
            | OutcomeKind::GpuTimeout
            | OutcomeKind::GpuLost
    );
    (is_of_gpu && !facts.job.grants.has(Capability::Gpu))
        .then(|| format!("the runner claims `{kind}` of a launch that had no GPU"))
}

fn breach_of_another_limit(facts: &Facts<'_>, claim: &Claim<'_>) -> Option<String> {
    let breach = claim.outcome.breach()?;
    (!can_be(&breach, facts.job))
        .then(|| format!("the runner claims a limit that is not in force: {breach}"))
}

/// Whether a launch can end by that breach: of a limit in force, or of what its guest has lowered it to, by an amount
/// that passes it.
pub(crate) fn can_be(breach: &Breach, job: &Job) -> bool {
    let limit = job.limits.get(breach.limit);
    let is_in_force = match breach.limit.is_of_gpu() && job.grants.has(Capability::Gpu) {
        true => breach.maximum <= limit,
        false => breach.maximum == limit,
    };
    is_in_force
        && match breach.amount {
            Amount::Requested(amount) => amount > breach.maximum,
            // Some of it may be left, and too little for the next step.
            Amount::Used(_) if breach.limit == Limit::GpuFuel => true,
            // Of a clock or of fuel: spent to the last.
            Amount::Used(amount) => amount >= breach.maximum,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::grant::Grants;
    use hotcell_model::job::JobArray;
    use hotcell_model::limit::Limits;
    use hotcell_model::samples::SampleCount;

    fn job() -> Job {
        Job {
            entry: "k".into(),
            dims: Vec::new(),
            scalars: Vec::new(),
            arrays: Vec::new(),
            split: None,
            limits: Limits::defaults(Default::default()),
            grants: Grants::none(),
            seed: None,
            threads: 2,
            stop_grace: Duration::ZERO,
            has_gpu_profile: false,
            sample_every: None,
        }
    }

    fn honest() -> Usage {
        Usage {
            fuel_used: Some(100),
            wall_ns: 90_000_000,
            cpu_ns: 95_000_000,
            instances: 1,
            ..Usage::default()
        }
    }

    fn alerts(
        job: &Job,
        outcome: &Outcome,
        usage: &Usage,
        change: fn(&mut Facts<'_>),
    ) -> Vec<String> {
        let mut facts = Facts {
            job,
            has_fuel: true,
            has_files: false,
            wall: Duration::from_millis(100),
            cpu: Some(Duration::from_millis(100)),
            pauses: Duration::ZERO,
            was_cancelled: false,
        };
        change(&mut facts);
        let claim = Claim {
            outcome,
            usage,
            samples: None,
        };
        let verdict = check(&facts, &claim);
        let messages = verdict.alerts.iter().map(|alert| alert.message.clone());
        if let Some(outcome) = &verdict.overruled {
            assert_eq!(outcome.blame, Some(Blame::Unknown));
            assert!(!outcome.keeps_outputs());
            assert!(
                verdict
                    .alerts
                    .iter()
                    .any(|alert| alert.message == outcome.message)
            );
        }
        messages.collect()
    }

    fn breached(limit: Limit, amount: Amount, maximum: u64) -> Outcome {
        Outcome::breached(Breach {
            limit,
            amount,
            maximum,
        })
    }

    #[test]
    fn an_honest_claim_gives_no_reason_for_an_alert() {
        let none = |outcome: &Outcome| alerts(&job(), outcome, &honest(), |_| {}).is_empty();
        assert!(none(&Outcome::done()));
        assert!(none(&Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x")));
    }

    #[test]
    fn every_rule_finds_its_lie() {
        let job = job();
        let done = Outcome::done();
        let usage = |change: fn(&mut Usage)| {
            let mut usage = honest();
            change(&mut usage);
            usage
        };
        let spent = |limit, maximum| breached(limit, Amount::Used(maximum + 1), maximum);
        let timeout = spent(Limit::Timeout, job.limits.get(Limit::Timeout));
        let cancelled = Outcome::failed(OutcomeKind::Cancelled, Blame::Request, "x");
        let unread = Outcome::failed(OutcomeKind::Io, Blame::Request, "x");
        let lost = Outcome::failed(OutcomeKind::GpuLost, Blame::Unknown, "x");
        let foreign = spent(Limit::HostCalls, 3);
        let fuel = job.limits.get(Limit::Fuel);
        let unreached = breached(Limit::Fuel, Amount::Used(fuel - 1), fuel);
        let nothing: fn(&mut Facts<'_>) = |_| {};
        for (outcome, usage, change, words) in [
            (
                &done,
                usage(|usage| usage.cpu_ns = 1),
                nothing,
                "of CPU time, and",
            ),
            (
                &done,
                usage(|usage| usage.wall_ns = 1 << 40),
                nothing,
                "only",
            ),
            (
                &done,
                usage(|usage| usage.cpu_ns = 100_000_000_000),
                |facts| facts.cpu = Some(Duration::from_secs(100)),
                "allowed, and the runner went on",
            ),
            (
                &done,
                usage(|usage| usage.fuel_used = Some(1 << 60)),
                nothing,
                "units of fuel",
            ),
            (
                &done,
                honest(),
                |facts| facts.has_fuel = false,
                "does not count",
            ),
            (
                &done,
                usage(|usage| usage.bytes_out = 1 << 60),
                nothing,
                "bytes_out",
            ),
            (
                &done,
                usage(|usage| usage.instances = 0),
                nothing,
                "nothing ran",
            ),
            (&cancelled, honest(), nothing, "nobody did"),
            (&timeout, honest(), nothing, "long before"),
            (&unread, honest(), nothing, "none is a file"),
            (&lost, honest(), nothing, "had no GPU"),
            (&foreign, honest(), nothing, "not in force"),
            (&unreached, honest(), nothing, "not in force"),
        ] {
            let found = alerts(&job, outcome, &usage, change);
            assert!(
                found.len() == 1 && found[0].contains(words),
                "{words}: {found:?}"
            );
        }
    }

    #[test]
    fn samples_are_held_against_the_time_that_there_was() {
        let job = Job {
            sample_every: Some(Duration::from_millis(10)),
            ..job()
        };
        // Two threads, 100 ms of time and of CPU time.
        for (samples, cpu_ns, words) in [
            (20, 100_000_000, None),
            (48, 0, None),
            (49, 0, Some("samples, for no more than 48")),
            (1, 131_000_000, Some("samples of 131ms of CPU time")),
        ] {
            let mut claimed = Samples::every(Duration::from_millis(10));
            claimed.count(None, SampleCount { samples, cpu_ns });
            let facts = Facts {
                job: &job,
                has_fuel: true,
                has_files: false,
                wall: Duration::from_millis(100),
                cpu: Some(Duration::from_millis(100)),
                pauses: Duration::ZERO,
                was_cancelled: false,
            };
            let claim = Claim {
                outcome: &Outcome::done(),
                usage: &honest(),
                samples: Some(&claimed),
            };
            let alerts = check(&facts, &claim).alerts;
            assert_eq!(alerts.len(), usize::from(words.is_some()), "{alerts:?}");
            assert!(
                alerts
                    .iter()
                    .all(|alert| alert.message.contains(words.unwrap_or("")))
            );
        }
    }

    #[test]
    fn a_pause_of_the_machine_is_excused_as_far_as_there_may_be_one() {
        let job = job();
        let outcome = Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x");
        let usage = Usage {
            cpu_ns: 250_000_000,
            ..honest()
        };
        let verdict = |pauses| {
            let facts = Facts {
                job: &job,
                has_fuel: true,
                has_files: false,
                wall: Duration::from_millis(200),
                cpu: Some(Duration::from_millis(352)),
                pauses,
                was_cancelled: false,
            };
            let claim = Claim {
                outcome: &outcome,
                usage: &usage,
                samples: None,
            };
            check(&facts, &claim)
        };
        let excused = verdict(Duration::from_millis(150));
        assert_eq!(excused.alerts, []);
        // 352 · 4/5, less 5 and a sixteenth of 200 of the runner's own, less 250.
        assert_eq!(excused.excused, Duration::from_micros(14_100));
        let unexcused = verdict(Duration::from_millis(10));
        assert_eq!(unexcused.alerts.len(), 1);
    }

    #[test]
    fn a_clock_that_ticks_is_the_runners_own_work_and_hides_no_guest() {
        // Ten seconds of waiting for a GPU: 150 ms went to ten thousand ticks.
        let waited: fn(&mut Facts<'_>) = |facts| {
            facts.wall = Duration::from_secs(10);
            facts.cpu = Some(Duration::from_millis(150));
        };
        let little = Usage {
            cpu_ns: 600_000,
            ..honest()
        };
        let done = Outcome::done();
        assert!(alerts(&job(), &done, &little, waited).is_empty());
        let burnt: fn(&mut Facts<'_>) = |facts| {
            facts.wall = Duration::from_secs(10);
            facts.cpu = Some(Duration::from_secs(1));
        };
        assert_eq!(alerts(&job(), &done, &little, burnt).len(), 1);
        // Nor does it spend what the guest may.
        let mut job = job();
        let set = job.limits.try_set(
            Limit::CpuTime,
            1_000_000,
            hotcell_model::limit::LimitSource::Request,
        );
        set.unwrap();
        assert!(alerts(&job, &done, &little, waited).is_empty());
    }

    #[test]
    fn an_end_within_a_bulk_operation_is_late_and_honest() {
        let late: fn(&mut Facts<'_>) = |facts| {
            facts.wall = Duration::from_millis(900);
            facts.cpu = Some(Duration::from_millis(400));
        };
        let mut job = job();
        let set = job.limits.try_set(
            Limit::CpuTime,
            1_000_000,
            hotcell_model::limit::LimitSource::Request,
        );
        set.unwrap();
        let usage = Usage {
            cpu_ns: 390_000_000,
            ..honest()
        };
        let trap = Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x");
        assert!(alerts(&job, &trap, &usage, late).is_empty());
    }

    #[test]
    fn a_guest_with_a_gpu_lowers_its_limits_and_raises_none() {
        let mut job = job();
        let limit = job.limits.get(Limit::GpuBytes);
        let refused = |limit, maximum| breached(limit, Amount::Requested(maximum + 1), maximum);
        let found = |job: &Job, outcome: &Outcome| alerts(job, outcome, &honest(), |_| {}).len();
        let lowered = refused(Limit::GpuBytes, limit / 2);
        // Of a launch without a GPU both the kind and the limit are untrue.
        assert_eq!(found(&job, &lowered), 2);
        job.grants = job.grants.with(Capability::Gpu);
        assert_eq!(found(&job, &lowered), 0);
        assert_eq!(found(&job, &refused(Limit::GpuBytes, limit)), 0);
        assert_eq!(found(&job, &refused(Limit::GpuBytes, limit + 1)), 1);
        let unpassed = breached(Limit::GpuBytes, Amount::Requested(limit / 2), limit / 2);
        assert_eq!(found(&job, &unpassed), 1);
        let memory = job.limits.get(Limit::Memory);
        assert_eq!(found(&job, &refused(Limit::Memory, memory / 2)), 1);
    }

    #[test]
    fn mapping_large_arrays_is_the_runners_own_work() {
        let mut job = job();
        let little = Usage {
            cpu_ns: 1_000_000,
            ..honest()
        };
        assert_eq!(alerts(&job, &Outcome::done(), &little, |_| {}).len(), 1);
        job.arrays = vec![JobArray {
            name: "x".into(),
            is_read: true,
            is_written: false,
            size_bytes: 400_000_000,
            split_stride_bytes: None,
            halo: 0,
        }];
        assert!(alerts(&job, &Outcome::done(), &little, |_| {}).is_empty());
    }
}
