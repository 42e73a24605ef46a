//! An artifact's address map, told in terms of the component before it was changed.
//!
//! wasmtime finds a trap's line by the place of the instruction in its code section, which its address map has for the machine code and debug
//! information has for the source. Passes move instructions, so the map is written again with the places as they were. Debug
//! information itself is left alone. The map's format is wasmtime's own (`AddressMapSection` in wasmtime-environ 48): what does
//! not look like it is an error.

use super::splice::Moves;
use std::ops::Range;
use wasm_encoder::Encode;
use wasmparser::BinaryReader;

/// The section of the address map, as `wasmtime_environ::obj::ELF_WASMTIME_ADDRMAP` has it.
const SECTION: &[u8] = b".wasmtime.addrmap";

/// Writes an artifact's address map again. Nothing if it has none that can be read.
pub(crate) fn tell(artifact: &mut Vec<u8>, moves: &[Moves]) -> Option<()> {
    let header = find(artifact)?;
    let [offset, bytes] = [0x18, 0x20].map(|at| number(artifact, header + at, 8));
    let place = place(offset?, bytes?)?;
    let map = again(artifact.get(place.clone())?, moves)?;
    let (offset, bytes) = match map.len() <= place.len() {
        true => (place.start, map.len()),
        false => (artifact.len(), map.len()),
    };
    artifact.resize(artifact.len().max(offset + bytes), 0);
    artifact[offset..offset + bytes].copy_from_slice(&map);
    for (at, value) in [(0x18, offset), (0x20, bytes)] {
        let field = artifact.get_mut(header + at..header + at + 8)?;
        field.copy_from_slice(&(value as u64).to_le_bytes());
    }
    Some(())
}

fn place(offset: u64, bytes: u64) -> Option<Range<usize>> {
    let begin = usize::try_from(offset).ok()?;
    Some(begin..begin.checked_add(usize::try_from(bytes).ok()?)?)
}

/// A number of so many bytes, the lowest first.
fn number(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(len)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

/// Where the header of the address map's section stands in an ELF file of 64 bits.
fn find(artifact: &[u8]) -> Option<usize> {
    if !artifact.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let half = |at| usize::try_from(number(artifact, at, 2)?).ok();
    let long = |at| usize::try_from(number(artifact, at, 8)?).ok();
    let (table, size, count, names) = (long(0x28)?, half(0x3a)?, half(0x3c)?, half(0x3e)?);
    let header = |section: usize| table.checked_add(section.checked_mul(size)?);
    let names = artifact.get(long(header(names)? + 0x18)?..)?;
    (0..count).filter_map(header).find(|header| {
        let name =
            number(artifact, *header, 4).and_then(|name| names.get(usize::try_from(name).ok()?..));
        name.is_some_and(|name| {
            name.strip_prefix(SECTION)
                .is_some_and(|rest| rest.first() == Some(&0))
        })
    })
}

/// The map with other places: for each block its first address and where its body begins, and then the bodies.
fn again(map: &[u8], moves: &[Moves]) -> Option<Vec<u8>> {
    let blocks = usize::try_from(number(map, 4, 4)?).ok()?;
    let end = blocks.checked_mul(8)?.checked_add(8)?;
    let (mut head, bodies) = (map.get(..end)?.to_vec(), map.get(end..)?);
    let begin = |block: usize| match block < blocks {
        true => usize::try_from(number(map, 12 + 8 * block, 4)?).ok(),
        false => Some(bodies.len()),
    };
    let mut made = Vec::with_capacity(bodies.len());
    for block in 0..blocks {
        let here = u32::try_from(made.len()).ok()?;
        head[12 + 8 * block..16 + 8 * block].copy_from_slice(&here.to_le_bytes());
        body(
            bodies.get(begin(block)?..begin(block + 1)?)?,
            moves,
            &mut made,
        )?;
    }
    head.extend_from_slice(&made);
    Some(head)
}

/// A block's body: for each address how far it is from the one before and whether it has a place; the first place, and then how
/// far each is from the one before.
fn body(body: &[u8], moves: &[Moves], made: &mut Vec<u8>) -> Option<()> {
    let mut reader = BinaryReader::new(body, 0);
    let mut last: Option<(i64, i64)> = None;
    while !reader.eof() {
        let token = reader.read_var_u64().ok()?;
        token.encode(made);
        if token & 1 != 0 {
            continue;
        }
        let place = match last {
            None => i64::try_from(reader.read_var_u64().ok()?).ok()?,
            Some((place, _)) => place.checked_add(reader.read_var_i64().ok()?)?,
        };
        let told = u32::try_from(place).ok()?;
        let told = moves
            .iter()
            .rev()
            .fold(told, |place, moves| moves.told(place));
        match last {
            None => u64::from(told).encode(made),
            Some((_, before)) => (i64::from(told) - before).encode(made),
        }
        last = Some((place, i64::from(told)));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::passes::splice::Edits;
    use std::convert::Infallible;

    /// Two code sections at 0 and 100, of which the first has got 90 bytes more at its 10th.
    fn moves() -> Moves {
        let mut edits = Edits::default();
        edits.code_section(0);
        edits.code_section(100);
        let write = |added: &mut Vec<u8>| {
            added.extend([0; 90]);
            Ok::<_, Infallible>(())
        };
        edits.replace(10..10, write).unwrap();
        edits.apply(&[0; 200]).unwrap().1
    }

    /// A map of two addresses, four apart, in one block.
    fn map(first: u64, second: i64) -> Vec<u8> {
        let mut map = [2u32, 1, 7, 0].map(u32::to_le_bytes).concat();
        0u64.encode(&mut map);
        first.encode(&mut map);
        (4u64 << 1).encode(&mut map);
        second.encode(&mut map);
        map
    }

    /// As little of an ELF file as holds a map: header, names, the map, and headers of the sections.
    fn artifact(map: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let names = [b"\0", SECTION, b"\0"].concat();
        let table = 64 + names.len() + map.len();
        bytes[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
        for (at, value) in [(0x3a, 64u16), (0x3c, 2), (0x3e, 0)] {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&names);
        bytes.extend_from_slice(map);
        for (name, begin, len) in [(0, 64, names.len()), (1, 64 + names.len(), map.len())] {
            let mut header = [0; 64];
            header[0] = name;
            header[0x18..0x20].copy_from_slice(&(begin as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(len as u64).to_le_bytes());
            bytes.extend_from_slice(&header);
        }
        bytes
    }

    fn read(artifact: &[u8]) -> &[u8] {
        let header = find(artifact).unwrap();
        let field = |at| number(artifact, header + at, 8).unwrap();
        &artifact[place(field(0x18), field(0x20)).unwrap()]
    }

    #[test]
    fn a_map_is_told_again_in_its_place_or_at_the_end_where_it_gets_longer() {
        // From the 110th byte, which was the 20th, to the 195th, which was the 105th and is the 5th of its section.
        for (from, told) in [(map(110, 85), map(20, 175)), (map(2, 100), map(2, 10))] {
            let mut artifact = artifact(&from);
            let len = artifact.len();
            tell(&mut artifact, &[moves()]).unwrap();
            assert_eq!(read(&artifact), told);
            assert_eq!(artifact.len() > len, told.len() > from.len());
        }
    }

    #[test]
    fn what_is_no_artifact_is_said_to_be_none() {
        let whole = artifact(&map(110, 85));
        // The last section's header ends in fields that are not looked at.
        for len in 0..whole.len() - 24 {
            assert!(
                tell(&mut whole[..len].to_vec(), &[moves()]).is_none(),
                "{len}"
            );
        }
    }
}
