//! A session of Janus over its WebSocket: requests with their answers, and what it tells unasked. It knows
//! no room and no media.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The offer for a subscriber of a hundred tracks has about 60 KB.
const LARGEST_MESSAGE: usize = 1 << 20;
/// What Janus may tell while an answer is awaited.
const MOST_WAITING: usize = 4_096;
/// Janus ends a session that was silent for 60 s.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// A WebSocket to Janus with at most one session.
pub(super) struct Connection {
    stream: WebSocketStream<TcpStream>,
    session: Option<u64>,
    next_transaction: u64,
    waiting: VecDeque<Told>,
    patience: Duration,
}

/// A handle: one use of a plugin within a session, with one peer connection at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle(u64);

/// What Janus tells of a handle.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// The handle. `None`: the whole session.
    pub(super) handle: Option<Handle>,
    /// Janus's own word: `event`, `success`, `hangup`, `detached`, `timeout`, `webrtcup`.
    pub(super) word: String,
    /// Janus's reason, where it has one.
    pub(super) reason: String,
    /// What the plugin says.
    pub(super) data: Value,
    /// The session description that came with it.
    pub(super) sdp: Option<String>,
}

/// Janus refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Janus's number for it.
    pub(super) code: u64,
    reason: String,
}

impl Refusal {
    pub(super) fn new(code: u64, reason: &str) -> Self {
        let reason = reason.to_owned();
        Self { code, reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Janus refuses: {} ({})", self.reason, self.code)
    }
}

impl std::error::Error for Refusal {}

impl Connection {
    /// Open the WebSocket. No answer takes longer than `patience`.
    pub(super) async fn open(server: SocketAddr, patience: Duration) -> Result<Self> {
        let opening = async {
            let stream = TcpStream::connect(server)
                .await
                .with_context(|| format!("nobody listens on {server}"))?;
            stream.set_nodelay(true)?;
            let mut request = format!("ws://{server}/").into_client_request()?;
            request.headers_mut().insert(
                "Sec-WebSocket-Protocol",
                HeaderValue::from_static("janus-protocol"),
            );
            let config = WebSocketConfig::default()
                .max_message_size(Some(LARGEST_MESSAGE))
                .max_frame_size(Some(LARGEST_MESSAGE));
            tokio_tungstenite::client_async_with_config(request, stream, Some(config))
                .await
                .map(|(stream, _)| stream)
                .with_context(|| format!("{server} does not speak Janus's WebSocket protocol"))
        };
        let stream = tokio::time::timeout(patience, opening)
            .await
            .with_context(|| format!("{server} does not answer"))??;
        Ok(Self {
            stream,
            session: None,
            next_transaction: 1,
            waiting: VecDeque::new(),
            patience,
        })
    }

    /// Janus's version, `1.1.2`: to be asked before there is a session.
    pub(super) async fn version(&mut self) -> Result<String> {
        let (answer, _) = self.ask_janus(json!({ "janus": "info" })).await?;
        let version = answer["version_string"].as_str();
        version
            .map(str::to_owned)
            .context("Janus does not tell its version")
    }

    /// Begin the session, to which all else belongs.
    pub(super) async fn begin_session(&mut self) -> Result<()> {
        let (answer, _) = self.ask_janus(json!({ "janus": "create" })).await?;
        self.session = Some(number(&answer["data"]["id"], "the session's number")?);
        Ok(())
    }

    /// A handle of the video room plugin.
    pub(super) async fn attach(&mut self) -> Result<Handle> {
        let request = json!({ "janus": "attach", "plugin": "janus.plugin.videoroom" });
        let (answer, _) = self.ask_janus(request).await?;
        number(&answer["data"]["id"], "the handle's number").map(Handle)
    }

    /// Ask the plugin and wait for its answer.
    pub(super) async fn ask(
        &mut self,
        handle: Handle,
        body: Value,
        description: Option<Description>,
    ) -> Result<Told> {
        let mut request = json!({ "janus": "message", "handle_id": handle.0, "body": body });
        if let Some(Description { kind, sdp }) = description {
            request["jsep"] = json!({ "type": kind, "sdp": sdp });
        }
        let (_, told) = self.ask_janus(request).await?;
        Ok(told)
    }

    /// Say that this session is alive. Nobody waits for the answer.
    pub(super) async fn keep_alive(&mut self) -> Result<()> {
        self.say(json!({ "janus": "keepalive" })).await.map(|_| ())
    }

    /// What Janus tells unasked. Nothing is lost when the future is dropped.
    pub(super) async fn told(&mut self) -> Result<Told> {
        loop {
            if let Some(told) = self.waiting.pop_front() {
                return Ok(told);
            }
            let message = self.receive().await?;
            self.keep(Told::read(&message))?;
        }
    }

    /// End the session: Janus closes what belongs to it.
    pub(super) async fn close(mut self) -> Result<()> {
        self.ask_janus(json!({ "janus": "destroy" })).await?;
        // Janus may be the first to close.
        let _ = self.stream.close(None).await;
        Ok(())
    }

    /// Ask, and wait for the final answer: the whole of it, and read.
    async fn ask_janus(&mut self, request: Value) -> Result<(Value, Told)> {
        let what = request["body"]["request"]
            .as_str()
            .or(request["janus"].as_str())
            .unwrap_or_default()
            .to_owned();
        let patience = self.patience;
        let asking = async {
            let transaction = self.say(request).await?;
            loop {
                let message = self.receive().await?;
                let told = Told::read(&message);
                let is_mine = message["transaction"].as_str() == Some(transaction.as_str());
                match told.word.as_str() {
                    // Only says that the plugin will answer.
                    "ack" => {}
                    _ if !is_mine => self.keep(told)?,
                    _ => {
                        return match refusal(&message) {
                            Some(refusal) => Err(refusal.into()),
                            None => Ok((message, told)),
                        };
                    }
                }
            }
        };
        tokio::time::timeout(patience, asking)
            .await
            .unwrap_or_else(|_| Err(anyhow!("Janus does not answer")))
            .with_context(|| format!("\"{what}\" failed"))
    }

    async fn say(&mut self, mut request: Value) -> Result<String> {
        let transaction = self.next_transaction.to_string();
        self.next_transaction += 1;
        request["transaction"] = transaction.as_str().into();
        if let Some(session) = self.session {
            request["session_id"] = session.into();
        }
        let sending = self.stream.send(Message::text(request.to_string()));
        sending.await.map_err(lost)?;
        Ok(transaction)
    }

    async fn receive(&mut self) -> Result<Value> {
        loop {
            match self.stream.next().await {
                None | Some(Ok(Message::Close(_))) => bail!("Janus closed the connection"),
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text)
                        .with_context(|| format!("Janus sent what is no JSON: {text}"));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(error)),
            }
        }
    }

    fn keep(&mut self, told: Told) -> Result<()> {
        // Answers to keep-alives.
        if told.word == "ack" {
            return Ok(());
        }
        if self.waiting.len() == MOST_WAITING {
            bail!("Janus tells more than anybody reads");
        }
        self.waiting.push_back(told);
        Ok(())
    }
}

/// A session description on its way to Janus.
pub(super) struct Description {
    kind: &'static str,
    sdp: String,
}

impl Description {
    /// An offer.
    pub(super) fn offer(sdp: String) -> Self {
        Self { kind: "offer", sdp }
    }

    /// An answer.
    pub(super) fn answer(sdp: String) -> Self {
        let kind = "answer";
        Self { kind, sdp }
    }
}

impl Told {
    fn read(message: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            handle: message["sender"].as_u64().map(Handle),
            word: text(&message["janus"]),
            reason: text(&message["reason"]),
            data: message["plugindata"]["data"].clone(),
            sdp: message["jsep"]["sdp"].as_str().map(str::to_owned),
        }
    }
}

/// Janus itself refuses with an error, a plugin with an event that has a code.
fn refusal(message: &Value) -> Option<Refusal> {
    let (code, reason) = match message["janus"].as_str() {
        Some("error") => (&message["error"]["code"], &message["error"]["reason"]),
        _ => {
            let data = &message["plugindata"]["data"];
            (&data["error_code"], &data["error"])
        }
    };
    let reason = reason.as_str().unwrap_or("no reason given");
    Some(Refusal::new(code.as_u64()?, reason))
}

fn number(value: &Value, what: &str) -> Result<u64> {
    let number = value.as_u64();
    number.with_context(|| format!("Janus does not tell {what}"))
}

fn lost(error: Error) -> anyhow::Error {
    anyhow::Error::new(error).context("the connection to Janus is lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_janus_and_of_the_plugin_are_told_with_their_number() {
        let of_janus = json!({ "janus": "error", "transaction": "1",
            "error": { "code": 460, "reason": "No such plugin" } });
        let of_plugin = json!({ "janus": "event", "transaction": "1", "plugindata": {
            "data": { "videoroom": "event", "error_code": 426, "error": "No such room (78)" } } });
        let words = |message| refusal(message).map(|refusal| refusal.to_string());
        assert_eq!(
            words(&of_janus).unwrap(),
            "Janus refuses: No such plugin (460)"
        );
        assert_eq!(
            words(&of_plugin).unwrap(),
            "Janus refuses: No such room (78) (426)"
        );
        assert_eq!(words(&json!({ "janus": "success" })), None);
    }

    #[test]
    fn an_offer_of_janus_comes_with_its_handle_and_description() {
        let told = Told::read(&json!({ "janus": "event", "session_id": 1, "sender": 7,
            "plugindata": { "plugin": "janus.plugin.videoroom", "data": { "videoroom": "attached" } },
            "jsep": { "type": "offer", "sdp": "v=0\r\n" } }));
        assert_eq!(told.handle, Some(Handle(7)));
        assert_eq!(told.data["videoroom"], "attached");
        assert_eq!(told.sdp.as_deref(), Some("v=0\r\n"));
    }
}
