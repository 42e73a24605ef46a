//! Committing: every output under a temporary name first, then all renames.

use super::{Format, FrameDelay, Sink, WriteError, check_distinct, check_free, temporary_in};
use crate::npy::header;
use crate::npz;
use crate::place::FileId;
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempPath;

/// What is waited for before the renames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The operating system has the data: outputs are whole whatever happens to this process.
    #[default]
    Written,
    /// The disk has the data: outputs are whole after a power failure too. Slower.
    Synced,
}

/// Asked whether to go on; its error ends the commit.
pub type GoOn<'a> = &'a dyn Fn() -> io::Result<()>;

/// The most bytes written between two questions.
const PIECE_BYTES: usize = 4 << 20;

/// A file that asks before each piece whether to go on.
struct Asking<'a> {
    file: File,
    go_on: GoOn<'a>,
}

impl Write for Asking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.go_on)()?;
        self.file.write(&bytes[..bytes.len().min(PIECE_BYTES)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl io::Seek for Asking<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A whole file that waits for its name; dropped, it is removed.
struct Staged {
    temporary: TempPath,
    path: PathBuf,
    kept: Arc<[FileId]>,
}

/// Writes all outputs, then gives them their names, in order.
///
/// Outputs that are members of one `.npz` become one archive, which replaces an old one wholly. Returns the files
/// that were made.
///
/// # Errors
///
/// [`WriteError`]. Until all files are whole, nothing is replaced and every temporary file is removed. Only if a
/// rename itself fails may others have succeeded: [`WriteError::Rename`] counts them.
pub fn commit_all(
    outputs: Vec<(Sink, &[u8])>,
    durability: Durability,
) -> Result<Vec<PathBuf>, WriteError> {
    commit_all_while(outputs, durability, &|| Ok(()))
}

/// As [`commit_all`], asking `go_on` before every few MiB, and giving up with its error.
///
/// # Errors
///
/// As [`commit_all`]; [`WriteError::Io`] with the error of `go_on`, and nothing is replaced.
pub fn commit_all_while(
    outputs: Vec<(Sink, &[u8])>,
    durability: Durability,
    go_on: GoOn<'_>,
) -> Result<Vec<PathBuf>, WriteError> {
    let (sinks, data): (Vec<Sink>, Vec<&[u8]>) = outputs.into_iter().unzip();
    check_distinct(&sinks)?;
    for (sink, data) in sinks.iter().zip(&data) {
        check_length(sink, data)?;
    }
    let outputs: Vec<_> = sinks.iter().zip(data).collect();
    let mut staged = Vec::new();
    for (index, (sink, data)) in outputs.iter().enumerate() {
        match sink.archive() {
            None => stage(sink, data, durability, go_on, &mut staged)?,
            Some(archive) => {
                let mut earlier = outputs[..index].iter();
                if !earlier.any(|(sink, _)| sink.archive().as_ref() == Some(&archive)) {
                    staged.push(stage_archive(
                        &outputs[index..],
                        archive,
                        durability,
                        go_on,
                    )?);
                }
            }
        }
    }
    go_on().map_err(|source| failed_all(&outputs, source))?;
    rename_all(staged, durability)
}

fn check_length(sink: &Sink, data: &[u8]) -> Result<(), WriteError> {
    let (requested, maximum) = (data.len() as u64, sink.ty.size_bytes());
    if requested == maximum {
        return Ok(());
    }
    Err(WriteError::Length {
        file: sink.shown(),
        requested,
        maximum,
    })
}

/// Writes the files of one output that is no archive.
fn stage(
    sink: &Sink,
    data: &[u8],
    durability: Durability,
    go_on: GoOn<'_>,
    staged: &mut Vec<Staged>,
) -> Result<(), WriteError> {
    let pieces: Vec<&[u8]> = match &sink.format {
        Format::Numbered(_, frames) => data.chunks_exact(frames.frame_bytes(data.len())).collect(),
        _ => vec![data],
    };
    for (path, piece) in sink.paths().into_iter().zip(pieces) {
        let temporary = write_file(&sink.directory, durability, |file| {
            let mut target = BufWriter::new(Asking { file, go_on });
            encode(sink, piece, sink.delay, &mut target)?;
            let target = target
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            Ok(target.file)
        });
        let temporary = temporary.map_err(|source| failed(sink, data.len(), source))?;
        staged.push(Staged {
            temporary,
            path,
            kept: Arc::clone(&sink.kept),
        });
    }
    Ok(())
}

/// Writes one archive with every member of it among `outputs`, whose first is one.
fn stage_archive(
    outputs: &[(&Sink, &[u8])],
    archive: PathBuf,
    durability: Durability,
    go_on: GoOn<'_>,
) -> Result<Staged, WriteError> {
    let first = outputs[0].0;
    let members: Vec<_> = outputs
        .iter()
        .filter(|(sink, _)| sink.archive().as_ref() == Some(&archive))
        .filter_map(|(sink, data)| match &sink.format {
            Format::NpzMember(_, member) => Some((member.as_str(), &sink.ty, *data)),
            _ => None,
        })
        .collect();
    let total = members.iter().map(|(_, _, data)| data.len()).sum();
    let temporary = write_file(&first.directory, durability, |file| {
        let target = npz::write(BufWriter::new(Asking { file, go_on }), members)?;
        let target = target
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok(target.file)
    });
    let temporary = temporary.map_err(|source| failed(first, total, source))?;
    Ok(Staged {
        temporary,
        path: archive,
        kept: Arc::clone(&first.kept),
    })
}

/// Encodes one file's worth of an output.
fn encode(sink: &Sink, data: &[u8], delay: FrameDelay, target: &mut dyn Write) -> io::Result<()> {
    match &sink.format {
        Format::Npy(_) | Format::NpzMember(..) => {
            target.write_all(&header::encode(&sink.ty))?;
            target.write_all(data)
        }
        Format::Png(_, frames) | Format::Numbered(_, frames) => frames.write_picture(target, data),
        Format::Apng(_, frames) => frames.write_animation(target, data, delay),
    }
}

/// Makes a temporary file, hands it to `write`, and closes it: open files do not add up with the outputs.
fn write_file(
    directory: &Path,
    durability: Durability,
    write: impl FnOnce(File) -> io::Result<File>,
) -> io::Result<TempPath> {
    let (file, path) = temporary_in(directory)?.into_parts();
    let file = write(file)?;
    if durability == Durability::Synced {
        file.sync_all()?;
    }
    Ok(path)
}

fn failed_all(outputs: &[(&Sink, &[u8])], source: io::Error) -> WriteError {
    let file = outputs.first().map(|(sink, _)| sink.shown());
    WriteError::Io {
        file: file.unwrap_or_default(),
        source,
    }
}

fn failed(sink: &Sink, requested: usize, source: io::Error) -> WriteError {
    let (file, requested) = (sink.shown(), requested as u64);
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero => {
            WriteError::Full {
                file,
                requested,
                source,
            }
        }
        io::ErrorKind::FileTooLarge => WriteError::FileSize {
            file,
            requested,
            maximum: getrlimit(Resource::Fsize).current,
            source,
        },
        _ => WriteError::Io { file, source },
    }
}

/// Looks once more that each name is free or a regular file, then renames all.
fn rename_all(staged: Vec<Staged>, durability: Durability) -> Result<Vec<PathBuf>, WriteError> {
    let check = |staged: &Staged| check_free(&staged.path, &staged.kept);
    staged.iter().try_for_each(check)?;
    let total = staged.len();
    let mut made = Vec::with_capacity(total);
    for Staged {
        temporary, path, ..
    } in staged
    {
        let renamed = temporary.persist(&path).map_err(|error| error.error);
        let settled = renamed.and_then(|()| match durability {
            Durability::Written => Ok(()),
            Durability::Synced => sync_directory(&path),
        });
        settled.map_err(|source| WriteError::Rename {
            path: path.clone(),
            renamed: made.len(),
            total,
            source,
        })?;
        made.push(path);
    }
    Ok(made)
}

/// A rename is on disk once its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
