//! The report as one page that needs nothing else: no script, no font, no picture from elsewhere. What
//! servers say of themselves is text in it, never markup.

mod chart;
mod plots;

use serde_json::Value;

use super::figures::{amount, bytes, count, ms, with_unit};
use super::text::settings;
use super::{Report, Verdict};

const STYLE: &str = include_str!("html/style.css");

/// The page.
pub fn write(report: &Report) -> serde_json::Result<String> {
    let title = format!("{} on {}", report.scenario, report.server.name);
    let everything = everything(&serde_json::to_value(report)?);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         {header}{tiles}{ramp}{failures}<section class=\"plots\">\n{plots}</section>\n\
         <h2>Everything</h2>\n<table class=\"all\">\n{everything}</table>\n{seconds}</body>\n</html>\n",
        title = escape(&title),
        header = header(report),
        tiles = tiles(report),
        ramp = ramp(report),
        failures = failures(report),
        plots = plots::all(report),
        seconds = seconds(report),
    ))
}

/// Text as HTML and SVG take it, in elements and in attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            _ => escaped.push(character),
        }
    }
    escaped
}

fn header(report: &Report) -> String {
    let class = match report.verdict {
        Verdict::Passed => "passed",
        Verdict::FellShort => "fell-short",
        Verdict::Invalid => "invalid",
    };
    let machine = &report.machine;
    let cores = machine.cores.map(|cores| format!("{cores} cores"));
    let memory = machine.memory_bytes.map(|size| bytes(Some(size as f64)));
    let machine = [&machine.cpu, &cores, &memory, &machine.kernel];
    let machine: Vec<&str> = machine
        .into_iter()
        .filter_map(|fact| fact.as_deref())
        .collect();
    format!(
        "<header>\n<h1>{} <small>on {}</small></h1>\n\
         <p class=\"verdict {class}\"><strong>{}</strong> {}</p>\n\
         <p class=\"quiet\">{}<br>{} · {} · plenum-load {} · {}</p>\n</header>\n",
        escape(&report.scenario),
        escape(&report.server.name),
        report.verdict.title(),
        escape(&report.reason()),
        escape(&settings(report)),
        escape(&report.server.url),
        escape(&report.ended_at),
        escape(&report.plenum_load),
        escape(&machine.join(", ")),
    )
}

fn tiles(report: &Report) -> String {
    let (delivery, delay, server) = (&report.delivery, &report.delay_ms, &report.server);
    let whose = match report.verdict {
        Verdict::Invalid => " (not the server's)",
        _ => "",
    };
    let faults = [
        (delivery.duplicated, "doubled"),
        (delivery.reordered, "reordered"),
        (delivery.damaged, "damaged"),
    ];
    let faults = faults.map(|(number, what)| format!("{} {what}", count(number)));
    let tiles = [
        (
            format!("Packets lost{whose}"),
            count(delivery.lost),
            format!("of {}, {}", count(delivery.offered), faults.join(", ")),
        ),
        (
            format!("Added delay, p99{whose}"),
            ms(delay.p99),
            format!(
                "p50 {}, p99.9 {}, max {}",
                ms(delay.p50),
                ms(delay.p999),
                ms(delay.max)
            ),
        ),
        (
            "Delivered".to_owned(),
            with_unit(delivery.packets_per_second, "packets/s"),
            with_unit(delivery.mbit_per_second, "Mbit/s of payload"),
        ),
        (
            "Server CPU per packet".to_owned(),
            with_unit(server.cpu_us_per_forwarded_packet, "µs"),
            with_unit(server.cpu_percent_of_a_core, "% of a core"),
        ),
        (
            "One core forwards".to_owned(),
            with_unit(server.packets_per_second_per_core, "packets/s"),
            with_unit(server.mbit_per_second_per_core, "Mbit/s"),
        ),
        (
            "Memory per subscriber".to_owned(),
            bytes(server.rss_bytes_per_subscriber),
            format!(
                "peak {}",
                bytes(server.rss_peak_bytes.map(|size| size as f64))
            ),
        ),
        (
            "Join, p95".to_owned(),
            ms(report.join_ms.p95),
            format!(
                "{} of {}; connected {}",
                count(report.participants.joined),
                count(report.participants.asked),
                ms(report.connected_ms.p95)
            ),
        ),
        (
            "First key frame, p95".to_owned(),
            ms(report.first_key_frame_ms.p95),
            format!(
                "to connect {}, and from there {}",
                ms(report.first_frame_ms.connect.p95),
                ms(report.first_frame_ms.key_frame.p95)
            ),
        ),
        (
            "Generator late by".to_owned(),
            ms(report.generator.max_lag_ms),
            format!("{} allowed", ms(Some(report.generator.packet_interval_ms))),
        ),
    ];
    let tiles = tiles.iter().map(|(name, figure, detail)| {
        let (name, detail) = (escape(name), escape(detail));
        format!("<div><span>{name}</span><b>{figure}</b><small>{detail}</small></div>\n")
    });
    format!(
        "<section class=\"tiles\">\n{}</section>\n",
        tiles.collect::<String>()
    )
}

fn ramp(report: &Report) -> String {
    let Some(ramp) = &report.ramp else {
        return String::new();
    };
    let rows = ramp.steps.iter().map(|step| {
        let outcome = match (step.valid, step.gate_passed) {
            (false, _) => "generator late",
            (true, false) => "fell short",
            (true, true) => "all delivered",
        };
        row(
            "td",
            &[
                count(step.subscribers),
                count(step.delivered),
                count(step.offered.saturating_sub(step.delivered)),
                ms(step.delay_p99_ms),
                with_unit(step.server_cpu_us_per_packet, "µs"),
                outcome.to_owned(),
            ],
        )
    });
    let head = [
        "subscribers",
        "delivered",
        "lost",
        "delay p99",
        "CPU per packet",
        "outcome",
    ];
    format!(
        "<h2>Steps</h2>\n<table>\n{}{}</table>\n",
        row("th", &head.map(str::to_owned)),
        rows.collect::<String>()
    )
}

fn failures(report: &Report) -> String {
    let failures = &report.failures;
    if failures.count == 0 {
        return String::new();
    }
    let first = failures.first.iter();
    let first = first.map(|failure| format!("<li>{}</li>\n", escape(failure)));
    format!(
        "<h2>Failures: {}</h2>\n<ul>\n{}</ul>\n",
        count(failures.count),
        first.collect::<String>()
    )
}

fn seconds(report: &Report) -> String {
    let head = [
        "second",
        "packets",
        "delay p50",
        "delay p99",
        "CPU",
        "memory",
        "descriptors",
        "participants",
    ];
    let rows = report.seconds.iter().map(|second| {
        row(
            "td",
            &[
                amount(second.at, 1),
                count(second.packets),
                ms(second.delay_p50_ms),
                ms(second.delay_p99_ms),
                with_unit(second.server_cpu_seconds, "s"),
                bytes(second.server_rss_bytes.map(|size| size as f64)),
                second
                    .server_descriptors
                    .map_or_else(|| super::figures::NOT_MEASURED.to_owned(), count),
                count(second.participants),
            ],
        )
    });
    format!(
        "<details>\n<summary>Each second</summary>\n<table>\n{}{}</table>\n</details>\n",
        row("th", &head.map(str::to_owned)),
        rows.collect::<String>()
    )
}

fn row(cell: &str, texts: &[String]) -> String {
    let cells = texts
        .iter()
        .map(|text| format!("<{cell}>{}</{cell}>", escape(text)));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

/// Every figure by its JSON key, but the long series, which are plots.
fn everything(report: &Value) -> String {
    let mut rows = String::new();
    add_rows(&mut rows, "", report);
    rows
}

fn add_rows(rows: &mut String, key: &str, value: &Value) {
    let text = match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if key.is_empty() { "" } else { "." };
                add_rows(rows, &format!("{key}{dot}{name}"), value);
            }
            return;
        }
        Value::Array(values) if values.iter().all(Value::is_string) => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            texts.join("; ")
        }
        Value::Array(_) => return,
        Value::String(text) => text.clone(),
        Value::Null => "not measured".to_owned(),
        other => other.to_string(),
    };
    *rows += &row("td", &[key.to_owned(), text]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape("<b title='\"'>&"),
            "&lt;b title=&#39;&quot;&#39;&gt;&amp;"
        );
    }
}
