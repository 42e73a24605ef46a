//! Lines of source by places in the code, from a component's debug information.

use super::code::Code;
use gimli::{DebugLine, DebugLineOffset, EndianSlice, LittleEndian};
use hotcell_model::analysis::LISTED_NAME_BYTES;
use std::collections::HashMap;

/// The most rows that are read.
const MAX_ROWS: usize = 1 << 20;

/// Where each row of the tables begins, with its file and line.
#[derive(Default)]
pub(super) struct Lines {
    /// Place in the component, file by its number, line.
    rows: Vec<(u32, u32, u32)>,
    files: Vec<String>,
}

impl Lines {
    /// Reads a module's line tables; none where there are none, or where they are no tables.
    pub(super) fn of(code: &Code<'_>) -> Self {
        let mut lines = Self::default();
        if let (Some(section), Some(begin)) = (code.debug_line, code.code_begin) {
            // What was read until a table broke off is as good as the rest.
            let _ = lines.read(section, begin);
            lines.rows.sort_by_key(|(at, ..)| *at);
        }
        lines
    }

    fn read(&mut self, section: &[u8], begin: u32) -> gimli::Result<()> {
        let tables = DebugLine::new(section, LittleEndian);
        let mut offset = 0;
        while offset < section.len() {
            let program = tables.program(DebugLineOffset(offset), 4, None, None)?;
            let header = program.header();
            let length = header.unit_length();
            // The numbers of this table's files among all of them.
            let mut known: HashMap<u64, u32> = HashMap::new();
            let mut rows = program.rows();
            while let Some((header, row)) = rows.next_row()? {
                let (Some(line), false) = (row.line(), row.end_sequence()) else {
                    continue;
                };
                let place = u64::from(begin).checked_add(row.address());
                let Some(place) = place.and_then(|place| u32::try_from(place).ok()) else {
                    continue;
                };
                if self.rows.len() >= MAX_ROWS {
                    return Ok(());
                }
                let line = u32::try_from(line.get()).unwrap_or(u32::MAX);
                let file = known.entry(row.file_index()).or_insert_with(|| {
                    self.files.push(file_name(row.file(header)));
                    u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
                });
                self.rows.push((place, *file, line));
            }
            // A length and its four bytes.
            offset = offset.saturating_add(length).saturating_add(4);
        }
        Ok(())
    }

    /// The file and the line of a place in the component.
    pub(super) fn at(&self, place: u32) -> Option<(String, u32)> {
        let behind = self.rows.partition_point(|(at, ..)| *at <= place);
        let (_, file, line) = self.rows.get(behind.checked_sub(1)?)?;
        Some((self.files.get(*file as usize)?.clone(), *line))
    }
}

type Reader<'a> = EndianSlice<'a, LittleEndian>;

fn file_name(file: Option<&gimli::FileEntry<Reader<'_>>>) -> String {
    let name = match file.map(gimli::FileEntry::path_name) {
        Some(gimli::AttributeValue::String(name)) => name.to_string_lossy().into_owned(),
        _ => String::new(),
    };
    let mut name = name;
    name.truncate(name.floor_char_boundary(LISTED_NAME_BYTES));
    name
}
