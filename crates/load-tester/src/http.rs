//! The little HTTP that a test needs: one request on one connection to a server on this machine. It
//! knows no TLS, no redirect and no compression.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Larger answers are refused.
const LARGEST_ANSWER: u64 = 8 << 20;
/// Slower answers are given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// `GET` a path.
pub async fn get(server: SocketAddr, path: &str) -> Result<Response> {
    request(server, "GET", path, "").await
}

/// `POST` JSON to a path.
pub async fn post_json(
    server: SocketAddr,
    path: &str,
    json: &serde_json::Value,
) -> Result<Response> {
    request(server, "POST", path, &json.to_string()).await
}

/// Ask a server in development mode for an access token.
pub async fn development_token(
    server: SocketAddr,
    room: &str,
    name: &str,
    role: &str,
) -> Result<String> {
    let wish = serde_json::json!({ "room": room, "name": name, "role": role });
    let response = post_json(server, "/api/dev/token", &wish).await?;
    ensure!(
        response.status == 200,
        "no token: {} {}",
        response.status,
        response.body
    );
    let answer: serde_json::Value = serde_json::from_str(&response.body)?;
    let token = answer.get("token").and_then(|token| token.as_str());
    Ok(token
        .with_context(|| format!("no \"token\" in {}", response.body))?
        .to_owned())
}

async fn request(server: SocketAddr, method: &str, path: &str, body: &str) -> Result<Response> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LARGEST_ANSWER).read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, exchange)
        .await
        .with_context(|| format!("{method} {path}: no answer"))?
        .with_context(|| format!("{method} {path}"))?;
    parse(&answer).with_context(|| format!("{method} {path}"))
}

fn parse(answer: &[u8]) -> Result<Response> {
    let text = std::str::from_utf8(answer)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("no end of the header")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if is_chunked {
        joined_chunks(body)?
    } else {
        body.to_owned()
    };
    Ok(Response { status, body })
}

fn joined_chunks(mut rest: &str) -> Result<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").context("a chunk without size")?;
        let size = usize::from_str_radix(size.trim(), 16)?;
        if size == 0 {
            return Ok(body);
        }
        let (Some(chunk), Some(next)) = (after.get(..size), after.get(size + 2..)) else {
            bail!("a chunk cut short");
        };
        body.push_str(chunk);
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_and_a_chunked_answer_are_read() {
        let plain = parse(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno").unwrap();
        assert_eq!(
            plain,
            Response {
                status: 404,
                body: "no".into()
            }
        );
        let chunked = parse(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        )
        .unwrap();
        assert_eq!(
            chunked,
            Response {
                status: 200,
                body: "abc".into()
            }
        );
    }

    #[test]
    fn an_answer_cut_short_is_an_error() {
        assert!(parse(b"HTTP/1.1 200 OK\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab").is_err());
    }
}
