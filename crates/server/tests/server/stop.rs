//! Stopping: everybody is told, those who have not joined too, and the process ends with 0.

use serde_json::json;

use crate::process::{Server, ends};

#[tokio::test]
async fn a_stop_is_told_to_everybody_and_ends_well() {
    let mut server = Server::start("stop", "");
    let (mut joined, _) = server.joined("blue", "ann").await;
    let mut not_joined = server.connect().await;
    server.terminate();
    for client in [&mut joined, &mut not_joined] {
        let (goodbye, frame) = client.receive_goodbye().await;
        assert_eq!(
            (&goodbye["code"], &goodbye["reconnect"]),
            (&json!("server_stopping"), &json!(true))
        );
        assert_eq!(
            (u16::from(frame.code), &*frame.reason),
            (4001, "server_stopping")
        );
    }
    drop((joined, not_joined));
    assert_eq!(ends(&mut server.child), Some(0));
}

#[tokio::test]
async fn while_stopping_it_is_not_ready_and_one_who_takes_no_goodbye_is_not_waited_for() {
    let mut server = Server::start("stopping", "");
    // It neither reads nor closes.
    let (_stubborn, _) = server.joined("blue", "ann").await;
    server.terminate();
    // It says so until it ends, which does not take the stubborn one.
    while server.get("/readyz").status != 503 {}
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(ends(&mut server.child), Some(0));
}
