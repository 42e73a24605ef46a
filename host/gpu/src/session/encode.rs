//! From a checked batch to the device's commands.

use super::Session;
use super::landing::Destination;
use super::plan::Move;
use hotcell_model::gpu::GpuEnd;
use std::sync::Arc;

impl Session {
    /// Records the steps of a batch, and says which answers its reads will give; in a profiled launch also how long each dispatch
    /// took, in nanoseconds.
    pub(super) fn encode(&mut self, moves: &[Move]) -> Result<(Vec<u64>, Vec<u64>), GpuEnd> {
        let (mut answers, mut times) = (Vec::new(), Vec::new());
        let (mut meter, mut rest) = (0, moves);
        while let Some((step, after)) = rest.split_first() {
            let is_dispatch = matches!(step, Move::Dispatch { .. });
            if is_dispatch && self.has_profile {
                times.push(self.time_dispatch(step, &mut meter)?);
                rest = after;
                continue;
            }
            if is_dispatch {
                let run = rest
                    .iter()
                    .take_while(|step| matches!(step, Move::Dispatch { .. }))
                    .count();
                let (dispatches, after) = rest.split_at(run);
                meter = self.encode_dispatches(dispatches, meter);
                rest = after;
                continue;
            }
            self.encode_copy(step, &mut answers)?;
            rest = after;
        }
        Ok((answers, times))
    }

    /// Has a dispatch done by itself, and says for how long the device was busy with it, in nanoseconds: from its submission, so that
    /// what a submission takes is in it.
    fn time_dispatch(&mut self, dispatch: &Move, meter: &mut u64) -> Result<u64, GpuEnd> {
        self.lane.wait_for_all(&mut self.quotas)?;
        let before = self.quotas.time.used();
        *meter = self.encode_dispatches(std::slice::from_ref(dispatch), *meter);
        self.lane.wait_for_all(&mut self.quotas)?;
        Ok(self.quotas.time.used().saturating_sub(before))
    }

    /// Records dispatches one after the other, in one pass. What is bound already is not bound again.
    fn encode_dispatches(&mut self, dispatches: &[Move], mut meter: u64) -> u64 {
        let number = self.lane.number();
        let mut pass = self
            .lane
            .encoder()
            .begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let (mut pipeline, mut bound) = (None, None);
        for step in dispatches {
            let Move::Dispatch {
                bind_set,
                workgroups,
                volume,
            } = step
            else {
                continue;
            };
            if volume.invocations == 0 {
                continue;
            }
            if pipeline.is_none_or(|other| !std::ptr::eq(other, Arc::as_ptr(&bind_set.pipeline))) {
                pass.set_pipeline(&bind_set.pipeline.raw);
                pipeline = Some(Arc::as_ptr(&bind_set.pipeline));
            }
            if bound.is_none_or(|other| !std::ptr::eq(other, Arc::as_ptr(bind_set))) {
                for (group, bind_group) in &bind_set.groups {
                    pass.set_bind_group(*group, bind_group, &[]);
                }
                bind_set
                    .buffers
                    .iter()
                    .for_each(|buffer| buffer.use_in(number));
                bound = Some(Arc::as_ptr(bind_set));
            }
            if volume.is_metered() {
                self.meters.bind(&mut pass, meter);
                meter += 1;
            }
            let [x, y, z] = *workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
        meter
    }

    fn encode_copy(&mut self, step: &Move, answers: &mut Vec<u64>) -> Result<(), GpuEnd> {
        let (lane, quotas) = (&mut self.lane, &mut self.quotas);
        match step {
            Move::Dispatch { .. } => {}
            Move::Copy {
                source,
                source_offset,
                destination,
                destination_offset,
                len,
            } => {
                if *len > 0 {
                    source.use_in(lane.number());
                    destination.use_in(lane.number());
                    lane.encoder().copy_buffer_to_buffer(
                        &source.raw,
                        *source_offset,
                        &destination.raw,
                        *destination_offset,
                        *len,
                    );
                }
            }
            Move::Clear {
                buffer,
                offset,
                len,
            } => {
                if *len > 0 {
                    buffer.use_in(lane.number());
                    lane.encoder()
                        .clear_buffer(&buffer.raw, *offset, Some(*len));
                }
            }
            Move::Write {
                buffer,
                offset,
                data,
            } => {
                lane.write(&buffer.raw, *offset, data, quotas)?;
                buffer.use_in(lane.number());
            }
            Move::Fill {
                input,
                from,
                len,
                buffer,
                offset,
            } => {
                let input = self.inputs.get(*input).and_then(Option::as_ref);
                let bytes = input.map_or(&[][..], |input| input.as_ref().as_ref());
                let bytes = bytes
                    .get(*from..)
                    .and_then(|bytes| bytes.get(..*len))
                    .unwrap_or_default();
                lane.write(&buffer.raw, *offset, bytes, quotas)?;
                buffer.use_in(lane.number());
            }
            Move::ReadArray {
                buffer,
                offset,
                len,
                destination,
            } => {
                lane.read(&buffer.raw, *offset, *len, *destination, quotas)?;
                buffer.use_in(lane.number());
            }
            Move::Read {
                buffer,
                offset,
                len,
            } => {
                let answer = lane.landing.open_answer();
                lane.read(
                    &buffer.raw,
                    *offset,
                    *len,
                    Destination::Answer(answer),
                    quotas,
                )?;
                buffer.use_in(lane.number());
                answers.push(answer);
            }
        }
        Ok(())
    }
}
