//! Holds the Grafana dashboard to the table of metrics: a panel over a metric that nobody counts is empty
//! and looks like calm. It starts no server.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

/// What a metric may be asked for besides its own name and labels.
#[derive(Debug, Default)]
struct Row {
    is_histogram: bool,
    labels: BTreeSet<String>,
}

/// The table of `src/metrics.rs`: `field: Type, "name", ["label"], "help";`
fn table() -> BTreeMap<String, Row> {
    let rows = include_str!("../src/metrics.rs")
        .lines()
        .filter_map(|line| {
            let (_, declared) = line.split_once(": ")?;
            let (kind, rest) = declared.split_once(", \"")?;
            let (name, rest) = rest.split_once("\", [")?;
            let (labels, _) = rest.split_once("], \"")?;
            let labels = labels
                .split(", ")
                .map(|label| label.trim_matches('"').to_owned());
            let row = Row {
                is_histogram: kind == "Histogram",
                labels: labels.filter(|label| !label.is_empty()).collect(),
            };
            Some((name.to_owned(), row))
        });
    rows.collect()
}

/// Every query of every dashboard, with its legend.
fn queries() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config/grafana/dashboards");
    let mut queries = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let field = |name: &str| target[name].as_str().unwrap_or_default().to_owned();
                queries.push((field("expr"), field("legendFormat")));
            }
        }
    }
    queries
}

/// The words of a query: names of functions, metrics and labels.
fn words(query: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    query
        .split(move |c| !is_part(c))
        .filter(|word| !word.is_empty())
}

/// The row that a name on the metrics page belongs to.
fn row_of<'a>(table: &'a BTreeMap<String, Row>, name: &str) -> Option<&'a Row> {
    let base = ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let histogram = base
        .and_then(|base| table.get(base))
        .filter(|row| row.is_histogram);
    histogram.or_else(|| table.get(name).filter(|row| !row.is_histogram))
}

/// The labels that a query selects or groups by, and those of its legend.
fn labels(query: &str, legend: &str) -> BTreeSet<String> {
    let within = |text: &str, open: &str, close: &str| -> Vec<String> {
        let parts = text
            .split(open)
            .skip(1)
            .filter_map(|rest| rest.split(close).next());
        parts.map(str::to_owned).collect()
    };
    let selected = within(query, "{", "}").into_iter().flat_map(|matchers| {
        matchers
            .split(',')
            .filter_map(|m| m.split('=').next().map(str::to_owned))
            .collect::<Vec<_>>()
    });
    let grouped = within(query, "by (", ")").into_iter();
    selected
        .chain(grouped)
        .chain(within(legend, "{{", "}}"))
        .collect()
}

#[test]
fn every_metric_on_the_dashboard_is_in_the_servers_table() {
    let table = table();
    assert!(table.len() > 20, "the table is read: {table:?}");
    let queries = queries();
    assert!(queries.len() > 20, "the dashboard is read: {queries:?}");
    for (query, _) in &queries {
        let metrics: Vec<&str> = words(query)
            .filter(|w| w.starts_with("plenum_") || w.starts_with("process_"))
            .collect();
        assert!(
            !metrics.is_empty(),
            "a query without a metric of ours: {query}"
        );
        for metric in metrics {
            assert!(
                row_of(&table, metric).is_some(),
                "{metric} is in no row of metrics.rs: {query}"
            );
        }
    }
}

#[test]
fn every_label_on_the_dashboard_is_one_that_its_metric_has() {
    let table = table();
    for (query, legend) in queries() {
        let mut known = BTreeSet::from(["job".to_owned()]);
        for row in words(&query).filter_map(|word| row_of(&table, word)) {
            known.extend(row.labels.iter().cloned());
            known.extend(row.is_histogram.then(|| "le".to_owned()));
        }
        let used = labels(&query, &legend);
        assert!(
            used.is_subset(&known),
            "{used:?} but {known:?}: {query} {legend}"
        );
    }
}
