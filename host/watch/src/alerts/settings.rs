//! Where alerts go, and how many of them.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Writes one line of a log. It is called from a thread of its own, one line at a time; when the watcher ends, also by whoever ends it.
pub type LogSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Where alerts go. By default nowhere: they are in reports and in metrics.
#[derive(Clone)]
pub struct AlertSettings {
    /// Where lines of a log go.
    pub log: Option<LogSink>,
    /// The HTTP receiver.
    pub webhook: Option<WebhookSettings>,
    /// The program.
    pub command: Option<CommandSettings>,
    /// How long the same alert is counted instead of sent. Default 10 min.
    pub window: Duration,
    /// How many alerts of a severity are sent in a minute at most; the rest is counted, and told later. Default 30.
    pub per_minute: u32,
    /// How many warnings wait to be sent at most; what is more is counted, and told later. What is critical has as many places of its
    /// own besides, and where they do not suffice the oldest makes room. Default 256.
    pub queue: usize,
    /// How long the end of the program waits for alerts that are on their way. Default 3 s.
    pub flush: Duration,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            log: None,
            webhook: None,
            command: None,
            window: Duration::from_secs(600),
            per_minute: 30,
            queue: 256,
            flush: Duration::from_secs(3),
        }
    }
}

impl fmt::Debug for AlertSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertSettings")
            .field("log", &self.log.is_some())
            .field("webhook", &self.webhook)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

/// An HTTP receiver of alerts.
#[derive(Clone)]
pub struct WebhookSettings {
    /// The address: `https://…` or `http://…`. Over the latter whoever is on the way can read alerts, and a signature only keeps them
    /// from being changed.
    pub url: String,
    /// The key of the signature; without one nothing is signed.
    pub secret: Option<Secret>,
    /// How long one attempt may take. Default 5 s.
    pub timeout: Duration,
    /// How often one alert is tried. Default 6.
    pub attempts: u32,
    /// How long is waited after the first failure; after each further one twice as long, up to a minute. Default 500 ms.
    pub back_off: Duration,
}

impl WebhookSettings {
    /// A receiver at that address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secret: None,
            timeout: Duration::from_secs(5),
            attempts: 6,
            back_off: Duration::from_millis(500),
        }
    }
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may hold a token.
        f.debug_struct("WebhookSettings")
            .field("is_signed", &self.secret.is_some())
            .finish_non_exhaustive()
    }
}

/// The key of a webhook's signature.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key of a webhook is `whsec_` and the base64 of 24 to 64 random bytes: make one with `echo whsec_$(openssl rand -base64 32)`"
)]
pub struct NotASecret;

impl Secret {
    /// Reads a key as the Standard Webhooks specification writes it.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        use base64::Engine;
        let key = text.trim().strip_prefix("whsec_").ok_or(NotASecret)?;
        let key = base64::engine::general_purpose::STANDARD.decode(key);
        let key = key.map_err(|_| NotASecret)?;
        match (24..=64).contains(&key.len()) {
            true => Ok(Self(key)),
            false => Err(NotASecret),
        }
    }

    /// The bytes of the key.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A program that takes alerts: one a run, as JSON on its standard input, with no environment but `PATH`.
#[derive(Clone, Debug)]
pub struct CommandSettings {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// How long it may take before it is killed. Default 10 s.
    pub timeout: Duration,
}

impl CommandSettings {
    /// That program, without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_enough_and_never_shown() {
        let text = format!("whsec_{}\n", "A".repeat(43) + "=");
        let secret = Secret::parse(&text).unwrap();
        assert_eq!(secret.bytes(), [0; 32]);
        assert_eq!(format!("{secret:?}"), "Secret");
        for text in ["", "whsec_", "whsec_AAAA", "AAAAAAAA", "whsec_!"] {
            assert_eq!(Secret::parse(text).err(), Some(NotASecret), "{text}");
        }
        let mut webhook = WebhookSettings::new("https://example.org/token");
        webhook.secret = Some(secret);
        assert!(!format!("{webhook:?}").contains("token"));
    }
}
