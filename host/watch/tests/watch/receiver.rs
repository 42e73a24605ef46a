//! A local HTTP receiver that answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// It answers with that status.
    Status(u16),
    /// It reads and answers never.
    Silence,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A receiver on a port of its own.
pub(crate) struct Server {
    pub(crate) url: String,
    got: Receiver<Got>,
}

impl Server {
    /// Answers the first requests as told, and all further ones with 204.
    pub(crate) fn new(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let (sender, got) = channel();
        let mut answers: Vec<Answer> = answers.iter().rev().copied().collect();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = answers.pop().unwrap_or(Answer::Status(204));
                let sender = sender.clone();
                std::thread::spawn(move || serve(stream, answer, &sender));
            }
        });
        Self { url, got }
    }

    /// The next request.
    pub(crate) fn next(&self) -> Got {
        self.got
            .recv_timeout(Duration::from_secs(60))
            .expect("a request comes")
    }

    /// What else has come.
    pub(crate) fn rest(&self) -> Vec<Got> {
        self.got.try_iter().collect()
    }

    /// Whether nothing more has come.
    pub(crate) fn is_empty(&self) -> bool {
        self.got.try_recv().is_err()
    }
}

/// One request a connection.
fn serve(mut stream: TcpStream, answer: Answer, sender: &Sender<Got>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?;
    let mut body = vec![0; length.1.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    sender
        .send(Got {
            path,
            headers,
            body,
        })
        .ok()?;
    match answer {
        Answer::Status(status) => {
            let answer =
                format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).ok()
        }
        Answer::Silence => {
            std::thread::sleep(Duration::from_secs(120));
            Some(())
        }
    }
}
