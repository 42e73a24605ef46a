//! Launches the dearest of a profile again, to see what it does on a GPU.

use crate::gpu::GpuRecord;
use crate::inputs::Recipe;
use crate::record::Profile;
use crate::subject::Subject;

/// Launches of which the shortest says how busy the device was.
const LAUNCHES: u32 = 3;

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
