//! A session's way to the device's queue: what is being put together, what is in flight, and what comes back.
//!
//! Work has numbers, from 1, in the order in which it is submitted. What it holds is given back when somebody waited
//! for it and never by chance, so that a launch meets the same limits however fast the device is.

use super::landing::{Arrival, Destination, SessionLanding};
use super::quota::{Quotas, nanos};
use super::range::{index, len_of, padded, staged};
use super::ring::{Direction, Ring};
use crate::device::{Device, DeviceFault, Polled};
use hotcell_model::gpu::GpuEnd;
use hotcell_model::stop::StopSignal;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one look at the device takes at most: a wish to stop is heard so late.
const LONGEST_LOOK: Duration = Duration::from_millis(10);

/// Work that was submitted.
#[derive(Debug)]
struct Flight {
    number: u64,
    index: wgpu::SubmissionIndex,
    submitted_at: Instant,
    /// Whether its time was charged when it was seen to have ended.
    is_charged: bool,
}

/// Memory that is held until the device is done with it.
#[derive(Debug)]
struct Release {
    after: u64,
    bytes: u64,
}

/// The way to the queue.
pub(super) struct Lane {
    device: Arc<Device>,
    deadline: Instant,
    timeout: Duration,
    signal: Arc<StopSignal>,
    encoder: Option<wgpu::CommandEncoder>,
    pub(super) upload: Ring,
    pub(super) readback: Ring,
    arrivals: [Vec<Arrival>; 2],
    pub(super) landing: SessionLanding,
    flights: VecDeque<Flight>,
    releases: Vec<Release>,
    /// The number of the work that is being put together.
    next: u64,
    /// All work up to this number was waited for.
    retired: u64,
    last_end: Instant,
}

impl Lane {
    pub(super) fn new(
        device: Arc<Device>,
        deadline: Instant,
        timeout: Duration,
        signal: Arc<StopSignal>,
        landing: SessionLanding,
    ) -> Self {
        Self {
            device,
            deadline,
            timeout,
            signal,
            encoder: None,
            upload: Ring::new(Direction::ToDevice),
            readback: Ring::new(Direction::FromDevice),
            arrivals: [Vec::new(), Vec::new()],
            landing,
            flights: VecDeque::new(),
            releases: Vec::new(),
            next: 1,
            retired: 0,
            last_end: Instant::now(),
        }
    }

    /// The number of the work that is being put together.
    pub(super) fn number(&self) -> u64 {
        self.next
    }

    /// Whether waiting would give memory back.
    pub(super) fn has_releases(&self) -> bool {
        !self.releases.is_empty()
    }

    /// What commands are recorded into.
    pub(super) fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        let device = &self.device;
        self.encoder.get_or_insert_with(|| {
            device
                .wgpu()
                .create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
        })
    }

    /// Gives back the memory of a buffer that nobody holds any more, once the work up to `after` was waited for.
    pub(super) fn release_after(&mut self, after: u64, bytes: u64, quotas: &mut Quotas) {
        self.releases.push(Release { after, bytes });
        self.release(quotas);
    }

    fn release(&mut self, quotas: &mut Quotas) {
        let retired = self.retired;
        self.releases.retain(|release| {
            let is_done = release.after <= retired;
            if is_done {
                quotas.bytes.release(release.bytes);
                quotas.buffers.release(1);
            }
            !is_done
        });
    }

    /// Copies bytes of the host into a buffer, in order with what else is recorded. What is missing to a multiple of 4
    /// is zeros.
    pub(super) fn write(
        &mut self,
        buffer: &wgpu::Buffer,
        mut offset: u64,
        mut data: &[u8],
        quotas: &mut Quotas,
    ) -> Result<(), GpuEnd> {
        while !data.is_empty() {
            if self.upload.room() == 0 {
                self.flush()?;
            }
            self.wait(self.upload.lent_to(), quotas)?;
            let len = self.upload.room().min(len_of(data));
            let (piece, rest) = data.split_at(index(len));
            let from = self.upload.take(staged(len));
            let block = self.upload.ready(&self.device).map_err(ended)?;
            fill(&block.buffer, from, piece)?;
            let block = block.buffer.clone();
            self.encoder()
                .copy_buffer_to_buffer(&block, from, buffer, offset, padded(len));
            (offset, data) = (offset + len, rest);
        }
        Ok(())
    }

    /// Copies bytes of a buffer to the host, in order with what else is recorded.
    pub(super) fn read(
        &mut self,
        buffer: &wgpu::Buffer,
        mut offset: u64,
        mut len: u64,
        mut destination: Destination,
        quotas: &mut Quotas,
    ) -> Result<(), GpuEnd> {
        while len > 0 {
            if self.readback.room() == 0 {
                self.flush()?;
            }
            self.wait(self.readback.lent_to(), quotas)?;
            self.land(self.readback.lent_to())?;
            let piece = self.readback.room().min(len);
            let into = self.readback.take(staged(piece));
            let block = self
                .readback
                .ready(&self.device)
                .map_err(ended)?
                .buffer
                .clone();
            self.encoder()
                .copy_buffer_to_buffer(buffer, offset, &block, into, padded(piece));
            self.arrivals[self.readback.turn()].push(Arrival {
                offset: index(into),
                len: index(piece),
                destination,
            });
            if let Destination::Output { offset, .. } = &mut destination {
                *offset += index(piece);
            }
            (offset, len) = (offset + piece, len - piece);
        }
        Ok(())
    }

    /// How much was submitted and not waited for.
    pub(super) fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Submits what was recorded.
    pub(super) fn flush(&mut self) -> Result<(), GpuEnd> {
        let Some(encoder) = self.encoder.take() else {
            return Ok(());
        };
        let (device, number) = (Arc::clone(&self.device), self.next);
        let index = device
            .guarded(|| {
                self.upload.lend();
                let index = device.queue().submit([encoder.finish()]);
                self.upload.pass_on(number);
                self.readback.pass_on(number);
                index
            })
            .map_err(ended)?;
        self.flights.push_back(Flight {
            number,
            index,
            submitted_at: Instant::now(),
            is_charged: false,
        });
        self.next += 1;
        Ok(())
    }

    /// Submits what was recorded, waits for everything and lets it land.
    pub(super) fn settle(&mut self, quotas: &mut Quotas) -> Result<(), GpuEnd> {
        self.flush()?;
        self.wait(self.next - 1, quotas)?;
        self.land(self.next - 1)
    }

    /// Submits what was recorded and waits for everything; nothing lands.
    pub(super) fn wait_for_all(&mut self, quotas: &mut Quotas) -> Result<(), GpuEnd> {
        self.flush()?;
        self.wait(self.next - 1, quotas)
    }

    /// Submits what was recorded, which makes the driver compile, and waits so long at most, and no longer than the launch
    /// has. It is no time of the device's.
    pub(super) fn wait_for_compiler(
        &mut self,
        most: Duration,
        quotas: &mut Quotas,
    ) -> Result<(), GpuEnd> {
        self.flush()?;
        let Some(flight) = self.flights.back_mut() else {
            return Ok(());
        };
        flight.is_charged = true;
        let (number, index, begun) = (flight.number, flight.index.clone(), flight.submitted_at);
        loop {
            match self.device.poll(Some((&index, LONGEST_LOOK))) {
                Polled::Done => return self.retire(number, quotas),
                Polled::Lost(reason) => return Err(GpuEnd::Lost(reason)),
                Polled::Pending => self.check_stop()?,
            }
            let now = Instant::now();
            let waited = now.saturating_duration_since(begun);
            if now < self.deadline && waited < most {
                continue;
            }
            self.device.give_up();
            return Err(match now < self.deadline {
                true => GpuEnd::NotCompiled {
                    waited_ns: nanos(waited),
                    maximum_ns: nanos(most),
                },
                false => self.overdue(now, true),
            });
        }
    }

    /// Waits for the work up to that number: until it is done, the launch is to stop, its deadline or its GPU time has
    /// passed, or the device is lost.
    pub(super) fn wait(&mut self, number: u64, quotas: &mut Quotas) -> Result<(), GpuEnd> {
        while self.retired < number {
            let Some(flight) = self.flights.iter().find(|flight| flight.number >= number) else {
                break;
            };
            let look = self.longest_look(quotas)?;
            match self.device.poll(Some((&flight.index, look))) {
                Polled::Done => self.retire(number, quotas)?,
                Polled::Lost(reason) => return Err(GpuEnd::Lost(reason)),
                Polled::Pending => self.check_stop()?,
            }
        }
        Ok(())
    }

    /// Whether the launch is to stop.
    pub(super) fn check_stop(&self) -> Result<(), GpuEnd> {
        if self.signal.cancelled_at().is_some() {
            return Err(GpuEnd::Stopped);
        }
        match self.device.lost() {
            Some(reason) => Err(GpuEnd::Lost(reason)),
            None => Ok(()),
        }
    }

    /// How long the device may be looked at before it is asked again whether to go on.
    fn longest_look(&self, quotas: &Quotas) -> Result<Duration, GpuEnd> {
        let now = Instant::now();
        let busy = self.busy(now);
        let gpu_time = quotas.time_left().saturating_sub(busy);
        let time = self.deadline.saturating_duration_since(now);
        if gpu_time.is_zero() || time.is_zero() {
            if !self.is_idle_by(now) {
                self.device.give_up();
            }
            return Err(match gpu_time.is_zero() {
                true => spent(quotas.time.used().saturating_add(nanos(busy)), quotas),
                false => self.overdue(now, false),
            });
        }
        Ok(gpu_time.min(time).min(LONGEST_LOOK))
    }

    /// The end of a launch whose deadline has passed.
    fn overdue(&self, now: Instant, was_compiling: bool) -> GpuEnd {
        let over = now.saturating_duration_since(self.deadline);
        GpuEnd::Deadline {
            used_ns: nanos(self.timeout + over),
            maximum_ns: nanos(self.timeout),
            was_compiling,
        }
    }

    /// How long the device has been busy with work whose time is not charged yet.
    fn busy(&self, now: Instant) -> Duration {
        let first = self.flights.iter().find(|flight| !flight.is_charged);
        first.map_or(Duration::ZERO, |flight| {
            now.saturating_duration_since(flight.submitted_at.max(self.last_end))
        })
    }

    /// Notes that everything in flight has ended, if it has, so that time which the guest lets pass is not charged.
    pub(super) fn observe(&mut self, quotas: &mut Quotas) {
        let is_idle = match self.flights.back() {
            Some(last) if !last.is_charged => {
                self.device.poll(Some((&last.index, Duration::ZERO))) == Polled::Done
            }
            _ => false,
        };
        if is_idle {
            self.charge_time(u64::MAX, quotas);
        }
    }

    fn charge_time(&mut self, number: u64, quotas: &mut Quotas) -> Duration {
        let now = Instant::now();
        let ended = self.flights.iter().filter(|flight| flight.number <= number);
        let busy = if ended.clone().any(|flight| !flight.is_charged) {
            self.busy(now)
        } else {
            Duration::ZERO
        };
        quotas.time.charge_unchecked(nanos(busy));
        for flight in &mut self.flights {
            flight.is_charged |= flight.number <= number;
        }
        self.last_end = now;
        busy
    }

    fn retire(&mut self, number: u64, quotas: &mut Quotas) -> Result<(), GpuEnd> {
        self.charge_time(number, quotas);
        self.flights.retain(|flight| flight.number > number);
        self.retired = number;
        self.release(quotas);
        if quotas.time.used() > quotas.time.maximum() {
            return Err(spent(quotas.time.used(), quotas));
        }
        Ok(())
    }

    /// Lets land what came with work up to that number, which was waited for.
    pub(super) fn land(&mut self, number: u64) -> Result<(), GpuEnd> {
        for (turn, block) in self.readback.blocks_mut() {
            if self.arrivals[turn].is_empty() || block.used_by == 0 || block.used_by > number {
                continue;
            }
            let bytes = match block.buffer.get_mapped_range(..) {
                Ok(bytes) if block.is_mapped() => bytes,
                _ => return Err(GpuEnd::Lost("memory did not come back".into())),
            };
            for arrival in self.arrivals[turn].drain(..) {
                self.landing.put(&arrival, &bytes);
            }
            drop(bytes);
            block.buffer.unmap();
            block.used_by = 0;
        }
        Ok(())
    }

    /// Whether the device is done with everything by that time. Nothing lands.
    pub(super) fn is_idle_by(&self, time: Instant) -> bool {
        let Some(last) = self.flights.back() else {
            return true;
        };
        let left = time.saturating_duration_since(Instant::now());
        self.device.poll(Some((&last.index, left))) == Polled::Done
    }
}

/// The end of a launch whose GPU time is spent.
fn spent(waited_ns: u64, quotas: &Quotas) -> GpuEnd {
    GpuEnd::Timeout {
        waited_ns,
        maximum_ns: quotas.time.maximum(),
    }
}

/// Copies bytes into a block of the host's.
fn fill(block: &wgpu::Buffer, offset: u64, data: &[u8]) -> Result<(), GpuEnd> {
    let len = padded(len_of(data));
    let mut place = block
        .get_mapped_range_mut(offset..offset + len)
        .map_err(|_| GpuEnd::Lost("memory did not come back".into()))?;
    place.slice(..data.len()).copy_from_slice(data);
    if data.len() < place.len() {
        let missing = place.len() - data.len();
        place
            .slice(data.len()..)
            .copy_from_slice(&[0; 4][..missing]);
    }
    Ok(())
}

/// A fault in the middle of a batch: what the device did of it is not known, so that the session is over.
pub(super) fn ended(fault: DeviceFault) -> GpuEnd {
    GpuEnd::Lost(match fault {
        DeviceFault::Lost(reason) => reason,
        other => other.to_string(),
    })
}
