//! Host memory that the device copies from or into: two blocks for each direction, used by turns, so that one is
//! filled or emptied while the device works on the other.
//!
//! Both blocks of a ring have the same size, a power of two that grows with the largest batch up to
//! [`LARGEST_BLOCK`]; more than that goes through in pieces. They are fresh for each session and charged to it.

use crate::device::{Device, DeviceFault};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The smallest block of a ring.
const SMALLEST_BLOCK: u64 = 4 << 10;
/// The largest: large enough that handing it over costs little beside copying it, and small enough for a cache.
const LARGEST_BLOCK: u64 = 8 << 20;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToDevice,
    FromDevice,
}

/// One block. Between its submission and the end of that, it is the device's.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) buffer: wgpu::Buffer,
    /// The work that uses it, once that is submitted; 0 while it is the host's.
    pub(super) used_by: u64,
    is_mapped: Arc<AtomicBool>,
}

impl Block {
    /// Whether the host may touch its bytes.
    pub(super) fn is_mapped(&self) -> bool {
        self.is_mapped.load(Ordering::Acquire)
    }

    /// Asks for the block back when the work that was submitted last is done.
    fn reclaim(&mut self, mode: wgpu::MapMode, number: u64) {
        self.used_by = number;
        self.is_mapped.store(false, Ordering::Release);
        let is_mapped = Arc::clone(&self.is_mapped);
        self.buffer.map_async(mode, .., move |mapped| {
            is_mapped.store(mapped.is_ok(), Ordering::Release);
        });
    }
}

/// The two blocks of one direction.
#[derive(Debug)]
pub(super) struct Ring {
    direction: Direction,
    size: u64,
    blocks: [Option<Block>; 2],
    turn: usize,
    /// Bytes of the present block that are taken.
    cursor: u64,
}

impl Ring {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            direction,
            size: 0,
            blocks: [None, None],
            turn: 0,
            cursor: 0,
        }
    }

    /// The size that both blocks need for a batch of so many bytes.
    pub(super) fn wanted(&self, bytes: u64) -> u64 {
        match bytes {
            0 => self.size,
            _ => bytes
                .clamp(SMALLEST_BLOCK, LARGEST_BLOCK)
                .next_power_of_two()
                .max(self.size),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Gives up both blocks for larger ones. Nothing of them may be in use.
    pub(super) fn grow(&mut self, size: u64) {
        (self.size, self.cursor, self.turn) = (size, 0, 0);
        self.blocks = [None, None];
    }

    /// Bytes that fit into the present block.
    pub(super) fn room(&self) -> u64 {
        self.size - self.cursor
    }

    /// Takes so many bytes of the present block, and says where they begin.
    pub(super) fn take(&mut self, bytes: u64) -> u64 {
        let offset = self.cursor;
        self.cursor += bytes;
        offset
    }

    /// The present block, if it was made.
    pub(super) fn block(&self) -> Option<&Block> {
        self.blocks[self.turn].as_ref()
    }

    /// The work that the present block is still lent to; 0 for none.
    pub(super) fn lent_to(&self) -> u64 {
        self.block().map_or(0, |block| block.used_by)
    }

    /// Both blocks with their positions.
    pub(super) fn blocks_mut(&mut self) -> impl Iterator<Item = (usize, &mut Block)> {
        let numbered = self.blocks.iter_mut().enumerate();
        numbered.filter_map(|(turn, block)| Some((turn, block.as_mut()?)))
    }

    pub(super) fn turn(&self) -> usize {
        self.turn
    }

    /// Makes the present block where there is none, and takes it back from work that is done.
    pub(super) fn ready(&mut self, device: &Device) -> Result<&Block, DeviceFault> {
        let (usage, is_to_device) = match self.direction {
            Direction::ToDevice => (
                wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                true,
            ),
            Direction::FromDevice => (
                wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                false,
            ),
        };
        let slot = &mut self.blocks[self.turn];
        if slot.is_none() {
            let descriptor = wgpu::BufferDescriptor {
                label: None,
                size: self.size,
                usage,
                mapped_at_creation: is_to_device,
            };
            let buffer = device.guarded(|| device.wgpu().create_buffer(&descriptor))?;
            *slot = Some(Block {
                buffer,
                used_by: 0,
                is_mapped: Arc::new(AtomicBool::new(is_to_device)),
            });
        }
        match slot {
            Some(block) => {
                block.used_by = 0;
                Ok(block)
            }
            None => Err(DeviceFault::OutOfMemory),
        }
    }

    /// Gives the present block to the device, before the work that uses it is submitted.
    pub(super) fn lend(&self) {
        if let (Direction::ToDevice, true, Some(block)) =
            (self.direction, self.cursor > 0, self.block())
        {
            block.buffer.unmap();
        }
    }

    /// Asks for it back after that, and goes on with the other block.
    pub(super) fn pass_on(&mut self, number: u64) {
        if self.cursor == 0 {
            return;
        }
        let mode = match self.direction {
            Direction::ToDevice => wgpu::MapMode::Write,
            Direction::FromDevice => wgpu::MapMode::Read,
        };
        if let Some(block) = &mut self.blocks[self.turn] {
            block.reclaim(mode, number);
        }
        (self.turn, self.cursor) = (1 - self.turn, 0);
    }
}
