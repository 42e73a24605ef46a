//! What goes wrong on a device, kept until somebody asks. Nothing that wgpu reports ends the process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Why the device did not do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeviceFault {
    /// It has no memory left for that.
    #[error("the device has no memory for that")]
    OutOfMemory,
    /// It was told something that it refuses: a check of ours is missing.
    #[error("the device refused: {0}")]
    Refused(String),
    /// It is gone.
    #[error("the device was lost: {0}")]
    Lost(String),
}

/// The faults of one device that no caller was there to take.
#[derive(Debug, Default)]
pub(super) struct Faults {
    lost: Mutex<Option<String>>,
}

impl Faults {
    /// Keeps why the device was lost. The first reason stays.
    pub(super) fn lose(&self, reason: &str) {
        self.reason().get_or_insert_with(|| printable(reason));
    }

    /// Why the device was lost.
    pub(super) fn lost(&self) -> Option<String> {
        self.reason().clone()
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<wgpu::Error> for DeviceFault {
    fn from(error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory,
            wgpu::Error::Validation { description, .. }
            | wgpu::Error::Internal { description, .. } => Self::Refused(printable(&description)),
        }
    }
}

/// A driver's words on one line of bounded length.
pub(crate) fn printable(words: &str) -> String {
    const LONGEST: usize = 400;
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().flat_map(char::escape_debug));
    }
    line.chars().take(LONGEST).collect()
}

/// The value of a future that wgpu completes before it returns it, as it does on every native backend.
pub(super) fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Does `work` and says what the device thought of it.
pub(super) fn guarded<T>(
    device: &wgpu::Device,
    work: impl FnOnce() -> T,
) -> Result<T, DeviceFault> {
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let value = work();
    let errors = [internal, memory, validation].map(|scope| now(scope.pop()).flatten());
    match errors.into_iter().flatten().next() {
        Some(error) => Err(error.into()),
        None => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drivers_words_become_one_short_line() {
        assert_eq!(printable("a\n\tb \u{1b}[31m"), "a b \\u{1b}[31m");
        assert_eq!(printable(&"x".repeat(1000)).len(), 400);
    }

    #[test]
    fn the_first_reason_of_a_loss_stays() {
        let faults = Faults::default();
        assert_eq!(faults.lost(), None);
        faults.lose("first");
        faults.lose("second");
        assert_eq!(faults.lost().as_deref(), Some("first"));
    }
}
