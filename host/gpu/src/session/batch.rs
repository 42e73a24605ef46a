//! Batches: all or nothing. A batch is checked and charged as a whole, and only then recorded and submitted.

use super::failure::SessionFailure;
use super::fuel::{Budgets, Volume};
use super::meters::{self, Meters};
use super::plan::{BatchPlan, MOST_STEPS, Move};
use super::range::{check_words, len_of};
use super::things::{QueuedWork, Thing};
use super::{Session, price};
use crate::device::Pipeline;
use bytes::Bytes;
use hotcell_model::gpu::{GpuAnswer, GpuDispatchFuel, GpuEnd, GpuError, GpuId, GpuStep, Payload};
use hotcell_shader::fuel::{FuelPool, FuelPoolState};
use std::sync::Arc;

/// Work that is queued at once: what waits in a queue is not charged. More waits for it.
const MOST_IN_FLIGHT: usize = 256;

/// Steps of the batch to come.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    steps: Vec<GpuStep>,
    /// Bytes that they carry, charged while they are held.
    bytes: u64,
}

/// A batch with metered dispatches whose meters were not read yet.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// The number of the work that brings the meters.
    number: u64,
    /// What they shared.
    pool: FuelPool,
    /// Whether each was given all that it can spend.
    is_all_given: bool,
    /// The most fuel that an invocation was given of it before it ran, where it takes what it spent at its end.
    given: u64,
    /// Its dispatches.
    dispatches: Vec<Noted>,
}

/// A dispatch for the profile: as it was admitted, and what is known of it so far.
#[derive(Debug)]
struct Noted {
    volume: Volume,
    pipeline: Arc<Pipeline>,
    took: GpuDispatchFuel,
}

impl Session {
    /// Keeps steps for the next batch. Steps that do not fit drop the batch.
    pub(super) fn record(&mut self, steps: Vec<GpuStep>) -> Result<GpuAnswer, SessionFailure> {
        let bytes = steps.iter().map(carried).fold(0, u64::saturating_add);
        let fits = self.check_steps(steps.len());
        if let Err(failure) = fits.and_then(|()| self.charge_bytes(bytes)) {
            self.take_recorded();
            return Err(failure);
        }
        self.recorded.bytes += bytes;
        self.recorded.steps.extend(steps);
        Ok(GpuAnswer::Done)
    }

    fn check_steps(&self, more: usize) -> Result<(), SessionFailure> {
        if self.recorded.steps.len() + more > MOST_STEPS {
            let most = format!("more than {MOST_STEPS} steps in one batch");
            return Err(GpuError::Misuse(most).into());
        }
        Ok(())
    }

    /// Drops the steps that were recorded for the next batch.
    pub fn forget_batch(&mut self) {
        self.take_recorded();
    }

    fn take_recorded(&mut self) -> Vec<GpuStep> {
        let recorded = std::mem::take(&mut self.recorded);
        self.quotas.bytes.release(recorded.bytes);
        recorded.steps
    }

    /// Queues the recorded steps and these, and waits where that is asked for.
    pub(super) fn submit(
        &mut self,
        steps: Vec<GpuStep>,
        wait: bool,
    ) -> Result<GpuAnswer, SessionFailure> {
        let fits = self.check_steps(steps.len());
        let mut batch = self.take_recorded();
        fits?;
        if self.lane.in_flight() >= MOST_IN_FLIGHT {
            self.settle()?;
        }
        batch.extend(steps);
        let plan = self.plan(batch)?;
        if !wait {
            self.things.check_submissions()?;
        }
        let mut submission = self.submit_plan(plan)?;
        if wait {
            return self.wait_for(&mut submission);
        }
        let id = self.things.fresh()?;
        self.things.insert(id, Thing::Submission(submission));
        Ok(GpuAnswer::Created(id))
    }

    /// Waits for a submission.
    pub(super) fn wait(&mut self, id: GpuId) -> Result<GpuAnswer, SessionFailure> {
        let mut submission = std::mem::take(self.things.submission(id)?);
        let answer = self.wait_for(&mut submission)?;
        *self.things.submission(id)? = submission;
        Ok(answer)
    }

    fn wait_for(&mut self, submission: &mut QueuedWork) -> Result<GpuAnswer, SessionFailure> {
        self.lane.wait(submission.last, &mut self.quotas)?;
        self.lane.land(submission.last)?;
        self.settle_meters(submission.last)?;
        let answers = std::mem::take(&mut submission.answers);
        self.quotas
            .bytes
            .release(std::mem::take(&mut submission.answer_bytes));
        let payload = |answer| Payload(Bytes::from(self.lane.landing.take_answer(answer)));
        Ok(GpuAnswer::Waited(
            answers.into_iter().map(payload).collect(),
        ))
    }

    /// Forgets a submission and what it would have answered.
    pub(super) fn forget(&mut self, submission: QueuedWork) {
        self.quotas.bytes.release(submission.answer_bytes);
        submission
            .answers
            .into_iter()
            .for_each(|answer| self.lane.landing.close_answer(answer));
    }

    /// Writes into a buffer, in order with everything submitted before and after.
    pub(super) fn write_buffer(
        &mut self,
        buffer: GpuId,
        offset: u64,
        data: &[u8],
    ) -> Result<GpuAnswer, SessionFailure> {
        let buffer = Arc::clone(self.things.buffer(buffer)?);
        check_words(offset, len_of(data), buffer.size_bytes)?;
        let fuel = price::of_move(len_of(data));
        self.check_fuel(fuel)?;
        self.reserve(len_of(data), 0, 0, 0)?;
        self.charge_static(fuel);
        self.lane
            .write(&buffer.raw, offset, data, &mut self.quotas)?;
        buffer.use_in(self.lane.number());
        Ok(GpuAnswer::Done)
    }

    /// Reads from a buffer, after everything submitted before.
    pub(super) fn read_buffer(
        &mut self,
        buffer: GpuId,
        offset: u64,
        len: u64,
    ) -> Result<GpuAnswer, SessionFailure> {
        let size_bytes = self.things.buffer(buffer)?.size_bytes;
        check_words(offset, len, size_bytes)?;
        let step = GpuStep::Read {
            buffer,
            offset_bytes: offset,
            len_bytes: len,
        };
        let plan = self.plan(vec![step])?;
        let mut submission = self.submit_plan(plan)?;
        match self.wait_for(&mut submission)? {
            GpuAnswer::Waited(mut payloads) => {
                Ok(GpuAnswer::Bytes(payloads.pop().unwrap_or_default()))
            }
            answer => Ok(answer),
        }
    }

    /// Whether there is fuel for what is known before it is done. What earlier batches spend has to be known for that.
    pub(super) fn check_fuel(&mut self, fuel: u64) -> Result<(), SessionFailure> {
        self.settle_unsettled()?;
        Ok(self.quotas.fuel.check(fuel)?)
    }

    /// Charges fuel that was checked.
    pub(super) fn charge_static(&mut self, fuel: u64) {
        self.quotas.fuel.charge_unchecked(fuel);
        let usage = &mut self.usage;
        usage.fuel_static = usage.fuel_static.saturating_add(fuel);
        usage.fuel_bound = usage.fuel_bound.saturating_add(fuel);
    }

    /// Charges a checked batch, records and submits it.
    fn submit_plan(&mut self, plan: BatchPlan) -> Result<QueuedWork, SessionFailure> {
        self.check_fuel(plan.move_fuel)?;
        // What dispatches may spend is what the moves beside them leave.
        let mut fuel = self.quotas.fuel;
        fuel.charge(plan.move_fuel)?;
        let room = self.device.room();
        let budgets = Budgets::of_batch(&plan.volumes, &fuel, &room)?;
        let invocations = plan
            .volumes
            .iter()
            .fold(0u64, |sum, volume| sum.saturating_add(volume.invocations));
        self.quotas.dispatches.check(plan.volumes.len() as u64)?;
        self.quotas.invocations.check(invocations)?;
        let metered = budgets.credits.len() as u64;
        let meter_bytes = Meters::bytes(metered);
        self.reserve(
            plan.upload_bytes.saturating_add(meter_bytes),
            plan.readback_bytes.saturating_add(meter_bytes),
            metered,
            plan.answer_bytes,
        )?;
        self.quotas
            .dispatches
            .charge_unchecked(plan.volumes.len() as u64);
        self.quotas.invocations.charge_unchecked(invocations);
        self.charge_static(plan.move_fuel.saturating_add(budgets.static_fuel));
        let dynamic = budgets.bound.saturating_sub(budgets.static_fuel);
        self.usage.fuel_bound = self.usage.fuel_bound.saturating_add(dynamic);
        self.publish();
        Ok(self.carry_out(plan, &budgets)?)
    }

    fn carry_out(&mut self, plan: BatchPlan, budgets: &Budgets) -> Result<QueuedWork, GpuEnd> {
        let metered = budgets.credits.len() as u64;
        if let Some(pool) = &budgets.pool {
            let (lane, quotas) = (&mut self.lane, &mut self.quotas);
            self.meters
                .write(&self.device, pool, &budgets.credits, lane, quotas)?;
        }
        self.compile(&plan.moves)?;
        let answer_bytes = plan.answer_bytes;
        let (answers, times) = self.encode(&plan.moves)?;
        if metered > 0 {
            self.meters
                .read(metered, &mut self.lane, &mut self.quotas)?;
        }
        self.lane.flush()?;
        let last = self.lane.number() - 1;
        self.note_dispatches(&plan, budgets, last, &times);
        Ok(QueuedWork {
            last,
            answers,
            answer_bytes,
        })
    }

    /// Keeps a batch's dispatches until their meters are read, or adds them to the profile. `times` has one for each, in nanoseconds,
    /// where that is noted.
    fn note_dispatches(&mut self, plan: &BatchPlan, budgets: &Budgets, number: u64, times: &[u64]) {
        let dispatches = plan.moves.iter().filter_map(|step| match step {
            Move::Dispatch {
                bind_set, volume, ..
            } => Some((volume, &bind_set.pipeline)),
            _ => None,
        });
        let noted = dispatches
            .enumerate()
            .map(|(at, (volume, pipeline))| Noted {
                volume: *volume,
                pipeline: Arc::clone(pipeline),
                took: GpuDispatchFuel {
                    invocations: volume.invocations,
                    fuel_static: volume.static_fuel.saturating_mul(volume.invocations),
                    fuel_dynamic: 0,
                    time_ns: times.get(at).copied().unwrap_or(0),
                },
            });
        if let Some(pool) = budgets.pool {
            self.unsettled = Some(Unsettled {
                number,
                pool,
                is_all_given: budgets.is_all_given,
                given: pool.given(budgets.credits.iter().copied().max().unwrap_or(0)),
                dispatches: noted.collect(),
            });
        } else if self.has_profile {
            for one in noted {
                self.profile.note(&one.pipeline, one.took);
            }
        }
    }

    /// Waits for the batch whose spending is not known yet, so that what is left for the next one is.
    fn settle_unsettled(&mut self) -> Result<(), GpuEnd> {
        let Some(number) = self.unsettled.as_ref().map(|unsettled| unsettled.number) else {
            return Ok(());
        };
        self.lane.wait(number, &mut self.quotas)?;
        self.lane.land(number)?;
        self.settle_meters(number)
    }

    /// Charges what the meters say that came with work up to that number.
    pub(super) fn settle_meters(&mut self, number: u64) -> Result<(), GpuEnd> {
        let Some(unsettled) = self
            .unsettled
            .take_if(|unsettled| unsettled.number <= number)
        else {
            return Ok(());
        };
        let bytes = self.lane.landing.take_meters();
        let (pool, mut readings) = meters::readings(&bytes);
        let pool = unsettled.pool.read(pool);
        let (mut is_exhausted, mut is_cut) = (false, false);
        let mut counted = 0u64;
        for Noted {
            volume,
            pipeline,
            mut took,
        } in unsettled.dispatches
        {
            if volume.is_metered() {
                let reading = readings.next().unwrap_or_default();
                let count = if volume.is_counted {
                    volume.invocations
                } else {
                    0
                };
                counted = counted.wrapping_add(count);
                is_exhausted |= reading.is_exhausted;
                is_cut |= reading.is_cut;
                took.fuel_dynamic = reading.exact.unwrap_or_default();
            }
            if self.has_profile {
                self.profile.note(&pipeline, took);
            }
        }
        // Counters have 32 bits.
        let mut missing = counted.wrapping_sub(pool.settled) & u64::from(u32::MAX);
        if self.device.is_nothing() {
            missing = 0;
        }
        // What those may have spent that are missing is spent.
        let lost = missing.saturating_mul(unsettled.given);
        let spent = pool.spent.saturating_add(lost);
        let spent = spent.min(self.quotas.fuel.left().max(pool.spent));
        self.quotas.fuel.charge_unchecked(spent);
        self.usage.fuel_dynamic = self.usage.fuel_dynamic.saturating_add(spent);
        let is_bound = pool.state == FuelPoolState::Open && unsettled.is_all_given;
        let is_closed = pool.state == FuelPoolState::Closed;
        if is_cut || is_exhausted && is_bound {
            Err(GpuEnd::Lost(cut(self.device.turns_limit())))
        } else if missing > 0 && !is_closed {
            Err(GpuEnd::Lost(format!(
                "{missing} invocations have not come to their end: the driver gave them up"
            )))
        } else if missing > 0 || is_exhausted {
            Err(self.exhausted())
        } else {
            Ok(())
        }
    }

    fn exhausted(&mut self) -> GpuEnd {
        self.usage.is_fuel_exhausted = true;
        let fuel = &self.quotas.fuel;
        GpuEnd::FuelExhausted {
            used: fuel.used(),
            maximum: fuel.maximum(),
        }
    }

    /// Makes room for a batch: both rings, the meters, and what it answers. Charged before anything is made.
    fn reserve(
        &mut self,
        upload: u64,
        readback: u64,
        metered: u64,
        answers: u64,
    ) -> Result<(), SessionFailure> {
        let (up, down) = (
            self.lane.upload.wanted(upload),
            self.lane.readback.wanted(readback),
        );
        let slots = self.meters.wanted(metered);
        let grown_up = up - self.lane.upload.size();
        let grown_down = down - self.lane.readback.size();
        let grown_meters = Meters::bytes(slots) - Meters::bytes(self.meters.slots());
        let rings = 2 * (grown_up + grown_down);
        let more = (rings + grown_meters).saturating_add(answers);
        if rings + grown_meters > 0 {
            self.settle()?;
        }
        self.charge_bytes(more)?;
        if grown_up > 0 {
            self.lane.upload.grow(up);
        }
        if grown_down > 0 {
            self.lane.readback.grow(down);
        }
        if grown_meters > 0 {
            self.meters.grow(slots);
        }
        Ok(())
    }

    /// Charges bytes. Where they do not fit, what the device may be done with is waited for first.
    pub(super) fn charge_bytes(&mut self, bytes: u64) -> Result<(), SessionFailure> {
        if self.quotas.bytes.check(bytes).is_err() && self.lane.has_releases() {
            self.settle()?;
        }
        Ok(self.quotas.bytes.charge(bytes)?)
    }

    /// Waits for everything, lets it land and charges what it spent.
    pub(super) fn settle(&mut self) -> Result<(), GpuEnd> {
        self.lane.settle(&mut self.quotas)?;
        self.settle_meters(u64::MAX)
    }
}

/// What is wrong where the driver has ended a loop.
fn cut(limit: Option<u32>) -> String {
    let after = limit.map_or(String::new(), |turns| {
        format!(" after {turns} turns of all its loops together, which is its limit")
    });
    format!(
        "the driver ended loops of an invocation{after}, so that the results are wrong: give each invocation less to do, and use more of them or more dispatches"
    )
}

/// Bytes that a step carries.
fn carried(step: &GpuStep) -> u64 {
    match step {
        GpuStep::Write { data, .. } => len_of(&data.0),
        _ => 0,
    }
}
