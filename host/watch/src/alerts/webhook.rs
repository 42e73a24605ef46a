//! An alert sent to an HTTP receiver, signed as the Standard Webhooks specification has it.
//!
//! The signature is HMAC-SHA256 over `id.timestamp.body`, in `webhook-signature: v1,BASE64`, beside `webhook-id` and
//! `webhook-timestamp`. Source: Standard Webhooks 1.0.0, "Signature scheme". The id is the same at each attempt, so that a receiver
//! knows what it has.

use crate::alerts::settings::{Secret, WebhookSettings};
use crate::http::{Client, SendError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(60);

/// A receiver.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) settings: WebhookSettings,
    client: Client,
}

impl Webhook {
    /// A receiver by its settings.
    pub(crate) fn new(settings: WebhookSettings) -> Self {
        let client = Client::new(&settings.url);
        Self { settings, client }
    }

    /// Sends a document under an id, within that time.
    pub(crate) fn send(&self, id: &str, json: &str, timeout: Duration) -> Result<(), SendError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let timestamp = since.unwrap_or_default().as_secs().to_string();
        let secret = self.settings.secret.as_ref();
        let signature = secret.map(|secret| sign(secret, id, &timestamp, json));
        let mut headers = vec![("webhook-id", id), ("webhook-timestamp", &timestamp)];
        if let Some(signature) = &signature {
            headers.push(("webhook-signature", signature));
        }
        let timeout = timeout.min(self.settings.timeout);
        self.client
            .post(&self.settings.url, &headers, json, timeout)
    }

    /// How long is waited after so many failures: twice as long each time, and a part of that by chance, so that many hosts do
    /// not come back at once. `chance` is any number.
    pub(crate) fn back_off(&self, failures: u32, chance: u64) -> Duration {
        let factor = 2u32.saturating_pow(failures.saturating_sub(1).min(16));
        let longest = self.settings.back_off.saturating_mul(factor).min(LONGEST);
        let half = longest / 2;
        let part = u32::try_from(chance % 1000).unwrap_or(0);
        half + half * part / 1000
    }
}

/// The signature of a document.
pub(crate) fn sign(secret: &Secret, id: &str, timestamp: &str, body: &str) -> String {
    // A key of any length is allowed: RFC 2104.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.bytes()) else {
        return String::new();
    };
    for part in [id, ".", timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specifications_example() {
        // Source: the Standard Webhooks reference libraries' test vector.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            "{\"test\": 2432232314}",
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn waits_grow_and_stay_bounded_and_differ() {
        let webhook = Webhook::new(WebhookSettings::new("http://localhost"));
        let wait = |failures, chance| webhook.back_off(failures, chance);
        assert_eq!(wait(1, 0), Duration::from_millis(250));
        assert!(wait(1, 999) < Duration::from_millis(500));
        assert_eq!(wait(3, 0), Duration::from_secs(1));
        assert_eq!(wait(u32::MAX, 0), LONGEST / 2);
        assert!(wait(u32::MAX, u64::MAX) <= LONGEST);
    }
}
