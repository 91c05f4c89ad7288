//! A WebSocket client that waits for each answer, and not for long.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/ws"))
            .await
            .unwrap();
        Self { socket }
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_raw(Message::text(text)).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// The next message.
    pub(crate) async fn receive(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The next message of a type, whatever comes before it.
    pub(crate) async fn receive_type(&mut self, name: &str) -> Value {
        loop {
            let message = self.receive().await;
            if message["type"] == name {
                return message;
            }
        }
    }

    /// The change of a `change`, which must be the next message.
    pub(crate) async fn receive_change(&mut self) -> Value {
        let message = self.receive().await;
        assert_eq!(message["type"], "change", "{message}");
        message["change"].clone()
    }

    /// The code of an error, which must be the next message.
    pub(crate) async fn receive_error(&mut self) -> String {
        let message = self.receive().await;
        assert_eq!(message["type"], "error", "{message}");
        for text in ["message", "hint"] {
            assert!(!message[text].as_str().unwrap().is_empty(), "{message}");
        }
        message["code"].as_str().unwrap().to_owned()
    }

    /// The goodbye and the close frame that come after whatever else comes first.
    pub(crate) async fn receive_goodbye(&mut self) -> (Value, CloseFrame) {
        let goodbye = self.receive_type("goodbye").await;
        match self.next().await {
            Message::Close(Some(frame)) => (goodbye, frame),
            other => panic!("{other:?}"),
        }
    }

    /// The connection works: a ping is answered, and nothing else was on its way.
    pub(crate) async fn is_served(&mut self) {
        self.send(json!({ "type": "ping", "request_id": 77 })).await;
        assert_eq!(
            self.receive().await,
            json!({ "type": "pong", "request_id": 77 })
        );
    }

    async fn next(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        next.expect("nothing came").expect("closed").unwrap()
    }
}
