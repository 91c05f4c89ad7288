//! The report as a few aligned lines for a terminal, the verdict first. No colours, nothing to scroll.

use super::figures::{NOT_MEASURED, amount, bytes, count, ms, with_unit};
use super::{Report, Times, Verdict};

/// The report for people.
pub fn write(report: &Report) -> String {
    let mut lines = vec![
        format!("{}: {}", report.verdict.title(), report.reason()),
        String::new(),
    ];
    lines.extend(scenario(report));
    lines.push(line("server", [&report.server.name, &report.server.url]));
    lines.extend(packets(report));
    lines.extend(kinds(report));
    lines.extend(process(report));
    lines.extend(joins(report));
    lines.extend(generator(report));
    lines.extend(ramp(report));
    lines.extend(failures(report));
    lines.join("\n") + "\n"
}

fn line<T: AsRef<str>>(name: &str, parts: impl IntoIterator<Item = T>) -> String {
    let mut text = format!("{name:<16}");
    for part in parts {
        text += part.as_ref();
        text += "   ";
    }
    text.trim_end().to_owned()
}

pub(super) fn settings(report: &Report) -> String {
    let settings: Vec<String> = report.settings.iter().map(setting).collect();
    settings.join(", ")
}

/// The name, and the settings, a few to a line.
fn scenario(report: &Report) -> Vec<String> {
    let settings: Vec<String> = report.settings.iter().map(setting).collect();
    let mut lines = vec![line("scenario", [&report.scenario])];
    lines.extend(settings.chunks(5).map(|few| line("", [few.join(", ")])));
    lines
}

fn setting((name, value): (&String, &String)) -> String {
    format!("{name} {value}")
}

fn packets(report: &Report) -> Vec<String> {
    let (delivery, delay) = (&report.delivery, &report.delay_ms);
    let whose = match report.verdict {
        Verdict::Invalid => "(not the server's)",
        _ => "",
    };
    let early = if report.interrupted {
        ", ended early"
    } else {
        ""
    };
    let share = |number: u64| match delivery.offered {
        0 => String::new(),
        _ if number == 0 => String::new(),
        offered => format!(" ({:.3} %)", number as f64 * 100.0 / offered as f64),
    };
    vec![
        line(
            "packets",
            [
                format!("offered {}", count(delivery.offered)),
                format!("delivered {}", count(delivery.delivered)),
                format!("lost {}{}", count(delivery.lost), share(delivery.lost)),
                format!("doubled {}", count(delivery.duplicated)),
                format!("reordered {}", count(delivery.reordered)),
                format!("damaged {}", count(delivery.damaged)),
                whose.to_owned(),
            ],
        ),
        line(
            "rate",
            [
                with_unit(delivery.packets_per_second, "packets/s"),
                with_unit(delivery.mbit_per_second, "Mbit/s of payload"),
                format!("over {} s{early}", amount(report.counted_seconds, 1)),
            ],
        ),
        line(
            "added delay",
            [
                format!("p50 {}", ms(delay.p50)),
                format!("p99 {}", ms(delay.p99)),
                format!("p99.9 {}", ms(delay.p999)),
                format!("max {}", ms(delay.max)),
                whose.to_owned(),
            ],
        ),
    ]
}

/// Where there are both; and frames that no decoder could show, wherever there are any.
fn kinds(report: &Report) -> Vec<String> {
    let (sound, pictures) = (&report.sound, &report.pictures);
    let mut lines = Vec::new();
    if sound.offered > 0 && pictures.whole + pictures.broken > 0 {
        lines.push(line(
            "sound",
            [
                format!("offered {}", count(sound.offered)),
                format!("lost {}", count(sound.lost)),
                format!("p50 {}", ms(sound.delay_p50_ms)),
                format!("p99 {}", ms(sound.delay_p99_ms)),
                format!("max {}", ms(sound.delay_max_ms)),
            ],
        ));
    }
    if pictures.whole + pictures.broken > 0 {
        lines.push(line(
            "frames",
            [
                format!("whole {}", count(pictures.whole)),
                format!("broken {}", count(pictures.broken)),
            ],
        ));
    }
    lines
}

fn process(report: &Report) -> Vec<String> {
    let server = &report.server;
    if server.cpu_seconds.is_none() {
        return vec![line(
            "server CPU",
            ["not measured: name its process with --pid"],
        )];
    }
    let whole = |bytes_: Option<u64>| bytes(bytes_.map(|bytes_| bytes_ as f64));
    vec![
        line(
            "server CPU",
            [
                with_unit(
                    server.cpu_us_per_forwarded_packet,
                    "µs per forwarded packet",
                ),
                with_unit(server.cpu_percent_of_a_core, "% of a core"),
                with_unit(server.cpu_seconds, "s in all"),
            ],
        ),
        line(
            "per core",
            [
                with_unit(server.packets_per_second_per_core, "packets/s"),
                with_unit(server.mbit_per_second_per_core, "Mbit/s"),
            ],
        ),
        line(
            "server memory",
            [
                format!("peak {}", whole(server.rss_peak_bytes)),
                format!("idle {}", whole(server.rss_idle_bytes)),
                format!("per subscriber {}", bytes(server.rss_bytes_per_subscriber)),
            ],
        ),
    ]
}

fn joins(report: &Report) -> Vec<String> {
    let people = &report.participants;
    let times = |name: &str, times: &Times| {
        let by = |what: &str, time| format!("{what} {}", ms(time));
        let percentiles = [
            by("p50", times.p50),
            by("p95", times.p95),
            by("p99", times.p99),
        ];
        line(
            name,
            [format!("{:>5}", times.count)].iter().chain(&percentiles),
        )
    };
    let mut lines = Vec::new();
    if people.joined < people.asked {
        let (joined, asked) = (count(people.joined), count(people.asked));
        lines.push(line(
            "participants",
            [format!("{joined} of {asked} joined")],
        ));
    }
    for (name, of) in [
        ("joined", &report.join_ms),
        ("connected", &report.connected_ms),
        ("first packet", &report.first_packet_ms),
        ("first key frame", &report.first_key_frame_ms),
        ("  to connect", &report.first_frame_ms.connect),
        ("  and from there", &report.first_frame_ms.key_frame),
    ] {
        if of.count > 0 {
            lines.push(times(name, of));
        }
    }
    lines
}

fn generator(report: &Report) -> Vec<String> {
    let generator = &report.generator;
    let sizes = report.packet_bytes.iter();
    let mut media = report.srtp_profiles.clone();
    media.extend(sizes.map(|(kind, sizes)| match sizes.smallest {
        smallest if smallest == sizes.largest => format!("{kind} payloads of {smallest} bytes"),
        smallest => format!("{kind} payloads of {smallest} to {} bytes", sizes.largest),
    }));
    let machine = &report.machine;
    let said = |text: &Option<String>| text.clone().unwrap_or(NOT_MEASURED.to_owned());
    let cores = machine.cores.map(|cores| format!("{cores} cores"));
    vec![
        line(
            "generator",
            [
                format!(
                    "at most {} late, {} allowed",
                    ms(generator.max_lag_ms),
                    ms(Some(generator.packet_interval_ms))
                ),
                format!("{} dropped", count(generator.socket_drops)),
                with_unit(Some(generator.cpu_seconds), "s of CPU"),
            ],
        ),
        line("media", media),
        line(
            "machine",
            [
                said(&machine.cpu),
                said(&cores),
                bytes(machine.memory_bytes.map(|bytes| bytes as f64)),
                said(&machine.kernel),
            ],
        ),
        line(
            "made",
            [
                &report.ended_at,
                &format!("plenum-load {}", report.plenum_load),
            ],
        ),
    ]
}

fn ramp(report: &Report) -> Vec<String> {
    let Some(ramp) = &report.ramp else {
        return Vec::new();
    };
    let mut lines = vec![
        String::new(),
        "subscribers      delivered        lost    delay p99   µs/packet".to_owned(),
    ];
    for step in &ramp.steps {
        let cpu = step.server_cpu_us_per_packet;
        let word = match (step.valid, step.gate_passed) {
            (false, _) => "generator late",
            (true, false) => "fell short",
            (true, true) => "",
        };
        let text = format!(
            "{:>11}  {:>13}  {:>10}  {:>11}  {:>10}  {word}",
            count(step.subscribers),
            count(step.delivered),
            count(step.offered.saturating_sub(step.delivered)),
            ms(step.delay_p99_ms),
            cpu.map_or(NOT_MEASURED.to_owned(), |cpu| amount(cpu, 2)),
        );
        lines.push(text.trim_end().to_owned());
    }
    lines
}

fn failures(report: &Report) -> Vec<String> {
    let failures = &report.failures;
    if failures.count == 0 {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        format!("failures: {}", count(failures.count)),
    ];
    lines.extend(failures.first.iter().map(|failure| format!("  {failure}")));
    if failures.count > failures.first.len() as u64 {
        lines.push("  …".to_owned());
    }
    lines
}
