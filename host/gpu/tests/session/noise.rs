//! Command sequences that nobody would write: whatever they are, a session answers and never panics.

#![expect(
    clippy::cast_possible_truncation,
    reason = "numbers are drawn from small ranges"
)]

use crate::lab::{Order, SPIN, STEP, nothing};
use hotcell_model::gpu::{GpuAnswer, GpuBinding, GpuCommand, GpuId, GpuShader, GpuStep, Payload};
use hotcell_model::limit::Limit;

const LAUNCHES: u64 = 300;
const COMMANDS: usize = 120;

/// Numbers that are as good as random and the same in every run (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    /// A number that somebody might try: small, aligned or not, or close to the end of its type.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => u64::MAX - self.below(8),
            1 => self.below(9),
            2 => 1 << self.below(64),
            3 => self.next(),
            4 | 5 => 256 * self.below(5),
            _ => 4 * self.below(300),
        }
    }

    fn id(&mut self) -> GpuId {
        GpuId(self.below(40) as u32)
    }

    fn axis(&mut self) -> u32 {
        match self.below(6) {
            0 => u32::MAX,
            1 => 65_535,
            _ => self.below(4) as u32,
        }
    }

    fn data(&mut self) -> Payload {
        let len = self.below(40) * (1 + self.below(4));
        Payload(vec![0xA5; len as usize].into())
    }

    fn step(&mut self) -> GpuStep {
        match self.below(7) {
            0 => GpuStep::Dispatch {
                bind_set: self.id(),
                workgroups: [self.axis(), self.axis(), self.axis()],
            },
            1 => GpuStep::Copy {
                source: self.id(),
                source_offset_bytes: self.number(),
                destination: self.id(),
                destination_offset_bytes: self.number(),
                len_bytes: self.number(),
            },
            2 => GpuStep::Clear {
                buffer: self.id(),
                offset_bytes: self.number(),
                len_bytes: self.number(),
            },
            3 => GpuStep::Write {
                buffer: self.id(),
                offset_bytes: self.number(),
                data: self.data(),
            },
            4 => GpuStep::Fill {
                input: self.below(3) as u32,
                input_offset_bytes: self.number(),
                buffer: self.id(),
                offset_bytes: self.number(),
                len_bytes: self.number(),
            },
            5 => GpuStep::ReadArray {
                output: self.below(3) as u32,
                output_offset_bytes: self.number(),
                buffer: self.id(),
                offset_bytes: self.number(),
                len_bytes: self.number(),
            },
            _ => GpuStep::Read {
                buffer: self.id(),
                offset_bytes: self.number(),
                len_bytes: self.number(),
            },
        }
    }

    fn steps(&mut self) -> Vec<GpuStep> {
        (0..self.below(5)).map(|_| self.step()).collect()
    }

    fn binding(&mut self, slot: u32) -> GpuBinding {
        let is_plain = self.below(4) > 0;
        GpuBinding {
            group: if is_plain { 0 } else { self.axis() },
            slot: if is_plain { slot } else { self.axis() },
            buffer: self.id(),
            offset_bytes: if is_plain { 0 } else { self.number() },
            len_bytes: (self.below(3) == 0).then(|| self.number()),
        }
    }

    fn command(&mut self) -> GpuCommand {
        match self.below(20) {
            0 => GpuCommand::Open,
            1 => GpuCommand::LowerLimit {
                limit: Limit::ALL[self.below(Limit::ALL.len() as u64) as usize],
                value: self.next() | 1 << 40,
            },
            2..=4 => GpuCommand::CreateBuffer {
                size_bytes: self.number(),
            },
            5 => GpuCommand::WriteBuffer {
                buffer: self.id(),
                offset_bytes: self.number(),
                data: self.data(),
            },
            6 => GpuCommand::ReadBuffer {
                buffer: self.id(),
                offset_bytes: self.number(),
                len_bytes: self.number(),
            },
            7 => GpuCommand::Shader([STEP, SPIN, "fn", ""][self.below(4) as usize].into()),
            8 => GpuCommand::CreateKernel {
                shader: GpuShader::Said,
                entry: ["main", "none"][self.below(2) as usize].into(),
                constants: vec![("x".into(), f64::NAN); (self.below(8) / 7) as usize],
            },
            9..=11 => GpuCommand::Bind {
                kernel: self.id(),
                bindings: (0..=self.below(2) as u32)
                    .map(|slot| self.binding(slot))
                    .collect(),
            },
            12 => GpuCommand::Record(self.steps()),
            13..=16 => GpuCommand::Submit {
                steps: self.steps(),
                wait: self.below(2) == 0,
            },
            17 => GpuCommand::Wait(self.id()),
            _ => GpuCommand::Drop(self.id()),
        }
    }
}

#[test]
fn whatever_is_said_is_answered_and_nothing_passes_its_limit() {
    let device = nothing();
    let (mut done, mut refused) = (0u32, 0u32);
    for seed in 1..=LAUNCHES {
        let mut noise = Noise(seed);
        let (order, _) = Order::new().input(vec![1; 1000]).output(1000);
        let order = order
            .limit(Limit::GpuBytes, 1 << 20)
            .limit(Limit::GpuBuffers, 8);
        let mut lab = order.begin(&device);
        lab.kernel(STEP);
        lab.buffer(4096);
        lab.buffer(1024);
        for _ in 0..COMMANDS {
            match lab.say(noise.command()) {
                GpuAnswer::Refused(_) => refused += 1,
                GpuAnswer::Ended(end) => panic!("launch {seed}: {end:?}"),
                _ => done += 1,
            }
        }
        let end = lab.finish();
        assert_eq!(end.end, None, "launch {seed}");
        assert!(end.usage.peak_bytes <= 1 << 20, "launch {seed}");
    }
    assert!(done > refused / 10, "{done} done, {refused} refused");
}
