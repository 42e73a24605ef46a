//! The GPU: what fuel costs, what a confined launch costs besides its work, and how soon a hang is over.
//!
//! Everything is compared with the same WGSL on the same device through wgpu alone. Where the machine has no
//! Vulkan device, that is said, and nothing is measured.

mod direct;
mod form;
mod hanging;
mod kernels;
mod launching;
mod making;
mod metering;
mod probe;
mod recording;
mod replay;

use anyhow::Result;
use direct::Direct;
use serde_json::{Value, json};

/// Measures all of it; fuel for the kernels `asked` for, or all.
pub(crate) fn measure(asked: &[String], quick: bool) -> Result<Value> {
    let Some(direct) = Direct::open()? else {
        println!("\n### GPU\n\nThis machine has no Vulkan device: nothing was measured.");
        return Ok(Value::Null);
    };
    println!("\n### GPU: {}", direct.name);
    Ok(json!({
        "device": direct.name,
        "fuel": metering::measure(&direct, asked, quick)?,
        "launches": launching::measure(&direct, quick)?,
        "making": making::measure(&direct, quick)?,
        "hang": hanging::measure(quick)?,
    }))
}
