//! Where a panic ends: naga and wgpu read what a guest wrote, and neither is known never to panic on it.
//!
//! A panic inside [`caught`] unwinds no further, and nothing is printed: whoever called says what it means. What only
//! reads a text leaves nothing broken behind. What was done to a device may, and that device is not used again.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Does `work`.
///
/// # Errors
/// The words of its panic where it panicked.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    hush();
    DEPTH.set(DEPTH.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    done.map_err(|panic| words(&*panic))
}

/// Catches a panic that is none, so that what unwinding does for the first time is done.
pub fn warm_up() {
    // Nothing went wrong.
    let _ = caught(|| resume_unwind(Box::new(())));
}

/// Has this process's panic hook, once, leave out the panics that end here. All others reach the hook that was there.
fn hush() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if DEPTH.get() == 0 {
                before(panic);
            }
        }));
    });
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    words.unwrap_or("no reason was given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_words_and_the_next_work_is_done() {
        assert_eq!(caught(|| 7), Ok(7));
        let text = "made here".to_owned();
        let constant = caught(|| -> () { panic!("a constant") });
        assert_eq!(constant, Err("a constant".to_owned()));
        let formatted = caught(|| -> () { panic!("{text}") });
        assert_eq!(formatted, Err(text.clone()));
        assert_eq!(caught(|| caught(|| panic!("inner")).is_err()), Ok(true));
        assert_eq!(DEPTH.get(), 0);
    }
}
