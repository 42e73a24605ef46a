//! Reading a policy file: every key by hand, so that whatever is wrong is told with its line and what would be right, and
//! all of it at once.

mod record;

use crate::contradictions::contradictions;
use crate::file::{
    Binding, Ceiling, KERNELS_ISOLATION, Mode, OTHERS, Part, PolicyFile, Rule, Subjected,
    TenantPart, weight_name,
};
use crate::keys::{self, DIRECTORY_KEYS, Key, LIMIT_KEYS};
use crate::pattern::Pattern;
use crate::problem::{PolicyError, Problem, joined};
use hotcell::{Directory, DirectoryAccess, observable};
use hotcell_model::budget::{Budgets, Rate, Resource};
use hotcell_model::digest::Digest;
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::layer::Tier;
use hotcell_model::limit::{Limit, Unit};
use hotcell_model::manifest::Weight;
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::tenant::Tenant;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The form that this host reads.
pub(crate) const SCHEMA: u64 = 1;
/// The largest file: what a person writes is far below.
pub(crate) const MAX_BYTES: usize = 4 << 20;

type Value<'v> = Spanned<DeValue<'v>>;

/// Reads a policy; `file` is its name in errors.
pub(crate) fn read(file: &str, text: &str) -> Result<PolicyFile, PolicyError> {
    let error = |problems| PolicyError {
        file: file.to_owned(),
        problems,
    };
    if text.len() > MAX_BYTES {
        let what = format!("longer than {MAX_BYTES} bytes, which no policy is");
        return Err(error(vec![Problem::at(text, 0..0, "", what)]));
    }
    let table = DeTable::parse(text).map_err(|fault| {
        let place = fault.span().unwrap_or(0..0);
        let what = format!("no TOML: {}", fault.message());
        error(vec![Problem::at(text, place, "", what)])
    })?;
    let mut reader = Reader {
        text,
        problems: Vec::new(),
    };
    let policy = reader.file(table.get_ref());
    let mut problems = reader.problems;
    match problems.is_empty() {
        true => Ok(policy),
        false => {
            problems.sort_by_key(|problem| (problem.line, problem.column));
            Err(error(problems))
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

/// A key's value, with its name in full.
struct Entry<'a, 'v> {
    name: &'a str,
    value: &'a Value<'v>,
}

impl Reader<'_> {
    fn wrong(&mut self, entry: &Entry<'_, '_>, what: impl Display) {
        let place = entry.value.span();
        self.problems
            .push(Problem::at(self.text, place, entry.name, what.to_string()));
    }

    fn file(&mut self, table: &DeTable<'_>) -> PolicyFile {
        let mut policy = PolicyFile::default();
        let (mut has_schema, mut tier) = (false, None);
        self.each(table, "", keys::FILE.keys, |this, key, entry| match key {
            "schema" => {
                has_schema = true;
                this.schema(&entry);
            }
            "isolation" => {
                let isolation = this.word(&entry, KERNELS_ISOLATION, Isolation::name);
                policy.isolation = isolation.unwrap_or(policy.isolation);
            }
            "tier" => {
                policy.tier = this
                    .word(&entry, Tier::ALL, Tier::name)
                    .unwrap_or(policy.tier);
                tier = Some(entry.value.span());
            }
            "profiles" => policy.profiles = this.profiles(&entry),
            "kernels" => policy.kernels = this.kernels(&entry),
            "tenants" => this.tenants(&entry, &mut policy),
            "audit" => policy.audit = this.audit(&entry),
            "alerts" => policy.alerts = this.alerts(&entry),
            "metrics" => policy.metrics = this.metrics(&entry),
            _ => this.part(key, &entry, &mut policy.base),
        });
        if !has_schema {
            let what = format!("missing; a policy begins with `schema = {SCHEMA}`");
            self.problems
                .push(Problem::at(self.text, 0..0, "schema", what));
        }
        if let (Isolation::InProcess, Some(place)) = (policy.isolation, tier) {
            let what = "a tier is one of confined workers, and `isolation` is `in-process`: leave one of both out";
            self.problems
                .push(Problem::at(self.text, place, "tier", what.to_owned()));
        }
        for (place, key, what) in contradictions(&policy) {
            self.problems
                .push(Problem::at(self.text, place, &key, what));
        }
        policy
    }

    fn schema(&mut self, entry: &Entry<'_, '_>) {
        if decimal(entry.value.get_ref()) != Some(SCHEMA) {
            self.wrong(
                entry,
                format!("this host reads policies of schema {SCHEMA}"),
            );
        }
    }

    /// Calls `take` for each key that is known, and tells of each that is not.
    fn each<'a, 'v>(
        &mut self,
        table: &'a DeTable<'v>,
        prefix: &str,
        known: &[Key],
        mut take: impl FnMut(&mut Self, &'static str, Entry<'_, 'v>),
    ) where
        'v: 'a,
    {
        for (name, value) in table {
            let full = joined(prefix, name.get_ref());
            match known.iter().find(|key| key.name == name.get_ref()) {
                Some(key) => take(self, key.name, Entry { name: &full, value }),
                None => {
                    let names: Vec<&str> = known.iter().map(|key| key.name).collect();
                    let what = format!("no such key; known here: {}", names.join(", "));
                    self.problems
                        .push(Problem::at(self.text, name.span(), &full, what));
                }
            }
        }
    }

    fn table<'a, 'v>(&mut self, entry: &Entry<'a, 'v>) -> Option<&'a DeTable<'v>> {
        let table = entry.value.get_ref().as_table();
        if table.is_none() {
            self.expected(entry, "a table");
        }
        table
    }

    fn text<'a>(&mut self, entry: &Entry<'a, '_>) -> Option<&'a str> {
        let text = entry.value.get_ref().as_str();
        if text.is_none() {
            self.expected(entry, "text in quotes");
        }
        text
    }

    fn expected(&mut self, entry: &Entry<'_, '_>, what: &str) {
        let found = entry.value.get_ref().type_str();
        self.wrong(entry, format!("expected {what}, found {found}"));
    }

    fn texts<'a>(&mut self, entry: &Entry<'a, '_>) -> Vec<(&'a str, std::ops::Range<usize>)> {
        let Some(array) = entry.value.get_ref().as_array() else {
            self.expected(entry, "a list of texts in quotes");
            return Vec::new();
        };
        let mut texts: Vec<(&str, std::ops::Range<usize>)> = Vec::new();
        for value in array.iter() {
            let one = Entry {
                name: entry.name,
                value,
            };
            let Some(text) = self.text(&one) else {
                continue;
            };
            match texts.iter().any(|(known, _)| *known == text) {
                true => self.wrong(&one, format!("`{text}` stands here twice")),
                false => texts.push((text, value.span())),
            }
        }
        texts
    }

    /// One of a fixed set of words.
    fn word<T: Copy>(
        &mut self,
        entry: &Entry<'_, '_>,
        all: impl IntoIterator<Item = T>,
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        if entry.value.get_ref().as_table().is_some() {
            self.wrong(
                entry,
                "expected a word in quotes; it is enforced always, and cannot be only observed",
            );
            return None;
        }
        let text = self.text(entry)?;
        let all: Vec<T> = all.into_iter().collect();
        let found = all.iter().copied().find(|one| name(*one) == text);
        if found.is_none() {
            let names: Vec<&str> = all.into_iter().map(name).collect();
            self.wrong(entry, format!("`{text}` is none of: {}", names.join(", ")));
        }
        found
    }

    fn part(&mut self, key: &str, entry: &Entry<'_, '_>, part: &mut Part) {
        match key {
            "grants" => part.grants = self.grants(entry),
            "metering" => part.metering = self.word(entry, Metering::ALL, Metering::name),
            "directories" => part.directories = self.directories(entry),
            "guard" => part.guard = self.truth(entry),
            "limits" => part.limits = self.limits(entry),
            "ceilings" => part.ceilings = self.ceilings(entry),
            _ => unreachable!("`{key}` is listed and not read"),
        }
    }

    fn grants(&mut self, entry: &Entry<'_, '_>) -> Option<Grants> {
        if entry.value.get_ref().as_table().is_some() {
            self.wrong(
                entry,
                "expected a list of capabilities; grants are enforced always, and cannot be only observed",
            );
            return None;
        }
        let mut granted = Vec::new();
        for (text, place) in self.texts(entry) {
            match text.parse::<Capability>() {
                Ok(capability) => granted.push(capability),
                Err(_) => {
                    let names = Capability::ALL.map(Capability::name).join(", ");
                    let what = format!("`{text}` is no capability; there are: {names}");
                    self.problems
                        .push(Problem::at(self.text, place, entry.name, what));
                }
            }
        }
        if granted.contains(&Capability::Files) && !granted.contains(&Capability::Wasi) {
            self.wrong(
                entry,
                "`files` is of use with `wasi` alone: grant both, or neither",
            );
        }
        if granted.contains(&Capability::GpuText) && !granted.contains(&Capability::Gpu) {
            self.wrong(
                entry,
                "`gpu-text` is of use with `gpu` alone: grant both, or neither",
            );
        }
        Some(granted.into_iter().collect())
    }

    fn directories(&mut self, entry: &Entry<'_, '_>) -> Option<Vec<Directory>> {
        let mut directories = Vec::new();
        for (name, value) in self.table(entry)? {
            let full = joined(entry.name, name.get_ref());
            let one = Entry { name: &full, value };
            let Some((path, access)) = self.directory(&one) else {
                continue;
            };
            match Directory::new(name.get_ref().to_string(), path, access) {
                // One that is not there yet may be when it is needed: that is told then.
                Ok(directory) => directories.push(directory),
                Err(error) => self.wrong(&one, error),
            }
        }
        Some(directories)
    }

    fn directory(&mut self, entry: &Entry<'_, '_>) -> Option<(String, DirectoryAccess)> {
        let Some(table) = entry.value.get_ref().as_table() else {
            let path = self.text(entry)?;
            return Some((path.to_owned(), DirectoryAccess::Read));
        };
        let (mut path, mut access) = (None, DirectoryAccess::Read);
        self.each(
            table,
            entry.name,
            &DIRECTORY_KEYS,
            |this, key, entry| match key {
                "path" => path = this.text(&entry).map(str::to_owned),
                _ => {
                    if this.truth(&entry) == Some(true) {
                        access = DirectoryAccess::Write;
                    }
                }
            },
        );
        if path.is_none() && !table.contains_key("path") {
            self.wrong(entry, "a table without `path`");
        }
        Some((path?, access))
    }

    fn limits(&mut self, entry: &Entry<'_, '_>) -> BTreeMap<Limit, Rule> {
        let mut rules = BTreeMap::new();
        for (limit, name, value) in self.by_limit(entry) {
            let entry = Entry { name: &name, value };
            if let Some(rule) = self.rule(limit, &entry) {
                rules.insert(limit, rule);
            }
        }
        rules
    }

    fn rule(&mut self, limit: Limit, entry: &Entry<'_, '_>) -> Option<Rule> {
        let Some(table) = entry.value.get_ref().as_table() else {
            let value = self.amount(limit, entry)?;
            return Some(Rule {
                value,
                mode: Mode::Enforce,
                place: entry.value.span(),
            });
        };
        let (mut value, mut mode) = (None, Mode::Enforce);
        self.each(
            table,
            entry.name,
            &LIMIT_KEYS,
            |this, key, entry| match key {
                "value" => value = this.amount(limit, &entry),
                _ => mode = this.mode(limit, &entry),
            },
        );
        if value.is_none() && !table.contains_key("value") {
            self.wrong(entry, "a table without `value`");
        }
        Some(Rule {
            value: value?,
            mode,
            place: entry.value.span(),
        })
    }

    fn mode(&mut self, limit: Limit, entry: &Entry<'_, '_>) -> Mode {
        let name = |mode: Mode| match mode {
            Mode::Enforce => "enforce",
            Mode::Observe => "observe",
        };
        let mode = self.word(entry, [Mode::Enforce, Mode::Observe], name);
        if mode == Some(Mode::Observe) && !observable(limit) {
            self.wrong(
                entry,
                format!(
                    "`{limit}` cannot be observed: nothing measures how much of it a launch takes"
                ),
            );
        }
        mode.unwrap_or(Mode::Enforce)
    }

    fn ceilings(&mut self, entry: &Entry<'_, '_>) -> BTreeMap<Limit, Ceiling> {
        let mut ceilings = BTreeMap::new();
        for (limit, name, value) in self.by_limit(entry) {
            let entry = Entry { name: &name, value };
            if entry.value.get_ref().as_table().is_some() {
                self.wrong(
                    &entry,
                    "expected a value; ceilings are enforced always: observe the limit instead",
                );
                continue;
            }
            if let Some(value) = self.amount(limit, &entry) {
                let place = entry.value.span();
                ceilings.insert(limit, Ceiling { value, place });
            }
        }
        ceilings
    }

    fn by_limit<'a, 'v>(&mut self, entry: &Entry<'a, 'v>) -> Vec<(Limit, String, &'a Value<'v>)> {
        let Some(table) = self.table(entry) else {
            return Vec::new();
        };
        let mut limits = Vec::new();
        for (name, value) in table {
            let full = joined(entry.name, name.get_ref());
            let mut known = Limit::ALL.iter().copied();
            match known.find(|limit| limit.name() == name.get_ref()) {
                Some(limit) => limits.push((limit, full, value)),
                None => {
                    let what = match nearest(name.get_ref()) {
                        Some(limit) => format!("no such limit; did you mean `{limit}`?"),
                        None => "no such limit; docs/limits.md lists them".to_owned(),
                    };
                    self.problems
                        .push(Problem::at(self.text, name.span(), &full, what));
                }
            }
        }
        limits
    }

    /// A limit's value, at most the built-in ceiling.
    fn amount(&mut self, limit: Limit, entry: &Entry<'_, '_>) -> Option<u64> {
        let unit = limit.unit();
        let value = self.in_unit(unit, entry)?;
        if value > limit.ceiling() {
            let (value, ceiling) = (unit.format(value), unit.format(limit.ceiling()));
            self.wrong(
                entry,
                format!("{value} is above the built-in ceiling of {ceiling}, which nothing raises"),
            );
            return None;
        }
        Some(value)
    }

    fn in_unit(&mut self, unit: Unit, entry: &Entry<'_, '_>) -> Option<u64> {
        let text = match entry.value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() != 10 => {
                self.wrong(entry, "write numbers in decimal");
                return None;
            }
            DeValue::Integer(number) if matches!(unit, Unit::Count | Unit::Fuel) => {
                number.as_str().replace('_', "")
            }
            DeValue::Integer(number) => {
                let unit = example(unit);
                let what = format!(
                    "`{}` has no unit; write for example {unit}",
                    number.as_str()
                );
                self.wrong(entry, what);
                return None;
            }
            _ => {
                self.expected(entry, &format!("text such as {}", example(unit)));
                return None;
            }
        };
        match unit.parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(
                    entry,
                    format!("{error}; write for example {}", example(unit)),
                );
                None
            }
        }
    }

    fn profiles(&mut self, entry: &Entry<'_, '_>) -> BTreeMap<String, Part> {
        let mut profiles = BTreeMap::new();
        let Some(table) = self.table(entry) else {
            return profiles;
        };
        for (name, value) in table {
            let full = joined(entry.name, name.get_ref());
            let entry = Entry { name: &full, value };
            let Some(table) = self.table(&entry) else {
                continue;
            };
            let mut part = Part {
                place: value.span(),
                ..Part::default()
            };
            self.each(table, &full, keys::PROFILE.keys, |this, key, entry| {
                this.part(key, &entry, &mut part);
            });
            profiles.insert(name.get_ref().to_string(), part);
        }
        profiles
    }

    fn kernels(&mut self, entry: &Entry<'_, '_>) -> Vec<Binding> {
        let Some(array) = entry.value.get_ref().as_array() else {
            self.expected(entry, "a list of tables, each headed `[[kernels]]`");
            return Vec::new();
        };
        let mut bindings = Vec::new();
        for (at, value) in array.iter().enumerate() {
            let full = format!("{}[{at}]", entry.name);
            let entry = Entry { name: &full, value };
            let Some(table) = self.table(&entry) else {
                continue;
            };
            let mut binding = Binding {
                place: value.span(),
                ..Binding::default()
            };
            self.each(
                table,
                &full,
                keys::KERNEL.keys,
                |this, key, entry| match key {
                    "digest" => binding.digest = this.parsed::<Digest>(&entry),
                    "name" => binding.name = this.text(&entry).map(Pattern::new),
                    "weight" => {
                        let all = [Weight::Light, Weight::Normal, Weight::Heavy];
                        binding.weight = this.word(&entry, all, weight_name);
                    }
                    "profile" => {
                        let name = this.text(&entry).map(str::to_owned);
                        binding.profile = name.map(|name| (name, entry.value.span()));
                    }
                    _ => binding.deny = this.text(&entry).map(str::to_owned),
                },
            );
            let has = |key: &str| table.contains_key(key);
            if !has("digest") && !has("name") && !has("weight") {
                self.wrong(
                    &entry,
                    "fits no kernel: give a digest, a name or a weight (`name = \"*\"` fits all)",
                );
            }
            match (has("profile"), has("deny")) {
                (true, true) => self.wrong(
                    &entry,
                    "both a profile and a refusal: leave one of both out",
                ),
                (false, false) => self.wrong(
                    &entry,
                    "binds to nothing: give a `profile`, or words to `deny` with",
                ),
                _ => {}
            }
            bindings.push(binding);
        }
        bindings
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, entry: &Entry<'_, '_>) -> Option<T> {
        match self.text(entry)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(entry, error);
                None
            }
        }
    }

    fn tenants(&mut self, entry: &Entry<'_, '_>, policy: &mut PolicyFile) {
        let Some(table) = self.table(entry) else {
            return;
        };
        policy.has_tenants = !table.is_empty();
        for (name, value) in table {
            let full = joined(entry.name, name.get_ref());
            let entry = Entry { name: &full, value };
            let Some(table) = self.table(&entry) else {
                continue;
            };
            let mut tenant = TenantPart::default();
            tenant.part.place = value.span();
            self.each(
                table,
                &full,
                keys::TENANT.keys,
                |this, key, entry| match key {
                    "subjects" => tenant.subjects = this.subjects(&entry),
                    "profiles" => {
                        let names = this.texts(&entry).into_iter();
                        let names = names.map(|(name, place)| (name.to_owned(), place));
                        tenant.profiles = Some(names.collect());
                    }
                    "budgets" => tenant.allowance.budgets = this.budgets(&entry),
                    "running" => tenant.allowance.running = this.number(&entry, 1),
                    "waiting" => tenant.allowance.waiting = this.number(&entry, 0).unwrap_or(0),
                    _ => this.part(key, &entry, &mut tenant.part),
                },
            );
            match name.get_ref().as_ref() {
                OTHERS => {
                    if !tenant.subjects.is_empty() {
                        self.wrong(
                            &entry,
                            "`*` is whoever belongs to no other tenant: it has no `subjects`",
                        );
                    }
                    policy.others = Some(tenant);
                }
                name => match name.parse::<Tenant>() {
                    Ok(name) => {
                        policy.tenants.insert(name, tenant);
                    }
                    Err(error) => self.wrong(&entry, error),
                },
            }
        }
    }

    fn number(&mut self, entry: &Entry<'_, '_>, least: u64) -> Option<u64> {
        let number = decimal(entry.value.get_ref());
        let number = number.filter(|number| *number >= least);
        if number.is_none() {
            self.wrong(
                entry,
                format!("expected a number of launches, at least {least}"),
            );
        }
        number
    }

    fn budgets(&mut self, entry: &Entry<'_, '_>) -> Budgets {
        let mut budgets = Budgets::new();
        let Some(table) = self.table(entry) else {
            return budgets;
        };
        for (name, value) in table {
            let full = joined(entry.name, name.get_ref());
            match name.get_ref().parse::<Resource>() {
                Ok(resource) => {
                    let entry = Entry { name: &full, value };
                    if let Some(rate) = self.rate(resource, &entry) {
                        budgets = budgets.with(resource, rate);
                    }
                }
                Err(error) => self.problems.push(Problem::at(
                    self.text,
                    name.span(),
                    &full,
                    error.to_string(),
                )),
            }
        }
        budgets
    }

    fn rate(&mut self, resource: Resource, entry: &Entry<'_, '_>) -> Option<Rate> {
        let table = self.table(entry)?;
        let problems = self.problems.len();
        let (mut size, mut refill, mut per) = (None, None, None);
        self.each(
            table,
            entry.name,
            keys::BUDGET.keys,
            |this, key, entry| match key {
                "size" => size = this.in_unit(resource.unit(), &entry),
                "refill" => refill = this.in_unit(resource.unit(), &entry),
                _ => per = this.in_unit(Unit::Ns, &entry),
            },
        );
        let (Some(size), Some(refill), Some(per)) = (size, refill, per) else {
            // What is there and wrong was told.
            if self.problems.len() == problems {
                self.wrong(entry, "a budget has `size`, `refill` and `per`");
            }
            return None;
        };
        match Rate::new(size, refill, Duration::from_nanos(per)) {
            Ok(rate) => Some(rate),
            Err(error) => {
                self.wrong(entry, error);
                None
            }
        }
    }

    fn subjects(&mut self, entry: &Entry<'_, '_>) -> Vec<(Subjected, std::ops::Range<usize>)> {
        let mut subjects = Vec::new();
        for (text, place) in self.texts(entry) {
            match text.parse::<Subjected>() {
                Ok(subject) => subjects.push((subject, place)),
                Err(error) => {
                    self.problems
                        .push(Problem::at(self.text, place, entry.name, error.to_string()))
                }
            }
        }
        subjects
    }
}

/// A whole number that is written in decimal.
fn decimal(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer().filter(|number| number.radix() == 10)?;
    number.as_str().replace('_', "").parse().ok()
}

/// A value of a unit, as it is written.
fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Ns => "\"250ms\" or \"2s\"",
        Unit::Bytes => "\"64MiB\"",
        Unit::Fuel => "\"10G\"",
        Unit::Count => "\"10k\" or 10000",
    }
}

/// The limit whose name is most like that: the unit was left out, or a letter is wrong.
fn nearest(name: &str) -> Option<&'static str> {
    let names = Limit::ALL.iter().map(|limit| limit.name());
    let distance = |known: &&str| {
        edits(
            name,
            known.trim_end_matches("_ns").trim_end_matches("_bytes"),
        )
        .min(edits(name, known))
    };
    names
        .min_by_key(distance)
        .filter(|known| distance(known) <= 2)
}

/// How many letters have to be changed, added or left out.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
