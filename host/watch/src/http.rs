//! The HTTP client of webhooks and collectors: bounded in time, no redirects, certificates as the system has them.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider};

/// Where systems keep the certificates that they trust, the most usual first.
const CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The most that is read of a file of certificates.
const CERTIFICATES_BYTES: u64 = 16 << 20;

/// Why something could not be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// There is no way there, or no answer in time.
    #[error("{0}")]
    Way(#[from] ureq::Error),
    /// The receiver says no.
    #[error("the receiver answers {0}")]
    Status(u16),
}

impl SendError {
    /// Whether another attempt may go better: a receiver that refuses what it got refuses it again.
    pub(crate) fn is_for_now(&self) -> bool {
        match self {
            Self::Way(ureq::Error::BadUri(_)) => false,
            Self::Way(_) => true,
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500..),
        }
    }
}

/// Sends JSON to one address.
#[derive(Clone, Debug)]
pub(crate) struct Client(ureq::Agent);

impl Client {
    /// A client; certificates are read if any of those addresses needs them.
    pub(crate) fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("hotcell/", env!("CARGO_PKG_VERSION")))
            .proxy(None)
            .max_idle_connections(1);
        let config = match url.starts_with("https:") {
            true => config.tls_config(tls()),
            false => config,
        };
        Self(config.build().into())
    }

    /// Posts a JSON document with those headers, within that time.
    pub(crate) fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        json: &str,
        timeout: Duration,
    ) -> Result<(), SendError> {
        let mut request = self.0.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.config().timeout_global(Some(timeout)).build();
        let response = request.send(json)?;
        match response.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(SendError::Status(status)),
        }
    }
}

fn tls() -> TlsConfig {
    let provider = rustls::crypto::ring::default_provider();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(provider))
        .root_certs(system_certificates())
        .build()
}

/// The certificates that the system trusts; none where there is no such file, and then no `https` receiver is believed.
fn system_certificates() -> RootCerts {
    let mut pem = Vec::new();
    let file = CERTIFICATES
        .iter()
        .find_map(|path| std::fs::File::open(path).ok());
    if let Some(file) = file {
        let _ = file.take(CERTIFICATES_BYTES).read_to_end(&mut pem);
    }
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    RootCerts::new_with_certs(&certificates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    #[test]
    fn a_receiver_that_cannot_prove_who_it_is_gets_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let receiver = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = [0; 4096];
            let count = stream.read(&mut got).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 204 x\r\ncontent-length: 0\r\n\r\n");
            got[..count].to_vec()
        });
        let client = Client::new(&url);
        let sent = client.post(&url, &[], "secret", Duration::from_secs(60));
        assert!(matches!(sent, Err(SendError::Way(_))), "{sent:?}");
        let got = receiver.join().unwrap();
        // A TLS handshake, and nothing of the document. Source: RFC 8446, section 5.1.
        assert_eq!(got[0], 22);
        assert!(!got.windows(6).any(|part| part == b"secret"));
    }

    #[test]
    fn what_a_receiver_refuses_is_not_tried_again() {
        for (status, is_for_now) in [
            (301, false),
            (400, false),
            (403, false),
            (429, true),
            (500, true),
            (503, true),
        ] {
            assert_eq!(
                SendError::Status(status).is_for_now(),
                is_for_now,
                "{status}"
            );
        }
    }
}
