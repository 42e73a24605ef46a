//! The thread that delivers alerts, and writes baselines now and then. It is started by the first that is to be done, and sleeps
//! where there is nothing.
//!
//! All lines of the log are written before anything else, so that none waits for a receiver. Programs and webhooks take turns.

use crate::alerts::command;
use crate::alerts::notice::Notice;
use crate::alerts::settings::AlertSettings;
use crate::alerts::sieve::{Room, Sieve, Sieved};
use crate::alerts::waiting::Waiting;
use crate::alerts::webhook::Webhook;
use crate::metrics::{Delivery, Metrics, Sink, Withheld};
use hotcell_model::report::Severity;
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
    queue: Waiting<Notice>,
    /// How many of each severity the thread holds, which wait for a program or the webhook.
    unsent: Room,
    is_errand_due: bool,
    /// When all has to be over.
    closing: Option<Instant>,
    is_running: bool,
}

impl Desk {
    /// How many more can wait to be sent. What is critical always can: if nothing else, then an older one makes room.
    fn room(&self, most: usize) -> Room {
        let waiting = self.queue.count(Severity::Warning) + self.unsent[Severity::Warning as usize];
        let mut room = [usize::MAX; Severity::ALL.len()];
        room[Severity::Warning as usize] = most.saturating_sub(waiting);
        room
    }
}

/// A document on its way to the webhook.
struct Parcel {
    id: String,
    json: String,
    failures: u32,
}

/// What the thread has taken from the desk, and receivers have not got yet.
struct Outgoing {
    /// For the program.
    commands: Waiting<String>,
    /// For the webhook.
    parcels: Waiting<Parcel>,
    /// Until when the webhook is left alone.
    not_before: Option<Instant>,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.parcels.is_empty()
    }

    /// How many of a severity wait, where they wait longest.
    fn count(&self, severity: Severity) -> usize {
        let (commands, parcels) = (self.commands.count(severity), self.parcels.count(severity));
        commands.max(parcels)
    }

    /// When there is something to send.
    fn next(&self, now: Instant) -> Option<Instant> {
        let parcel = (!self.parcels.is_empty()).then(|| self.not_before.unwrap_or(now));
        let command = (!self.commands.is_empty()).then_some(now);
        [parcel, command].into_iter().flatten().min()
    }
}

impl Courier {
    /// Nothing to deliver yet. `errand` is done by the thread when it is asked for.
    pub(crate) fn new(settings: AlertSettings, metrics: Arc<Metrics>, errand: Errand) -> Self {
        let desk = Desk {
            sieve: Sieve::new(settings.window, settings.per_minute),
            queue: Waiting::new(settings.queue),
            unsent: [0; Severity::ALL.len()],
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
        let severity = notice.severity;
        let has_room = desk.room(self.shared.settings.queue)[severity as usize] > 0;
        let withheld = match desk.sieve.sieve(notice, Instant::now(), has_room) {
            Sieved::Sent(notice) => {
                let oldest = desk.queue.push(severity, *notice);
                oldest.map(|_| Withheld::Queue)
            }
            Sieved::NoRoom => Some(Withheld::Queue),
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

    /// Delivers what is there, until then at most, or until whatever end was set before. Nothing is taken afterwards.
    pub(crate) fn close(&self, until: Instant) {
        let mut desk = self.shared.desk();
        let until = *desk.closing.get_or_insert(until);
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
        self.close(end_in(self.flush));
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
        // The desk lets no more in than there is room for. What is told at the end comes on top of that.
        let most = self.settings.queue.saturating_mul(2);
        let mut outgoing = Outgoing {
            commands: Waiting::new(most),
            parcels: Waiting::new(most),
            not_before: None,
        };
        loop {
            let turn = self.next(&outgoing);
            for notice in &turn.notices {
                self.log(&notice.line());
            }
            self.pack(&turn.notices, &mut outgoing);
            if turn.is_errand_due {
                (self.errand)();
            }
            let is_over = |until| Instant::now() >= until;
            if turn
                .closing
                .is_some_and(|until| outgoing.is_empty() || is_over(until))
            {
                self.give_up(&outgoing);
                return;
            }
            if let Some((_, json)) = outgoing.commands.pop() {
                self.command(&json);
            }
            if outgoing.not_before.is_none_or(is_over) {
                outgoing.not_before = self.send_next(&mut outgoing.parcels);
            }
            self.desk().unsent = Severity::ALL.map(|severity| outgoing.count(severity));
        }
    }

    /// Waits until there is something to do.
    fn next(&self, outgoing: &Outgoing) -> Turn {
        let mut desk = self.desk();
        loop {
            let now = Instant::now();
            let closing = desk.closing;
            let mut notices: Vec<Notice> = Vec::new();
            notices.extend(std::iter::from_fn(|| desk.queue.pop()).map(|(_, notice)| notice));
            // What comes while this is delivered counts with it.
            for notice in &notices {
                desk.unsent[notice.severity as usize] += 1;
            }
            let room = desk.room(self.settings.queue);
            let due = desk.sieve.due(now, closing.is_some(), room);
            for notice in &due {
                desk.unsent[notice.severity as usize] += 1;
            }
            notices.extend(due);
            let is_errand_due = std::mem::take(&mut desk.is_errand_due);
            let send_at = outgoing.next(now);
            let is_something = !notices.is_empty() || is_errand_due;
            let is_over = closing.is_some_and(|until| outgoing.is_empty() || now >= until);
            if is_something || is_over || send_at.is_some_and(|at| at <= now) {
                return Turn {
                    notices,
                    is_errand_due,
                    closing,
                };
            }
            let until = [desk.sieve.next(room), send_at, closing];
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

    /// Has notices wait for the program and the webhook.
    fn pack(&self, notices: &[Notice], outgoing: &mut Outgoing) {
        let mut left_behind = 0;
        for notice in notices {
            let json = serde_json::to_string(notice).unwrap_or_default();
            if self.settings.command.is_some() {
                let oldest = outgoing.commands.push(notice.severity, json.clone());
                left_behind += self.leave_behind(Sink::Command, oldest.iter().count());
            }
            if self.webhook.is_some() {
                let parcel = Parcel {
                    id: format!("msg_{}", hex(chance()) + &hex(chance())),
                    json,
                    failures: 0,
                };
                let oldest = outgoing.parcels.push(notice.severity, parcel);
                left_behind += self.leave_behind(Sink::Webhook, oldest.iter().count());
            }
        }
        if left_behind > 0 {
            self.say(&format!(
                "alert: {left_behind} alerts that waited for a receiver made room for later ones"
            ));
        }
    }

    /// Counts what a receiver will not get.
    fn leave_behind(&self, sink: Sink, count: usize) -> usize {
        (0..count).for_each(|_| self.metrics.delivery(sink, Delivery::Failed));
        count
    }

    /// Sends the next parcel. Says until when nothing is to be sent.
    fn send_next(&self, parcels: &mut Waiting<Parcel>) -> Option<Instant> {
        let webhook = self.webhook.as_ref()?;
        let (severity, mut parcel) = parcels.pop()?;
        let timeout = left(self.desk().closing, webhook.settings.timeout);
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
            self.say(&format!(
                "alert: the webhook did not take an alert, which is given up: {error}"
            ));
            return None;
        }
        self.metrics.delivery(Sink::Webhook, Delivery::Retried);
        let wait = webhook.back_off(parcel.failures, chance());
        parcels.put_back(severity, parcel);
        Some(Instant::now() + wait)
    }

    /// Says what is left behind at the end.
    fn give_up(&self, outgoing: &Outgoing) {
        let left = [
            (Sink::Command, "the program", outgoing.commands.len()),
            (Sink::Webhook, "the webhook", outgoing.parcels.len()),
        ];
        for (sink, receiver, count) in left {
            if self.leave_behind(sink, count) > 0 {
                self.say(&format!(
                    "alert: {count} alerts did not reach {receiver} before the end"
                ));
            }
        }
    }

    /// An alert as a line of the log.
    fn log(&self, line: &str) {
        if self.settings.log.is_some() {
            self.say(line);
            self.metrics.delivery(Sink::Log, Delivery::Delivered);
        }
    }

    /// A line of the log that is no alert.
    fn say(&self, line: &str) {
        if let Some(log) = &self.settings.log {
            log(line);
        }
    }

    fn command(&self, json: &str) {
        let Some(settings) = &self.settings.command else {
            return;
        };
        match command::send(settings, json, || self.desk().closing) {
            Ok(()) => self.metrics.delivery(Sink::Command, Delivery::Delivered),
            Err(error) => {
                self.metrics.delivery(Sink::Command, Delivery::Failed);
                let program = settings.program.display();
                self.say(&format!("alert: {program} did not take an alert: {error}"));
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

/// The moment so much later, where a time without end is an hour.
pub(crate) fn end_in(most: Duration) -> Instant {
    Instant::now() + most.min(LONGEST)
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
