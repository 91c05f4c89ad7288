//! The WebSocket to the server: messages of the protocol in and out, with limits. It knows no room.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use protocol::{ClientMessage, ServerMessage};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// A room of some hundreds comes in one message; nothing of the protocol is larger.
const LARGEST_MESSAGE: usize = 1 << 20;
/// What waits to be written to a server that does not read.
const WRITE_BUFFER: usize = 256 * 1024;

/// The WebSocket to the server.
pub(crate) struct WebSocket {
    stream: WebSocketStream<TcpStream>,
    next_request: u32,
}

impl WebSocket {
    pub(crate) async fn connect(server: SocketAddr, patience: Duration) -> Result<Self> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE))
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER);
        let connecting = async {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let url = format!("ws://{server}/ws");
            let (stream, _) =
                tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
            anyhow::Ok(stream)
        };
        let stream = tokio::time::timeout(patience, connecting)
            .await
            .context("the WebSocket: no answer")??;
        Ok(Self {
            stream,
            next_request: 1,
        })
    }

    /// Send a message; its number comes back in the answer or the error.
    pub(crate) async fn send(&mut self, message: &ClientMessage) -> Result<u32> {
        let request_id = self.next_request;
        self.next_request += 1;
        let mut json = serde_json::to_value(message)?;
        if let Value::Object(fields) = &mut json {
            fields.insert("request_id".to_owned(), request_id.into());
        }
        self.send_text(json.to_string()).await?;
        Ok(request_id)
    }

    /// Send any text, right or wrong.
    pub(crate) async fn send_text(&mut self, text: String) -> Result<()> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    /// The next message. `None` when the server has closed the connection.
    pub(crate) async fn receive(&mut self) -> Result<Option<ServerMessage>> {
        loop {
            match self.stream.next().await {
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text)
                        .with_context(|| format!("not of the protocol: {text}"))?;
                    return Ok(Some(message));
                }
                Some(Ok(Message::Binary(_))) => bail!("the server sent a binary message"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }
}
