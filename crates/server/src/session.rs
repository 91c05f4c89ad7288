//! One WebSocket: reads what a client says, holds it to the limits, and hands it to the node. It knows no
//! room; what is sent comes through the outbox.

mod reader;
mod writer;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use protocol::ConnectionId;
use tracing::Instrument;

use crate::http::App;
use crate::metrics::Held;
use crate::node::NodeCommand;
use crate::outbox::Outbox;
use crate::websocket::WebSocket;

/// For the last words to reach a client, and its closing to reach us.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serve one WebSocket from its opening to its end.
pub(crate) async fn serve(socket: WebSocket, app: Arc<App>, address: IpAddr) {
    let connection = ConnectionId::from_bits(rand::random());
    let _counted = Held::one_more(&app.metrics.websocket_connections);
    let span = tracing::info_span!("session", %connection);
    span.in_scope(|| tracing::debug!(%address, "opened"));
    run(socket, app, address, connection).instrument(span).await;
}

async fn run(socket: WebSocket, app: Arc<App>, address: IpAddr, connection: ConnectionId) {
    let limits = &app.config.limits;
    let outbox = Arc::new(Outbox::new(limits.outbox_messages, limits.outbox_bytes));
    let (sink, mut stream) = socket.split();
    let writer = tokio::spawn(writer::write(sink, outbox.clone()));

    let mut reader = reader::Reader::new(&app, &outbox, address, connection);
    let end = reader.read(&mut stream).await;
    if reader.is_known_to_the_node() {
        // The node takes commands until the very end of the process.
        let _ = app
            .node
            .send(NodeCommand::Disconnected { connection })
            .await;
    }
    match end {
        reader::End::Lost => writer.abort(),
        reader::End::Closing => {
            if let Some(code) = outbox.goodbye() {
                app.metrics.goodbyes.with_label_values(&[code]).inc();
                tracing::debug!(code, "closing");
            }
            // Read on until the client has closed too: closing a socket with something unread in it
            // resets it, and the goodbye is lost.
            let farewell = async {
                let _ = writer.await;
                while let Some(Ok(_)) = stream.next().await {}
            };
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
    }
}
