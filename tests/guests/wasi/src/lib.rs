//! A guest for tests, in ordinary Rust: it does with the standard library what each line of a script says, and gives back
//! what came of it, line by line.

use hotcell_guest::prelude::*;
use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Does each line of `script`; what came of them is in `told`, and zeros after it.
#[kernel(sig = "(s)->(m)")]
pub fn script(script: &[u8], told: &mut [u8]) -> Result<(), String> {
    let script = std::str::from_utf8(script).map_err(|error| error.to_string())?;
    let mut kept = Vec::new();
    let mut text = String::new();
    for line in script.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        text += &match step(&words, &mut kept) {
            Ok(told) => told,
            Err(error) => format!("{:?}", error.kind()),
        };
        text.push('\n');
    }
    match told.get_mut(..text.len()) {
        Some(room) => room.copy_from_slice(text.as_bytes()),
        None => return Err(format!("{} bytes are told", text.len())),
    }
    Ok(())
}

fn step(words: &[&str], kept: &mut Vec<File>) -> io::Result<String> {
    let done = |()| "done".to_owned();
    match words {
        ["read", path] => fs::read_to_string(path),
        ["write", path, text] => fs::write(path, text).map(done),
        ["append", path, text] => {
            let mut file = OpenOptions::new().append(true).open(path)?;
            file.write_all(text.as_bytes()).map(done)
        }
        ["at", path, offset, text] => {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(SeekFrom::Start(offset.parse().map_err(io::Error::other)?))?;
            file.write_all(text.as_bytes()).map(done)
        }
        ["fill", path, bytes] => {
            let mut file = File::create(path)?;
            for _ in 0..number(bytes)? / 1024 {
                file.write_all(&[b'x'; 1024])?;
            }
            Ok("done".to_owned())
        }
        ["list", path] => {
            let mut names = Vec::new();
            for entry in fs::read_dir(path)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(names.join(","))
        }
        ["stat", path] => {
            let found = fs::metadata(path)?;
            Ok(format!("{} {}", found.is_dir(), found.len()))
        }
        ["mkdir", path] => fs::create_dir(path).map(done),
        ["rmdir", path] => fs::remove_dir(path).map(done),
        ["remove", path] => fs::remove_file(path).map(done),
        ["rename", from, to] => fs::rename(from, to).map(done),
        ["link", from, to] => fs::hard_link(from, to).map(done),
        ["open", path, times] => {
            for _ in 0..number(times)? {
                File::open(path)?;
            }
            Ok("done".to_owned())
        }
        ["keep", path, times] => {
            for _ in 0..number(times)? {
                kept.push(File::open(path)?);
            }
            Ok("done".to_owned())
        }
        ["begin"] => Ok(format!(
            "{} arguments, {} variables, {:?}",
            std::env::args().count(),
            std::env::vars().count(),
            std::env::current_dir().ok()
        )),
        ["input"] => {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text)?;
            Ok(format!("{read} bytes"))
        }
        ["time"] => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            let days = since.map_err(io::Error::other)?.as_secs() / 86_400;
            Ok(format!("day {days}"))
        }
        ["sleep", ms] => {
            let begun = Instant::now();
            std::thread::sleep(Duration::from_millis(number(ms)? as u64));
            Ok(format!("{} ms", begun.elapsed().as_millis()))
        }
        ["hash"] => Ok(format!("{:x}", RandomState::new().hash_one(7))),
        ["print", text] => {
            println!("{text}");
            Ok("done".to_owned())
        }
        ["complain", text] => {
            eprint!("{text}");
            Ok("done".to_owned())
        }
        ["exit", code] => std::process::exit(code.parse().map_err(io::Error::other)?),
        ["spin"] => loop {
            std::hint::black_box(fs::metadata("/data").is_ok());
        },
        ["thread"] => {
            let thread = std::thread::Builder::new().spawn(|| ())?;
            Ok(format!("{:?}", thread.join().is_ok()))
        }
        other => panic!("nothing is called {other:?}"),
    }
}

fn number(text: &str) -> io::Result<usize> {
    text.parse().map_err(io::Error::other)
}

hotcell_guest::export!(script);
