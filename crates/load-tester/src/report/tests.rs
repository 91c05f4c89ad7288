//! Reports of runs that never were: every number in them is known.

mod measured;

use std::time::Duration;

use super::*;
use measured::{clean, machine};

fn report(measurements: Measurements) -> Report {
    let mut report = Report::new(measurements, machine());
    report.ended_at = "2026-11-21T05:00:00Z".to_owned();
    report
}

/// Every key and every number. Scripts rely on them: whoever changes one on purpose writes it here, and
/// raises `FORMAT` if an old script would misread it.
#[test]
fn the_json_of_a_known_run_is_this_and_nothing_else() {
    let mut report = report(clean());
    report.plenum_load = "0.0.0".to_owned();
    let expected = include_str!("tests/golden.json");
    assert_eq!(report.to_json().unwrap(), expected);
    assert_eq!(serde_json::from_str::<Report>(expected).unwrap(), report);
}

#[test]
fn a_run_without_a_fault_passes() {
    let report = report(clean());
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Passed, 0));
    assert!(text::write(&report).starts_with("PASSED: every packet came"));
}

#[test]
fn each_fault_alone_fails_the_gate_and_is_said_first() {
    type Plant = fn(&mut crate::measurements::Delivery);
    let faults: [(Plant, &str); 4] = [
        (
            |delivery| (delivery.lost, delivery.delivered) = (3, 9_997),
            "3 lost",
        ),
        (|delivery| delivery.duplicated = 1, "1 doubled"),
        (|delivery| delivery.reordered = 2, "2 reordered"),
        (|delivery| delivery.damaged = 4, "4 damaged"),
    ];
    for (plant, words) in faults {
        let mut measured = clean();
        plant(&mut measured.delivery);
        let report = report(measured);
        assert!(!report.delivery.gate_passed, "{words}");
        assert_eq!(
            (report.verdict, report.exit_code()),
            (Verdict::FellShort, 2)
        );
        let text = text::write(&report);
        let first = text.lines().next().unwrap();
        assert_eq!(first, format!("FELL SHORT: of 10,000 packets {words}."));
    }
}

#[test]
fn a_run_that_offered_nothing_passes_nothing() {
    let mut measured = clean();
    measured.delivery = crate::measurements::Delivery::default();
    measured.delay_us.reset();
    measured.seconds.clear();
    let report = report(measured);
    assert!(!report.delivery.gate_passed);
    assert_eq!(report.exit_code(), 2);
    assert_eq!(report.delay_ms.p50, None);
    assert_eq!(report.server.cpu_us_per_forwarded_packet, None);
    assert!(text::write(&report).contains("no packet was offered"));
    html::write(&report).unwrap();
}

#[test]
fn somebody_who_cannot_join_is_a_fault_although_every_packet_came() {
    let mut measured = clean();
    (measured.failure_count, measured.failures) = (2, vec!["room_full: no place".to_owned()]);
    let report = report(measured);
    assert!(report.delivery.gate_passed);
    assert_eq!(report.exit_code(), 2);
    let text = text::write(&report);
    assert!(
        text.contains("2 failures") && text.contains("room_full: no place\n  …"),
        "{text}"
    );
}

#[test]
fn a_generator_that_lags_more_than_one_packet_interval_makes_the_run_invalid() {
    let mut measured = clean();
    let interval = measured.generator.packet_interval.as_micros() as u64;
    measured.generator.lag_us.record(interval - 10).unwrap();
    assert!(report(measured.clone()).generator.valid);
    measured.generator.lag_us.record(interval + 10).unwrap();
    measured.delivery.lost = 7;
    let report = report(measured);
    assert!(!report.generator.valid);
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Invalid, 3));
    let text = text::write(&report);
    assert!(
        text.starts_with("INVALID: the generator itself did not keep up"),
        "{text}"
    );
    for name in ["packets ", "added delay "] {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.ends_with("(not the server's)"), "{line}");
    }
    let page = html::write(&report).unwrap();
    assert!(page.contains("Packets lost (not the server&#39;s)"));
}

#[test]
fn what_the_generators_own_sockets_dropped_is_not_the_servers_loss() {
    let mut measured = clean();
    measured.generator.socket_drops = 12;
    let report = report(measured);
    assert_eq!(report.exit_code(), 3);
    assert!(
        report.reason().contains("dropped 12 packets"),
        "{}",
        report.reason()
    );
}

#[test]
fn without_a_process_nothing_is_said_of_its_use() {
    let mut measured = clean();
    measured.process = None;
    for second in &mut measured.seconds {
        (second.server_cpu_seconds, second.server_rss_bytes) = (None, None);
    }
    let report = report(measured);
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    for key in [
        "cpu_us_per_forwarded_packet",
        "rss_peak_bytes",
        "rss_bytes_per_subscriber",
    ] {
        assert!(json["server"][key].is_null(), "{key}");
    }
    assert!(text::write(&report).contains("not measured: name its process with --pid"));
    let page = html::write(&report).unwrap();
    assert!(!page.contains("Server CPU, % of a core") && page.contains("Added delay, ms"));
}

#[test]
fn percentiles_of_joins_are_times_that_somebody_waited() {
    let mut measured = clean();
    let join = |ms| Join {
        joined: Some(Duration::from_millis(ms)),
        ..Join::default()
    };
    measured.joins = (1..=100).rev().map(join).collect();
    measured.joins.push(Join::default());
    let report = report(measured);
    let times = report.join_ms;
    let found = (times.count, times.p50, times.p95, times.p99, times.max);
    assert_eq!(
        found,
        (100, Some(50.0), Some(95.0), Some(99.0), Some(100.0))
    );
    assert_eq!(
        (report.participants.asked, report.participants.joined),
        (101, 100)
    );
    assert_eq!(report.first_packet_ms, Times::default());
}

#[test]
fn the_wait_for_the_first_picture_is_told_in_its_parts_of_those_who_got_one() {
    let mut measured = clean();
    let join = |connected, first_key_frame: Option<u64>| Join {
        connected: Some(Duration::from_millis(connected)),
        first_key_frame: first_key_frame.map(Duration::from_millis),
        ..Join::default()
    };
    measured.joins = vec![join(20, Some(50)), join(30, Some(90)), join(900, None)];
    let report = report(measured);
    let parts = [
        report.first_frame_ms.connect,
        report.first_frame_ms.key_frame,
    ];
    let found = parts.map(|times| (times.count, times.p50, times.max));
    assert_eq!(
        found,
        [(2, Some(20.0), Some(30.0)), (2, Some(30.0), Some(60.0))]
    );
    let text = text::write(&report);
    let shown = text.split_once("first key frame").unwrap().1;
    let lines: Vec<&str> = shown.lines().skip(1).take(2).collect();
    assert!(
        lines[0].starts_with("  to connect        2   p50 20.0 ms"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("  and from there    2   p50 30.0 ms"),
        "{text}"
    );
    assert!(
        html::write(&report)
            .unwrap()
            .contains("to connect 30.0 ms, and from there 60.0 ms")
    );
    assert!(compare::tables(&[report]).contains("| of it from there on p95, ms | 60.0 |"));
}

#[test]
fn a_ramp_finds_the_capacity_and_says_whose_it_is() {
    let step = |subscribers, lost, valid| crate::measurements::Step {
        subscribers,
        delivery: crate::measurements::Delivery {
            offered: 1_000,
            delivered: 1_000 - lost,
            lost,
            ..Default::default()
        },
        delay_p99_us: 900,
        server_cpu_us_per_packet: Some(3.5),
        valid,
    };
    let of = |steps: &[(u64, u64, bool)]| {
        let mut measured = clean();
        measured.delivery.lost = steps.iter().map(|step| step.1).sum();
        let steps = steps.iter();
        measured.steps = steps
            .map(|(people, lost, valid)| step(*people, *lost, *valid))
            .collect();
        report(measured)
    };
    for (steps, capacity, limit, exit_code) in [
        (
            &[(50, 0, true), (100, 0, true), (150, 9, true)][..],
            Some(100),
            Limit::Server,
            0,
        ),
        (
            &[(50, 0, true), (100, 4, false)],
            Some(50),
            Limit::Generator,
            3,
        ),
        (&[(50, 0, true), (100, 0, true)], Some(100), Limit::Steps, 0),
        (&[(50, 1, true)], None, Limit::Server, 2),
        (&[(50, 1, true), (100, 0, true)], None, Limit::Server, 2),
        (&[(50, 1, false)], None, Limit::Generator, 3),
    ] {
        let report = of(steps);
        let ramp = report.ramp.as_ref().unwrap();
        assert_eq!((ramp.capacity, ramp.limit), (capacity, limit), "{steps:?}");
        assert_eq!(report.exit_code(), exit_code, "{steps:?}");
        assert!(
            html::write(&report)
                .unwrap()
                .contains("Ramp: added delay p99")
        );
    }
    let text = text::write(&of(&[(50, 0, true), (100, 9, true)]));
    assert!(
        text.starts_with("PASSED: the server carries 50 subscribers; with more"),
        "{text}"
    );
}

#[test]
fn the_page_loads_nothing_runs_nothing_and_shows_what_others_say_as_text() {
    let mut measured = clean();
    measured.server = "<script>alert(1)</script>".to_owned();
    measured.failures = vec!["<img src=x>".to_owned()];
    measured.failure_count = 1;
    measured.settings.push(("<b>".to_owned(), "\"".to_owned()));
    let page = html::write(&report(measured)).unwrap();
    for forbidden in [
        "<script", "<img", "<b>\"", " src=\"", " href=", "@import", "url(", "NaN", "inf,",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for shown in [
        "&lt;script&gt;",
        "delay_ms.p999",
        "Packets by added delay",
        "Server memory, MB",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn several_reports_are_one_table_with_medians_ranges_and_a_column_for_each_server() {
    let run = |server: &str, cpu_seconds, is_valid: bool| {
        let mut measured = clean();
        measured.server = server.to_owned();
        measured.process.as_mut().unwrap().cpu_seconds = cpu_seconds;
        measured.generator.socket_drops = u64::from(!is_valid);
        report(measured)
    };
    let reports = [
        run("Plenum", 0.030, true),
        run("Janus", 0.200, true),
        run("Plenum", 0.050, true),
        run("Plenum", 0.035, true),
        run("Janus", 9.000, false),
    ];
    let tables = compare::tables(&reports);
    for line in [
        "**fanout**: subscribers 10, media video",
        "| | Plenum | Janus |",
        "|---|---:|---:|",
        "| valid runs | 3 of 3 | 1 of 2 |",
        "| exact delivery | 3 of 3 | 1 of 1 |",
        "| SRTP profile | AEAD_AES_128_GCM | AEAD_AES_128_GCM |",
        "| server CPU, µs per forwarded packet | 3.5 (3.0 to 5.0) | 20.0 |",
    ] {
        let has_line = tables
            .lines()
            .any(|found| found.replace(".50 ", ".5 ").replace(".00", ".0") == line);
        assert!(has_line, "{line}\n{tables}");
    }
    assert!(!tables.contains("capacity"), "{tables}");
}

#[test]
fn reports_of_different_loads_are_different_tables() {
    let mut other = clean();
    other.settings[0].1 = "20".to_owned();
    let tables = compare::tables(&[report(clean()), report(other)]);
    assert_eq!(tables.matches("**fanout**").count(), 2, "{tables}");
}

#[test]
fn what_is_no_report_is_refused_with_its_name() {
    let folder = std::env::temp_dir().join(format!("plenum-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, content, words) in [
        ("broken.json", "{", "is no JSON"),
        ("other.json", "{}", "is no report of plenum-load"),
        ("future.json", "{\"format\": 2}", "is a report of format 2"),
        ("cut.json", "{\"format\": 1}", "is no complete report"),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        let error = compare::read(&[path]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(name) && text.contains(words), "{text}");
    }
    let error = compare::read(&[folder.join("none.json")]).unwrap_err();
    assert!(error.to_string().contains("cannot read"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}
