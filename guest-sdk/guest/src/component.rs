//! What `export!` calls in a component: the request in, the answer out, and last words.

use crate::abi::entries::{Answer, Request};
use crate::abi::failure;
use crate::entry::Entry;
use crate::error::{REASON_BYTES, Refusal};
use crate::kept::keep;
use crate::launch;
use crate::words::Words;
use std::panic::PanicHookInfo;

/// How much of a message the host keeps.
const MESSAGE_BYTES: usize = 4 << 10;
/// Room for the place after it.
const PLACE_BYTES: usize = 512;

/// Runs one launch of a component; its answer is the export's result.
#[inline(never)]
pub fn launch(entries: &[&Entry], request: Request<'static>) -> *const Answer {
    std::panic::set_hook(Box::new(explain));
    keep(match launch::run(entries, keep(request)) {
        Ok(()) => Answer::OK,
        Err(refusal) => refuse(*refusal),
    })
}

fn refuse(refusal: Refusal<'static>) -> Answer {
    match refusal {
        Refusal::UnknownEntry(name) => Answer::unknown_entry(name),
        Refusal::BadArgument(name, reason) => {
            let mut words = Words::new(keep([0; REASON_BYTES]));
            reason.put(&mut words);
            Answer::bad_argument(name, words.into_str())
        }
        Refusal::Failed(message) => Answer::failed(message.leak()),
    }
}

/// The panic hook: message, file and line go to the host; the trap follows by itself.
fn explain(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("panic");
    let kept = message.floor_char_boundary(MESSAGE_BYTES);
    let mut room = [0; MESSAGE_BYTES + PLACE_BYTES];
    let mut words = Words::new(&mut room);
    words.text(message.get(..kept).unwrap_or_default());
    if let Some(place) = panic.location() {
        words.text(" (").text(place.file()).text(":");
        words.number(place.line().into()).text(")");
    }
    failure::explain(words.into_str());
}
