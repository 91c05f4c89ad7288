//! The writing half of a WebSocket: takes from the outbox until it closes. It reads nothing.

use std::sync::Arc;

use futures_util::SinkExt;
use futures_util::stream::SplitSink;

use super::FAREWELL;
use crate::outbox::{Outbox, Outgoing};
use crate::websocket::{CloseFrame, Error, Message, WebSocket, feed_text};

/// Send what the outbox holds, until it closes or the socket fails; a client that does not even take its
/// goodbye is not waited for.
pub(super) async fn write(mut sink: SplitSink<WebSocket, Message>, outbox: Arc<Outbox>) {
    let too_long = async {
        outbox.closing().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        result = send_all(&mut sink, &outbox) => {
            if let Err(error) = result {
                tracing::debug!(%error, "writing failed");
                // The reader sees it.
                outbox.close();
            }
        }
        () = too_long => {}
    }
}

async fn send_all(sink: &mut SplitSink<WebSocket, Message>, outbox: &Outbox) -> Result<(), Error> {
    loop {
        let mut outgoing = outbox.next().await;
        // All that waits goes out with one flush.
        loop {
            match outgoing {
                Outgoing::Text(text) => feed_text(sink, text).await?,
                Outgoing::Close(code, reason) => {
                    let frame = CloseFrame {
                        code: code.into(),
                        reason: reason.into(),
                    };
                    return sink.send(Message::Close(Some(frame))).await;
                }
            }
            match outbox.next_now() {
                Some(next) => outgoing = next,
                None => break,
            }
        }
        sink.flush().await?;
    }
}
