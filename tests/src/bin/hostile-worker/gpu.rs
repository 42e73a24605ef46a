//! A GPU worker that breaks the rules.

use crate::peer::{Peer, sleep};
use hotcell_model::frame::{FromGpu, ToGpu};
use hotcell_model::gpu::{GpuEnd, GpuUsage};
use hotcell_sandbox::channel::Channel;
use std::os::fd::OwnedFd;

/// Opens no device, and serves launches as its behaviour says.
pub(crate) fn serve(peer: &Peer) {
    if peer.is("unavailable") {
        return peer.send(&FromGpu::Unavailable("\x1b[2Jnothing here".into()));
    }
    if peer.is("ready-garbage") {
        return peer.send_raw(&[0xff; 40]);
    }
    peer.send(&ready());
    loop {
        let (request, descriptors): (ToGpu, Vec<OwnedFd>) = peer.receive();
        let ToGpu::Begin(request) = request else {
            continue;
        };
        let channel = descriptors.into_iter().next().map(Channel::from);
        if peer.is("dies-at-begin") {
            std::process::exit(1);
        }
        if let (true, Some(channel)) = (peer.is("answers-garbage"), &channel) {
            let _ = channel.send(&[0xff; 60], &[]);
        }
        wait_for_hang_up(channel);
        peer.send(&ended(peer, request.id));
    }
}

fn ready() -> FromGpu {
    FromGpu::Ready {
        driver: "\x1b[31ma driver that shouts".into(),
        properties: Default::default(),
        turns_limit: Some(0),
        layers: Vec::new(),
    }
}

fn ended(peer: &Peer, id: u64) -> FromGpu {
    if peer.is("never-ends") {
        sleep();
    }
    let mut usage = Box::new(GpuUsage::default());
    let id = id + u64::from(peer.is("ends-another"));
    let end = match () {
        () if peer.is("claims-loss") => Some(GpuEnd::Lost("\x1b[2J".repeat(1000))),
        () if peer.is("claims-another-limit") => {
            usage.is_fuel_exhausted = true;
            let (used, maximum) = (u64::MAX, u64::MAX - 1);
            Some(GpuEnd::FuelExhausted { used, maximum })
        }
        () if peer.is("claims-less-than-the-limit") => {
            usage.is_fuel_exhausted = true;
            let (used, maximum) = (5, 6);
            Some(GpuEnd::FuelExhausted { used, maximum })
        }
        () if peer.is("claims-years") => Some(GpuEnd::Timeout {
            waited_ns: 1 << 60,
            maximum_ns: 1,
        }),
        () if peer.is("claims-and-denies") => {
            let (used, maximum) = (0, 5);
            Some(GpuEnd::FuelExhausted { used, maximum })
        }
        () => None,
    };
    if peer.is("claims-the-most") {
        usage.dispatches = u64::MAX;
    }
    FromGpu::Ended { id, usage, end }
}

/// Reads what the runner says until it is over, and answers nothing.
fn wait_for_hang_up(channel: Option<Channel>) {
    let Some(channel) = channel else { return };
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    use hotcell_sandbox::channel::Received::Frame;
    while matches!(channel.receive(&mut buffer, &mut descriptors), Ok(Frame)) {}
}
