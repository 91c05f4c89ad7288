//! Command lines as people write them, the wrong ones above all.

use super::*;

fn run(words: &str) -> Result<Run, String> {
    let words = format!("plenum-load run {words}");
    match read(words.split_whitespace().map(str::to_owned)) {
        Ok(Action::Run(run)) => Ok(*run),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

fn refusal(words: &str) -> String {
    run(words).unwrap_err()
}

#[test]
fn the_words_that_scripts_rely_on_are_understood() {
    let run = run(
        "--scenario fanout --url http://127.0.0.1:9000 --subscribers 7 --duration 3 --media both \
         --pid 12 --json a.json --html a.html --key K --secret S",
    )
    .unwrap();
    assert_eq!(run.scenario, Scenario::Fanout { subscribers: 7 });
    assert_eq!(run.url, "http://127.0.0.1:9000");
    assert_eq!(run.duration.as_secs(), 3);
    assert!(run.audio && run.video.is_some());
    assert_eq!(run.pid, Some(12));
    assert_eq!(run.json, Some("a.json".into()));
    assert_eq!(run.html, Some("a.html".into()));
    let key = run.key.unwrap();
    assert_eq!((key.name.as_str(), key.secret.as_str()), ("K", "S"));
}

#[test]
fn every_scenario_runs_with_its_name_alone_and_is_listed_with_a_sentence() {
    let listed = list();
    for name in ScenarioName::value_variants() {
        let run = run(&format!("--scenario {}", name.as_str())).unwrap();
        assert_eq!(run.scenario.name(), name.as_str());
        let line = listed.lines().find(|line| line.starts_with(name.as_str()));
        assert!(line.unwrap().len() > 20, "{listed}");
    }
}

#[test]
fn a_number_that_a_scenario_does_not_take_is_refused_with_those_that_it_takes() {
    let sentence = refusal("--scenario fanout --rooms 3");
    assert!(
        sentence.contains("--rooms says nothing in the scenario fanout, which takes --subscribers"),
        "{sentence}"
    );
    assert!(refusal("--scenario storm --join-rate 5").contains("--join-rate"));
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (words, expected) in [
        ("--scenario fanout --key K", "--secret"),
        ("--scenario audio --media video", "sound alone"),
        ("--scenario fanout --media audio --simulcast", "--simulcast"),
        ("--scenario ramp --from 60 --subscribers 50", "--from"),
        ("--scenario fanout --server janus", "ws://"),
        (
            "--scenario fanout --url 127.0.0.1:8080",
            "http://127.0.0.1:8080",
        ),
        ("--scenario fanout --url http://", "no address"),
        ("--scenario fanout --bitrate 2.5G", "2.5M"),
        ("--scenario fanout --duration 0", "1..=86400"),
        ("--scenario fanout --subscribers 0", "1..=20000"),
        ("--scenario conference", "late-join"),
        ("", "--scenario"),
    ] {
        let sentence = refusal(words);
        assert!(sentence.contains(expected), "{words}: {sentence}");
    }
}

#[test]
fn a_refusal_ends_with_1_and_help_with_0() {
    for (words, code) in [
        ("plenum-load", ExitCode::from(1)),
        ("plenum-load run --scenario nothing", ExitCode::from(1)),
        ("plenum-load compare", ExitCode::from(1)),
        ("plenum-load --help", ExitCode::SUCCESS),
        ("plenum-load --version", ExitCode::SUCCESS),
    ] {
        let error = read(words.split(' ').map(str::to_owned)).unwrap_err();
        assert_eq!(
            format!("{:?}", refuse(&error)),
            format!("{code:?}"),
            "{words}"
        );
    }
}

#[test]
fn bits_are_written_as_people_write_them() {
    for (text, bits) in [("2.5M", 2_500_000), ("300k", 300_000), ("64000", 64_000)] {
        let run = run(&format!("--scenario fanout --bitrate {text}")).unwrap();
        assert_eq!(run.video.unwrap().bitrate, bits);
    }
}

#[test]
fn a_report_says_the_settings_and_never_the_secret() {
    let run = run("--scenario ramp --key K --secret hush --simulcast").unwrap();
    let settings = run.settings();
    let setting = |name: &str| {
        let found = settings.iter().find(|(known, _)| known == name);
        found.unwrap().1.as_str()
    };
    assert_eq!(setting("from"), "50");
    assert_eq!(setting("subscribers"), "1000");
    assert_eq!(setting("duration_s"), "5");
    assert_eq!(setting("simulcast"), "true");
    let all = format!("{settings:?} {run:?}");
    assert!(!all.contains("hush"), "{all}");
}
