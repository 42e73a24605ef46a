//! The hidden buffer from which metered dispatches draw, and where they leave how they were settled: the pool, and a slot
//! for each dispatch of a batch, 256 bytes apart.

use super::landing::Destination;
use super::lane::{Lane, ended};
use super::quota::Quotas;
use crate::device::Device;
use crate::fuel::{
    METER_BYTES, METER_SLOT, METER_STRIDE_BYTES, MeterReading, POOL_BYTES, POOL_SLOT, Pool,
    read_pool, read_slot, slot_words,
};
use hotcell_model::gpu::GpuEnd;
use std::num::NonZeroU64;

/// The fewest slots that a session makes.
const FEWEST_SLOTS: u64 = 16;

/// The buffer, once a batch needs it.
#[derive(Debug, Default)]
pub(super) struct Meters {
    slots: u64,
    made: Option<(wgpu::Buffer, wgpu::BindGroup)>,
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

    /// The bytes of a buffer for so many dispatches: the pool comes before them.
    pub(super) fn bytes(slots: u64) -> u64 {
        match slots {
            0 => 0,
            slots => (1 + slots) * METER_STRIDE_BYTES,
        }
    }

    pub(super) fn slots(&self) -> u64 {
        self.slots
    }

    /// Gives up the buffer for a larger one. It must not be in use.
    pub(super) fn grow(&mut self, slots: u64) {
        (self.slots, self.made) = (slots, None);
    }

    /// What is bound beside a metered kernel's own groups.
    pub(super) fn bind_group(&self) -> Option<&wgpu::BindGroup> {
        self.made.as_ref().map(|(_, group)| group)
    }

    /// Records what a batch's metered dispatches have to share.
    pub(super) fn write(
        &mut self,
        device: &Device,
        pool: &Pool,
        credits: &[u32],
        lane: &mut Lane,
        quotas: &mut Quotas,
    ) -> Result<(), GpuEnd> {
        let mut slots = slot(&pool.pool_words()).to_vec();
        for credit in credits {
            slots.extend_from_slice(&slot(&slot_words(*credit)));
        }
        let buffer = self.buffer(device)?.clone();
        lane.write(&buffer, 0, &slots, quotas)
    }

    /// Records that the meters of so many dispatches are read.
    pub(super) fn read(
        &self,
        dispatches: u64,
        lane: &mut Lane,
        quotas: &mut Quotas,
    ) -> Result<(), GpuEnd> {
        let Some((buffer, _)) = &self.made else {
            return Ok(());
        };
        lane.read(
            buffer,
            0,
            Self::bytes(dispatches),
            Destination::Meters,
            quotas,
        )
    }

    fn buffer(&mut self, device: &Device) -> Result<&wgpu::Buffer, GpuEnd> {
        let made = match self.made.take() {
            Some(made) => made,
            None => device.guarded(|| make(device, self.slots)).map_err(ended)?,
        };
        Ok(&self.made.insert(made).0)
    }
}

/// Bytes of one slot.
const SLOT_LEN: usize = 256;
const _: () = assert!(SLOT_LEN as u64 == METER_STRIDE_BYTES);

/// One slot.
fn slot(words: &[u32]) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    for (place, word) in slot.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    slot
}

/// What was taken from the pool, and what each of the dispatches says.
pub(super) fn readings(bytes: &[u8]) -> (u64, impl Iterator<Item = MeterReading>) {
    let (pool, slots) = bytes.split_at(SLOT_LEN.min(bytes.len()));
    (read_pool(pool), slots.chunks_exact(SLOT_LEN).map(read_slot))
}

/// Where the meter of the next metered dispatch of a batch is, for the dispatch's offset.
pub(super) fn offset_of(dispatch: u64) -> u32 {
    u32::try_from((1 + dispatch) * METER_STRIDE_BYTES).unwrap_or(0)
}

fn make(device: &Device, slots: u64) -> (wgpu::Buffer, wgpu::BindGroup) {
    let usage =
        wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let buffer = device.wgpu().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: Meters::bytes(slots),
        usage,
        mapped_at_creation: false,
    });
    let entry = |binding, bytes| wgpu::BindGroupEntry {
        binding,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &buffer,
            offset: 0,
            size: NonZeroU64::new(bytes),
        }),
    };
    let group = device.wgpu().create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: device.meter_layout(),
        entries: &[entry(METER_SLOT, METER_BYTES), entry(POOL_SLOT, POOL_BYTES)],
    });
    (buffer, group)
}
