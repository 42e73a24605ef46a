//! The thread that delivers alerts, and writes baselines now and then. It is started by the first that is to be done, and sleeps
//! where there is nothing.

use crate::alerts::command;
use crate::alerts::notice::Notice;
use crate::alerts::settings::AlertSettings;
use crate::alerts::sieve::{Sieve, Sieved};
use crate::alerts::webhook::Webhook;
use crate::metrics::{Delivery, Metrics, Sink, Withheld};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest time that anybody is waited for.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is done beside alerts, when it is asked for.
type Errand = Arc<dyn Fn() + Send + Sync>;

/// Delivers alerts.
pub(crate) struct Courier {
    shared: Arc<Shared>,
    flush: Duration,
}

struct Shared {
    settings: AlertSettings,
    webhook: Option<Webhook>,
    metrics: Arc<Metrics>,
    errand: Errand,
    desk: Mutex<Desk>,
    /// Something was put on the desk.
    come: Condvar,
    /// The thread is done.
    gone: Condvar,
}

/// What waits to be done.
struct Desk {
    sieve: Sieve,
    queue: VecDeque<Notice>,
    /// How many wait for the webhook, which the thread holds.
    unsent: usize,
    is_errand_due: bool,
    /// When all has to be over.
    closing: Option<Instant>,
    is_running: bool,
}

/// A document on its way to the webhook.
struct Parcel {
    id: String,
    json: String,
    failures: u32,
}

impl Courier {
    /// Nothing to deliver yet. `errand` is done by the thread when it is asked for.
    pub(crate) fn new(settings: AlertSettings, metrics: Arc<Metrics>, errand: Errand) -> Self {
        let desk = Desk {
            sieve: Sieve::new(settings.window, settings.per_minute),
            queue: VecDeque::new(),
            unsent: 0,
            is_errand_due: false,
            closing: None,
            is_running: false,
        };
        Self {
            flush: settings.flush,
            shared: Arc::new(Shared {
                webhook: settings.webhook.clone().map(Webhook::new),
                settings,
                metrics,
                errand,
                desk: Mutex::new(desk),
                come: Condvar::new(),
                gone: Condvar::new(),
            }),
        }
    }

    /// Takes an alert. Never waits for a receiver.
    pub(crate) fn take(&self, notice: Notice) {
        let AlertSettings {
            log,
            webhook,
            command,
            ..
        } = &self.shared.settings;
        if log.is_none() && webhook.is_none() && command.is_none() {
            return;
        }
        let mut desk = self.shared.desk();
        let withheld = match desk.sieve.sieve(notice, Instant::now()) {
            Sieved::Sent(notice) if desk.queue.len() + desk.unsent < self.shared.settings.queue => {
                desk.queue.push_back(*notice);
                None
            }
            Sieved::Sent(_) => Some(Withheld::Queue),
            Sieved::Repeated => Some(Withheld::Repeated),
            Sieved::TooMany => Some(Withheld::Rate),
        };
        if let Some(withheld) = withheld {
            self.shared.metrics.withheld(withheld);
        }
        // Also what is counted is to be told when its time comes.
        self.wake(desk);
    }

    /// Has the errand done.
    pub(crate) fn ask(&self) {
        let mut desk = self.shared.desk();
        desk.is_errand_due = true;
        self.wake(desk);
    }

    /// How long the end waits for what is on its way.
    pub(crate) fn flush(&self) -> Duration {
        self.flush
    }

    fn wake(&self, mut desk: MutexGuard<'_, Desk>) {
        if !desk.is_running && desk.closing.is_none() {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("hotcell-watch".to_owned());
            desk.is_running = thread.spawn(move || shared.run()).is_ok();
        }
        drop(desk);
        self.shared.come.notify_one();
    }

    /// Delivers what is there, for so long at most. Nothing is taken afterwards.
    pub(crate) fn close(&self, most: Duration) {
        let until = Instant::now() + most.min(LONGEST);
        let mut desk = self.shared.desk();
        desk.closing.get_or_insert(until);
        self.shared.come.notify_one();
        while desk.is_running {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.gone.wait_timeout(desk, left);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.close(self.flush);
    }
}

/// What the thread does next.
struct Turn {
    notices: Vec<Notice>,
    is_errand_due: bool,
    closing: Option<Instant>,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let _end = End(self);
        let mut parcels: VecDeque<Parcel> = VecDeque::new();
        let mut not_before: Option<Instant> = None;
        loop {
            let turn = self.next(&parcels, not_before);
            for notice in &turn.notices {
                self.log(&notice.line());
                let json = serde_json::to_string(notice).unwrap_or_default();
                self.command(&json, turn.closing);
                if self.webhook.is_some() {
                    let failures = 0;
                    let id = format!("msg_{}", hex(chance()) + &hex(chance()));
                    parcels.push_back(Parcel { id, json, failures });
                }
            }
            if turn.is_errand_due {
                (self.errand)();
            }
            let is_over = |until| Instant::now() >= until;
            if turn
                .closing
                .is_some_and(|until| parcels.is_empty() || is_over(until))
            {
                self.give_up(&parcels);
                return;
            }
            if not_before.is_none_or(is_over) {
                not_before = self.send_first(&mut parcels, turn.closing);
            }
            self.desk().unsent = parcels.len();
        }
    }

    /// Waits until there is something to do.
    fn next(&self, parcels: &VecDeque<Parcel>, not_before: Option<Instant>) -> Turn {
        let mut desk = self.desk();
        loop {
            let now = Instant::now();
            let closing = desk.closing;
            let mut notices: Vec<Notice> = desk.queue.drain(..).collect();
            notices.extend(desk.sieve.due(now, closing.is_some()));
            let is_errand_due = std::mem::take(&mut desk.is_errand_due);
            let send_at = (!parcels.is_empty()).then(|| not_before.unwrap_or(now));
            let is_something = !notices.is_empty() || is_errand_due;
            let is_over = closing.is_some_and(|until| parcels.is_empty() || now >= until);
            if is_something || is_over || send_at.is_some_and(|at| at <= now) {
                // What comes while this is delivered counts with it.
                desk.unsent = parcels.len() + notices.len();
                return Turn {
                    notices,
                    is_errand_due,
                    closing,
                };
            }
            let until = [desk.sieve.next(), send_at, closing];
            let until = until.into_iter().flatten().min();
            desk = match until {
                None => self.come.wait(desk).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(now);
                    let waited = self.come.wait_timeout(desk, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Sends the first parcel. Says until when nothing is to be sent.
    fn send_first(
        &self,
        parcels: &mut VecDeque<Parcel>,
        closing: Option<Instant>,
    ) -> Option<Instant> {
        let webhook = self.webhook.as_ref()?;
        let mut parcel = parcels.pop_front()?;
        let timeout = left(closing, webhook.settings.timeout);
        let error = match webhook.send(&parcel.id, &parcel.json, timeout) {
            Ok(()) => {
                self.metrics.delivery(Sink::Webhook, Delivery::Delivered);
                return None;
            }
            Err(error) => error,
        };
        parcel.failures += 1;
        if !error.is_for_now() || parcel.failures >= webhook.settings.attempts {
            self.metrics.delivery(Sink::Webhook, Delivery::Failed);
            self.log(&format!(
                "alert: the webhook did not take an alert, which is given up: {error}"
            ));
            return None;
        }
        self.metrics.delivery(Sink::Webhook, Delivery::Retried);
        let wait = webhook.back_off(parcel.failures, chance());
        parcels.push_front(parcel);
        Some(Instant::now() + wait)
    }

    /// Says what is left behind at the end.
    fn give_up(&self, parcels: &VecDeque<Parcel>) {
        for _ in parcels {
            self.metrics.delivery(Sink::Webhook, Delivery::Failed);
        }
        if !parcels.is_empty() {
            let left = parcels.len();
            self.log(&format!(
                "alert: {left} alerts did not reach the webhook before the end"
            ));
        }
    }

    fn log(&self, line: &str) {
        if let Some(log) = &self.settings.log {
            log(line);
            self.metrics.delivery(Sink::Log, Delivery::Delivered);
        }
    }

    fn command(&self, json: &str, closing: Option<Instant>) {
        let Some(settings) = &self.settings.command else {
            return;
        };
        match command::send(settings, json, left(closing, settings.timeout)) {
            Ok(()) => self.metrics.delivery(Sink::Command, Delivery::Delivered),
            Err(error) => {
                self.metrics.delivery(Sink::Command, Delivery::Failed);
                let program = settings.program.display();
                self.log(&format!("alert: {program} did not take an alert: {error}"));
            }
        }
    }
}

/// Says that the thread is done, however it ends.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.desk().is_running = false;
        self.0.gone.notify_all();
    }
}

/// How long something may take that is given so long, where all has to be over then.
fn left(closing: Option<Instant>, most: Duration) -> Duration {
    let left = closing.map(|until| until.saturating_duration_since(Instant::now()));
    left.unwrap_or(most)
        .min(most)
        .clamp(Duration::from_millis(1), LONGEST)
}

/// A number by chance; where the system has none, the clock's.
fn chance() -> u64 {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::NONBLOCK);
    match filled {
        Ok(8) => u64::from_le_bytes(bytes),
        _ => hotcell_model::time::nanoseconds(
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default(),
        ),
    }
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}
