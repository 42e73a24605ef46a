//! Components made in process, of a few lines of text each.
//!
//! A guest's text is a list of module fields with a function `$attack`, without parameters and results. The
//! preamble around it has what the canonical ABI wants: one page of memory, `cabi_realloc`, and the
//! export, which puts the request into globals and calls `$attack`. Host functions are imported if the
//! text calls them, under the names of [`IMPORTS`].

use hotcell::Component;
use hotcell::description::PACKAGE_VERSION;
use hotcell_manifest::{
    ComponentRecord, DType, KernelRecord, Parameter, Record, Role, SECTION, Weight,
};
use std::path::{Path, PathBuf};
use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a guest can call: its name in the text, interface, function, core type.
const IMPORTS: [(&str, &str, &str, &str); 13] = [
    (
        "$read",
        "arrays",
        "[method]input.read",
        "(param i32 i64 i32 i32)",
    ),
    (
        "$input_size",
        "arrays",
        "[method]input.size-bytes",
        "(param i32) (result i64)",
    ),
    (
        "$write",
        "arrays",
        "[method]output.write",
        "(param i32 i64 i32 i32)",
    ),
    (
        "$buffer",
        "arrays",
        "[method]output.buffer",
        "(param i32 i64 i32 i32)",
    ),
    (
        "$output_size",
        "arrays",
        "[method]output.size-bytes",
        "(param i32) (result i64)",
    ),
    (
        "$drop_input",
        "arrays",
        "[resource-drop]input",
        "(param i32)",
    ),
    (
        "$drop_output",
        "arrays",
        "[resource-drop]output",
        "(param i32)",
    ),
    ("$explain", "failure", "explain", "(param i32 i32)"),
    ("$emit", "log", "emit", "(param i32 i32 i32)"),
    ("$should_stop", "control", "should-stop", "(result i32)"),
    ("$progress", "control", "progress", "(param i64 i64)"),
    ("$elapsed_ns", "clock", "elapsed-ns", "(result i64)"),
    ("$random", "random", "bytes", "(param i32 i32)"),
];

/// A page of memory; the list returned by `$read` and `$random` is for the guest to place.
const MEMORY: &str = r#"(memory (export "memory") 1)"#;

/// Allocates forwards from 4096 and never frees; traps where memory cannot grow.
const REALLOC: &str = r#"
(global $heap (mut i32) (i32.const 4096))
(func $realloc (export "cabi_realloc")
    (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and
    (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
    (i32.sub (i32.const 0) (local.get $align))))
  (global.set $heap (i32.add (local.get $at) (local.get $len)))
  (block $fits (loop $more
    (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
    (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
    unreachable))
  (local.get $at))"#;

/// The export. Addresses 16 to 39 hold the result, which is `ok` unless the guest writes there.
const LAUNCH: &str = r#"
(global $in (mut i32) (i32.const -1))
(global $out (mut i32) (i32.const -1))
(global $start (mut i64) (i64.const 0))
(global $len (mut i64) (i64.const 0))
(func (export "hotcell:kernel/entries@VERSION#launch")
    (param $entry i32) (param $entry_len i32) (param $dims i32) (param $dims_len i32)
    (param $scalars i32) (param $scalars_len i32) (param $sources i32) (param $sources_len i32)
    (param $destinations i32) (param $destinations_len i32)
    (param $chunk_start i64) (param $chunk_len i64) (param $chunk_total i64) (result i32)
  (if (local.get $sources_len)
    (then (global.set $in (i32.load offset=8 (local.get $sources)))))
  (if (local.get $destinations_len)
    (then (global.set $out (i32.load offset=8 (local.get $destinations)))))
  (global.set $start (local.get $chunk_start))
  (global.set $len (local.get $chunk_len))
  (call $attack)
  (i32.const 16))"#;

/// The folder of the workspace.
pub fn checkout() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// A component in the making: code, interface and manifest.
///
/// The manifest has one entry `attack` of signature `(n)->(n)`, from `x` to `out`, both `u8`.
#[derive(Clone)]
pub struct Guest {
    fields: String,
    wit: String,
    version: String,
    record: KernelRecord,
    sections: Option<Vec<Vec<u8>>>,
}

impl Guest {
    /// The guest of `tests/guests/NAME.wat`.
    ///
    /// # Panics
    /// If there is none.
    pub fn named(name: &str) -> Self {
        let path = checkout().join(format!("tests/guests/{name}.wat"));
        let fields = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::of(fields)
    }

    /// A guest of module fields.
    pub fn of(fields: impl Into<String>) -> Self {
        Self {
            fields: fields.into(),
            wit: hotcell_wit::KERNEL.to_owned(),
            version: PACKAGE_VERSION.to_owned(),
            record: KernelRecord {
                name: "attack".to_owned(),
                doc: String::new(),
                signature: "(n)->(n)".to_owned(),
                parameters: vec![array("x", Role::Input), array("out", Role::Output)],
                split: None,
                cost: None,
                weight: Weight::Normal,
                limits: Default::default(),
                wants: None,
            },
            sections: None,
        }
    }

    /// Splits along `n`, one chunk for each index up to 16.
    #[must_use]
    pub fn split(self) -> Self {
        self.record(|record| {
            record.split = Some("n".to_owned());
            record.cost = Some("4194304*n".to_owned());
        })
    }

    /// Changes the entry's record.
    #[must_use]
    pub fn record(mut self, change: impl FnOnce(&mut KernelRecord)) -> Self {
        change(&mut self.record);
        self
    }

    /// Has these manifest sections in place of the honest one.
    #[must_use]
    pub fn sections(mut self, sections: Vec<Vec<u8>>) -> Self {
        self.sections = Some(sections);
        self
    }

    /// Is made for the version of the interfaces before today's.
    #[must_use]
    pub fn of_version(mut self, version: &str) -> Self {
        self.wit = self
            .wit
            .replace(&format!("@{}", self.version), &format!("@{version}"));
        self.version = version.to_owned();
        self
    }

    /// Implements another world.
    #[must_use]
    pub fn wit(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.wit = change(&self.wit);
        self
    }

    /// The manifest section that an honest build would write.
    pub fn manifest(&self) -> Vec<u8> {
        let component = ComponentRecord {
            name: "hostile".to_owned(),
            version: "1".to_owned(),
        };
        let records = [Record::from(component), Record::from(self.record.clone())];
        records.iter().flat_map(Record::encode).collect()
    }

    /// The component.
    pub fn component(&self) -> Component {
        Component::new(self.bytes())
    }

    /// The component's bytes.
    ///
    /// # Panics
    /// If the text is no valid module or does not fit its world.
    pub fn bytes(&self) -> Vec<u8> {
        let text = self.text();
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut resolve = Resolve::default();
        let package = resolve
            .push_source("kernel.wit", &self.wit)
            .expect("the WIT parses");
        let world = resolve
            .select_world(&[package], Some("kernel"))
            .expect("the world is there");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("the world can be embedded");
        let mut component = ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .and_then(|mut encoder| encoder.encode())
            .unwrap_or_else(|error| panic!("{error:#}\n{text}"));
        let honest = vec![self.manifest()];
        for section in self.sections.as_ref().unwrap_or(&honest) {
            let section = CustomSection {
                name: SECTION.into(),
                data: section.into(),
            };
            section.append_to_component(&mut component);
        }
        component
    }

    fn text(&self) -> String {
        let (fields, version) = (&self.fields, &self.version);
        let calls = |name: &str| {
            let call = format!("call {name}");
            fields.match_indices(&call).any(|(at, _)| {
                let next = fields[at + call.len()..].chars().next();
                !next.is_some_and(|next| next == '_' || next.is_alphanumeric())
            })
        };
        let mut text = "(module\n".to_owned();
        for (name, interface, function, ty) in IMPORTS {
            if calls(name) {
                text += &format!(
                    "(import \"hotcell:kernel/{interface}@{version}\" \"{function}\" (func {name} {ty}))\n"
                );
            }
        }
        // Imports must come before everything else, and a guest may have some of its own.
        text += fields;
        for (export, part) in [
            ("(export \"memory\")", MEMORY),
            ("(export \"cabi_realloc\")", REALLOC),
            ("(export \"hotcell:kernel/entries", LAUNCH),
        ] {
            if !fields.contains(export) {
                text += part;
            }
        }
        (text + ")").replace("@VERSION", &format!("@{version}"))
    }
}

fn array(name: &str, role: Role) -> Parameter {
    Parameter {
        name: name.to_owned(),
        role,
        dtype: DType::U8,
        default: None,
        halo: 0,
    }
}
