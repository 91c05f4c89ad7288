//! Starting: what is printed, what is refused and in which words, what is served at once.

use std::net::{TcpListener, UdpSocket};
use std::process::Output;

use serde_json::{Value, json};

use crate::process::{Server, directory, plenum, run, run_command};

/// It must not start: what it said instead.
fn refusal(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_start_without_any_setting_prints_the_address_and_a_development_key() {
    let mut command = plenum();
    command
        .args(["--http", "127.0.0.1:0", "--udp-port", "0"])
        .current_dir(directory("plain"));
    let mut server = Server::spawn(command);
    let line = server.line();
    let secret = line
        .strip_prefix("API key: devkey  secret: ")
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(secret.len() >= 32, "{line}");
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.get("/api/rooms").body, "[]");
}

#[test]
fn development_mode_refuses_any_address_but_loopback_and_says_how_to_make_keys() {
    for arguments in [
        ["--http", "0.0.0.0:0"],
        ["--http", "[::]:0"],
        ["--public-ip", "192.0.2.1"],
    ] {
        let refusal = refusal(run(&arguments));
        assert!(
            refusal.contains("development mode") && refusal.contains("plenum make-key"),
            "{refusal}"
        );
    }
}

#[test]
fn a_busy_http_port_is_named_with_the_flag_that_changes_it() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap();
    let refusal = refusal(run(&["--http", &address.to_string(), "--udp-port", "0"]));
    assert!(
        refusal.contains(&format!("port {} of 127.0.0.1 is in use", address.port()))
            && refusal.contains("--http"),
        "{refusal}"
    );
}

#[test]
fn a_busy_udp_port_is_named_with_the_flag_that_changes_it() {
    let busy = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port().to_string();
    let refusal = refusal(run(&[
        "--http",
        "127.0.0.1:0",
        "--udp-port",
        &port,
        "--workers",
        "1",
    ]));
    assert!(
        refusal.contains(&format!("UDP port {port} of 127.0.0.1 is in use"))
            && refusal.contains("--udp-port"),
        "{refusal}"
    );
}

#[test]
fn an_unknown_key_flag_or_variable_is_refused_by_name() {
    let file = directory("unknown").join("plenum.toml");
    std::fs::write(&file, "[limits]\nromos = 3\n").unwrap();
    let in_file = refusal(run(&["--config", file.to_str().unwrap()]));
    assert!(
        in_file.contains("romos") && in_file.contains("rooms"),
        "{in_file}"
    );

    let mut with_variable = plenum();
    with_variable.env("PLENUM_UDP_PROT", "1");
    let variable = refusal(run_command(with_variable));
    assert!(
        variable.contains("PLENUM_UDP_PROT") && variable.contains("PLENUM_UDP_PORT"),
        "{variable}"
    );

    let flag = run(&["--udp-prot", "1"]);
    let words = String::from_utf8(flag.stderr).unwrap();
    assert!(
        !flag.status.success() && words.contains("--udp-prot") && words.contains("--udp-port"),
        "{words}"
    );
}

#[test]
fn a_key_can_be_made_and_used() {
    let made = String::from_utf8(run(&["make-key"]).stdout).unwrap();
    let server = Server::start_as_is("made_key", &format!("[keys]\n{made}"));
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn the_development_server_makes_tokens_and_one_with_keys_does_not() {
    let development = Server::start_as_is("development", "");
    let made = development.post(
        "/api/dev/token",
        r#"{"room":"blue","name":"Ann","role":"tutor"}"#,
    );
    assert_eq!(made.status, 200, "{made:?}");
    let made: Value = serde_json::from_str(&made.body).unwrap();
    assert!(
        made["identity"].as_str().unwrap().starts_with("Ann-") && made["token"].is_string(),
        "{made}"
    );
    assert_eq!(
        development.get("/api/config").body,
        r#"{"development":true}"#
    );

    // A page of another origin can post text without being asked, and must get nothing for it.
    let text = "POST /api/dev/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\n\
                Content-Length: 25\r\n\r\n{\"room\":\"r\",\"name\":\"Ann\"}";
    assert_eq!(development.http(text).status, 415);

    let with_keys = Server::start("with_keys", "");
    assert_eq!(
        with_keys
            .post("/api/dev/token", r#"{"room":"blue","name":"Ann"}"#)
            .status,
        404
    );
    assert_eq!(
        with_keys.get("/api/config").body,
        r#"{"development":false}"#
    );
}

#[tokio::test]
async fn a_development_token_joins_and_its_role_may_moderate() {
    let server = Server::start_as_is("development_token", "");
    for (role, moderates) in [("tutor", true), ("student", false)] {
        let request = json!({ "room": "blue", "name": "Ann", "role": role, "identity": role });
        let made: Value =
            serde_json::from_str(&server.post("/api/dev/token", &request.to_string()).body)
                .unwrap();
        assert_eq!(made["identity"], role);
        let mut client = server.connect().await;
        client
            .send(json!({ "type": "join", "room": "blue", "token": made["token"] }))
            .await;
        let joined = client.receive().await;
        let participants = joined["participants"].as_array().unwrap();
        let me = participants
            .iter()
            .find(|participant| participant["id"] == joined["participant_id"])
            .unwrap();
        assert_eq!(
            (&me["role"], &me["moderator"], &me["name"]),
            (&json!(role), &json!(moderates), &json!("Ann"))
        );
    }
}

#[test]
fn the_page_is_served_with_its_types_and_guards() {
    let server = Server::start_as_is("page", "");
    let page = server.get("/");
    assert_eq!(page.status, 200, "{}", page.head);
    for header in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-cache",
        "content-security-policy: default-src 'self'",
        "x-content-type-options: nosniff",
    ] {
        assert!(page.head.contains(header), "{header}: {}", page.head);
    }
    assert!(
        server
            .get("/main.js")
            .head
            .contains("content-type: text/javascript")
    );
    for path in [
        "/package.json",
        "/tests/",
        "/node_modules/",
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/nothing",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

#[test]
fn metrics_are_on_the_page_for_prometheus() {
    let server = Server::start("metrics", "");
    let page = server.get("/metrics");
    assert!(
        page.head.contains("content-type: text/plain"),
        "{}",
        page.head
    );
    assert!(server.metric("process_resident_memory_bytes") > 1e6);
    assert_eq!(server.metric("plenum_rooms"), 0.0);
    // The one who asks.
    assert!(server.metric("plenum_http_connections") >= 1.0);
}
