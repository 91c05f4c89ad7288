//! Which plots a report has. Those of which nothing was measured are left out.

use super::super::{Report, Second, Step};
use super::chart::{Chart, Series, Shape};

pub(super) fn all(report: &Report) -> String {
    let mut charts = over_time(report);
    charts.insert(1, distribution(report));
    if let Some(ramp) = &report.ramp {
        charts.splice(0..0, over_subscribers(&ramp.steps));
    }
    charts.iter().map(Chart::draw).collect()
}

type OfSecond = fn(&Second) -> Option<f64>;

fn over_time(report: &Report) -> Vec<Chart> {
    let seconds = |of: OfSecond| {
        let points = report.seconds.iter();
        points.map(|second| (second.at, of(second))).collect()
    };
    let chart = |title: &str, unit, series: Vec<(&'static str, OfSecond)>| {
        let series = series.into_iter();
        let series = series.map(|(name, of)| Series {
            name,
            points: seconds(of),
        });
        Chart {
            title: title.to_owned(),
            across: "seconds",
            unit,
            series: series.collect(),
            shape: Shape::Lines,
        }
    };
    vec![
        chart(
            "Added delay, ms",
            "ms",
            vec![
                ("p99", |second| second.delay_p99_ms),
                ("p50", |second| second.delay_p50_ms),
            ],
        ),
        chart(
            "Packets delivered per second",
            "packets",
            vec![("delivered", |second| Some(second.packets as f64))],
        ),
        chart(
            "Server CPU, % of a core",
            "%",
            vec![("CPU", |second| Some(second.server_cpu_seconds? * 100.0))],
        ),
        chart(
            "Server memory, MB",
            "MB",
            vec![("resident", |second| {
                Some(second.server_rss_bytes? as f64 / 1e6)
            })],
        ),
        chart(
            "Server's open descriptors",
            "descriptors",
            vec![("open", |second| Some(second.server_descriptors? as f64))],
        ),
        chart(
            "Participants connected",
            "participants",
            vec![("connected", |second| Some(second.participants as f64))],
        ),
    ]
}

fn distribution(report: &Report) -> Chart {
    let delay = &report.delay_ms;
    let mut points = Vec::new();
    let mut end = None;
    for share in &delay.distribution {
        if let Some(end) = end
            && end < share.from_ms
        {
            points.push((end, None));
        }
        let percent = share.packets as f64 * 100.0 / delay.count.max(1) as f64;
        points.push((share.from_ms, Some(percent)));
        end = Some(share.to_ms);
    }
    points.extend(end.map(|end| (end, None)));
    Chart {
        title: "Packets by added delay, %".to_owned(),
        across: "ms",
        unit: "% of the packets",
        series: vec![Series {
            name: "share",
            points,
        }],
        shape: Shape::LogarithmicBars,
    }
}

fn over_subscribers(steps: &[Step]) -> [Chart; 3] {
    let chart = |title: &str, unit, of: fn(&Step) -> Option<f64>| {
        let points = steps.iter();
        let points = points.map(|step| (step.subscribers as f64, of(step)));
        Chart {
            title: title.to_owned(),
            across: "subscribers",
            unit,
            series: vec![Series {
                name: "step",
                points: points.collect(),
            }],
            shape: Shape::Lines,
        }
    };
    [
        chart("Ramp: packets that did not come, %", "%", |step| {
            let missing = step.offered.saturating_sub(step.delivered);
            (step.offered > 0).then(|| missing as f64 * 100.0 / step.offered as f64)
        }),
        chart("Ramp: added delay p99, ms", "ms", |step| step.delay_p99_ms),
        chart("Ramp: server CPU per packet, µs", "µs", |step| {
            step.server_cpu_us_per_packet
        }),
    ]
}
