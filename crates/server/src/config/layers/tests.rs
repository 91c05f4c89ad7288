//! What goes before what, and what is refused.

use super::*;

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// A configuration file for one test, named after it.
fn file(test: &str, text: &str) -> Option<PathBuf> {
    let path = std::env::temp_dir().join(format!("plenum-{}-{test}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    Some(path)
}

fn refusal(arguments: &Arguments, variables: &[(&str, &str)]) -> String {
    format!("{:#}", load(arguments, environment(variables)).unwrap_err())
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let config = file("order", "http = \"127.0.0.1:1\"\nudp_port = 1\nworkers = 1");
    let arguments = Arguments {
        config,
        udp_port: Some("3".into()),
        ..Arguments::default()
    };
    let variables = environment(&[
        ("PLENUM_UDP_PORT", "2"),
        ("PLENUM_WORKERS", "2"),
        ("HOME", "/"),
    ]);
    let config = load(&arguments, variables).unwrap();
    assert_eq!(
        (config.http.port(), config.udp_port, config.workers),
        (1, 3, 2)
    );
}

#[test]
fn every_key_has_a_variable() {
    let variables = [
        ("PLENUM_PUBLIC_IP", ""),
        (
            "PLENUM_KEYS",
            "a: 0123456789abcdef0123456789abcdef, b:fedcba9876543210fedcba9876543210, \
             a:00000000000000000000000000000000",
        ),
        (
            "PLENUM_ALLOWED_ORIGINS",
            "https://a.example, https://b.example",
        ),
        ("PLENUM_LIMITS_MESSAGE_BYTES", "1000"),
        ("PLENUM_LOG_FORMAT", "json"),
    ];
    let config = load(&Arguments::default(), environment(&variables)).unwrap();
    assert_eq!(config.keys.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(config.keys.secrets("a").count(), 2);
    assert_eq!(
        config.allowed_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(
        (config.public_ip, config.limits.message_bytes),
        (None, 1000)
    );
}

#[test]
fn what_nobody_reads_is_refused_by_name_with_the_nearest_that_is_read() {
    let in_file = Arguments {
        config: file("unknown", "htpp = \"127.0.0.1:1\""),
        ..Arguments::default()
    };
    let in_section = Arguments {
        config: file("section", "[limits]\nmesage_bytes = 1"),
        ..Arguments::default()
    };
    for (refusal, given, meant) in [
        (refusal(&in_file, &[]), "\"htpp\"", "\"http\""),
        (
            refusal(&in_section, &[]),
            "\"mesage_bytes\" in [limits]",
            "\"message_bytes\"",
        ),
        (
            refusal(&Arguments::default(), &[("PLENUM_HTPP", "")]),
            "PLENUM_HTPP",
            "PLENUM_HTTP",
        ),
    ] {
        assert!(
            refusal.contains(given) && refusal.contains(meant),
            "{refusal}"
        );
    }
    assert!(
        Arguments::try_parse_from(["plenum", "--htpp", "x"])
            .unwrap_err()
            .to_string()
            .contains("--htpp")
    );
}

#[test]
fn a_value_that_cannot_be_is_refused_with_its_place() {
    let flag = Arguments {
        http: Some("here".into()),
        ..Arguments::default()
    };
    let in_file = Arguments {
        config: file("value", "\nworkers = \"many\""),
        ..Arguments::default()
    };
    for (refusal, place) in [
        (refusal(&flag, &[]), "--http"),
        (refusal(&in_file, &[]), "line 2"),
        (
            refusal(&Arguments::default(), &[("PLENUM_UDP_PORT", "70000")]),
            "PLENUM_UDP_PORT",
        ),
        (
            refusal(
                &Arguments::default(),
                &[("PLENUM_LIMITS_MESSAGE_BYTES", "-1")],
            ),
            "PLENUM_LIMITS_MESSAGE_BYTES",
        ),
        (
            refusal(
                &Arguments::default(),
                &[("PLENUM_LIMITS_MESSAGE_BYTES", "0")],
            ),
            "limits.message_bytes",
        ),
    ] {
        assert!(refusal.contains(place), "{refusal}");
    }
}

#[test]
fn the_reference_file_has_every_key_with_its_default() {
    let reference = include_str!("../../../../../config/plenum.toml");
    let table: Table = reference.parse().unwrap();
    let known = known_keys().unwrap();
    for (key, value) in &known {
        assert_eq!(table.get(key), Some(value), "{key}");
    }
    refuse_unknown(&table, &known).unwrap();
}
