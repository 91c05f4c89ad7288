//! One request to one route. Whatever comes back is held to the OpenAPI document: its status must be there, and
//! its body of the shape that is there.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::process::Server;
use crate::schema;

macro_rules! routes {
    ($($name:ident $method:ident $path:literal $access:ident $handler:path;)*) => {
        /// Each route of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Route {
            $($name,)*
        }

        impl Route {
            pub(crate) const ALL: &[Route] = &[$(Route::$name,)*];

            fn line(self) -> (&'static str, &'static str) {
                match self {
                    $(Route::$name => (stringify!($method), $path),)*
                }
            }
        }
    };
}

with_routes!(routes);

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) text: String,
    /// `Null` if it is no JSON.
    pub(crate) body: Value,
}

impl Response {
    /// The body of a success.
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// The status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// A request that is not sent yet.
pub(crate) struct Call {
    address: SocketAddr,
    route: Route,
    path: String,
    token: Option<String>,
    headers: String,
    body: Option<String>,
}

impl Server {
    /// Ask for a route, with the parts of its path in order.
    pub(crate) fn call(&self, route: Route, parts: &[&str]) -> Call {
        let (_, path) = route.line();
        let mut parts = parts.iter();
        let filled = path.split('/').map(|part| match part.starts_with('{') {
            true => parts.next().expect("a part for each brace"),
            false => part,
        });
        let path = filled.collect::<Vec<_>>().join("/");
        assert_eq!(parts.next(), None, "more parts than {route:?} has");
        Call {
            address: self.address,
            route,
            path,
            token: None,
            headers: String::new(),
            body: None,
        }
    }
}

impl Call {
    pub(crate) fn token(self, token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..self
        }
    }

    pub(crate) fn body(self, body: Value) -> Self {
        self.header("Content-Type: application/json")
            .text(body.to_string())
    }

    pub(crate) fn text(self, body: String) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    pub(crate) fn header(mut self, line: &str) -> Self {
        self.headers += line;
        self.headers += "\r\n";
        self
    }

    pub(crate) fn query(mut self, query: &str) -> Self {
        self.path = format!("{}?{query}", self.path);
        self
    }

    fn request(&self) -> String {
        let (method, _) = self.route.line();
        let token = self.token.as_ref();
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let body = self.body.as_deref().unwrap_or_default();
        format!(
            "{method} {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}{}Content-Length: {}\r\n\r\n{body}",
            self.path,
            bearer.unwrap_or_default(),
            self.headers,
            body.len(),
        )
    }

    /// The stream behind the request, for answers without end.
    pub(crate) fn open(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        // Refused, it may be closed before all is written.
        let _ = stream.write_all(self.request().as_bytes());
        stream
    }

    pub(crate) fn send(&self) -> Response {
        let mut stream = self.open();
        let mut answer = Vec::new();
        if self.route == Route::Live {
            // It has no end: its head, and what comes with it.
            let mut buffer = [0; 4096];
            while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "an answer has a head");
                answer.extend_from_slice(&buffer[..read]);
            }
        } else {
            let _ = stream.read_to_end(&mut answer);
        }
        let answer = String::from_utf8(answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let response = Response {
            status: status.unwrap_or(0),
            head: head.to_lowercase(),
            text: text.to_owned(),
            body: serde_json::from_str(text).unwrap_or_default(),
        };
        schema::check(&format!("{:?}", self.route), &response);
        response
    }
}
