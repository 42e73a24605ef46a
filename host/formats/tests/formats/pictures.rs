//! PNG in and out, animations and numbered frames.

use crate::support::{bytes_for, chain, names_in, read_bytes, read_in, ty, write_in};
use hotcell_formats::{MAX_ROW_BYTES, PictureError, ReadError, WriteError};
use hotcell_model::manifest::DType;
use png::{BitDepth, ColorType, Encoder};
use std::io::Write;

/// A PNG of packed samples.
fn png_of(
    (width, height): (u32, u32),
    color: ColorType,
    depth: BitDepth,
    data: &[u8],
    set: impl FnOnce(&mut Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    set(&mut encoder);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(data)
        .unwrap();
    bytes
}

/// A chunk with its length and checksum.
fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(data);
    let len = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&len, name, data, &crc.sum().to_be_bytes()].concat()
}

/// The start of a picture up to its header chunk; `tail` is depth, colour, two zeros and interlacing.
fn header_only(width: u32, height: u32, tail: [u8; 5]) -> Vec<u8> {
    let extents = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = chunk(b"IHDR", &[extents.as_slice(), &tail].concat());
    [b"\x89PNG\r\n\x1a\n", header.as_slice()].concat()
}

#[test]
fn every_picture_type_round_trips() {
    let directory = tempfile::tempdir().unwrap();
    for dtype in [DType::U8, DType::U16] {
        for shape in [&[3, 5][..], &[3, 5, 2], &[3, 5, 3], &[3, 5, 4]] {
            let ty = ty(dtype, shape);
            let data = bytes_for(dtype, ty.size_bytes());
            write_in(directory.path(), &[("x.png", ty.clone(), &data)]).unwrap();
            assert_eq!(read_in(directory.path(), "x.png").unwrap(), (ty, data));
        }
    }
    let one = ty(DType::U8, &[2, 2, 1]);
    write_in(directory.path(), &[("x.png", one, &[1, 2, 3, 4])]).unwrap();
    let (read, _) = read_in(directory.path(), "x.png").unwrap();
    assert_eq!(read.shape(), [2, 2]);
}

#[test]
fn sixteen_bit_samples_are_little_endian_in_the_array() {
    let file = png_of(
        (1, 1),
        ColorType::Grayscale,
        BitDepth::Sixteen,
        &[0x12, 0x34],
        |_| (),
    );
    let (ty, data) = read_bytes("x.png", &file).unwrap();
    assert_eq!((ty.dtype(), data), (DType::U16, vec![0x34, 0x12]));
}

const PALETTE: [u8; 6] = [9, 8, 7, 6, 5, 4];

#[test]
fn palettes_and_small_depths_are_expanded() {
    let packed = png_of(
        (4, 1),
        ColorType::Grayscale,
        BitDepth::Two,
        &[0b00_01_10_11],
        |_| (),
    );
    assert_eq!(read_bytes("x.png", &packed).unwrap().1, [0, 85, 170, 255]);
    let indexed = png_of((2, 1), ColorType::Indexed, BitDepth::Eight, &[1, 0], |e| {
        e.set_palette(PALETTE.to_vec());
    });
    let (ty, data) = read_bytes("x.png", &indexed).unwrap();
    assert_eq!((ty.shape(), data), (&[1, 2, 3][..], vec![6, 5, 4, 9, 8, 7]));
    let clear = png_of((2, 1), ColorType::Indexed, BitDepth::Eight, &[1, 0], |e| {
        e.set_palette(PALETTE.to_vec());
        e.set_trns(vec![50]);
    });
    let (ty, data) = read_bytes("x.png", &clear).unwrap();
    assert_eq!(
        (ty.shape(), data),
        (&[1, 2, 4][..], vec![6, 5, 4, 255, 9, 8, 7, 50])
    );
}

#[test]
fn interlaced_pictures_are_put_together() {
    // 3 by 3, gray: the seven passes of Adam7, of which two are empty here; each row starts with its filter.
    let passes = [
        0, 1, /* 4 */ 0, 3, /* 5 */ 0, 7, 9, /* 6 */ 0, 2, 0, 8, /* 7 */ 0, 4,
        5, 6,
    ];
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(&passes).unwrap();
    let mut file = header_only(3, 3, [8, 0, 0, 0, 1]);
    file.extend(chunk(b"IDAT", &zlib.finish().unwrap()));
    file.extend(chunk(b"IEND", b""));
    let (ty, data) = read_bytes("x.png", &file).unwrap();
    assert_eq!((ty.shape(), data), (&[3, 3][..], (1..=9).collect()));
}

#[test]
fn palettes_that_are_no_list_of_colours_are_refused() {
    for bytes in [4, 5, 767] {
        let file = png_of((2, 1), ColorType::Indexed, BitDepth::Eight, &[1, 0], |e| {
            e.set_palette(vec![7; bytes]);
        });
        let error = read_bytes("x.png", &file).unwrap_err();
        let ReadError::Picture { source, .. } = error else {
            panic!("{error:?}");
        };
        assert!(matches!(source, PictureError::Palette(found) if found == bytes));
    }
}

#[test]
fn a_header_that_claims_too_much_is_refused_before_any_row() {
    let error =
        read_bytes("x.png", &header_only(1000, 2_000_000_000, [8, 2, 0, 0, 0])).unwrap_err();
    let expected = |e: &ReadError| {
        matches!(
            e,
            ReadError::TooLarge {
                requested: 6_000_000_000_000,
                maximum: 1_048_576,
                ..
            }
        )
    };
    assert!(expected(&error), "{error:?}");
    let error = read_bytes("x.png", &header_only(2_000_000_000, 1, [16, 6, 0, 0, 0])).unwrap_err();
    let ReadError::Picture { source, .. } = error else {
        panic!("{error:?}");
    };
    let expected = matches!(
        source,
        PictureError::RowTooLong {
            maximum: MAX_ROW_BYTES,
            ..
        }
    );
    assert!(expected, "{source:?}");
}

/// A good picture with something between its header and its samples, and the same after them.
fn with_chunk(extra: &[u8]) -> Vec<u8> {
    let plain = png_of((2, 1), ColorType::Rgb, BitDepth::Eight, &SAMPLES, |_| ());
    let (head, rest) = plain.split_at(8 + 25);
    let (samples, end) = rest.split_at(rest.len() - 12);
    [head, extra, samples, extra, end].concat()
}

const SAMPLES: [u8; 6] = [1, 2, 3, 4, 5, 6];

#[test]
fn what_hangs_on_a_picture_does_not_matter_whatever_its_size() {
    let names = [
        b"eXIf", b"iCCP", b"zTXt", b"tEXt", b"iTXt", b"sPLT", b"gAMA", b"cHRM", b"pHYs", b"tIME",
        b"caBX", b"mkBT", b"acTL", b"fcTL", b"fdAT",
    ];
    for name in names {
        for bytes in [0, 1, 26, 9 << 20] {
            let file = with_chunk(&chunk(name, &vec![0x4d; bytes]));
            let (ty, data) = read_bytes("x.png", &file).unwrap();
            assert_eq!((ty.shape(), data), (&[1, 2, 3][..], SAMPLES.to_vec()));
        }
    }
    // Thousands of them, and one whose checksum is wrong.
    let mut broken = chunk(b"eXIf", b"MM\0*");
    *broken.last_mut().unwrap() ^= 1;
    for extra in [chunk(b"tEXt", b"a\0b").repeat(10_000), broken] {
        assert!(read_bytes("x.png", &with_chunk(&extra)).is_ok());
    }
}

#[test]
fn a_bomb_in_a_chunk_that_does_not_matter_is_never_decompressed() {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(&vec![0; 64 << 20]).unwrap();
    let bomb = zlib.finish().unwrap();
    for (name, prefix) in [
        (b"iCCP", b"p\0\0".as_slice()),
        (b"zTXt", b"k\0\0"),
        (b"iTXt", b"k\0\x01\0\0\0"),
    ] {
        let file = with_chunk(&chunk(name, &[prefix, &bomb].concat()));
        assert_eq!(read_bytes("x.png", &file).unwrap().1, SAMPLES);
    }
}

#[test]
fn a_chunk_that_claims_more_than_the_file_has_is_an_error() {
    let plain = with_chunk(&[]);
    for claimed in [1 << 20, 0x7fff_ffff, 0xffff_ffff_u32] {
        let extra = [&claimed.to_be_bytes()[..], b"eXIf"].concat();
        let file = [&plain[..33], &extra, &plain[33..]].concat();
        let error = read_bytes("x.png", &file).unwrap_err();
        assert!(chain(&error).contains("not a valid PNG"), "{error:?}");
    }
    let critical = with_chunk(&chunk(b"CrIT", b"x"));
    assert!(read_bytes("x.png", &critical).is_err());
}

#[test]
fn damaged_and_truncated_pictures_are_errors() {
    let whole = png_of((8, 8), ColorType::Rgb, BitDepth::Eight, &[7; 192], |_| ());
    for len in 0..whole.len() - 16 {
        assert!(read_bytes("x.png", &whole[..len]).is_err(), "{len}");
    }
    let error = read_bytes("x.png", b"GIF89a").unwrap_err();
    assert!(chain(&error).contains("not a valid PNG"), "{error:?}");
}

#[test]
fn an_animation_has_all_frames_and_reads_as_its_first() {
    let directory = tempfile::tempdir().unwrap();
    let ty = ty(DType::U16, &[3, 2, 2, 3]);
    let data = bytes_for(DType::U16, ty.size_bytes());
    write_in(directory.path(), &[("x.apng", ty, &data)]).unwrap();
    let path = directory.path().join("x.apng");
    let bytes = std::fs::read(&path).unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(&bytes))
        .read_info()
        .unwrap();
    let control = reader.info().animation_control().unwrap();
    assert_eq!((control.num_frames, control.num_plays), (3, 0));
    let frame = reader.info().frame_control().unwrap();
    assert_eq!((frame.delay_num, frame.delay_den), (1, 25));
    let (_, first) = read_bytes("x.png", &bytes).unwrap();
    assert_eq!(first, data[..24]);
}

#[test]
fn numbered_frames_are_one_picture_each() {
    let directory = tempfile::tempdir().unwrap();
    let data = bytes_for(DType::U8, 12);
    let ty = ty(DType::U8, &[3, 2, 2]);
    let made = write_in(directory.path(), &[("f-{:03}.png", ty, &data)]).unwrap();
    assert_eq!(made.len(), 3);
    assert_eq!(
        names_in(directory.path()),
        ["f-000.png", "f-001.png", "f-002.png"]
    );
    let (_, last) = read_in(directory.path(), "f-002.png").unwrap();
    assert_eq!(last, data[8..]);
}

#[test]
fn arrays_that_are_no_pictures_are_refused_before_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let table: [(&str, DType, &[u64]); 9] = [
        ("x.png", DType::F32, &[2, 2]),
        ("x.png", DType::U8, &[4]),
        ("x.png", DType::U8, &[2, 2, 5]),
        ("x.png", DType::U8, &[2, 2, 0]),
        ("x.png", DType::U8, &[0, 2]),
        ("x.png", DType::U8, &[1, 1 << 31]),
        ("x.apng", DType::U8, &[2, 2]),
        ("x.apng", DType::U8, &[0, 2, 2, 3]),
        ("x{}.png", DType::I16, &[2, 2, 2]),
    ];
    for (name, dtype, shape) in table {
        let error = write_in(directory.path(), &[(name, ty(dtype, shape), &[])]).unwrap_err();
        assert!(
            matches!(error, WriteError::Type { .. }),
            "{name} {shape:?}: {error:?}"
        );
    }
    let many = ty(DType::U8, &[100_001, 1, 1]);
    let error = write_in(directory.path(), &[("x{}.png", many, &[])]).unwrap_err();
    assert!(matches!(error, WriteError::TooManyFrames { .. }));
}
