//! Signs what targets are told, as LiveKit does: a JWT of the API key with the body's SHA-256, so that its
//! server SDKs' receivers verify it. It sends nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// For the way there, and clocks that differ.
const GOOD_FOR_SECONDS: u64 = 300;

#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    nbf: u64,
    exp: u64,
    /// Of the body, in base 64.
    sha256: String,
}

/// The value of the header `Authorization`.
pub(super) fn sign(key: &str, secret: &str, body: &[u8], now: u64) -> Result<String, String> {
    let claims = Claims {
        iss: key,
        nbf: now.saturating_sub(GOOD_FOR_SECONDS),
        exp: now + GOOD_FOR_SECONDS,
        sha256: STANDARD.encode(Sha256::digest(body)),
    };
    let secret = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret)
        .map_err(|error| format!("it cannot be signed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_body() {
        let token = sign("key", "secret", b"abc", 1_000).unwrap();
        let claims: serde_json::Value =
            jsonwebtoken::dangerous::insecure_decode_claims(&token).unwrap();
        // FIPS 180-2, appendix B.1.
        let expected = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        assert_eq!(
            (&claims["sha256"], &claims["iss"]),
            (&expected.into(), &"key".into())
        );
        assert_eq!(claims["exp"], 1_300);
    }
}
