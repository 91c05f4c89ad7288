//! What `/metrics` says from the start, and of what workers counted.

use super::*;

#[test]
fn a_first_picture_is_seen_in_its_parts_and_as_a_whole_and_an_hour_is_not_believed() {
    let metrics = Metrics::new().unwrap();
    metrics.observe_first_frame(90, 20, 15);
    metrics.observe_first_frame(3_600_000, 20, 15);
    let page = page(&metrics, &[]);
    for (part, seconds) in FIRST_FRAME_PARTS
        .iter()
        .zip(["0.09", "0.02", "0.015", "0.125"])
    {
        let sum = format!("plenum_first_frame_seconds_sum{{part=\"{part}\"}} {seconds}\n");
        assert!(page.contains(&sum), "{sum}{page}");
    }
    assert!(page.contains("plenum_first_frame_seconds_count{part=\"whole\"} 1\n"));
}

fn page(metrics: &Metrics, workers: &[WorkerStatistics]) -> String {
    String::from_utf8(metrics.page(workers.iter().copied()).unwrap()).unwrap()
}

#[test]
fn every_metric_of_the_table_is_on_the_page_with_help_from_the_start() {
    let page = page(&Metrics::new().unwrap(), &[WorkerStatistics::default()]);
    for (name, help) in TABLE {
        assert!(page.contains(&format!("# HELP {name} {help}\n")), "{name}");
        let is_sample = |line: &str| {
            let rest = line.strip_prefix(name)?.strip_prefix(['{', ' ', '_'])?;
            rest.split(' ').next_back()?.parse::<f64>().ok()
        };
        assert!(
            page.lines().any(|line| is_sample(line).is_some()),
            "{name} has no value"
        );
    }
}

#[test]
fn names_say_their_unit_and_counters_end_in_total() {
    let page = page(&Metrics::new().unwrap(), &[]);
    for (name, _) in TABLE {
        assert!(
            name.starts_with("plenum_") || name.starts_with("process_"),
            "{name}"
        );
        let is_counter = page.contains(&format!("# TYPE {name} counter"));
        // The client library has no float counter that can be set; the name is Prometheus's own.
        let is_cpu_time = *name == "process_cpu_seconds_total";
        assert_eq!(
            name.ends_with("_total"),
            is_counter || is_cpu_time,
            "{name}"
        );
    }
}

#[test]
fn what_workers_counted_is_summed_and_not_added_twice() {
    let metrics = Metrics::new().unwrap();
    let mut worker = WorkerStatistics::default();
    worker.engine.inbound_packets = 3;
    worker.engine.peers_connected = 2;
    worker.engine.dropped[DropReason::Malformed as usize] = 4;
    worker.udp.sent = 5;
    page(&metrics, &[worker, worker]);
    let page = page(&metrics, &[worker, worker]);
    for line in [
        "plenum_inbound_packets_total 6",
        "plenum_peers{state=\"connected\"} 4",
        "plenum_dropped_total{reason=\"malformed\"} 8",
        "plenum_udp_sent_datagrams_total 10",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn this_process_has_used_time_and_memory() {
    let metrics = Metrics::new().unwrap();
    page(&metrics, &[]);
    assert!(metrics.resident_bytes.get() > 1_000_000);
    assert!(metrics.cpu_seconds.get() >= 0.0);
}
