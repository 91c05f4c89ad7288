//! Several reports as tables in Markdown: one for each load, a row for each figure, a column for each
//! server, with medians and ranges over the valid runs. It ranks nobody.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::figures::{NOT_MEASURED, amount};
use super::text::settings;
use super::{FORMAT, Report, Verdict};

/// Reads JSON reports. The error names the file.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Report>> {
    paths
        .iter()
        .map(|path| {
            let name = path.display();
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            // Its form first: what has another may lack anything.
            let value: serde_json::Value =
                serde_json::from_str(&text).with_context(|| format!("{name} is no JSON"))?;
            let format = value.get("format").and_then(serde_json::Value::as_u64);
            let format = format.with_context(|| format!("{name} is no report of plenum-load"))?;
            ensure!(
                format == u64::from(FORMAT),
                "{name} is a report of format {format}, and this is plenum-load {} for format {FORMAT}",
                env!("CARGO_PKG_VERSION")
            );
            serde_json::from_str(&text)
                .with_context(|| format!("{name} is no complete report of plenum-load"))
        })
        .collect()
}

/// The tables of these reports.
pub fn tables(reports: &[Report]) -> String {
    let mut text = String::new();
    for load in groups(reports, |report| (&report.scenario, &report.settings)) {
        let servers = groups(&load, |report| &report.server.name);
        if !text.is_empty() {
            text.push('\n');
        }
        text += &table(load[0], &servers);
    }
    text
}

/// What has the same key together, in the order in which keys first appear.
fn groups<'a, R, K>(reports: &'a [R], key: impl Fn(&'a Report) -> K) -> Vec<Vec<&'a Report>>
where
    R: std::borrow::Borrow<Report>,
    K: PartialEq,
{
    let mut groups: Vec<(K, Vec<&Report>)> = Vec::new();
    for report in reports.iter().map(std::borrow::Borrow::borrow) {
        let key = key(report);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(report),
            None => groups.push((key, vec![report])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn table(load: &Report, servers: &[Vec<&Report>]) -> String {
    let mut text = format!("**{}**: {}\n\n|", load.scenario, settings(load));
    let names = servers
        .iter()
        .map(|runs| format!(" {} |", runs[0].server.name));
    text += &format!(" |{}\n|---|", names.collect::<String>());
    text += &"---:|".repeat(servers.len());
    text.push('\n');
    let mut row = |name: &str, cell: &dyn Fn(&[&Report]) -> String| {
        let cells: Vec<String> = servers.iter().map(|runs| cell(runs)).collect();
        if cells.iter().any(|cell| cell != NOT_MEASURED) {
            text += &format!("| {name} | {} |\n", cells.join(" | "));
        }
    };
    row("valid runs", &|runs| {
        format!("{} of {}", valid(runs).count(), runs.len())
    });
    row("exact delivery", &|runs| {
        let passed = valid(runs).filter(|report| report.verdict == Verdict::Passed);
        match valid(runs).count() {
            0 => NOT_MEASURED.to_owned(),
            all => format!("{} of {all}", passed.count()),
        }
    });
    row("SRTP profile", &|runs| {
        let mut profiles: Vec<&str> = Vec::new();
        for profile in runs.iter().flat_map(|report| &report.srtp_profiles) {
            if !profiles.contains(&profile.as_str()) {
                profiles.push(profile);
            }
        }
        profiles.join(", ")
    });
    for (name, decimals, figure) in FIGURES {
        row(name, &|runs| {
            let values = valid(runs).filter_map(figure);
            median_and_range(values.collect(), *decimals)
        });
    }
    text
}

/// Who lagged measured itself: its figures are nobody's.
fn valid<'a>(runs: &'a [&Report]) -> impl Iterator<Item = &'a Report> {
    let valid = runs.iter().filter(|report| report.generator.valid);
    valid.copied()
}

type Figure = fn(&Report) -> Option<f64>;

/// The rows: name with unit, decimals at most, and where the figure is in a report.
const FIGURES: &[(&str, usize, Figure)] = &[
    ("capacity, subscribers", 0, |report| {
        let capacity = report.ramp.as_ref()?.capacity?;
        Some(capacity as f64)
    }),
    ("packets/s delivered", 0, |report| {
        report.delivery.packets_per_second
    }),
    ("lost, %", 3, |report| {
        let offered = report.delivery.offered;
        (offered > 0).then(|| report.delivery.lost as f64 * 100.0 / offered as f64)
    }),
    ("delay p50, ms", 2, |report| report.delay_ms.p50),
    ("delay p99, ms", 2, |report| report.delay_ms.p99),
    ("delay p99.9, ms", 2, |report| report.delay_ms.p999),
    ("delay max, ms", 2, |report| report.delay_ms.max),
    ("server CPU, µs per forwarded packet", 2, |report| {
        report.server.cpu_us_per_forwarded_packet
    }),
    ("server CPU, % of a core", 1, |report| {
        report.server.cpu_percent_of_a_core
    }),
    ("packets/s per core", 0, |report| {
        report.server.packets_per_second_per_core
    }),
    ("Mbit/s per core", 0, |report| {
        report.server.mbit_per_second_per_core
    }),
    ("memory, peak, MB", 1, |report| {
        report.server.rss_peak_bytes.map(|bytes| bytes as f64 / 1e6)
    }),
    ("memory per subscriber, kB", 1, |report| {
        let bytes = report.server.rss_bytes_per_subscriber;
        bytes.map(|bytes| bytes / 1e3)
    }),
    ("join p50, ms", 1, |report| report.join_ms.p50),
    ("join p95, ms", 1, |report| report.join_ms.p95),
    ("connected p95, ms", 1, |report| report.connected_ms.p95),
    ("first packet p95, ms", 1, |report| {
        report.first_packet_ms.p95
    }),
    ("first key frame p95, ms", 1, |report| {
        report.first_key_frame_ms.p95
    }),
    ("of it to connect p95, ms", 1, |report| {
        report.first_frame_ms.connect.p95
    }),
    ("of it from there on p95, ms", 1, |report| {
        report.first_frame_ms.key_frame.p95
    }),
];

fn median_and_range(mut values: Vec<f64>, decimals: usize) -> String {
    values.sort_unstable_by(f64::total_cmp);
    let (Some(smallest), Some(largest)) = (values.first(), values.last()) else {
        return NOT_MEASURED.to_owned();
    };
    let half = values.len() / 2;
    let median = if values.len().is_multiple_of(2) {
        (values[half - 1] + values[half]) / 2.0
    } else {
        values[half]
    };
    let [smallest, median, largest] =
        [*smallest, median, *largest].map(|value| amount(value, decimals));
    if smallest == largest {
        return median;
    }
    format!("{median} ({smallest} to {largest})")
}
