//! Members of `.npz` archives.
//!
//! A member's data is bounded by its own `.npy` header, which is bounded by the limits: what a deflate stream
//! expands to beyond that is never decompressed.

use super::{Form, Range, ReadError, ReadLimits, check_limit, checked_type, data};
use crate::npy::header::Header;
use crate::npz::DirectoryError;
use crate::npz::directory::{Directory, Entry, Member, Method};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};

/// How many names, and how much of each, an error lists.
const LISTED_MEMBERS: usize = 10;
const LISTED_CHARS: usize = 40;

/// An archive opened at one member, whose header has been read.
#[derive(Debug)]
pub(crate) struct Archive {
    archive: File,
    member: Member,
    header: Header,
}

impl Archive {
    /// Opens the member stored under `name`, or under `name` with `.npy`, of the archive `path`.
    pub(crate) fn open(
        archive: File,
        path: &str,
        name: &str,
        limits: &ReadLimits,
    ) -> Result<Self, ReadError> {
        let refused = |source| ReadError::archive(path, source);
        let directory = Directory::read(&archive).map_err(refused)?;
        let file = format!("{path}:{name}");
        let entry = find(&directory, name).ok_or_else(|| ReadError::MissingMember {
            file: file.clone(),
            members: listed(&directory),
        })?;
        let member = directory.locate(&archive, entry);
        let member = member.map_err(|source| ReadError::archive(&file, source))?;
        let header = Header::read(&mut Content::new(&archive, &member));
        let header = header.map_err(|source| ReadError::header(&file, source))?;
        let ty = checked_type(&file, &header)?;
        check_limit(&file, ty.size_bytes(), limits, Form::Member)?;
        let requested = header.data_offset.saturating_add(ty.size_bytes());
        if member.size != requested {
            return Err(ReadError::MemberSize {
                file,
                requested,
                available: member.size,
            });
        }
        Ok(Self {
            archive,
            member,
            header,
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Decompresses the array, sees that nothing follows it, and compares the checksum.
    pub(crate) fn read_data(&self, len: usize, file: &str) -> Result<Vec<u8>, ReadError> {
        let mut content = Content::new(&self.archive, &self.member);
        Header::read(&mut content).map_err(|source| ReadError::header(file, source))?;
        let data = data::read(&self.header, len, &mut content, file)?;
        let more = content.read(&mut [0]);
        if more.map_err(|source| ReadError::io(file, source))? > 0 {
            return Err(ReadError::TrailingData {
                file: file.to_owned(),
            });
        }
        let (requested, available) = (self.member.crc32, content.crc.sum());
        if requested != available {
            let source = DirectoryError::Checksum {
                requested,
                available,
            };
            return Err(ReadError::archive(file, source));
        }
        Ok(data)
    }
}

/// A member's bytes, decompressed and checksummed as they are read.
struct Content<'a> {
    source: Box<dyn Read + 'a>,
    crc: Crc,
}

impl<'a> Content<'a> {
    fn new(archive: &'a File, member: &Member) -> Self {
        let stored =
            BufReader::new(Range::new(archive, member.data_start).take(member.stored_bytes));
        Self {
            source: match member.method {
                Method::Stored => Box::new(stored),
                Method::Deflate => Box::new(DeflateDecoder::new(stored)),
            },
            crc: Crc::new(),
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.crc.update(&buffer[..read]);
        Ok(read)
    }
}

/// The member of that name; one with `.npy` comes first, as in `numpy.load`'s archives.
fn find<'a>(directory: &'a Directory, name: &str) -> Option<&'a Entry> {
    let with_ending = format!("{name}.npy");
    let found = directory.entry(with_ending.as_bytes());
    found.or_else(|| directory.entry(name.as_bytes()))
}

/// The first few names, escaped and clipped, for an error.
fn listed(directory: &Directory) -> String {
    let names = directory.names();
    let shown = names.iter().take(LISTED_MEMBERS).map(|name| {
        let name = name.strip_suffix(b".npy").unwrap_or(name);
        let name: String = String::from_utf8_lossy(name)
            .chars()
            .take(LISTED_CHARS)
            .collect();
        name.escape_debug().to_string()
    });
    let shown: Vec<_> = shown.collect();
    match names.len().saturating_sub(LISTED_MEMBERS) {
        0 if shown.is_empty() => "none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
