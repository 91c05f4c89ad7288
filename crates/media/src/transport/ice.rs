//! ICE-lite (RFC 8445 section 2.5) for one peer: answers the client's authenticated checks, and sends to
//! the address the client nominated. It never sends a check of its own and has no timers.
//!
//! Our own and not `rtc::ice`: that agent, though lite, sends checks of its own and waits for their answers
//! before it selects a pair: a round trip more, and timers for each peer. The messages are `rtc::stun`'s.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rtc::crypto::RTCCrypto;
use rtc::shared::error::Result as StunResult;
use rtc::stun::attributes::{ATTR_ICE_CONTROLLED, ATTR_USE_CANDIDATE};
use rtc::stun::error_code::{CODE_ROLE_CONFLICT, ErrorCodeAttribute};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Message, Setter};
use rtc::stun::xoraddr::XorMappedAddress;

use crate::statistics::DropReason;

/// Addresses of one client that may be validated at a time: host, reflexive and relayed ones of a few
/// network interfaces. The oldest that is not nominated makes room.
const VALIDATED: usize = 8;

/// After this long without a word by the nominated path, a check by another is followed though it does not
/// nominate. Consent checks come every 2 to 5 seconds (RFC 7675 section 5.1).
const SILENCE: Duration = Duration::from_secs(6);

/// STUN's fixed header, and the number that marks it (RFC 8489 section 5).
const HEADER: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const USERNAME: u16 = 0x0006;

/// A username fragment and the password that goes with it (RFC 8839 section 5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

/// A way to the client: its address, and the local one it was reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) remote: SocketAddr,
    pub(crate) local: Option<IpAddr>,
}

/// What an authenticated check led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// To be sent back to where the check came from.
    pub(crate) answer: Vec<u8>,
    /// The address was not validated before.
    pub(crate) validated: bool,
    /// An address that had to make room for it.
    pub(crate) evicted: Option<SocketAddr>,
}

/// The username fragment, ours, that a STUN request is addressed to: `ours:theirs` in its USERNAME.
/// `None` if this is no STUN request, or has no such attribute. Nothing is verified yet.
pub(crate) fn addressed_to(datagram: &[u8]) -> Option<&str> {
    let attributes = datagram.get(HEADER..)?;
    if datagram[4..8] != MAGIC_COOKIE || datagram[..2] != [0, 1] {
        return None;
    }
    let mut rest = attributes;
    while let [kind_high, kind_low, length_high, length_low, value @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let value_bytes = value.get(..length)?;
        if u16::from_be_bytes([*kind_high, *kind_low]) == USERNAME {
            let (ours, _theirs) = std::str::from_utf8(value_bytes).ok()?.split_once(':')?;
            return Some(ours);
        }
        rest = value.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// One peer's ICE.
#[repr(C)] // Where packets go comes first: see `Peer`.
pub(crate) struct Ice {
    nominated: Option<Path>,
    current: Credentials,
    /// Before the last restart: still good until the client uses the new ones (RFC 8445 section 9).
    previous: Option<Credentials>,
    /// Validated paths, the last checked last.
    validated: Vec<Path>,
    /// When the client was last heard by the nominated path.
    nominated_heard: Instant,
    /// When the client last proved that it wants our packets (RFC 7675).
    last_consent: Instant,
}

impl Ice {
    pub(crate) fn new(now: Instant, credentials: Credentials) -> Self {
        Self {
            current: credentials,
            previous: None,
            validated: Vec::new(),
            nominated: None,
            nominated_heard: now,
            last_consent: now,
        }
    }

    /// What the answer tells the client.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.current
    }

    /// The client restarts ICE: from now on these credentials, and for a while the ones before.
    pub(crate) fn restart(&mut self, credentials: Credentials) {
        self.previous = Some(std::mem::replace(&mut self.current, credentials));
    }

    /// Where to send: the nominated path, before nomination the last validated one.
    pub(crate) fn path(&self) -> Option<Path> {
        self.nominated.or_else(|| self.validated.last().copied())
    }

    /// Every address that has proven itself.
    pub(crate) fn validated(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.validated.iter().map(|path| path.remote)
    }

    /// When consent was last given.
    pub(crate) fn last_consent(&self) -> Instant {
        self.last_consent
    }

    /// A binding request has come by this path. An answer is owed only if its integrity holds.
    pub(crate) fn handle_request(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        crypto: &dyn RTCCrypto,
    ) -> Result<Checked, DropReason> {
        let ufrag = addressed_to(datagram).ok_or(DropReason::StunUnauthorized)?;
        let is_current = ufrag == self.current.ufrag;
        let credentials = match &self.previous {
            _ if is_current => &self.current,
            Some(previous) if previous.ufrag == ufrag => previous,
            _ => return Err(DropReason::StunUnauthorized),
        };
        let mut request = Message::new();
        request
            .unmarshal_binary(datagram)
            .map_err(|_| DropReason::Malformed)?;
        if request.typ != BINDING_REQUEST {
            return Err(DropReason::Malformed);
        }
        let password = credentials.password.as_bytes();
        MessageIntegrity::check(&mut request, password, crypto)
            .map_err(|_| DropReason::StunUnauthorized)?;

        let conflict = request.contains(ATTR_ICE_CONTROLLED);
        let answer = answer(&request, path, conflict, password, crypto)
            .map_err(|_| DropReason::Malformed)?;
        if conflict {
            // A lite agent is always controlled: the client must take the other role (RFC 8445 section 7.3.1.1).
            return Ok(Checked {
                answer,
                validated: false,
                evicted: None,
            });
        }
        if is_current {
            self.previous = None;
        }
        self.last_consent = now;
        let (validated, evicted) = self.validate(path);
        let is_silent = now.saturating_duration_since(self.nominated_heard) >= SILENCE;
        if request.contains(ATTR_USE_CANDIDATE) || is_silent {
            self.nominated = Some(path);
        }
        self.hear(now, path);
        Ok(Checked {
            answer,
            validated,
            evicted,
        })
    }

    /// Something that only the client can have sent has come by a validated path. A client sends media by
    /// one path alone: if that is another than before, and the last that was checked, its address has
    /// changed without a nomination, as behind a NAT that gave it another port. So we follow.
    pub(crate) fn note_consent(&mut self, now: Instant, path: Path) {
        self.last_consent = now;
        if let Some(last) = self.validated.last()
            && last.remote == path.remote
        {
            self.nominated = Some(*last);
        }
        self.hear(now, path);
    }

    fn hear(&mut self, now: Instant, path: Path) {
        if self
            .nominated
            .is_some_and(|nominated| nominated.remote == path.remote)
        {
            self.nominated_heard = now;
        }
    }

    fn validate(&mut self, path: Path) -> (bool, Option<SocketAddr>) {
        let known = self
            .validated
            .iter()
            .position(|known| known.remote == path.remote);
        if let Some(known) = known {
            self.validated.remove(known);
            self.validated.push(path);
            return (false, None);
        }
        let mut evicted = None;
        if self.validated.len() == VALIDATED {
            let oldest = self.validated.iter().position(|known| {
                self.nominated
                    .is_none_or(|nominated| nominated.remote != known.remote)
            });
            evicted = oldest.map(|oldest| self.validated.remove(oldest).remote);
        }
        self.validated.push(path);
        (true, evicted)
    }
}

fn answer(
    request: &Message,
    path: Path,
    conflict: bool,
    password: &[u8],
    crypto: &dyn RTCCrypto,
) -> StunResult<Vec<u8>> {
    let mut answer = Message::new();
    answer.transaction_id = request.transaction_id;
    answer.set_type(if conflict {
        BINDING_ERROR
    } else {
        BINDING_SUCCESS
    });
    answer.write_header();
    if conflict {
        ErrorCodeAttribute {
            code: CODE_ROLE_CONFLICT,
            reason: b"Role Conflict".to_vec(),
        }
        .add_to(&mut answer)?;
    } else {
        XorMappedAddress {
            ip: path.remote.ip(),
            port: path.remote.port(),
        }
        .add_to(&mut answer)?;
    }
    MessageIntegrity::new_raw_integrity_with_provider(password, crypto).add_to(&mut answer)?;
    FINGERPRINT.add_to(&mut answer)?;
    Ok(answer.raw)
}

#[cfg(test)]
pub(crate) mod tests;
