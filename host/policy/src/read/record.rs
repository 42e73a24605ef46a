//! Reading what is to be recorded, watched and told.

use super::{Entry, Reader, decimal};
use crate::keys;
use crate::record::{AlertRules, AuditMode, AuditRules, AuditSync, MetricsRules};
use hotcell_model::limit::Unit;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

/// The least that an audit log may keep.
const LEAST_LOG_BYTES: u64 = 1 << 20;

impl Reader<'_> {
    pub(super) fn audit(&mut self, entry: &Entry<'_, '_>) -> AuditRules {
        let mut rules = AuditRules::default();
        let (mut witness, mut witness_key) = (None, None);
        let Some(table) = self.table(entry) else {
            return rules;
        };
        self.each(
            table,
            entry.name,
            keys::AUDIT.keys,
            |this, key, entry| match key {
                "mode" => {
                    let mode = this.word(&entry, AuditMode::ALL, AuditMode::name);
                    rules.mode = mode.unwrap_or(rules.mode);
                }
                "sync" => {
                    let sync = this.word(&entry, AuditSync::ALL, AuditSync::name);
                    rules.sync = sync.unwrap_or(rules.sync);
                }
                "max_bytes" => match this.in_unit(Unit::Bytes, &entry) {
                    Some(bytes) if bytes < LEAST_LOG_BYTES => {
                        this.wrong(&entry, "an audit log keeps at least 1MiB");
                    }
                    bytes => rules.max_bytes = bytes.unwrap_or(rules.max_bytes),
                },
                "keep_days" => {
                    let days = decimal(entry.value.get_ref()).filter(|days| *days > 0);
                    if days.is_none() {
                        this.wrong(&entry, "expected a number of days, at least 1");
                    }
                    rules.keep_days = days;
                }
                "anchor_file" => rules.anchor_file = this.path(&entry),
                "anchor_command" => rules.anchor_command = this.command(&entry),
                "witness" => witness = this.address_of_witness(&entry),
                _ => witness_key = this.verifier_key(&entry),
            },
        );
        if table.contains_key("witness") != table.contains_key("witness_key") {
            self.wrong(
                entry,
                "a witness has an address, `witness`, and a key, `witness_key`: give both, or neither",
            );
        }
        rules.witness = witness.zip(witness_key);
        rules
    }

    pub(super) fn alerts(&mut self, entry: &Entry<'_, '_>) -> AlertRules {
        let mut rules = AlertRules::default();
        let Some(table) = self.table(entry) else {
            return rules;
        };
        self.each(
            table,
            entry.name,
            keys::ALERTS.keys,
            |this, key, entry| match key {
                "log" => rules.log = this.truth(&entry).unwrap_or(rules.log),
                "command" => rules.command = this.command(&entry),
                "webhook" => rules.webhook = this.address_of_web(&entry),
                "webhook_key" => rules.webhook_key = this.path(&entry),
                _ => {
                    let repeat = this.in_unit(Unit::Ns, &entry);
                    rules.repeat = repeat.map_or(rules.repeat, Duration::from_nanos);
                }
            },
        );
        if rules.webhook_key.is_some() && rules.webhook.is_none() {
            self.wrong(
                entry,
                "`webhook_key` signs what is posted to a `webhook`, and there is none",
            );
        }
        rules
    }

    pub(super) fn metrics(&mut self, entry: &Entry<'_, '_>) -> MetricsRules {
        let mut rules = MetricsRules::default();
        let Some(table) = self.table(entry) else {
            return rules;
        };
        self.each(
            table,
            entry.name,
            keys::METRICS.keys,
            |this, key, entry| match key {
                "listen" => rules.listen = this.local_address(&entry),
                "page" => rules.page = this.truth(&entry).unwrap_or(rules.page),
                "textfile" => rules.textfile = this.path(&entry),
                _ => rules.otlp = this.address_of_web(&entry),
            },
        );
        if rules.page && !table.contains_key("listen") {
            self.wrong(
                entry,
                "a `page` is shown at the address of `listen`, and there is none",
            );
        }
        rules
    }

    pub(super) fn truth(&mut self, entry: &Entry<'_, '_>) -> Option<bool> {
        match entry.value.get_ref() {
            DeValue::Boolean(truth) => Some(*truth),
            _ => {
                self.expected(entry, "`true` or `false`");
                None
            }
        }
    }

    /// A file's place, from the root on: a policy means the same wherever it is read.
    fn path(&mut self, entry: &Entry<'_, '_>) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(entry)?);
        if !path.is_absolute() {
            self.wrong(entry, format!("{} is no absolute path", path.display()));
            return None;
        }
        Some(path)
    }

    /// A program and its arguments.
    fn command(&mut self, entry: &Entry<'_, '_>) -> Vec<String> {
        let Some(array) = entry.value.get_ref().as_array() else {
            self.expected(entry, "a list: a program and its arguments");
            return Vec::new();
        };
        let mut words = Vec::new();
        for value in array.iter() {
            let name = entry.name;
            words.extend(self.text(&Entry { name, value }).map(str::to_owned));
        }
        match words.first() {
            Some(program) if program.starts_with('/') => {}
            _ => self.wrong(
                entry,
                "expected a program's absolute path, and its arguments",
            ),
        }
        words
    }

    /// A verifier's key as C2SP's *signed-note* writes it: `NAME+HASH+KEY`. Whether it holds is seen where it is used.
    fn verifier_key(&mut self, entry: &Entry<'_, '_>) -> Option<String> {
        let text = self.text(entry)?;
        let mut parts = text.splitn(3, '+');
        let (name, hash, key) = (parts.next()?, parts.next(), parts.next());
        let is_hash =
            |hash: &str| hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if name.is_empty() || !hash.is_some_and(is_hash) || key.is_none_or(str::is_empty) {
            self.wrong(
                entry,
                format!(
                    "`{text}` is no verifier key; a witness's operator gives it, as NAME+HASH+KEY"
                ),
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// Without TLS: what a witness answers is signed.
    fn address_of_witness(&mut self, entry: &Entry<'_, '_>) -> Option<String> {
        let address = self.address_of_web(entry)?;
        if !address.starts_with("http://") {
            self.wrong(
                entry,
                "a witness is asked by `http://`: what it answers is signed",
            );
            return None;
        }
        Some(address)
    }

    fn address_of_web(&mut self, entry: &Entry<'_, '_>) -> Option<String> {
        let text = self.text(entry)?;
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if !has_host || !text.chars().all(|one| one.is_ascii_graphic()) {
            self.wrong(
                entry,
                format!("`{text}` is no address; write for example \"https://example.org/alerts\""),
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// An address that only this machine reaches.
    fn local_address(&mut self, entry: &Entry<'_, '_>) -> Option<SocketAddr> {
        let text = self.text(entry)?;
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Some(address),
            Ok(_) => {
                self.wrong(
                    entry,
                    format!(
                        "`{text}` is not of this machine alone, and whoever reaches it would see every tenant's figures; \
                         write for example \"127.0.0.1:9464\", and put what asks for a password before it"
                    ),
                );
                None
            }
            Err(_) => {
                self.wrong(
                    entry,
                    format!("`{text}` is no address; write for example \"127.0.0.1:9464\""),
                );
                None
            }
        }
    }
}
