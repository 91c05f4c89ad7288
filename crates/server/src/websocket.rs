//! The WebSocket as the server has it: opened from an HTTP request (RFC 6455 section 4.2), read and written with
//! small buffers. The library's own are 128 KiB for each connection, and what it writes from keeps the size of
//! the largest message ever; with hundreds of connections that was most of the server's memory. Never knows
//! what a message says.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Sink, SinkExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
pub(crate) use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, protocol::CloseFrame};

/// An open WebSocket.
pub(crate) type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// A longer message than this is read in several steps; what is said most is shorter.
const READ_BYTES: usize = 4 * 1024;
/// A longer message than this is sent as several frames.
const FRAME_BYTES: usize = 4 * 1024;

/// A request that may become a WebSocket.
pub(crate) struct Upgrade {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Upgrade {
    /// Reads the request's side of the handshake, or says why it is none.
    pub(crate) fn from_request(request: &mut Request) -> Result<Self, &'static str> {
        let headers = request.headers();
        if !has_word(headers, header::CONNECTION, "upgrade")
            || !has_word(headers, header::UPGRADE, "websocket")
        {
            return Err("This is a WebSocket: connect with \"Upgrade: websocket\".\n");
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION) != Some(&HeaderValue::from_static("13")) {
            return Err("Sec-WebSocket-Version must be 13.\n");
        }
        let accept = headers
            .get(header::SEC_WEBSOCKET_KEY)
            .and_then(|key| derive_accept_key(key.as_bytes()).parse().ok())
            .ok_or("Sec-WebSocket-Key is missing.\n")?;
        let upgrade = request
            .extensions_mut()
            .remove()
            .ok_or("This connection cannot become a WebSocket.\n")?;
        Ok(Self { accept, upgrade })
    }

    /// The answer, after which `serve` gets the socket. A client's message may have `most_bytes`.
    pub(crate) fn accept<Serving>(
        self,
        most_bytes: usize,
        serve: impl FnOnce(WebSocket) -> Serving + Send + 'static,
    ) -> Response
    where
        Serving: Future<Output = ()> + Send,
    {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(FRAME_BYTES)
            .max_message_size(Some(most_bytes))
            .max_frame_size(Some(most_bytes));
        tokio::spawn(async move {
            match self.upgrade.await {
                Ok(upgraded) => {
                    let io = TokioIo::new(upgraded);
                    let socket =
                        WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
                    serve(socket).await;
                }
                Err(error) => tracing::debug!(%error, "no WebSocket came of a connection"),
            }
        });
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
    }
}

/// Whether a header's list has this word, in any case.
fn has_word(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    let lists = headers.get_all(name).into_iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(word))
}

/// Hand a text to the socket, to be flushed later: in one frame, or a long one in several (RFC 6455 section 5.4).
pub(crate) async fn feed_text(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    text: Utf8Bytes,
) -> Result<(), Error> {
    if text.len() <= FRAME_BYTES {
        return sink.feed(Message::Text(text)).await;
    }
    let mut rest = Bytes::from(text);
    let mut kind = Data::Text;
    while !rest.is_empty() {
        let part = rest.split_to(rest.len().min(FRAME_BYTES));
        let frame = Frame::message(part, OpCode::Data(kind), rest.is_empty());
        sink.feed(Message::Frame(frame)).await?;
        kind = Data::Continue;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().uri("/ws");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn what_is_no_websocket_is_told_what_is_missing() {
        let refusal = |headers: &[(&str, &str)]| {
            let mut request = request(headers);
            Upgrade::from_request(&mut request).err().unwrap_or("")
        };
        let upgrade = ("upgrade", "WebSocket");
        let connection = ("connection", "keep-alive, Upgrade");
        let version = ("sec-websocket-version", "13");
        let key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert!(refusal(&[]).contains("Upgrade"));
        assert!(refusal(&[connection, version, key]).contains("Upgrade"));
        assert!(refusal(&[upgrade, connection, key]).contains("Version"));
        assert!(refusal(&[upgrade, connection, version]).contains("Key"));
        // All is there but the connection below.
        assert!(refusal(&[upgrade, connection, version, key]).contains("connection"));
    }

    #[tokio::test]
    async fn a_long_text_goes_in_frames_and_comes_as_one() {
        let (ours, theirs) = tokio::io::duplex(1_000);
        let mut server = WebSocketStream::from_raw_socket(ours, Role::Server, None).await;
        let mut client = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        // Three bytes a letter: frames end within letters.
        let texts = [0, 1, FRAME_BYTES / 3, FRAME_BYTES, 20 * FRAME_BYTES].map(|n| "€".repeat(n));
        let sent = texts.clone();
        tokio::spawn(async move {
            for text in sent {
                feed_text(&mut server, text.into()).await.unwrap();
                server.flush().await.unwrap();
            }
        });
        for text in texts {
            let Some(Ok(Message::Text(received))) = client.next().await else {
                panic!("no text of {} bytes", text.len())
            };
            assert!(received.as_str() == text);
        }
    }
}
