//! Read what an offer says of its one transport: ICE credentials, the certificate's fingerprint, the
//! DTLS role. It never looks at candidates: the server learns addresses from checks.

use super::lines::Attributes;
use super::{Fingerprint, HashFunction, OfferError};

/// What an offer says of its transport.
#[derive(Debug)]
pub(super) struct Transport {
    pub ice_ufrag: String,
    pub ice_pwd: String,
    pub fingerprint: Fingerprint,
}

/// Read the transport of a section; what it does not say, the session may.
pub(super) fn parse(
    section: &Attributes<'_>,
    session: &Attributes<'_>,
) -> Result<Transport, OfferError> {
    let value = |name| section.value(name).or_else(|| session.value(name));
    if session.has("ice-lite") {
        return Err(OfferError::IceLite);
    }
    let (Some(ice_ufrag), Some(ice_pwd)) = (value("ice-ufrag"), value("ice-pwd")) else {
        return Err(OfferError::NoIceCredentials);
    };
    if !is_ice_token(ice_ufrag, 4) {
        return Err(OfferError::InvalidIceUfrag);
    }
    if !is_ice_token(ice_pwd, 22) {
        return Err(OfferError::InvalidIcePwd);
    }
    // RFC 4145: without the attribute the offerer is active.
    if !matches!(value("setup").unwrap_or("active"), "actpass" | "active") {
        return Err(OfferError::SetupNotActive);
    }
    let fingerprints = if section.has("fingerprint") {
        section
    } else {
        session
    };
    let fingerprint = parse_fingerprints(fingerprints.values("fingerprint"))?;
    Ok(Transport {
        ice_ufrag: ice_ufrag.to_owned(),
        ice_pwd: ice_pwd.to_owned(),
        fingerprint,
    })
}

/// RFC 8839, section 5.4: `ice-char` is a letter, a digit, `+` or `/`; at most 256 of them.
fn is_ice_token(text: &str, least: usize) -> bool {
    (least..=256).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// RFC 8122, section 5: of several fingerprints, any that is understood may be used. All of them are of
/// the one certificate, unless the client has several, which no browser has.
fn parse_fingerprints<'a>(
    values: impl Iterator<Item = &'a str>,
) -> Result<Fingerprint, OfferError> {
    let mut fault = OfferError::NoFingerprint;
    for value in values {
        let Some((name, digits)) = value.split_once(' ') else {
            return Err(OfferError::InvalidFingerprint);
        };
        let Some(algorithm) = HashFunction::from_name(name) else {
            fault = OfferError::UnsupportedFingerprint;
            continue;
        };
        let bytes = parse_digits(digits.trim(), algorithm.length())
            .ok_or(OfferError::InvalidFingerprint)?;
        return Ok(Fingerprint { algorithm, bytes });
    }
    Err(fault)
}

fn parse_digits(digits: &str, length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    for pair in digits.split(':').take(length + 1) {
        if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
    }
    (bytes.len() == length).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fingerprint_of_an_accepted_function_is_taken() {
        let sha256 = format!("SHA-256 {}", ["aB"; 32].join(":"));
        let fingerprint =
            parse_fingerprints(["sha-1 00:11", &sha256].into_iter()).expect("one is good");
        assert_eq!(
            fingerprint,
            Fingerprint {
                algorithm: HashFunction::Sha256,
                bytes: vec![0xab; 32]
            }
        );
    }

    #[test]
    fn a_fingerprint_that_is_not_exactly_as_long_as_its_function_says_is_refused() {
        for count in [0, 1, 31, 33, 48] {
            let text = format!("sha-256 {}", vec!["AB"; count].join(":"));
            let refused = parse_fingerprints([text.as_str()].into_iter()).err();
            assert_eq!(
                refused,
                Some(OfferError::InvalidFingerprint),
                "{count} bytes"
            );
        }
        let plus = format!("sha-256 {}", ["+1"; 32].join(":"));
        assert!(parse_fingerprints([plus.as_str()].into_iter()).is_err());
    }

    #[test]
    fn sha_1_alone_is_not_enough() {
        let text = format!("sha-1 {}", ["AB"; 20].join(":"));
        let refused = parse_fingerprints([text.as_str()].into_iter()).err();
        assert_eq!(refused, Some(OfferError::UnsupportedFingerprint));
    }

    #[test]
    fn ice_credentials_have_their_lengths_and_characters() {
        assert!(is_ice_token("aZ0/", 4) && is_ice_token(&"+".repeat(256), 4));
        for wrong in ["abc", "ab-d", "ab d", "abcé"] {
            assert!(!is_ice_token(wrong, 4), "{wrong}");
        }
        assert!(!is_ice_token(&"a".repeat(257), 4) && !is_ice_token(&"a".repeat(21), 22));
    }
}
