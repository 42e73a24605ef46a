//! SPIR-V that naga writes of WGSL becomes WGSL of the same layout again; and no bytes make this panic.

use super::*;
use naga::back::spv as writer;
use naga::{Module, TypeInner};

/// The SPIR-V of a text, with every offset and stride in it.
fn spirv_of(wgsl: &str) -> Vec<u8> {
    let module = naga::front::wgsl::parse_str(wgsl).unwrap();
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).unwrap();
    let options = writer::Options {
        lang_version: (1, 3),
        ..writer::Options::default()
    };
    let words = writer::write_vec(&module, &info, &options, None).unwrap();
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

/// The offsets of the members of the structure that stands at a binding, in the block that naga writes around it.
fn offsets(module: &Module, slot: u32) -> Vec<u32> {
    let at = |variable: &&naga::GlobalVariable| {
        let binding = variable.binding.map(|binding| binding.binding);
        binding == Some(slot)
    };
    let variables = module.global_variables.iter().map(|(_, one)| one);
    let variable = variables.into_iter().find(at).unwrap();
    let members = |ty| match &module.types[ty].inner {
        TypeInner::Struct { members, .. } => members,
        other => panic!("{other:?} is no structure"),
    };
    let block = members(variable.ty);
    let inside = members(block[0].ty);
    inside.iter().map(|member| member.offset).collect()
}

/// Arguments as compilers lay them out that know one rule for uniform buffers: each structure begins at a multiple of 16.
const ARGUMENTS: &str = "
    struct Shape { x: i32, y: i32 }
    struct Array { @size(16) shape: Shape, data: u32 }
    struct Arguments { @size(16) a: f32, @size(32) x: Array, @size(32) y: Array, b: u32 }
    struct Element { @size(12) kind: u32, @size(20) weight: f32 }
    @group(0) @binding(0) var<uniform> arguments: Arguments;
    @group(0) @binding(1) var<storage, read_write> elements: array<Element>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3u) {
        let a = arguments.a * f32(arguments.x.shape.y + arguments.y.shape.x);
        elements[id.x].weight += a + f32(arguments.b);
    }";

#[test]
fn members_lie_where_the_spirv_has_them() {
    let text = wgsl_of(&spirv_of(ARGUMENTS)).unwrap();
    let module = naga::front::wgsl::parse_str(&text).unwrap();
    assert_eq!(offsets(&module, 0), [0, 16, 48, 80], "{text}");
    let strides = module.types.iter().filter_map(|(_, ty)| match ty.inner {
        TypeInner::Array { stride, .. } => Some(stride),
        _ => None,
    });
    assert_eq!(strides.collect::<Vec<_>>(), [32], "{text}");
}

#[test]
fn plain_naga_loses_what_is_kept_here() {
    // The reason for all this; where it fails, naga writes layouts itself, and `layout::annotate` can go.
    let module = spv::parse_u8_slice(&spirv_of(ARGUMENTS), &spv::Options::default()).unwrap();
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).unwrap();
    let text = wgsl::write_string(&module, &info, wgsl::WriterFlags::empty()).unwrap();
    let read = naga::front::wgsl::parse_str(&text).unwrap();
    assert_ne!(offsets(&read, 0), [0, 16, 48, 80]);
    let error = layout::compare(&module, &read).unwrap_err();
    assert!(error.to_string().contains("is at byte 16"), "{error}");
}

#[test]
fn entry_points_and_workgroups_stay() {
    let text = wgsl_of(&spirv_of(ARGUMENTS)).unwrap();
    assert!(
        text.contains("@compute @workgroup_size(64, 1, 1)"),
        "{text}"
    );
    assert!(text.contains("fn main("), "{text}");
}

/// Changes a word of the one instruction of four words that has this operation, and this word at this place.
fn change(spirv: &mut [u8], operation: u32, has: (usize, u32), becomes: (usize, u8)) {
    let word =
        |spirv: &[u8], at: usize| u32::from_le_bytes(spirv[4 * at..4 * at + 4].try_into().unwrap());
    let places = 5..spirv.len() / 4 - 3;
    let is_it =
        |at: &usize| word(spirv, *at) == 4 << 16 | operation && word(spirv, at + has.0) == has.1;
    let found: Vec<usize> = places.filter(is_it).collect();
    let [at] = found[..] else {
        panic!("{} instructions are so", found.len());
    };
    spirv[4 * (at + becomes.0)] = becomes.1;
}

#[test]
fn strides_that_wgsl_has_not_are_refused() {
    // Elements of 4 bytes, 16 bytes apart.
    let mut spirv = spirv_of(
        "@group(0) @binding(3) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(1) fn main() { x[1] = 1u; }",
    );
    // OpDecorate, ArrayStride.
    change(&mut spirv, 71, (2, 6), (3, 16));
    let error = wgsl_of(&spirv).unwrap_err().to_string();
    let wanted = "@group(0) @binding(3) has a layout that WGSL cannot express: elements of";
    assert!(error.contains(wanted), "{error}");
    assert!(error.contains("16 bytes apart, and would be 4"), "{error}");
}

#[test]
fn matrices_row_by_row_are_refused() {
    let mut spirv = spirv_of(
        "struct Turn { m: mat2x3f }
         @group(0) @binding(0) var<uniform> turn: Turn;
         @group(0) @binding(1) var<storage, read_write> x: array<vec3f>;
         @compute @workgroup_size(1) fn main() { x[0] = turn.m * vec2f(1, 2); }",
    );
    wgsl_of(&spirv).unwrap();
    // OpMemberDecorate, ColMajor to RowMajor.
    change(&mut spirv, 72, (3, 5), (3, 4));
    let error = wgsl_of(&spirv).unwrap_err().to_string();
    assert!(error.contains("row by row"), "{error}");
}

#[test]
fn what_naga_does_not_read_is_said() {
    let error = wgsl_of(&[&MAGIC[..], &[0; 40]].concat()).unwrap_err();
    assert!(
        error.to_string().starts_with("the SPIR-V cannot be read"),
        "{error}"
    );
    let error = wgsl_of(&vec![0; MAX_BYTES + 1]).unwrap_err();
    assert!(matches!(error, SpirvError::TooLong { .. }));
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u32::try_from(self.0 >> 33).unwrap()
    }

    fn below(&mut self, bound: usize) -> usize {
        self.next() as usize % bound
    }
}

#[test]
fn broken_modules_are_errors_and_never_panics() {
    let good = spirv_of(ARGUMENTS);
    let mut numbers = Numbers(7);
    let (mut read, mut refused) = (0, 0);
    for round in 0..1500 {
        let mut bytes = good.clone();
        match round % 3 {
            // Some words are others.
            0 => {
                for _ in 0..=numbers.below(3) {
                    let at = 4 * numbers.below(bytes.len() / 4);
                    let word = match numbers.below(3) {
                        0 => numbers.next(),
                        1 => numbers.next() % 64,
                        _ => 1 << (numbers.next() % 32),
                    };
                    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
                }
            }
            // The end is missing.
            1 => bytes.truncate(numbers.below(bytes.len())),
            // A part stands twice.
            _ => {
                let from = 20 + 4 * numbers.below(bytes.len() / 4 - 8);
                let part = bytes[from..(from + 32).min(bytes.len())].to_vec();
                let at = 20 + 4 * numbers.below(bytes.len() / 4 - 8);
                bytes.splice(at..at, part);
            }
        }
        match wgsl_of(&bytes) {
            Ok(text) => {
                naga::front::wgsl::parse_str(&text).unwrap();
                read += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(read > 0 && refused > 500, "{read} read, {refused} refused");
}

/// A module whose branches stand so deep in each other.
fn nested(depth: u32) -> Vec<u8> {
    let mut words = vec![0x0723_0203, 0x0001_0300, 0, 16 + 2 * depth, 0];
    let mut add = |operation: u32, operands: &[u32]| {
        let count = u32::try_from(operands.len() + 1).unwrap();
        words.push(count << 16 | operation);
        words.extend_from_slice(operands);
    };
    let main = u32::from_le_bytes(*b"main");
    let (void, function, boolean, constant, entry, first) = (1, 2, 3, 4, 5, 6);
    add(17, &[1]);
    add(14, &[0, 1]);
    add(15, &[5, entry, main, 0]);
    add(16, &[entry, 17, 1, 1, 1]);
    add(19, &[void]);
    add(33, &[function, void]);
    add(20, &[boolean]);
    add(41, &[boolean, constant]);
    add(54, &[void, entry, 0, function]);
    add(248, &[first]);
    let (inside, after) = (|at: u32| 16 + 2 * at, |at: u32| 17 + 2 * at);
    for at in 0..depth {
        add(247, &[after(at), 0]);
        add(250, &[constant, inside(at), after(at)]);
        add(248, &[inside(at)]);
    }
    for at in (0..depth).rev() {
        add(249, &[after(at)]);
        add(248, &[after(at)]);
    }
    add(253, &[]);
    add(56, &[]);
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[test]
fn long_sums_are_written_in_parts() {
    let sum = (0..900).map(|at| format!("s = s * 3u + x[{at}];"));
    let sum: String = sum.collect();
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
         @compute @workgroup_size(1) fn main() {{ var s = 1u; {sum} x[0] = s; let t = {}; x[1] = t; }}",
        (0..150).fold("x[7]".to_owned(), |sum, at| format!("({sum} + {at}u * x[8])"))
    );
    let made = wgsl_of(&spirv_of(&text)).unwrap();
    let nesting = made.lines().map(|line| line.matches('(').count()).max();
    assert!(nesting < Some(40), "{nesting:?}");
}

#[test]
fn deep_nesting_is_refused_and_no_stack_overflows() {
    wgsl_of(&nested(40)).unwrap();
    for depth in [200, 20_000] {
        let error = wgsl_of(&nested(depth)).unwrap_err().to_string();
        assert!(error.contains("deep in each other"), "{error}");
    }
}
