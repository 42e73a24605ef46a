//! Bind sets: every binding that a kernel uses is named once, its range is in its buffer and large enough, and
//! nothing that is written is bound twice where one place could be reached through two names.
//!
//! What is bound says how long a run-time array is, so that exactly what was named is bound. A device binds whole
//! words of 4 bytes, and counts whole elements: bytes that are no whole word end in one, of which the rest is zero;
//! elements that are there in part are refused where the shader may count them.

use super::Session;
use super::failure::SessionFailure;
use super::range::{COPY_ALIGNMENT, check_aligned, check_range, padded};
use super::things::{BoundSet, DeviceBuffer, Thing};
use crate::device::{BINDING_ALIGNMENT, Pipeline};
use hotcell_model::gpu::{GpuAnswer, GpuBinding, GpuError, GpuId};
use hotcell_shader::admission::{
    BindingAccess, BindingUse, RuntimeArray, TABLES_GROUP, TABLES_SLOT,
};
use std::num::NonZeroU64;
use std::sync::Arc;

/// A range of a buffer at the place that asks for it.
struct BoundRange {
    place: BindingUse,
    buffer: Arc<DeviceBuffer>,
    offset: u64,
    len: u64,
}

impl Session {
    /// Binds buffers to a kernel.
    pub(super) fn bind(
        &mut self,
        kernel: GpuId,
        bindings: &[GpuBinding],
    ) -> Result<GpuAnswer, SessionFailure> {
        let pipeline = Arc::clone(self.things.kernel(kernel)?);
        let bound = self.check_bindings(&pipeline, bindings)?;
        check_aliases(&bound)?;
        self.quotas.bind_sets.check(1)?;
        let groups = self
            .device
            .guarded(|| bind_groups(self.device.wgpu(), &pipeline, &bound))?;
        let id = self.things.fresh()?;
        self.quotas.bind_sets.charge_unchecked(1);
        let buffers = bound.into_iter().map(|bound| bound.buffer).collect();
        let bind_set = BoundSet {
            pipeline,
            groups,
            buffers,
        };
        self.things.insert(id, Thing::BindSet(Arc::new(bind_set)));
        Ok(GpuAnswer::Created(id))
    }

    fn check_bindings(
        &self,
        pipeline: &Pipeline,
        bindings: &[GpuBinding],
    ) -> Result<Vec<BoundRange>, GpuError> {
        if let Some(stranger) = bindings.iter().find(|binding| !is_used(pipeline, binding)) {
            return Err(misuse(
                stranger.group,
                stranger.slot,
                "is not used by the kernel",
            ));
        }
        let bound = pipeline
            .bindings
            .iter()
            .map(|place| self.check_binding(place, bindings));
        bound.collect()
    }

    fn check_binding(
        &self,
        place: &BindingUse,
        bindings: &[GpuBinding],
    ) -> Result<BoundRange, GpuError> {
        let here =
            |binding: &&GpuBinding| (binding.group, binding.slot) == (place.group, place.slot);
        let mut named = bindings.iter().filter(here);
        let binding = match (named.next(), named.next()) {
            (Some(binding), None) => binding,
            (None, _) => return Err(misuse(place.group, place.slot, "is not bound")),
            (Some(_), Some(_)) => return Err(misuse(place.group, place.slot, "is bound twice")),
        };
        let buffer = Arc::clone(self.things.buffer(binding.buffer)?);
        let range = range_of(binding, &buffer)?;
        let (offset, len) = (range.offset, bound_len(place, &range)?);
        self.check_size(place, range.len, len)?;
        Ok(BoundRange {
            place: *place,
            buffer,
            offset,
            len,
        })
    }

    fn check_size(&self, place: &BindingUse, named: u64, len: u64) -> Result<(), GpuError> {
        let limits = self.device.limits();
        let most = match place.access {
            BindingAccess::Uniform => limits.max_uniform_buffer_binding_size,
            BindingAccess::ReadOnly | BindingAccess::ReadWrite => {
                self.device.properties().max_binding_bytes
            }
        };
        let least = place.min_bytes.max(COPY_ALIGNMENT);
        if len < least || len > most {
            let wrong = format!(
                "has {named} bytes, at least {least} and at most {most} can be bound there"
            );
            return Err(misuse(place.group, place.slot, &wrong));
        }
        Ok(())
    }
}

fn is_used(pipeline: &Pipeline, binding: &GpuBinding) -> bool {
    let mut places = pipeline.bindings.iter();
    places.any(|place| (place.group, place.slot) == (binding.group, binding.slot))
}

/// A range that a guest names, and how much could be bound from its beginning.
struct Named {
    offset: u64,
    len: u64,
    /// What is behind the end of a buffer is nobody's, and zero; what is behind another range is not its own.
    room: u64,
}

fn range_of(binding: &GpuBinding, buffer: &DeviceBuffer) -> Result<Named, GpuError> {
    let (offset, size) = (binding.offset_bytes, buffer.size_bytes);
    check_aligned("the offset of a binding", offset, BINDING_ALIGNMENT)?;
    let len = binding.len_bytes.unwrap_or(size.saturating_sub(offset));
    check_range(offset, len, size)?;
    let room = if offset + len == size {
        buffer.held_bytes - offset
    } else {
        check_aligned("the length of a binding", len, COPY_ALIGNMENT)?;
        len
    };
    Ok(Named { offset, len, room })
}

/// How much is bound of a range.
fn bound_len(place: &BindingUse, range: &Named) -> Result<u64, GpuError> {
    let words = padded(range.len);
    let Some(array) = place.array else {
        return Ok(words.max(place.min_bytes.min(range.room)));
    };
    let of_elements = words.saturating_sub(array.offset_bytes);
    if words >= place.min_bytes && of_elements.is_multiple_of(array.stride_bytes) {
        return Ok(words);
    }
    if array.is_measured {
        return Err(uncountable(place, array, range.len));
    }
    // Nobody counts them, so that zeros may complete the last one.
    let whole = of_elements
        .max(1)
        .next_multiple_of(array.stride_bytes)
        .saturating_add(array.offset_bytes)
        .max(place.min_bytes);
    if whole > range.room {
        return Err(incomplete(place, range.len, whole));
    }
    Ok(whole)
}

fn uncountable(place: &BindingUse, array: RuntimeArray, len: u64) -> GpuError {
    let (least, stride) = (place.min_bytes, array.stride_bytes);
    let wrong = if len == 0 {
        format!(
            "has 0 bytes, at least {least} must be bound: `arrayLength` is never 0 on a device, so that work on an \
             empty array has to be left out"
        )
    } else if len < least {
        format!(
            "has {len} bytes, at least {least} must be bound where the shader asks for `arrayLength`"
        )
    } else {
        let rest = padded(len).saturating_sub(array.offset_bytes) % stride;
        format!(
            "has {len} bytes, and {rest} at its end are no whole element of {stride}, while the shader asks for \
             `arrayLength`: bind whole elements, or tell the shader how many there are"
        )
    };
    misuse(place.group, place.slot, &wrong)
}

fn incomplete(place: &BindingUse, len: u64, whole: u64) -> GpuError {
    let wrong = format!(
        "has {len} bytes, and whole elements of its array take {whole}: bind as many, or make the buffer larger"
    );
    misuse(place.group, place.slot, &wrong)
}

/// Refuses what the device's rules refuse, and what they leave open: ranges that overlap where one is written, and a
/// buffer that is written through one binding and read through another, wherever.
fn check_aliases(bound: &[BoundRange]) -> Result<(), GpuError> {
    for (position, one) in bound.iter().enumerate() {
        for other in &bound[position + 1..] {
            if one.buffer.id == other.buffer.id && is_conflict(one, other) {
                let wrong = format!(
                    "shares its buffer with @group({}) @binding({}), and one of them is written",
                    other.place.group, other.place.slot
                );
                return Err(misuse(one.place.group, one.place.slot, &wrong));
            }
        }
    }
    Ok(())
}

fn is_conflict(one: &BoundRange, other: &BoundRange) -> bool {
    let is_written = |bound: &BoundRange| bound.place.access == BindingAccess::ReadWrite;
    match (is_written(one), is_written(other)) {
        (false, false) => false,
        (true, true) => {
            one.offset < other.offset + other.len && other.offset < one.offset + one.len
        }
        _ => true,
    }
}

fn bind_groups(
    device: &wgpu::Device,
    pipeline: &Pipeline,
    bound: &[BoundRange],
) -> Vec<(u32, wgpu::BindGroup)> {
    (0u32..)
        .zip(&pipeline.layouts)
        .filter_map(|(group, layout)| Some((group, layout.as_ref()?)))
        .map(|(group, layout)| {
            let tables = pipeline.tables.iter().filter(|_| group == TABLES_GROUP);
            let entries: Vec<_> = bound
                .iter()
                .filter(|bound| bound.place.group == group)
                .map(entry)
                .chain(tables.map(tables_entry))
                .collect();
            let descriptor = wgpu::BindGroupDescriptor {
                label: None,
                layout,
                entries: &entries,
            };
            (group, device.create_bind_group(&descriptor))
        })
        .collect()
}

fn entry(bound: &BoundRange) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry {
        binding: bound.place.slot,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &bound.buffer.raw,
            offset: bound.offset,
            size: NonZeroU64::new(bound.len),
        }),
    }
}

/// Tables of constants, which the guest does not name.
fn tables_entry(tables: &wgpu::Buffer) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry {
        binding: TABLES_SLOT,
        resource: tables.as_entire_binding(),
    }
}

fn misuse(group: u32, slot: u32, wrong: &str) -> GpuError {
    GpuError::Misuse(format!("@group({group}) @binding({slot}) {wrong}"))
}
