//! A thread for what nobody should wait for: starting spares, burying runners, looking for idle ones.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often idle runners are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

type Chore = Box<dyn FnOnce() + Send>;

/// Does chores, one after the other, until dropped.
pub(crate) struct Keeper(Option<Sender<Chore>>);

impl Keeper {
    /// Starts the thread, which also calls `look` now and then.
    pub(crate) fn start(look: impl Fn() + Send + 'static) -> Self {
        let (sender, chores) = channel();
        let thread = std::thread::Builder::new()
            .name("hotcell-keeper".to_owned())
            .spawn(move || work(&chores, look));
        // Without the thread, whoever has a chore does it.
        Self(thread.is_ok().then_some(sender))
    }

    /// Does a chore, some time.
    pub(crate) fn run(&self, chore: impl FnOnce() + Send + 'static) {
        let chore: Chore = Box::new(chore);
        match &self.0 {
            Some(sender) => {
                if let Err(unsent) = sender.send(chore) {
                    (unsent.0)();
                }
            }
            None => chore(),
        }
    }
}

fn work(chores: &Receiver<Chore>, look: impl Fn()) {
    let mut next_look = Instant::now() + LOOK_EVERY;
    loop {
        match chores.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
            Ok(chore) => chore(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // However many chores there are.
        if Instant::now() >= next_look {
            look();
            next_look = Instant::now() + LOOK_EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn chores_are_done_in_order_and_the_last_before_the_end() {
        let keeper = Keeper::start(|| {});
        let (sender, done) = mpsc::channel();
        for number in 0..3 {
            let sender = sender.clone();
            keeper.run(move || sender.send(number).unwrap());
        }
        drop((keeper, sender));
        assert_eq!(done.iter().collect::<Vec<_>>(), [0, 1, 2]);
    }
}
