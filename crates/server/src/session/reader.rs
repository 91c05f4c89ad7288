//! The reading half of a WebSocket: limits, parsing, joining, pings. It writes through the outbox alone.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use protocol::{
    ClientMessage, ClientRequest, ConnectionId, ErrorBody, ErrorCode, Join, ParseError,
    ParticipantId, RoomId, ServerMessage, SessionId, parse_client_message,
};
use signaling::Fresh;

use crate::auth;
use crate::http::App;
use crate::keys::random_text;
use crate::node::NodeCommand;
use crate::outbox::Outbox;
use crate::rate::Bucket;
use crate::request::request;
use crate::websocket::{Message, WebSocket};

/// Seconds' worth of messages that may be refused as too fast, without a calm moment between, before the
/// connection is closed.
const PATIENCE_SECONDS: u32 = 10;

/// How reading ended.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    /// The client is gone.
    Lost,
    /// The outbox is closing; its last words are on their way.
    Closing,
}

/// The reading half of one WebSocket.
pub(super) struct Reader<'a> {
    app: &'a App,
    outbox: &'a Arc<Outbox>,
    address: IpAddr,
    connection: ConnectionId,
    opened: Instant,
    heard: Instant,
    bucket: Bucket,
    refused_in_a_row: u32,
    has_asked_to_join: bool,
    has_told_first_frame: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        app: &'a App,
        outbox: &'a Arc<Outbox>,
        address: IpAddr,
        connection: ConnectionId,
    ) -> Self {
        let limits = &app.config.limits;
        let now = Instant::now();
        Self {
            app,
            outbox,
            address,
            connection,
            opened: now,
            heard: now,
            bucket: Bucket::full(now, limits.messages_per_second, limits.messages_burst),
            refused_in_a_row: 0,
            has_asked_to_join: false,
            has_told_first_frame: false,
        }
    }

    /// The node must be told when this connection ends.
    pub(super) fn is_known_to_the_node(&self) -> bool {
        self.has_asked_to_join
    }

    /// Read until the client is gone or the outbox closes.
    pub(super) async fn read(&mut self, stream: &mut SplitStream<WebSocket>) -> End {
        let mut stopping = self.app.stopping.clone();
        loop {
            let message = tokio::select! {
                message = stream.next() => message,
                () = self.outbox.closing() => return End::Closing,
                () = tokio::time::sleep_until(self.deadline().into()) => {
                    self.handle_silence();
                    continue;
                }
                // Those who have joined are told by the rooms.
                _ = stopping.wait_for(|is_stopping| *is_stopping), if !self.has_asked_to_join => {
                    self.outbox.say_goodbye(ErrorCode::ServerStopping, "the server is being stopped", true);
                    return End::Closing;
                }
            };
            match message {
                None | Some(Ok(Message::Close(_))) => return End::Lost,
                Some(Err(error)) => return self.handle_broken(&error.to_string()),
                Some(Ok(message)) => self.handle_message(message).await,
            }
            if self.outbox.is_closing() {
                return End::Closing;
            }
        }
    }

    /// Until when something must be heard. Whoever is let in, but not told so before it is written down,
    /// knows of no duty to ping, and waits as long as it takes.
    fn deadline(&self) -> Instant {
        let limits = &self.app.config.limits;
        let authentication = Duration::from_millis(limits.authentication_ms);
        match self.outbox.joined_at() {
            Some(joined) => self.heard.max(joined) + Duration::from_millis(limits.ping_timeout_ms),
            None if self.outbox.has_entered() => Instant::now() + authentication,
            None => self.opened + authentication,
        }
    }

    fn handle_silence(&self) {
        if Instant::now() < self.deadline() {
            return; // joined in the meantime
        }
        let (code, message) = match self.outbox.has_entered() {
            true => (
                ErrorCode::PingTimeout,
                "nothing was heard from you for too long",
            ),
            false => (ErrorCode::AuthenticationTimeout, "you did not join in time"),
        };
        self.outbox.say_goodbye(code, message, true);
    }

    /// The stream cannot be read any further: the client vanished, or broke the WebSocket protocol.
    fn handle_broken(&self, error: &str) -> End {
        tracing::debug!(error, "reading failed");
        let code = match error {
            // tungstenite's capacity error, beyond what is read at all.
            _ if error.contains("Space limit exceeded") => ErrorCode::MessageTooLarge,
            _ if error.contains("UTF-8") => ErrorCode::MalformedMessage,
            _ => return End::Lost,
        };
        self.outbox.say_goodbye(code, error, true);
        End::Closing
    }

    async fn handle_message(&mut self, message: Message) {
        let now = Instant::now();
        self.heard = now;
        if !self.bucket.take(now) {
            return self.handle_too_fast();
        }
        self.refused_in_a_row = self.refused_in_a_row.saturating_sub(1);
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => {
                return self.refuse(None, ErrorCode::MalformedMessage, "binary, and not text");
            }
            // The library has answered already.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return,
        };
        let most_bytes = self.app.config.limits.message_bytes;
        if text.len() > most_bytes {
            let message = format!(
                "the message has {} bytes; it may have {most_bytes}",
                text.len()
            );
            return self.refuse(None, ErrorCode::MessageTooLarge, &message);
        }
        match parse_client_message(&text) {
            Ok(request) => self.handle_request(request).await,
            Err(ParseError::Malformed { request_id, reason }) => {
                self.refuse(request_id, ErrorCode::MalformedMessage, &reason);
            }
            Err(error @ ParseError::UnknownType { request_id, .. }) => {
                self.refuse(request_id, ErrorCode::UnknownType, &error.to_string());
            }
        }
    }

    fn handle_too_fast(&mut self) {
        let limits = &self.app.config.limits;
        self.refused_in_a_row += 1;
        if self.refused_in_a_row > limits.messages_per_second.saturating_mul(PATIENCE_SECONDS) {
            let message = "you went on sending faster than you may";
            return self.outbox.say_goodbye(ErrorCode::TooFast, message, true);
        }
        let message = format!(
            "more than {} messages in a second; this one was passed over",
            limits.messages_per_second
        );
        self.refuse(None, ErrorCode::TooFast, &message);
    }

    async fn handle_request(
        &mut self,
        ClientRequest {
            request_id,
            message,
        }: ClientRequest,
    ) {
        if let ClientMessage::Join(join) = message {
            return self.handle_join(request_id, join).await;
        }
        if !self.has_asked_to_join {
            return self.refuse(
                request_id,
                ErrorCode::NotJoined,
                "the first message must be join",
            );
        }
        if message == ClientMessage::Ping {
            // An overflow closes the outbox, which ends the reading.
            let _ = self.outbox.send(&ServerMessage::Pong { request_id });
            return;
        }
        if let ClientMessage::FirstFrame {
            connect_ms,
            key_frame_ms,
            decode_ms,
        } = message
            && self.outbox.joined_at().is_some()
            && !std::mem::replace(&mut self.has_told_first_frame, true)
        {
            let metrics = &self.app.metrics;
            return metrics.observe_first_frame(connect_ms, key_frame_ms, decode_ms);
        }
        if let Some(request) = request(message) {
            self.tell_node(NodeCommand::Request {
                connection: self.connection,
                request_id,
                request,
            })
            .await;
        }
    }

    async fn handle_join(&mut self, request_id: Option<u32>, join: Join) {
        if self.outbox.has_entered() {
            return self.refuse(
                request_id,
                ErrorCode::AlreadyJoined,
                "this connection has joined",
            );
        }
        let is_slow_enough = {
            let mut joins = self
                .app
                .joins
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            joins.take(Instant::now(), self.address)
        };
        if !is_slow_enough {
            return self.refuse(
                request_id,
                ErrorCode::TooFast,
                "too many joins from your address in a second",
            );
        }
        let claims = match auth::verify(&self.app.keys, &join.token, join.room.as_ref()) {
            Ok(claims) => claims,
            Err(error) => return self.refuse_with(error.in_answer_to(request_id)),
        };
        tracing::debug!(identity = %claims.identity, room = %claims.room, "asks to join");
        self.has_asked_to_join = true;
        let join = signaling::Join {
            connection: self.connection,
            request_id,
            claims,
            resume: join.resume,
            state: join.state,
            subscribe_automatically: join.subscribe_automatically,
            fresh: Fresh {
                room: RoomId::from_bits(rand::random()),
                participant: ParticipantId::from_bits(rand::random()),
                session: SessionId::from_bits(rand::random()),
                resume_token: random_text(32),
            },
        };
        self.tell_node(NodeCommand::Join {
            outbox: self.outbox.clone(),
            join: Box::new(join),
        })
        .await;
    }

    /// Waits while the node is busy: then nothing is read from this client either.
    async fn tell_node(&self, command: NodeCommand) {
        if self.app.node.send(command).await.is_err() {
            self.outbox
                .say_goodbye(ErrorCode::Internal, "the server is broken", true);
        }
    }

    fn refuse(&self, request_id: Option<u32>, code: ErrorCode, message: &str) {
        self.refuse_with(ErrorBody::new(code, message).in_answer_to(request_id));
    }

    fn refuse_with(&self, error: ErrorBody) {
        self.app
            .metrics
            .refused
            .with_label_values(&[error.code.as_str()])
            .inc();
        self.outbox.refuse(error);
    }
}
