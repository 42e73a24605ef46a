//! The worker: locked in around a device, then serving.

mod arguments;
mod arrays;
mod bounds;
mod serve;
mod watch;

use arguments::GpuArguments;
use hotcell_gpu::device::{Device, DeviceError};
use hotcell_model::frame::{FromGpu, Hello};
use hotcell_model::gpu::GpuDevice;
use hotcell_model::layer::WorkerKind;
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::channel::Channel;
use hotcell_sandbox::end::end_now;
use hotcell_sandbox::filter::DriverKind;
use hotcell_sandbox::lockdown::{Birth, ResourceLimits};
use hotcell_sandbox::worker::{EXIT_PANIC, EXIT_SETUP, send, words};
use serve::GpuServer;
use std::error::Error;
use std::sync::Arc;
use watch::HangUpWatch;

/// What the process does, from its birth to its end.
pub(crate) fn start() -> Result<(), Box<dyn Error>> {
    let birth = Birth::begin(WorkerKind::Gpu)?;
    let channel = Arc::new(Channel::from_standard_input()?);
    // Nothing is said there; the supervisor has the other end.
    let _control = Channel::from_standard_output()?;
    let arguments = GpuArguments::parse(std::env::args().skip(1))?;
    let walled = birth.wall(&ResourceLimits {
        data_bytes: arguments.data_bytes,
        address_space_bytes: None,
        cpu_seconds: None,
        ..ResourceLimits::default()
    })?;
    end_on_panic();
    let hello = Hello {
        build: BUILD_ID,
        kind: WorkerKind::Gpu,
        layers: walled.layers().to_vec(),
    };
    send(&channel, &hello)?;

    let device = match open(arguments.device) {
        Ok(device) => device,
        Err(error) => return Ok(send(&channel, &FromGpu::Unavailable(words(&error)))?),
    };
    let watch = HangUpWatch::start(&channel)?;
    let confined = walled.lock_driver(driver_kind(arguments.device, &device))?;
    let ready = FromGpu::Ready {
        driver: words(&device.driver()),
        properties: *device.properties(),
        turns_limit: device.turns_limit(),
        layers: confined.layers().to_vec(),
    };
    send(&channel, &ready)?;
    let server = GpuServer {
        confined,
        channel,
        device,
        watch,
    };
    // Neither a message nor the driver's own end is possible any more.
    end_now(match server.serve() {
        Ok(()) => 0,
        Err(_) => EXIT_SETUP,
    })
}

/// Opens the device and has it work once: what its driver reads and starts, it has read and started then.
fn open(choice: GpuDevice) -> Result<Arc<Device>, DeviceError> {
    let device = Arc::new(Device::open(choice)?);
    device.warm_up()?;
    Ok(device)
}

/// Where there is no driver at all, the filter that lets less through serves.
fn driver_kind(choice: GpuDevice, device: &Device) -> DriverKind {
    match device.is_software() && choice != GpuDevice::Nothing {
        true => DriverKind::Software,
        false => DriverKind::Hardware,
    }
}

/// A panic must not unwind into half a launch, and the default message needs calls that are forbidden. One that a
/// session catches ends that launch alone and does not come here.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|_| end_now(EXIT_PANIC)));
}
