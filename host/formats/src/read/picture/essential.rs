//! A PNG without the chunks that do not bear on its samples.
//!
//! Anything may hang on a picture: a camera's EXIF block, a colour profile, a compressed text, an editor's whole
//! document. None of it changes an array, so none of it is read, held, decompressed or parsed: the file is moved
//! past it. What is left are the critical chunks and `tRNS`. The chunks of an animation go too, which leaves the
//! default image. A chunk whose name is none is left for the decoder to refuse.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

const SIGNATURE_BYTES: u64 = 8;
/// Length and name before a chunk's data.
const HEAD_BYTES: usize = 8;
const CHECKSUM_BYTES: u64 = 4;

/// A PNG's bytes, of which the chunks that do not matter are left out.
pub(super) struct Essential<R> {
    source: R,
    /// Bytes of the source that are to be passed on before the next chunk begins.
    passing: u64,
    /// The head of the chunk that comes next, once it was looked at, and how much of it was passed on.
    head: [u8; HEAD_BYTES],
    head_len: usize,
    head_at: usize,
}

impl<R: BufRead + Seek> Essential<R> {
    /// From the start of a file.
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            passing: SIGNATURE_BYTES,
            head: [0; HEAD_BYTES],
            head_len: 0,
            head_at: 0,
        }
    }

    /// Goes on to the head of the next chunk that matters. A head that the file cuts short is passed on as it is.
    fn advance(&mut self) -> io::Result<()> {
        loop {
            (self.head_len, self.head_at) = (0, 0);
            while self.head_len < HEAD_BYTES {
                match self.source.read(&mut self.head[self.head_len..]) {
                    Ok(0) => return Ok(()),
                    Ok(read) => self.head_len += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            let [length @ .., _, _, _, _] = self.head;
            let after_head = u64::from(u32::from_be_bytes(length)) + CHECKSUM_BYTES;
            if matters(&self.head[4..]) {
                self.passing = after_head;
                return Ok(());
            }
            self.source.seek_relative(after_head.cast_signed())?;
        }
    }
}

/// Whether a chunk of that name bears on the samples: critical chunks, as the case of the first letter says, and
/// the transparent colours.
fn matters(name: &[u8]) -> bool {
    let is_name = name.iter().all(u8::is_ascii_alphabetic);
    !is_name || name[0].is_ascii_uppercase() || name == b"tRNS"
}

impl<R: BufRead + Seek> Read for Essential<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let len = available.len().min(buffer.len());
        buffer[..len].copy_from_slice(&available[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl<R: BufRead + Seek> BufRead for Essential<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.head_at == self.head_len && self.passing == 0 {
            self.advance()?;
        }
        if self.head_at < self.head_len {
            return Ok(&self.head[self.head_at..self.head_len]);
        }
        let passing = usize::try_from(self.passing).unwrap_or(usize::MAX);
        let available = self.source.fill_buf()?;
        Ok(&available[..available.len().min(passing)])
    }

    fn consume(&mut self, len: usize) {
        if self.head_at < self.head_len {
            self.head_at += len;
        } else {
            self.source.consume(len);
            self.passing -= len as u64;
        }
    }
}

impl<R> Seek for Essential<R> {
    /// The decoder asks for it and reads front to back all the same.
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&len, name, data, b"crc!"].concat()
    }

    /// What is left of a file, read through buffers of that size.
    fn left(file: &[u8], buffer_bytes: usize) -> Vec<u8> {
        let source = BufReader::with_capacity(buffer_bytes, Cursor::new(file));
        let mut left = Vec::new();
        Essential::new(source).read_to_end(&mut left).unwrap();
        left
    }

    #[test]
    fn what_does_not_bear_on_samples_is_left_out() {
        let signature = b"\x89PNG\r\n\x1a\n".as_slice();
        let kept = |name| chunk(name, b"kept");
        let names = [
            b"eXIf", b"iCCP", b"zTXt", b"tEXt", b"iTXt", b"sPLT", b"gAMA", b"acTL", b"mkBT",
            b"prIV",
        ];
        let mut file = [signature, &kept(b"IHDR")].concat();
        for (index, name) in names.into_iter().enumerate() {
            file.extend(chunk(name, &vec![7; 100 * index]));
        }
        file.extend(
            [
                kept(b"PLTE"),
                kept(b"tRNS"),
                chunk(b"fcTL", b""),
                kept(b"IDAT"),
            ]
            .concat(),
        );
        file.extend([chunk(b"fdAT", b"1234"), kept(b"IDAT"), kept(b"IEND")].concat());
        let names = [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IDAT", b"IEND"];
        let expected = [signature.to_vec(), names.map(kept).concat()].concat();
        for buffer_bytes in [1, 3, 8, 64, 4096] {
            assert_eq!(left(&file, buffer_bytes), expected, "{buffer_bytes}");
        }
    }

    #[test]
    fn a_file_that_ends_anywhere_ends_there() {
        let file = [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(b"IHDR", b"abc"),
            chunk(b"tEXt", b"x"),
        ]
        .concat();
        for len in 0..file.len() {
            let left = left(&file[..len], 16);
            assert!(file.starts_with(&left), "{len}");
            // A whole head of a chunk that does not matter is left out, and a part of any head is not known to be one.
            assert_eq!(left.len(), if len < 31 { len } else { 23 }, "{len}");
        }
    }

    #[test]
    fn names_that_are_none_are_left_to_the_decoder() {
        for name in [b"\0\0\0\0", b"aB1d", b"ab\xffd", b"Abcd"] {
            assert!(matters(name), "{name:?}");
        }
    }
}
