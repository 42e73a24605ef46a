//! The driver's compiler, which has a time of its own.
//!
//! Some drivers compile a shader when it is dispatched first. So that this is told apart from what the shader does, a
//! pipeline that is new gets a dispatch of no workgroups before, which is waited for by itself and is no GPU time.

use super::Session;
use super::plan::Move;
use super::things::BoundSet;
use hotcell_model::gpu::GpuEnd;
use std::time::Duration;

/// How long a driver may take to compile a shader.
const COMPILING: Duration = Duration::from_secs(30);

impl Session {
    /// Has the driver compile what a batch dispatches and no batch did before.
    pub(super) fn compile(&mut self, moves: &[Move]) -> Result<(), GpuEnd> {
        for step in moves {
            let Move::Dispatch {
                bind_set, volume, ..
            } = step
            else {
                continue;
            };
            if volume.invocations > 0 && !bind_set.pipeline.is_compiled() {
                self.lane.wait_for_all(&mut self.quotas)?;
                self.dispatch_nothing(bind_set);
                self.lane.wait_for_compiler(COMPILING, &mut self.quotas)?;
                bind_set.pipeline.note_compiled();
            }
        }
        Ok(())
    }

    fn dispatch_nothing(&mut self, bind_set: &BoundSet) {
        let number = self.lane.number();
        let descriptor = wgpu::ComputePassDescriptor::default();
        let mut pass = self.lane.encoder().begin_compute_pass(&descriptor);
        pass.set_pipeline(&bind_set.pipeline.raw);
        for (group, bind_group) in &bind_set.groups {
            pass.set_bind_group(*group, bind_group, &[]);
        }
        let buffers = bind_set.buffers.iter();
        buffers.for_each(|buffer| buffer.use_in(number));
        if bind_set.pipeline.has_meter {
            self.meters.bind(&mut pass, 0);
        }
        pass.dispatch_workgroups(0, 0, 0);
    }
}
