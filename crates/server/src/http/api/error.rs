//! A refusal as an HTTP response: the protocol's `ErrorBody`, with the status that its code has. It decides
//! no refusal.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::{ErrorBody, ErrorCode};

/// What a handler refuses with.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    body: ErrorBody,
    /// Nobody said who they are; the tokens of others are faulty.
    is_anonymous: bool,
}

/// What a handler answers.
pub(crate) type Answer<T = Response> = Result<T, Refusal>;

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        ErrorBody::new(code, message).into()
    }

    /// There is no token, and one is needed.
    pub(crate) fn anonymous(message: impl Into<String>) -> Self {
        Self {
            is_anonymous: true,
            ..Self::new(ErrorCode::TokenInvalid, message)
        }
    }

    /// The same, with a status that says it more closely.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl From<ErrorBody> for Refusal {
    fn from(body: ErrorBody) -> Self {
        Self {
            status: status_of(body.code),
            body,
            is_anonymous: false,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.body.code;
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            // RFC 6750, section 3: whoever brought no token is not told of a fault of it.
            StatusCode::UNAUTHORIZED => {
                let challenge = match self.is_anonymous {
                    true => r#"Bearer realm="plenum""#,
                    false => r#"Bearer realm="plenum", error="invalid_token""#,
                };
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static(challenge),
                );
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response.extensions_mut().insert(code);
        response
    }
}

/// Codes that only WebSockets have count as a bad request: no handler refuses with them.
fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::TokenInvalid | ErrorCode::TokenExpired => StatusCode::UNAUTHORIZED,
        ErrorCode::NotPermitted | ErrorCode::WrongRoom | ErrorCode::Banned => StatusCode::FORBIDDEN,
        ErrorCode::RoomNotFound
        | ErrorCode::SessionNotFound
        | ErrorCode::ParticipantNotFound
        | ErrorCode::TrackNotFound => StatusCode::NOT_FOUND,
        ErrorCode::RoomExists | ErrorCode::SessionState => StatusCode::CONFLICT,
        ErrorCode::MessageTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::TextTooLong | ErrorCode::TextInvalid | ErrorCode::InvalidRequest => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorCode::TooFast => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable | ErrorCode::ServerFull | ErrorCode::ServerStopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_brings_no_token_is_asked_for_one_and_whoever_brings_a_faulty_one_is_told_so() {
        let challenge = |refusal: Refusal| {
            let response = refusal.into_response();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            response.headers()[header::WWW_AUTHENTICATE]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert!(!challenge(Refusal::anonymous("there is none")).contains("error"));
        let expired = Refusal::new(ErrorCode::TokenExpired, "it is over");
        assert!(challenge(expired).contains(r#"error="invalid_token""#));
    }

    #[test]
    fn whoever_should_come_later_is_told_when() {
        for code in [ErrorCode::TooFast, ErrorCode::Unavailable] {
            let response = Refusal::new(code, "later").into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], "1", "{code}");
        }
    }
}
