//! What is recorded and watched of what cells do, by the operator's policy.

use crate::DeskError;
use hotcell::report::{Alert, AlertKind, Report};
use hotcell::{Audit, AuditRecord, CellBuilder, Places, Watch};
use hotcell_audit::anchor::{Anchor, CommandAnchor, FileAnchor, WitnessAnchor};
use hotcell_audit::note::VerifierKey;
use hotcell_audit::settings::OnProblem;
use hotcell_audit::{AuditLog, Durability, Settings};
use hotcell_model::text::chain;
use hotcell_policy::FilePolicy;
use hotcell_policy::record::{AlertRules, AuditMode, AuditRules, AuditSync};
use hotcell_watch::otlp::OtlpSettings;
use hotcell_watch::{
    AlertSettings, CommandSettings, LogSink, Secret, WatchError, WatchSettings, Watcher,
    WebhookSettings,
};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The longest file that can have a key.
const KEY_BYTES: u64 = 4096;
/// How long a command waits at its end for alerts that are on their way.
const ALERT_PATIENCE: Duration = Duration::from_secs(3);
/// A day, in which records are kept.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How logs are kept in the state directory, by the policy; `None` where nothing is to be recorded.
///
/// # Errors
/// A witness's key is none.
pub fn audit_settings(
    rules: &AuditRules,
    places: &Places,
    on_problem: OnProblem,
) -> Result<Option<Settings>, DeskError> {
    if rules.mode == AuditMode::Off {
        return Ok(None);
    }
    let settings = Settings::new(audit_directory(places));
    Ok(Some(Settings {
        durability: match rules.sync {
            AuditSync::Batch => Durability::default(),
            AuditSync::Record => Durability::EachRecord,
        },
        is_required: rules.mode == AuditMode::Required,
        max_bytes: rules.max_bytes,
        keep: rules
            .keep_days
            .map(|days| DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX))),
        // What is removed is whole files: with a few of them, little more goes than has to.
        segment_bytes: settings.segment_bytes.min(rules.max_bytes / 4),
        anchors: anchors(rules)?,
        on_problem: Some(on_problem),
        ..settings
    }))
}

/// Where logs are.
pub fn audit_directory(places: &Places) -> PathBuf {
    places.state.join("audit")
}

fn anchors(rules: &AuditRules) -> Result<Vec<Arc<dyn Anchor>>, DeskError> {
    let mut anchors: Vec<Arc<dyn Anchor>> = Vec::new();
    if let Some(file) = &rules.anchor_file {
        anchors.push(Arc::new(FileAnchor::new(file)));
    }
    if let Some((program, arguments)) = rules.anchor_command.split_first() {
        anchors.push(Arc::new(CommandAnchor::new(program, arguments.to_vec())));
    }
    if let Some((address, key)) = &rules.witness {
        let key = key.parse::<VerifierKey>();
        let key = key.map_err(|source| DeskError::WitnessKey {
            address: address.clone(),
            source,
        })?;
        anchors.push(Arc::new(WitnessAnchor::new(address, key)));
    }
    Ok(anchors)
}

/// How everything is watched, by the policy.
///
/// # Errors
/// The key that posts are signed with cannot be read.
pub fn watch_settings(
    policy: Option<&FilePolicy>,
    places: Option<&Places>,
    log: Option<LogSink>,
) -> Result<WatchSettings, DeskError> {
    let alerts = match policy {
        Some(policy) => alert_settings(policy.alerts(), log)?,
        None => AlertSettings {
            log,
            ..AlertSettings::default()
        },
    };
    let endpoint = policy.and_then(|policy| policy.metrics().otlp.clone());
    let otlp = endpoint.map(|endpoint| OtlpSettings {
        log: alerts.log.clone(),
        ..OtlpSettings::new(endpoint)
    });
    Ok(WatchSettings {
        state: places.map(|places| places.state.clone()),
        tenants: policy
            .map(|policy| policy.tenants().cloned().collect())
            .unwrap_or_default(),
        alerts,
        otlp,
    })
}

fn alert_settings(rules: &AlertRules, log: Option<LogSink>) -> Result<AlertSettings, DeskError> {
    let webhook = match &rules.webhook {
        Some(address) => Some(WebhookSettings {
            secret: rules.webhook_key.as_deref().map(secret).transpose()?,
            ..WebhookSettings::new(address)
        }),
        None => None,
    };
    let command = rules
        .command
        .split_first()
        .map(|(program, arguments)| CommandSettings {
            arguments: arguments.iter().map(Into::into).collect(),
            ..CommandSettings::new(program)
        });
    Ok(AlertSettings {
        log: log.filter(|_| rules.log),
        webhook,
        command,
        window: rules.repeat,
        ..AlertSettings::default()
    })
}

fn secret(path: &Path) -> Result<Secret, DeskError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(KEY_BYTES).read_to_string(&mut text));
    let path = || path.to_owned();
    read.map_err(|source| DeskError::WebhookKeyFile {
        path: path(),
        source,
    })?;
    Secret::parse(&text).map_err(|source| DeskError::WebhookKey {
        path: path(),
        source,
    })
}

/// Watches by those settings; in memory alone where the state cannot be used, which keeps nobody from launching.
///
/// # Errors
/// An address is none.
pub fn watcher(settings: WatchSettings) -> Result<Watcher, WatchError> {
    Watcher::new(settings.clone()).or_else(|error| match error {
        error @ WatchError::State(_) => Watcher::in_memory_because(settings, &error),
        error => Err(error),
    })
}

/// An alert about the audit log.
pub fn unwritten(message: String) -> Alert {
    let kind = AlertKind::UnwrittenRecord;
    Alert { kind, message }
}

/// Has a cell recorded and watched, by the policy.
///
/// # Errors
/// A key that the policy names cannot be used.
pub fn attach(
    builder: CellBuilder,
    policy: Option<&FilePolicy>,
    places: Option<&Places>,
    on_problem: OnProblem,
) -> Result<CellBuilder, DeskError> {
    let rules = policy
        .map(|policy| policy.audit().clone())
        .unwrap_or_default();
    let watcher = LazyWatcher {
        settings: watch_settings(policy, places, None)?,
        textfile: policy.and_then(|policy| policy.metrics().textfile.clone()),
        on_problem: Arc::clone(&on_problem),
        opened: OnceLock::new(),
    };
    let builder = builder.watch(Arc::new(watcher));
    let told: OnProblem =
        Arc::new(move |problem: String| on_problem(format!("the audit log: {problem}")));
    let settings = places.map(|places| audit_settings(&rules, places, told));
    let settings = settings.transpose()?.flatten();
    Ok(match settings {
        Some(settings) => builder.audit(Arc::new(LazyLog::new(settings))),
        None => builder,
    })
}

/// A log that is opened for the first record.
struct LazyLog {
    settings: Settings,
    opened: OnceLock<Result<AuditLog, String>>,
}

impl LazyLog {
    fn new(settings: Settings) -> Self {
        let opened = OnceLock::new();
        Self { settings, opened }
    }

    fn open(&self) -> Result<AuditLog, String> {
        AuditLog::open(self.settings.clone()).map_err(|error| {
            let why = chain(&error);
            if !self.settings.is_required
                && let Some(on_problem) = &self.settings.on_problem
            {
                on_problem(why.clone());
            }
            why
        })
    }
}

impl Audit for LazyLog {
    fn begin(&self, record: &AuditRecord) -> io::Result<()> {
        match self.opened.get_or_init(|| self.open()) {
            Ok(log) => log.begin(record),
            Err(why) if self.settings.is_required => Err(io::Error::other(why.clone())),
            Err(_) => Ok(()),
        }
    }

    fn finish(&self, record: &AuditRecord, report: &Report) {
        if let Some(Ok(log)) = self.opened.get() {
            log.finish(record, report);
        }
    }
}

/// A watcher that is made when something has ended.
struct LazyWatcher {
    settings: WatchSettings,
    textfile: Option<PathBuf>,
    on_problem: OnProblem,
    opened: OnceLock<Option<Watcher>>,
}

impl LazyWatcher {
    /// What cannot be watched runs all the same.
    fn open(&self) -> Option<Watcher> {
        watcher(self.settings.clone()).ok()
    }
}

impl Watch for LazyWatcher {
    fn ended(&self, record: &AuditRecord, report: &Report) -> Vec<Alert> {
        let Some(watcher) = self.opened.get_or_init(|| self.open()) else {
            return Vec::new();
        };
        watcher.begun(record);
        watcher.ended(record, report)
    }
}

impl Drop for LazyWatcher {
    fn drop(&mut self) {
        let Some(watcher) = self.opened.get().and_then(Option::as_ref) else {
            return;
        };
        // How alerts were delivered is counted, too.
        watcher.close(ALERT_PATIENCE);
        if let Some(path) = &self.textfile
            && let Err(error) = watcher.write_textfile(path)
        {
            (self.on_problem)(chain(&error));
        }
    }
}

/// Opens a daemon's log.
///
/// # Errors
/// It cannot be used, and the policy requires it; or a witness's key is none.
pub fn daemon_log(
    rules: &AuditRules,
    places: &Places,
    watcher: &Arc<Watcher>,
) -> Result<Option<AuditLog>, DeskError> {
    let told = Arc::clone(watcher);
    let on_problem: OnProblem = Arc::new(move |problem| told.alert(&unwritten(problem)));
    let Some(settings) = audit_settings(rules, places, on_problem)? else {
        return Ok(None);
    };
    let is_required = settings.is_required;
    match AuditLog::open(settings) {
        Ok(log) => Ok(Some(log)),
        Err(error) if is_required => Err(DeskError::NoLog(error)),
        Err(error) => {
            watcher.alert(&unwritten(format!(
                "nothing is recorded: {}",
                chain(&error)
            )));
            Ok(None)
        }
    }
}
