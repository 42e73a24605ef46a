//! The hidden buffers from which metered dispatches draw, and where they leave how they were settled: the pool and a slot
//! for each dispatch of a batch, 256 bytes apart; and the terms, once for all dispatches that have them alike.

use super::landing::Destination;
use super::lane::{Lane, ended};
use super::quota::Quotas;
use crate::device::Device;
use hotcell_model::gpu::GpuEnd;
use hotcell_shader::fuel::{
    FuelPool, METER_BYTES, METER_GROUP, METER_SLOT, METER_STRIDE_BYTES, MeterReading, POOL_BYTES,
    POOL_SLOT, PoolWords, TERMS_BYTES, TERMS_SLOT, TermWords, read_slot,
};
use std::collections::BTreeMap;
use std::num::NonZeroU64;

/// The fewest slots that a session makes.
const FEWEST_SLOTS: u64 = 16;

/// The buffers, once a batch needs them.
#[derive(Debug, Default)]
pub(super) struct Meters {
    slots: u64,
    made: Option<Made>,
    /// Where the terms of each of the batch's dispatches are.
    places: Vec<u32>,
}

#[derive(Debug)]
struct Made {
    meters: wgpu::Buffer,
    terms: wgpu::Buffer,
    group: wgpu::BindGroup,
}

impl Meters {
    /// The slots that a batch with so many metered dispatches needs.
    pub(super) fn wanted(&self, dispatches: u64) -> u64 {
        match dispatches {
            0 => self.slots,
            _ => dispatches
                .max(FEWEST_SLOTS)
                .next_power_of_two()
                .max(self.slots),
        }
    }

    /// The bytes of both buffers for so many dispatches.
    pub(super) fn bytes(slots: u64) -> u64 {
        meter_bytes(slots) + slots * METER_STRIDE_BYTES
    }

    pub(super) fn slots(&self) -> u64 {
        self.slots
    }

    /// Gives up the buffer for a larger one. It must not be in use.
    pub(super) fn grow(&mut self, slots: u64) {
        (self.slots, self.made) = (slots, None);
    }

    /// Binds what a metered dispatch of the batch has beside its own groups, by its position among them.
    pub(super) fn bind(&self, pass: &mut wgpu::ComputePass<'_>, dispatch: u64) {
        let Some(made) = &self.made else {
            return;
        };
        let place = usize::try_from(dispatch)
            .ok()
            .and_then(|at| self.places.get(at));
        let meter = offset(POOL_SLOTS + dispatch);
        let terms = place.copied().unwrap_or_default();
        pass.set_bind_group(METER_GROUP, &made.group, &[meter, terms]);
    }

    /// Records what a batch's metered dispatches have to share.
    pub(super) fn write(
        &mut self,
        device: &Device,
        pool: &FuelPool,
        credits: &[u32],
        lane: &mut Lane,
        quotas: &mut Quotas,
    ) -> Result<(), GpuEnd> {
        let terms = self.lay_down(pool, credits);
        let made = match self.made.take() {
            Some(made) => made,
            None => device.guarded(|| make(device, self.slots)).map_err(ended)?,
        };
        let Made {
            meters, terms: at, ..
        } = self.made.insert(made);
        let bytes = meter_bytes(credits.len() as u64);
        lane.encoder().clear_buffer(meters, 0, Some(bytes));
        lane.write(meters, 0, &pool.start().to_le_bytes(), quotas)?;
        lane.write(at, 0, &terms, quotas)
    }

    /// The terms that differ, one after the other, and where those of each dispatch are.
    fn lay_down(&mut self, pool: &FuelPool, credits: &[u32]) -> Vec<u8> {
        self.places.clear();
        let (mut bytes, mut known) = (Vec::new(), BTreeMap::new());
        for credit in credits {
            let place = *known.entry(*credit).or_insert_with(|| {
                let place = offset(bytes.len() as u64 / METER_STRIDE_BYTES);
                bytes.extend_from_slice(&slot(&pool.terms(*credit)));
                place
            });
            self.places.push(place);
        }
        bytes
    }

    /// Records that the meters of so many dispatches are read.
    pub(super) fn read(
        &self,
        dispatches: u64,
        lane: &mut Lane,
        quotas: &mut Quotas,
    ) -> Result<(), GpuEnd> {
        let Some(made) = &self.made else {
            return Ok(());
        };
        let bytes = meter_bytes(dispatches);
        lane.read(&made.meters, 0, bytes, Destination::Meters, quotas)
    }
}

/// The bytes of what so many dispatches write: the pool comes before them.
fn meter_bytes(slots: u64) -> u64 {
    match slots {
        0 => 0,
        slots => (POOL_SLOTS + slots) * METER_STRIDE_BYTES,
    }
}

/// Bytes of one slot.
const SLOT_LEN: usize = 256;
const _: () = assert!(SLOT_LEN as u64 == METER_STRIDE_BYTES);
/// Bytes of the pool, in whole slots.
const POOL_LEN: usize = (4 * PoolWords::COUNT).next_multiple_of(SLOT_LEN);
/// Slots that the pool takes.
const POOL_SLOTS: u64 = (POOL_LEN / SLOT_LEN) as u64;

/// The terms of a dispatch, to the next one's.
fn slot(words: &[u32; TermWords::COUNT]) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    for (place, word) in slot.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    slot
}

/// What the pool holds at the end of a batch, and what each of the dispatches says.
pub(super) fn readings(bytes: &[u8]) -> (&[u8], impl Iterator<Item = MeterReading>) {
    let (pool, slots) = bytes.split_at(POOL_LEN.min(bytes.len()));
    (pool, slots.chunks_exact(SLOT_LEN).map(read_slot))
}

/// Where that slot of a buffer begins.
fn offset(slot: u64) -> u32 {
    u32::try_from(slot * METER_STRIDE_BYTES).unwrap_or(0)
}

fn make(device: &Device, slots: u64) -> Made {
    use wgpu::BufferUsages as Usage;
    let buffer = |size, usage| {
        device.wgpu().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: usage | Usage::COPY_DST,
            mapped_at_creation: false,
        })
    };
    let meters = buffer(meter_bytes(slots), Usage::STORAGE | Usage::COPY_SRC);
    let terms = buffer(slots * METER_STRIDE_BYTES, Usage::UNIFORM);
    let entry = |binding, buffer, bytes| wgpu::BindGroupEntry {
        binding,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset: 0,
            size: NonZeroU64::new(bytes),
        }),
    };
    let group = device.wgpu().create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: device.meter_layout(),
        entries: &[
            entry(METER_SLOT, &meters, METER_BYTES),
            entry(POOL_SLOT, &meters, POOL_BYTES),
            entry(TERMS_SLOT, &terms, TERMS_BYTES),
        ],
    });
    Made {
        meters,
        terms,
        group,
    }
}
