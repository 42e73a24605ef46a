//! A batch, checked: every id is known, every range is in what it is a range of, nothing is done or charged yet.

use super::fuel::Volume;
use super::landing::Destination;
use super::range::{check_bytes, check_range, check_words, index, len_of, staged};
use super::things::{BoundSet, DeviceBuffer};
use super::{Session, price};
use bytes::Bytes;
use hotcell_model::gpu::{GpuError, GpuId, GpuStep};
use std::sync::Arc;

/// The most steps of one batch.
pub(super) const MOST_STEPS: usize = 1 << 16;

/// A checked step, with what it names.
pub(super) enum Move {
    Dispatch {
        bind_set: Arc<BoundSet>,
        workgroups: [u32; 3],
        volume: Volume,
    },
    Copy {
        source: Arc<DeviceBuffer>,
        source_offset: u64,
        destination: Arc<DeviceBuffer>,
        destination_offset: u64,
        len: u64,
    },
    Clear {
        buffer: Arc<DeviceBuffer>,
        offset: u64,
        len: u64,
    },
    Write {
        buffer: Arc<DeviceBuffer>,
        offset: u64,
        data: Bytes,
    },
    Fill {
        input: usize,
        from: usize,
        len: usize,
        buffer: Arc<DeviceBuffer>,
        offset: u64,
    },
    ReadArray {
        buffer: Arc<DeviceBuffer>,
        offset: u64,
        len: u64,
        destination: Destination,
    },
    Read {
        buffer: Arc<DeviceBuffer>,
        offset: u64,
        len: u64,
    },
}

impl Move {
    /// Fuel for the bytes that it moves: a dispatch has a volume of its own.
    fn fuel(&self) -> u64 {
        match self {
            Self::Dispatch { .. } => 0,
            Self::Clear { len, .. } => price::of_clear(*len),
            Self::Write { data, .. } => price::of_move(len_of(data)),
            Self::Fill { len, .. } => price::of_move(*len as u64),
            Self::Copy { len, .. } | Self::ReadArray { len, .. } | Self::Read { len, .. } => {
                price::of_move(*len)
            }
        }
    }
}

/// A checked batch.
#[derive(Default)]
pub(super) struct BatchPlan {
    pub(super) moves: Vec<Move>,
    pub(super) volumes: Vec<Volume>,
    /// Fuel of everything but dispatches.
    pub(super) move_fuel: u64,
    /// Bytes that go to the device, meters not included.
    pub(super) upload_bytes: u64,
    /// Bytes that come from it, meters not included.
    pub(super) readback_bytes: u64,
    /// Bytes of those that are held until they are asked for.
    pub(super) answer_bytes: u64,
}

impl BatchPlan {
    fn push(&mut self, step: Move) {
        let (mut upload, mut readback, mut answer) = (0, 0, 0);
        self.move_fuel = self.move_fuel.saturating_add(step.fuel());
        match &step {
            Move::Dispatch { volume, .. } => self.volumes.push(*volume),
            Move::Copy { .. } | Move::Clear { .. } => {}
            Move::Write { data, .. } => upload = staged(len_of(data)),
            Move::Fill { len, .. } => upload = staged(*len as u64),
            Move::ReadArray { len, .. } => readback = staged(*len),
            Move::Read { len, .. } => (readback, answer) = (staged(*len), *len),
        }
        self.upload_bytes = self.upload_bytes.saturating_add(upload);
        self.readback_bytes = self.readback_bytes.saturating_add(readback);
        self.answer_bytes = self.answer_bytes.saturating_add(answer);
        self.moves.push(step);
    }
}

impl Session {
    /// Checks a batch.
    pub(super) fn plan(&mut self, steps: Vec<GpuStep>) -> Result<BatchPlan, GpuError> {
        let mut plan = BatchPlan::default();
        for step in steps {
            plan.push(self.check_step(step)?);
        }
        Ok(plan)
    }

    fn check_step(&mut self, step: GpuStep) -> Result<Move, GpuError> {
        match step {
            GpuStep::Dispatch {
                bind_set,
                workgroups,
            } => self.check_dispatch(bind_set, workgroups),
            GpuStep::Copy {
                source,
                source_offset_bytes,
                destination,
                destination_offset_bytes,
                len_bytes,
            } => self.check_copy(
                (source, source_offset_bytes),
                (destination, destination_offset_bytes),
                len_bytes,
            ),
            GpuStep::Clear {
                buffer,
                offset_bytes,
                len_bytes,
            } => {
                let buffer = Arc::clone(self.things.buffer(buffer)?);
                let len = check_words(offset_bytes, len_bytes, buffer.size_bytes)?;
                Ok(Move::Clear {
                    buffer,
                    offset: offset_bytes,
                    len,
                })
            }
            GpuStep::Write {
                buffer,
                offset_bytes,
                data,
            } => {
                let buffer = Arc::clone(self.things.buffer(buffer)?);
                check_words(offset_bytes, len_of(&data.0), buffer.size_bytes)?;
                Ok(Move::Write {
                    buffer,
                    offset: offset_bytes,
                    data: data.0,
                })
            }
            GpuStep::Fill {
                input,
                input_offset_bytes,
                buffer,
                offset_bytes,
                len_bytes,
            } => self.check_fill(
                (input, input_offset_bytes),
                (buffer, offset_bytes),
                len_bytes,
            ),
            GpuStep::ReadArray {
                output,
                output_offset_bytes,
                buffer,
                offset_bytes,
                len_bytes,
            } => self.check_read_array(
                (output, output_offset_bytes),
                (buffer, offset_bytes),
                len_bytes,
            ),
            GpuStep::Read {
                buffer,
                offset_bytes,
                len_bytes,
            } => {
                let buffer = Arc::clone(self.things.buffer(buffer)?);
                check_bytes(offset_bytes, len_bytes, buffer.size_bytes)?;
                Ok(Move::Read {
                    buffer,
                    offset: offset_bytes,
                    len: len_bytes,
                })
            }
        }
    }

    fn check_dispatch(&self, bind_set: GpuId, workgroups: [u32; 3]) -> Result<Move, GpuError> {
        let bind_set = Arc::clone(self.things.bind_set(bind_set)?);
        let most = self.device.properties().max_workgroups_per_axis;
        if let Some(too_many) = workgroups.iter().find(|axis| **axis > most) {
            return Err(GpuError::Misuse(format!(
                "{too_many} workgroups along one axis, at most {most} allowed"
            )));
        }
        let pipeline = &bind_set.pipeline;
        let invocations = workgroups
            .iter()
            .fold(pipeline.workgroup_invocations(), |product, axis| {
                product.saturating_mul(u64::from(*axis))
            });
        let volume = Volume {
            invocations,
            static_fuel: pipeline.static_fuel,
            has_meter: pipeline.has_meter,
            allowance: pipeline.allowance,
            is_counted: pipeline.is_counted,
            workgroup: pipeline.workgroup_invocations(),
        };
        Ok(Move::Dispatch {
            bind_set,
            workgroups,
            volume,
        })
    }

    fn check_copy(&self, from: (GpuId, u64), to: (GpuId, u64), len: u64) -> Result<Move, GpuError> {
        let source = Arc::clone(self.things.buffer(from.0)?);
        let destination = Arc::clone(self.things.buffer(to.0)?);
        if source.id == destination.id {
            return Err(GpuError::Misuse("a copy within one buffer".into()));
        }
        check_words(from.1, len, source.size_bytes)?;
        let len = check_words(to.1, len, destination.size_bytes)?;
        Ok(Move::Copy {
            source,
            source_offset: from.1,
            destination,
            destination_offset: to.1,
            len,
        })
    }

    fn check_fill(&self, from: (u32, u64), to: (GpuId, u64), len: u64) -> Result<Move, GpuError> {
        let buffer = Arc::clone(self.things.buffer(to.0)?);
        let input = self.inputs.get(from.0 as usize).and_then(Option::as_ref);
        let input_len = input.map(|input| len_of(input.as_ref().as_ref()));
        check_range(
            from.1,
            len,
            input_len.ok_or_else(|| no_array("input", from.0))?,
        )?;
        check_bytes(to.1, len, buffer.size_bytes)?;
        let (from_offset, len) = (index(from.1), index(len));
        Ok(Move::Fill {
            input: from.0 as usize,
            from: from_offset,
            len,
            buffer,
            offset: to.1,
        })
    }

    fn check_read_array(
        &mut self,
        to: (u32, u64),
        from: (GpuId, u64),
        len: u64,
    ) -> Result<Move, GpuError> {
        let buffer = Arc::clone(self.things.buffer(from.0)?);
        let output_len = self.lane.landing.output_len(to.0 as usize);
        let output_len = output_len.ok_or_else(|| no_array("output", to.0))?;
        check_range(to.1, len, output_len as u64)?;
        check_bytes(from.1, len, buffer.size_bytes)?;
        let destination = Destination::Output {
            output: to.0 as usize,
            offset: index(to.1),
        };
        Ok(Move::ReadArray {
            buffer,
            offset: from.1,
            len,
            destination,
        })
    }
}

fn no_array(kind: &str, position: u32) -> GpuError {
    GpuError::Misuse(format!("the session does not share {kind} {position}"))
}
