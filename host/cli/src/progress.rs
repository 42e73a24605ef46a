//! What a person sees while a kernel runs: its log lines, and a bar for anything longer than a second.

use crate::say::tell;
use hotcell::Observer;
use hotcell::forecast::Warning;
use hotcell::limit::{Limit, Limits};
use hotcell::report::{LogLevel, LogLine};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A launch shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows a launch on the terminal's error stream.
pub(crate) struct Display {
    quiet: bool,
    started: Instant,
    /// Known once the launch is permitted.
    timeout: OnceLock<Duration>,
    bar: ProgressBar,
    is_shown: AtomicBool,
    /// What the guest says: done and total. Total 0 while it has said nothing.
    told: (AtomicU64, AtomicU64),
    lines: Mutex<()>,
}

impl Display {
    /// A display for one launch.
    pub(crate) fn new(quiet: bool) -> Self {
        let is_seen = !quiet && std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::hidden());
        Self {
            quiet,
            started: Instant::now(),
            timeout: OnceLock::new(),
            bar,
            // A bar that nobody sees counts as shown already.
            is_shown: AtomicBool::new(!is_seen),
            told: (AtomicU64::new(0), AtomicU64::new(0)),
            lines: Mutex::new(()),
        }
    }

    /// Redraws; called a few times a second while the launch runs.
    pub(crate) fn tick(&self) {
        let elapsed = self.started.elapsed();
        if elapsed < PATIENCE {
            return;
        }
        if !self.is_shown.swap(true, Ordering::Relaxed) {
            self.bar.set_style(style());
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let (done, total) = (
            self.told.0.load(Ordering::Relaxed),
            self.told.1.load(Ordering::Relaxed),
        );
        let (done, total, what) = match total {
            0 => (
                elapsed.as_millis(),
                self.timeout
                    .get()
                    .map_or(u128::MAX, Duration::as_millis)
                    .max(1),
                "of its timeout",
            ),
            total => (u128::from(done), u128::from(total), "done"),
        };
        self.bar
            .set_position(u64::try_from(done.min(total).saturating_mul(1000) / total).unwrap_or(0));
        self.bar
            .set_message(format!("{what}, {:.1} s", elapsed.as_secs_f64()));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {percent:>3}% {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Observer for Display {
    fn begin(&self, limits: &Limits) {
        let _ = self.timeout.set(limits.duration(Limit::Timeout));
    }

    fn warn(&self, warning: &Warning) {
        if !self.quiet {
            let _held = self.lines.lock();
            self.bar
                .suspend(|| tell(format_args!("hotcell: warning: {warning}")));
        }
    }

    fn log(&self, line: &LogLine) {
        if self.quiet {
            return;
        }
        let level = match line.level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        };
        let _held = self.lines.lock();
        self.bar
            .suspend(|| tell(format_args!("kernel {level}: {}", line.message)));
    }

    fn progress(&self, done: u64, total: u64) {
        self.told.0.store(done, Ordering::Relaxed);
        self.told.1.store(total, Ordering::Relaxed);
    }
}
