//! One POST to one target: resolved, held to the allowed networks, and sent to the very address that was
//! judged. It follows no redirect, and reads no more of the answer than its status.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::uri::{Scheme, Uri};
use axum::http::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::{Network, may_connect};

/// For resolving, connecting, TLS, and the answer's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer's head.
const HEAD_BYTES: usize = 16 * 1024;

/// Sends to targets.
pub(super) struct Poster {
    allowed: Vec<Network>,
    tls: TlsConnector,
}

impl Poster {
    /// With the certificates that this machine trusts.
    pub(super) fn new(allowed: Vec<Network>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (_, unusable) = roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            tracing::warn!(
                unusable,
                "this machine trusts no certificates: no https webhook can be told"
            );
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            allowed,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Tells a target, which has it if it answers with success.
    pub(super) async fn post(
        &self,
        url: &str,
        signature: &str,
        body: String,
    ) -> Result<(), String> {
        let sent = tokio::time::timeout(PATIENCE, self.send(url, signature, body));
        match sent.await {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(format!("it answered {status}")),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn send(&self, url: &str, signature: &str, body: String) -> Result<StatusCode, String> {
        let url: Uri = url.parse().map_err(|error| format!("no URL: {error}"))?;
        let host = url.host().ok_or("the URL names no host")?;
        let is_secure = url.scheme() == Some(&Scheme::HTTPS);
        let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let authority = url.authority().ok_or("the URL names no host")?;
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, authority.as_str())
            .header(
                header::USER_AGENT,
                concat!("plenum/", env!("CARGO_PKG_VERSION")),
            )
            // LiveKit's, by which receivers know to read the body as it is.
            .header(header::CONTENT_TYPE, "application/webhook+json")
            .header(header::AUTHORIZATION, signature)
            .header(header::CONNECTION, "close")
            .body(Body::from(body))
            .map_err(|error| error.to_string())?;
        // An IPv6 address stands in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = self.connect(host, port).await?;
        if !is_secure {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let stream = self.tls.connect(name, stream).await;
        exchange(stream.map_err(|error| format!("TLS: {error}"))?, request).await
    }

    /// To the first address that may be connected to and answers. The name is resolved once: what was judged
    /// is what is connected to.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let resolved = lookup_host((host, port)).await;
        let resolved = resolved.map_err(|error| format!("the name cannot be resolved: {error}"))?;
        let allowed: Vec<SocketAddr> = resolved
            .filter(|address| may_connect(address.ip(), &self.allowed))
            .collect();
        if allowed.is_empty() {
            return Err("its address is not public: see webhook_allowed_networks".into());
        }
        TcpStream::connect(&*allowed)
            .await
            .map_err(|error| format!("no connection: {error}"))
    }
}

async fn exchange<Stream>(stream: Stream, request: Request<Body>) -> Result<StatusCode, String>
where
    Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // Ended with this exchange: whatever the answer's body is, it is not waited for.
    let connection = AbortOnDrop(tokio::spawn(connection));
    let answer = sender.send_request(request).await;
    drop(connection);
    answer
        .map(|answer| answer.status())
        .map_err(|error| error.to_string())
}

/// A task that ends with whoever started it.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A target that answers with this, and tells what it was sent.
    async fn target(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"the body") {
                let mut buffer = [0; 1024];
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        (url, served)
    }

    fn to_loopback() -> Poster {
        Poster::new(vec!["127.0.0.0/8".parse().unwrap()]).unwrap()
    }

    #[tokio::test]
    async fn a_target_gets_the_body_with_its_signature() {
        let (url, served) = target("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(
            to_loopback().post(&url, "signed", "the body".into()).await,
            Ok(())
        );
        let request = served.await.unwrap().to_lowercase();
        for part in [
            "post /hook?a=b http/1.1\r\n",
            "authorization: signed\r\n",
            "content-type: application/webhook+json\r\n",
            "\r\n\r\nthe body",
        ] {
            assert!(request.contains(part), "{part:?} in {request}");
        }
    }

    #[tokio::test]
    async fn whatever_is_no_success_is_a_failure_and_a_redirect_is_not_followed() {
        for answer in [
            "HTTP/1.1 500 Internal Server Error\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
            "HTTP/1.1 410 Gone\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n",
        ] {
            let (url, _) = target(answer).await;
            let result = to_loopback().post(&url, "signed", "the body".into()).await;
            assert!(result.is_err(), "{answer}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_read_to_its_end() {
        let (url, _) = target("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
        assert_eq!(
            to_loopback().post(&url, "signed", "the body".into()).await,
            Ok(())
        );
    }

    #[tokio::test]
    async fn nothing_is_sent_to_an_address_that_is_not_allowed() {
        let strict = Poster::new(Vec::new()).unwrap();
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "2130706433",
            "0x7f.1",
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{host}:{}/", listener.local_addr().unwrap().port());
            let result = strict.post(&url, "signed", "the body".into()).await;
            assert!(result.is_err(), "{host}");
            let accepted = tokio::time::timeout(Duration::from_millis(5), listener.accept());
            assert!(accepted.await.is_err(), "{host}");
        }
    }
}
