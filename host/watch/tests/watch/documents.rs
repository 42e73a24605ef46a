//! What documents, rules and dashboard say exists, exists under that name and with those labels; and everything is described.

use crate::harness::Request;
use hotcell_model::budget::Resource;
use hotcell_model::time::Timestamp;
use hotcell_watch::{AuditGauge, BudgetGauge, Gauges, Pool, PoolGauge, WatchSettings, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A family as it is rendered: its type, and of each label the values.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

fn rendered() -> BTreeMap<String, Family> {
    let alice: hotcell_model::tenant::Tenant = "alice".parse().unwrap();
    let watcher = Watcher::new(WatchSettings {
        tenants: vec![alice.clone()],
        ..WatchSettings::default()
    });
    let watcher = watcher.unwrap();
    let _ = Request::of("alice").watch(&watcher);
    let text = watcher.render(&Gauges {
        pools: Pool::ALL
            .map(|pool| PoolGauge {
                pool,
                busy: 1,
                idle: 1,
            })
            .to_vec(),
        waiting: Some(0),
        connections: Some(0),
        budgets: vec![BudgetGauge {
            tenant: alice,
            resource: Resource::Fuel,
            left: -1,
            size: 5,
        }],
        audit: Some(AuditGauge {
            is_writable: true,
            unwritten: 0,
            open: 0,
            bytes: 0,
            checkpoint: Some(Timestamp::from_seconds(1)),
        }),
    });
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of.split_once(' ').unwrap();
            current = name.to_owned();
            families.entry(current.clone()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&current), "{line} is not of {current}");
            let family = families.get_mut(&current).unwrap();
            let labels = line
                .split_once('{')
                .map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
            for (label, value) in pairs(labels) {
                family.labels.entry(label).or_default().insert(value);
            }
        }
    }
    families
}

/// The labels and values of a selector, whatever compares them; patterns have an empty value.
fn pairs(labels: &str) -> Vec<(String, String)> {
    let labels = labels.split(',').filter(|label| !label.trim().is_empty());
    let pair = |pair: &str| {
        let (label, value) = pair.split_once('=').unwrap();
        let value = value
            .strip_prefix('"')
            .map_or("", |value| value.trim_end_matches('"'));
        (
            label.trim().trim_end_matches('!').to_owned(),
            value.to_owned(),
        )
    };
    labels.map(pair).collect()
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

/// A file of the repository.
pub(crate) fn file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Holds every selector and every grouping of a query against what is rendered.
fn check(query: &str, families: &BTreeMap<String, Family>) {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut labels: BTreeSet<&str> = ["instance", "job"].into();
    for (at, _) in query.match_indices("hotcell_") {
        let rest = &query[at..];
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        let family = families.get(name).or_else(|| {
            let suffixes = ["_bucket", "_sum", "_count"].iter();
            let mut bases = suffixes.filter_map(|suffix| name.strip_suffix(suffix));
            let histogram = bases.find_map(|base| families.get(base));
            histogram.filter(|family| family.kind == "histogram")
        });
        let family = family.unwrap_or_else(|| panic!("no metric {name}: {query}"));
        labels.extend(family.labels.keys().map(String::as_str));
        let Some(selector) = rest[end..].strip_prefix('{') else {
            continue;
        };
        for (label, value) in pairs(selector.split_once('}').unwrap().0) {
            if label == "instance" {
                continue;
            }
            let values = family.labels.get(&label);
            let values = values.unwrap_or_else(|| panic!("{name} has no label {label}: {query}"));
            assert!(
                value.is_empty() || values.contains(&value),
                "{label}={value}: {query}"
            );
        }
    }
    for (_, rest) in query
        .match_indices(" by (")
        .map(|(at, by)| query.split_at(at + by.len()))
    {
        for label in rest.split_once(')').unwrap().0.split(',') {
            assert!(labels.contains(label.trim()), "no label {label}: {query}");
        }
    }
}

#[test]
fn every_metric_is_described_and_every_description_is_of_one() {
    let families = rendered();
    let document = file("docs/metrics.md");
    let rows = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `hotcell_"));
    let mut described = BTreeSet::new();
    for row in rows {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = format!("hotcell_{}", columns[0].trim_end_matches('`'));
        let family = families
            .get(&name)
            .unwrap_or_else(|| panic!("no metric {name}"));
        assert_eq!(columns[1], family.kind, "{name}");
        let labels: BTreeSet<&str> = columns[2]
            .split(", ")
            .map(|label| label.trim_matches('`'))
            .collect();
        let labels: BTreeSet<&str> = labels
            .into_iter()
            .filter(|label| !label.is_empty())
            .collect();
        let found: BTreeSet<&str> = family
            .labels
            .keys()
            .map(String::as_str)
            .filter(|label| *label != "le")
            .collect();
        assert_eq!(labels, found, "{name}");
        described.insert(name);
    }
    let all: BTreeSet<String> = families.into_keys().collect();
    assert_eq!(all, described);
}

#[test]
fn every_rule_asks_for_what_exists() {
    let families = rendered();
    let rules = file("packaging/prometheus/hotcell.rules.yml");
    // Queries of one line, and folded ones.
    let mut queries = Vec::new();
    let mut lines = rules.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(query) = line.trim().strip_prefix("expr: ") else {
            continue;
        };
        let mut query = query.trim_start_matches(">-").to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("          ")) {
            query.push_str(more.trim_start_matches(' '));
            query.push(' ');
        }
        queries.push(query);
    }
    assert!(queries.len() >= 15);
    queries.iter().for_each(|query| check(query, &families));
}

#[test]
fn every_panel_asks_for_what_exists() {
    let families = rendered();
    let dashboard: serde_json::Value =
        serde_json::from_str(&file("packaging/grafana/hotcell.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut queries = 0;
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            check(target["expr"].as_str().unwrap(), &families);
            queries += 1;
        }
    }
    assert!(queries >= panels.len() && queries >= 25);
}

#[test]
fn a_query_for_what_does_not_exist_is_noticed() {
    let families = rendered();
    for query in [
        "hotcell_no_such_total",
        "hotcell_fuel_total_bucket",
        "hotcell_alerts_total{severety=\"critical\"}",
        "hotcell_alerts_total{severity=\"kritical\"}",
        "sum by (knd) (hotcell_alerts_total)",
    ] {
        let checked = std::panic::catch_unwind(|| check(query, &families));
        assert!(checked.is_err(), "{query}");
    }
}
