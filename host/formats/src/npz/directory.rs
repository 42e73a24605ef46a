//! The directory at the end of a zip file, read strictly and within fixed bounds.
//!
//! Our own parser (docs/decisions/0005-npz-directory.md): general readers reserve memory for as many members
//! as an archive claims to have. Here the counts are checked first, the directory is at most
//! [`MAX_DIRECTORY_BYTES`], and every offset must lie before it. Archives that are split, encrypted, or start
//! behind other data are refused.
//!
//! Source of the layouts: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12–4.3.16 and 4.5.3.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The longest directory of an archive, in bytes.
pub const MAX_DIRECTORY_BYTES: u64 = 1 << 20;

/// The most members of an archive.
pub const MAX_MEMBERS: u64 = 10_000;

const END_BYTES: usize = 22;
const LOCATOR_BYTES: usize = 20;
const END64_BYTES: usize = 56;
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
/// The longest comment behind the end record.
const COMMENT_BYTES: usize = 0xffff;

const ENCRYPTED: u16 = 1;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Reading failed, or a structure reaches past the end of the file.
    #[error("cannot read the archive")]
    Io(#[from] io::Error),
    /// No end record, or one that contradicts the file.
    #[error("not a .npz archive: {0}")]
    Malformed(&'static str),
    /// More members than are supported.
    #[error("the archive has {requested} members, maximum {maximum}: split it")]
    TooManyMembers {
        /// What the archive claims.
        requested: u64,
        /// [`MAX_MEMBERS`].
        maximum: u64,
    },
    /// A longer directory than is supported.
    #[error("the archive's directory has {requested} bytes, maximum {maximum}: split it")]
    TooLong {
        /// What the archive claims.
        requested: u64,
        /// [`MAX_DIRECTORY_BYTES`].
        maximum: u64,
    },
    /// Two members have one name, so that it depends on the reader which of them is meant.
    #[error("the archive has two members of one name: write it again")]
    Duplicate,
    /// The member is encrypted.
    #[error("the member is encrypted: write the archive again without a password")]
    Encrypted,
    /// The member is compressed by another method than deflate.
    #[error(
        "the member is compressed by method {0}, not deflate: write it with numpy.savez or numpy.savez_compressed"
    )]
    Method(u16),
    /// The data does not have the checksum that the directory says.
    #[error(
        "the data has the checksum {available:08x}, the archive says {requested:08x}: it is damaged"
    )]
    Checksum {
        /// What the archive says.
        requested: u32,
        /// What the data has.
        available: u32,
    },
}

/// How a member is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflate,
}

/// A member that can be read: where it lies and what it should be.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) method: Method,
    pub(crate) crc32: u32,
    /// Where the stored bytes start in the file.
    pub(crate) data_start: u64,
    pub(crate) stored_bytes: u64,
    /// Bytes after decompression.
    pub(crate) size: u64,
}

/// One entry of the directory, as it stands there.
pub(crate) struct Entry {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc32: u32,
    stored_bytes: u64,
    size: u64,
    local_offset: u64,
}

/// A parsed directory, entries in the archive's order.
pub(crate) struct Directory {
    start: u64,
    entries: Vec<Entry>,
}

/// Counts and place of the directory.
struct End {
    members: u64,
    bytes: u64,
    start: u64,
}

impl Directory {
    pub(crate) fn read(archive: &File) -> Result<Self, DirectoryError> {
        let end = find_end(archive)?;
        let mut bytes = vec![0; capped_len(&end)?];
        archive.read_exact_at(&mut bytes, end.start)?;
        let mut rest = bytes.as_slice();
        let mut entries = Vec::new();
        for _ in 0..end.members {
            entries.push(Entry::parse(&mut rest)?);
        }
        let mut names: Vec<_> = entries.iter().map(|entry| &entry.name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(DirectoryError::Duplicate);
        }
        Ok(Self {
            start: end.start,
            entries,
        })
    }

    pub(crate) fn names(&self) -> Vec<&[u8]> {
        let names = self.entries.iter().map(|entry| entry.name.as_slice());
        names.collect()
    }

    pub(crate) fn entry(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Checks that an entry can be read, and finds its data behind its local header.
    pub(crate) fn locate(&self, archive: &File, entry: &Entry) -> Result<Member, DirectoryError> {
        if entry.flags & ENCRYPTED != 0 {
            return Err(DirectoryError::Encrypted);
        }
        let method = match entry.method {
            0 => Method::Stored,
            8 => Method::Deflate,
            other => return Err(DirectoryError::Method(other)),
        };
        let mut local = [0; LOCAL_BYTES];
        archive.read_exact_at(&mut local, entry.local_offset)?;
        let fields = Fields(&local);
        if fields.take4(0)? != *b"PK\x03\x04" {
            return Err(DirectoryError::Malformed("a member has no local header"));
        }
        let variable = u64::from(fields.u16(26)?) + u64::from(fields.u16(28)?);
        let data_start = entry
            .local_offset
            .checked_add(LOCAL_BYTES as u64 + variable);
        let data_end = data_start.and_then(|start| start.checked_add(entry.stored_bytes));
        match (data_start, data_end) {
            (Some(data_start), Some(data_end)) if data_end <= self.start => Ok(Member {
                method,
                crc32: entry.crc32,
                data_start,
                stored_bytes: entry.stored_bytes,
                size: entry.size,
            }),
            _ => Err(DirectoryError::Malformed(
                "a member reaches into the archive's directory",
            )),
        }
    }
}

impl Entry {
    /// Takes one entry off the front of the directory.
    fn parse(rest: &mut &[u8]) -> Result<Self, DirectoryError> {
        let fields = Fields(rest);
        if fields.take4(0)? != *b"PK\x01\x02" {
            return Err(DirectoryError::Malformed("a directory entry is missing"));
        }
        let name_end = ENTRY_BYTES + usize::from(fields.u16(28)?);
        let extra_end = name_end + usize::from(fields.u16(30)?);
        let entry_end = extra_end + usize::from(fields.u16(32)?);
        let whole = rest.get(..entry_end).ok_or(CUT_SHORT)?;
        let mut entry = Self {
            name: whole[ENTRY_BYTES..name_end].to_vec(),
            flags: fields.u16(8)?,
            method: fields.u16(10)?,
            crc32: fields.u32(16)?,
            stored_bytes: u64::from(fields.u32(20)?),
            size: u64::from(fields.u32(24)?),
            local_offset: u64::from(fields.u32(42)?),
        };
        entry.widen(&whole[name_end..extra_end])?;
        *rest = &rest[entry_end..];
        Ok(entry)
    }

    /// Replaces saturated fields by those of the Zip64 extra field, in the order that the format lays down.
    fn widen(&mut self, mut extra: &[u8]) -> Result<(), DirectoryError> {
        while extra.len() >= 4 {
            let fields = Fields(extra);
            let (id, len) = (fields.u16(0)?, usize::from(fields.u16(2)?));
            let body = extra.get(4..4 + len).ok_or(CUT_SHORT)?;
            extra = &extra[4 + len..];
            if id != 1 {
                continue;
            }
            let mut at = 0;
            for value in [
                &mut self.size,
                &mut self.stored_bytes,
                &mut self.local_offset,
            ] {
                if *value == u64::from(u32::MAX) {
                    *value = Fields(body).u64(at)?;
                    at += 8;
                }
            }
            break;
        }
        Ok(())
    }
}

const CUT_SHORT: DirectoryError = DirectoryError::Malformed("its directory is cut short");

/// Little-endian fields at offsets of a record.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&self, at: usize) -> Result<[u8; N], DirectoryError> {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().ok_or(CUT_SHORT)
    }

    fn take4(&self, at: usize) -> Result<[u8; 4], DirectoryError> {
        self.take(at)
    }

    fn u16(&self, at: usize) -> Result<u16, DirectoryError> {
        self.take(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, DirectoryError> {
        self.take(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Result<u64, DirectoryError> {
        self.take(at).map(u64::from_le_bytes)
    }
}

/// The directory's length, if its counts are within bounds and can agree.
fn capped_len(end: &End) -> Result<usize, DirectoryError> {
    if end.members > MAX_MEMBERS {
        return Err(DirectoryError::TooManyMembers {
            requested: end.members,
            maximum: MAX_MEMBERS,
        });
    }
    usize::try_from(end.bytes)
        .ok()
        .filter(|_| end.bytes <= MAX_DIRECTORY_BYTES)
        .ok_or(DirectoryError::TooLong {
            requested: end.bytes,
            maximum: MAX_DIRECTORY_BYTES,
        })
}

/// Finds the end record: the last one whose comment ends exactly where the file does.
fn find_end(archive: &File) -> Result<End, DirectoryError> {
    let file_bytes = archive.metadata()?.len();
    let window = (END_BYTES + COMMENT_BYTES + LOCATOR_BYTES) as u64;
    let tail_start = file_bytes.saturating_sub(window);
    let tail_len = usize::try_from(file_bytes - tail_start).unwrap_or(0);
    let mut tail = vec![0; tail_len];
    archive.read_exact_at(&mut tail, tail_start)?;
    let at = (0..=tail.len().saturating_sub(END_BYTES))
        .rev()
        .find(|&at| {
            let record = Fields(&tail[at..]);
            let ends = |comment| at + END_BYTES + usize::from(comment) == tail.len();
            tail[at..].starts_with(b"PK\x05\x06") && record.u16(20).is_ok_and(ends)
        });
    let at = at.ok_or(DirectoryError::Malformed("it has no end record"))?;
    let end_offset = tail_start + at as u64;
    let locator = at.checked_sub(LOCATOR_BYTES).map(|start| &tail[start..at]);
    let (end, end_offset) = match locator {
        Some(locator) if locator.starts_with(b"PK\x06\x07") => {
            let offset = Fields(locator).u64(8)?;
            (read_end64(archive, offset)?, offset)
        }
        _ => (parse_end(&Fields(&tail[at..]))?, end_offset),
    };
    // Offsets count from the file's first byte, and nothing may stand between directory and end record.
    if end.start.checked_add(end.bytes) != Some(end_offset) {
        return Err(DirectoryError::Malformed(
            "its directory does not end at its end record",
        ));
    }
    Ok(end)
}

fn parse_end(record: &Fields<'_>) -> Result<End, DirectoryError> {
    let (on_this_disk, members) = (record.u16(8)?, record.u16(10)?);
    if record.u32(4)? != 0 || on_this_disk != members {
        return Err(DirectoryError::Malformed("it is split over several files"));
    }
    Ok(End {
        members: u64::from(members),
        bytes: u64::from(record.u32(12)?),
        start: u64::from(record.u32(16)?),
    })
}

fn read_end64(archive: &File, offset: u64) -> Result<End, DirectoryError> {
    let mut bytes = [0; END64_BYTES];
    archive.read_exact_at(&mut bytes, offset)?;
    let record = Fields(&bytes);
    if record.take4(0)? != *b"PK\x06\x06" {
        return Err(DirectoryError::Malformed("its Zip64 end record is missing"));
    }
    let (on_this_disk, members) = (record.u64(24)?, record.u64(32)?);
    if record.u64(16)? != 0 || on_this_disk != members {
        return Err(DirectoryError::Malformed("it is split over several files"));
    }
    Ok(End {
        members,
        bytes: record.u64(40)?,
        start: record.u64(48)?,
    })
}
