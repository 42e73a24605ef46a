//! What a kernel does on a GPU: how busy the device is with its dearest launch, and what each of its GPU kernels takes there.

use crate::fit::Sizes;
use crate::inputs::Recipe;
use crate::number;
use crate::record::Profile;
use crate::subject::Subject;
use hotcell_model::gpu::GpuKernelUsage;
use serde::{Deserialize, Serialize};

/// Launches of which the shortest says how busy the device was.
const LAUNCHES: u32 = 3;

/// What the dearest launch of a profile did on a GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuRecord {
    /// The device and its driver, in words.
    pub device: String,
    /// Of what sizes the launch was.
    pub sizes: Sizes,
    /// How long it ran.
    pub wall_ns: u64,
    /// For how long of that the device had work of it.
    pub busy_ns: u64,
    /// GPU fuel.
    pub fuel: u64,
    /// Dispatches.
    pub dispatches: u64,
    /// What each GPU kernel took, when its dispatches were waited for one by one: of the time what a submission takes is a part.
    pub kernels: Vec<GpuKernelUsage>,
}

impl GpuRecord {
    /// The part of the launch's time, from 0 to 1, in which the device had work of it.
    pub fn busy(&self) -> f64 {
        (number::of(self.busy_ns) / number::of(self.wall_ns.max(1))).min(1.0)
    }
}

/// Launches what took the longest of a profile again; `None` where it uses no GPU.
pub(crate) fn gpu(subject: &Subject<'_>, profile: &Profile) -> Option<GpuRecord> {
    let done = profile.points.iter().filter(|point| point.sample.is_done());
    let dearest = done.max_by_key(|point| point.sample.time_ns)?;
    let recipe: Recipe = dearest.recipe.parse().ok()?;
    let request = subject.request(&dearest.sizes, &recipe).ok()?;
    let launch = |request| subject.cell().run(subject.component(), request).report;
    let mut shortest = launch(request.clone());
    // The first one says whether there is anything to see.
    shortest.usage.gpu.as_ref()?;
    for _ in 1..LAUNCHES {
        let again = launch(request.clone());
        if again.usage.wall_ns < shortest.usage.wall_ns {
            shortest = again;
        }
    }
    let gpu = shortest.usage.gpu?;
    Some(GpuRecord {
        device: shortest.device.unwrap_or_default(),
        sizes: dearest.sizes.clone(),
        wall_ns: shortest.usage.wall_ns,
        busy_ns: gpu.time_ns,
        fuel: gpu.fuel_static.saturating_add(gpu.fuel_dynamic),
        dispatches: gpu.dispatches,
        kernels: launch(request.gpu_profile()).usage.gpu?.kernels,
    })
}
