//! A witness, as C2SP's *tlog-witness* has it, in as few lines as it takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use hotcell_audit::checkpoint::Checkpoint;
use hotcell_audit::merkle::{Hash, check_consistency};
use hotcell_audit::note::VerifierKey;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const NAME: &str = "witness.example/w1";

/// A server that signs what it saw of one log.
pub(crate) struct Witness {
    pub(crate) url: String,
    pub(crate) key: VerifierKey,
    /// The size and root that it saw last.
    pub(crate) seen: Arc<Mutex<(u64, Hash)>>,
}

impl Witness {
    /// One that knows a log by its key, and runs as long as the test does.
    pub(crate) fn of(log: VerifierKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let signing = SigningKey::from_bytes(&[5; 32]);
        let seen = Arc::new(Mutex::new((0, Hash::of_nothing())));
        let (state, signer) = (seen.clone(), signing.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(stream.unwrap(), &log, &signer, &state);
            }
        });
        Self {
            url,
            key: verifier(&signing),
            seen,
        }
    }
}

fn id(key: &SigningKey) -> Vec<u8> {
    let hash = Sha256::new()
        .chain_update(NAME)
        .chain_update([b'\n', 4])
        .chain_update(key.verifying_key().as_bytes());
    hash.finalize()[..4].to_vec()
}

fn verifier(key: &SigningKey) -> VerifierKey {
    let digits: String = id(key).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut bytes = vec![4];
    bytes.extend(key.verifying_key().as_bytes());
    format!("{NAME}+{digits}+{}", STANDARD.encode(bytes))
        .parse()
        .unwrap()
}

fn answer(
    stream: TcpStream,
    log: &VerifierKey,
    signer: &SigningKey,
    seen: &Mutex<(u64, Hash)>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let lower = line.to_ascii_lowercase();
        if let Some(bytes) = lower.strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let (status, text) = judge(&body, log, signer, &mut seen.lock().unwrap());
    let length = text.len();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status} Judged\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
}

fn judge(
    body: &str,
    log: &VerifierKey,
    signer: &SigningKey,
    seen: &mut (u64, Hash),
) -> (u16, String) {
    let (head, note) = body.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let old: u64 = lines
        .next()
        .unwrap()
        .strip_prefix("old ")
        .unwrap()
        .parse()
        .unwrap();
    let proof: Vec<Hash> = lines.map(|line| line.parse().unwrap()).collect();
    let Ok(checkpoint) = Checkpoint::open(note, &[log]) else {
        return (403, String::new());
    };
    if old != seen.0 {
        return (409, format!("{}\n", seen.0));
    }
    let new = (checkpoint.size, &checkpoint.root);
    if !check_consistency((old, &seen.1), new, &proof) {
        return (
            if old == checkpoint.size { 409 } else { 422 },
            format!("{old}\n"),
        );
    }
    *seen = (checkpoint.size, checkpoint.root);
    let time = 1_796_000_000_u64;
    let text = note.rsplit_once("\n\n").unwrap().0;
    let message = format!("cosignature/v1\ntime {time}\n{text}\n");
    let mut signature = id(signer);
    signature.extend(time.to_be_bytes());
    signature.extend(signer.sign(message.as_bytes()).to_bytes());
    (
        200,
        format!("\u{2014} {NAME} {}\n", STANDARD.encode(signature)),
    )
}
