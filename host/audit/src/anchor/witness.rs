//! A witness: a server that signs what it saw of a log, and signs nothing that contradicts it. Source: C2SP, *tlog-witness*
//! (c2sp.org/tlog-witness) and *tlog-cosignature* (c2sp.org/tlog-cosignature).
//!
//! It is spoken to without TLS: what is said is public to whoever may read it, and what comes back is signed by a key that is
//! known. A witness that is only to be had over TLS is reached by a proxy on this machine.

use super::{Anchor, AnchorError, Told};
use crate::checkpoint::Checkpoint;
use crate::merkle::Hash;
use crate::note::{self, VerifierKey};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::Agent;
use ureq::http::Response;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const ANSWER_BYTES: u64 = 64 << 10;

/// Why a witness did not sign.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// It is not reached.
    #[error("the witness at {url} is not reached")]
    Unreached {
        /// Where it was looked for.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// It refuses.
    #[error("the witness at {url} refuses with status {status}: {}", reason(*status))]
    Refused {
        /// Where it is.
        url: String,
        /// The status of its answer.
        status: u16,
    },
    /// It has seen more of the log than there is.
    #[error(
        "the witness at {url} has seen {seen} records of the log, which has {size}: it was cut"
    )]
    SeenMore {
        /// Where it is.
        url: String,
        /// How many it has seen.
        seen: u64,
        /// How many there are.
        size: u64,
    },
    /// What it has seen is no longer there.
    #[error(
        "the witness at {url} has seen the first {seen} records, of which too few are kept to prove that these follow"
    )]
    TooOld {
        /// Where it is.
        url: String,
        /// How many it has seen.
        seen: u64,
    },
    /// Its answer is no signature of its own.
    #[error("the witness at {url} answers with no signature by its key")]
    Unsigned {
        /// Where it is.
        url: String,
    },
}

fn reason(status: u16) -> &'static str {
    match status {
        403 => "it does not have this log's key: give it the one that `hotcell audit key` prints",
        404 => "it does not know this log: give it the key that `hotcell audit key` prints",
        409 => "it has seen other records",
        422 => "the proof that this continues what it has seen is wrong",
        _ => "see its own log",
    }
}

/// A witness.
#[derive(Debug)]
pub struct WitnessAnchor {
    url: String,
    key: VerifierKey,
    agent: Agent,
    /// How much of the log it has seen, as far as is known.
    seen: Mutex<u64>,
}

impl WitnessAnchor {
    /// That at the submission prefix `url`, such as `http://127.0.0.1:7380`, which signs with that key.
    pub fn new(url: &str, key: VerifierKey) -> Self {
        let configured = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        Self {
            url: url.trim_end_matches('/').to_owned(),
            key,
            agent: configured.into(),
            seen: Mutex::new(0),
        }
    }

    /// Has it sign a checkpoint that continues the tree of size `old`, and is proven to by `proof`. Its signature's line, or how
    /// much it has seen where that is another size.
    ///
    /// # Errors
    /// It is not reached, refuses, or answers with what is none of its signatures.
    pub fn add_checkpoint(
        &self,
        old: u64,
        proof: &[Hash],
        note: &str,
    ) -> Result<Result<String, u64>, WitnessError> {
        let mut body = format!("old {old}\n");
        for hash in proof {
            body += &format!("{hash}\n");
        }
        body += &format!("\n{note}");
        let sent = self
            .agent
            .post(format!("{}/add-checkpoint", self.url))
            .send(body);
        let mut answer = sent.map_err(|source| self.unreached(source))?;
        let text = self.text(&mut answer)?;
        let url = self.url.clone();
        match answer.status().as_u16() {
            200 => self.signature(note, &text).map(Ok),
            409 => match text.trim_end().parse() {
                Ok(seen) if seen != old => Ok(Err(seen)),
                _ => Err(WitnessError::Refused { url, status: 409 }),
            },
            status => Err(WitnessError::Refused { url, status }),
        }
    }

    fn unreached(&self, source: ureq::Error) -> WitnessError {
        WitnessError::Unreached {
            url: self.url.clone(),
            source: Box::new(source),
        }
    }

    fn text(&self, answer: &mut Response<ureq::Body>) -> Result<String, WitnessError> {
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES);
        body.read_to_string()
            .map_err(|source| self.unreached(source))
    }

    /// The line of the answer that is by the witness's key.
    fn signature(&self, note: &str, answer: &str) -> Result<String, WitnessError> {
        let text = note.rfind("\n\n").map_or(note, |at| &note[..=at]);
        let is_its = |line: &&str| note::open(&format!("{text}\n{line}\n"), &[&self.key]).is_ok();
        let signature = answer.lines().find(is_its);
        signature
            .map(str::to_owned)
            .ok_or_else(|| WitnessError::Unsigned {
                url: self.url.clone(),
            })
    }

    /// Whether it signs that it has seen all of the log up to that checkpoint, and no more.
    ///
    /// # Errors
    /// It does not.
    pub fn confirm(&self, checkpoint: &Checkpoint, note: &str) -> Result<(), WitnessError> {
        let seen = self.add_checkpoint(checkpoint.size, &[], note)?;
        let (url, size) = (self.url.clone(), checkpoint.size);
        match seen {
            Ok(_) => Ok(()),
            Err(seen) if seen > size => Err(WitnessError::SeenMore { url, seen, size }),
            Err(seen) => Err(WitnessError::TooOld { url, seen }),
        }
    }
}

impl Anchor for WitnessAnchor {
    fn name(&self) -> String {
        self.url.clone()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn tell(&self, told: &Told<'_>) -> Result<(), AnchorError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let size = told.checkpoint.size;
        // The second time with what it says that it has seen.
        for _ in 0..2 {
            let (url, old) = (self.url.clone(), *seen);
            if old > size {
                return Err(WitnessError::SeenMore {
                    url,
                    seen: old,
                    size,
                }
                .into());
            }
            let proof = told.history.consistency(old, size);
            let proof = proof.ok_or(WitnessError::TooOld { url, seen: old })?;
            match self.add_checkpoint(old, &proof, told.note)? {
                Ok(_) => {
                    *seen = size;
                    return Ok(());
                }
                Err(said) => *seen = said,
            }
        }
        Err(WitnessError::Refused {
            url: self.url.clone(),
            status: 409,
        }
        .into())
    }
}
