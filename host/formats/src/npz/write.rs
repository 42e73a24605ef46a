//! Writing an archive: members stored without compression, as `numpy.savez` does, in one pass.
//!
//! The data is at hand, so each checksum is known before its header is written and nothing is gone back to. Dates
//! are fixed, so that equal arrays make equal archives. Sizes and offsets beyond 32 bits take the Zip64 form.

use crate::npy::header;
use flate2::Crc;
use hotcell_model::array::ArrayType;
use std::io::{self, Write};

/// From this size or offset on, a member takes the Zip64 form.
const ZIP64_FROM: u64 = u32::MAX as u64;

/// 2.0 reads plain members, 4.5 reads Zip64.
const VERSION: u16 = 20;
const VERSION_ZIP64: u16 = 45;
const MADE_ON_UNIX: u16 = 3 << 8;
const NAME_IS_UTF8: u16 = 1 << 11;
/// 1 January 1980, the format's first day, as NumPy has it.
const DATE: u16 = (1 << 5) | 1;
const REGULAR_FILE_MODE: u32 = 0o100_644 << 16;

/// A member that has been written.
struct Written {
    name: String,
    crc32: u32,
    size: u64,
    offset: u64,
    zip64: bool,
}

/// Writes a whole archive of arrays.
pub(crate) fn write<'a, W: Write>(
    target: W,
    members: impl IntoIterator<Item = (&'a str, &'a ArrayType, &'a [u8])>,
) -> io::Result<W> {
    write_with(target, members, ZIP64_FROM)
}

fn write_with<'a, W: Write>(
    mut target: W,
    members: impl IntoIterator<Item = (&'a str, &'a ArrayType, &'a [u8])>,
    zip64_from: u64,
) -> io::Result<W> {
    let (mut offset, mut written) = (0, Vec::new());
    for (name, ty, data) in members {
        let header = header::encode(ty);
        let mut crc = Crc::new();
        crc.update(&header);
        crc.update(data);
        let size = (header.len() + data.len()) as u64;
        let member = Written {
            name: format!("{name}.npy"),
            crc32: crc.sum(),
            size,
            offset,
            zip64: size >= zip64_from || offset >= zip64_from,
        };
        let local = member.local_header();
        for piece in [local.as_slice(), &header, data] {
            target.write_all(piece)?;
        }
        offset += local.len() as u64 + size;
        written.push(member);
    }
    let directory: Vec<u8> = written.iter().flat_map(Written::directory_entry).collect();
    let zip64 = offset >= zip64_from || written.len() >= usize::from(u16::MAX);
    target.write_all(&directory)?;
    target.write_all(&end(
        written.len() as u64,
        directory.len() as u64,
        offset,
        zip64,
    ))?;
    Ok(target)
}

impl Written {
    fn local_header(&self) -> Vec<u8> {
        let extra = self.zip64_extra(&[self.size, self.size]);
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.extend(self.common(extra.len()));
        bytes.extend(self.name.as_bytes());
        bytes.extend(extra);
        bytes
    }

    fn directory_entry(&self) -> Vec<u8> {
        let extra = self.zip64_extra(&[self.size, self.size, self.offset]);
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.extend((MADE_ON_UNIX | VERSION_ZIP64).to_le_bytes());
        bytes.extend(self.common(extra.len()));
        // No comment, on the first disk, binary content.
        bytes.extend([0; 6]);
        bytes.extend(REGULAR_FILE_MODE.to_le_bytes());
        bytes.extend(self.narrow(self.offset).to_le_bytes());
        bytes.extend(self.name.as_bytes());
        bytes.extend(extra);
        bytes
    }

    /// The fields that a local header and a directory entry share, from the version on.
    fn common(&self, extra_len: usize) -> Vec<u8> {
        let version = if self.zip64 { VERSION_ZIP64 } else { VERSION };
        let flags = if self.name.is_ascii() {
            0
        } else {
            NAME_IS_UTF8
        };
        let (stored, time) = (0, 0);
        let size = self.narrow(self.size).to_le_bytes();
        let lens = [self.name.len(), extra_len].map(|len| u16::try_from(len).unwrap_or(u16::MAX));
        let mut bytes = Vec::new();
        for field in [version, flags, stored, time, DATE] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(self.crc32.to_le_bytes());
        bytes.extend([size, size].concat());
        bytes.extend(lens.map(u16::to_le_bytes).concat());
        bytes
    }

    /// A field of 32 bits, which says "see the Zip64 field" where the member has one.
    fn narrow(&self, value: u64) -> u32 {
        match u32::try_from(value) {
            Ok(value) if !self.zip64 => value,
            _ => u32::MAX,
        }
    }

    fn zip64_extra(&self, values: &[u64]) -> Vec<u8> {
        if !self.zip64 {
            return Vec::new();
        }
        let len = u16::try_from(8 * values.len()).unwrap_or(u16::MAX);
        let mut bytes = [1u16.to_le_bytes(), len.to_le_bytes()].concat();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }
}

/// The end record, behind its Zip64 form and that one's locator if needed.
fn end(members: u64, directory_bytes: u64, directory_offset: u64, zip64: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    if zip64 {
        let (version, this_disk) = (VERSION_ZIP64.to_le_bytes(), [0; 8]);
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44u64.to_le_bytes());
        bytes.extend([version, version].concat());
        bytes.extend(this_disk);
        for value in [members, members, directory_bytes, directory_offset] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend((directory_offset + directory_bytes).to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
    }
    let narrow = |value| match u32::try_from(value) {
        Ok(value) if !zip64 => value,
        _ => u32::MAX,
    };
    let count = u16::try_from(members).ok().filter(|_| !zip64);
    let count = count.unwrap_or(u16::MAX).to_le_bytes();
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend(narrow(directory_bytes).to_le_bytes());
    bytes.extend(narrow(directory_offset).to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npz::directory::Directory;
    use hotcell_model::manifest::DType;
    use std::io::{Cursor, Read};

    #[test]
    fn another_reader_and_our_own_understand_both_forms() {
        let ty = ArrayType::new(DType::U8, [3]).unwrap();
        let members = [("a", &ty, &[1u8, 2, 3][..]), ("ä/b", &ty, &[4, 5, 6])];
        for zip64_from in [0, 150, u64::from(u32::MAX)] {
            let bytes = write_with(Vec::new(), members, zip64_from).unwrap();
            let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
            for (name, ty, data) in members {
                let mut content = Vec::new();
                let mut member = zip.by_name(&format!("{name}.npy")).unwrap();
                member.read_to_end(&mut content).unwrap();
                assert_eq!(content, [&header::encode(ty), data].concat());
            }
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let directory = Directory::read(&file).unwrap();
            let entry = directory.entry("ä/b.npy".as_bytes()).unwrap();
            let member = directory.locate(&file, entry).unwrap();
            let end = usize::try_from(member.data_start + member.size).unwrap();
            assert_eq!(bytes[end - 3..end], [4, 5, 6]);
        }
    }
}
