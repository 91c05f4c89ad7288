//! ICE of one client (RFC 8445): checks the server's addresses at once and often, takes the first that
//! answers, answers the server's own checks, and keeps consent alive. It gathers no candidates: there is
//! one socket.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use rtc::crypto::RTCCrypto;
use rtc::stun::attributes::{
    ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME,
};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId,
};
use rtc::stun::textattrs::TextAttribute;
use rtc::stun::xoraddr::XorMappedAddress;

/// When checks are repeated: quickly, so that a join takes as long as the server does, and not as we do.
const CHECKS: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
];
/// Consent is renewed this often (RFC 7675 section 5.1), and is lost after `CONSENT_LOST` without.
const CONSENT: Duration = Duration::from_secs(5);
const CONSENT_LOST: Duration = Duration::from_secs(30);
/// No server has more addresses that are tried.
const MOST_ADDRESSES: usize = 16;
/// Host candidates over UDP (RFC 8445 section 5.1.2.1).
const PRIORITY: u32 = 0x6eff_ffff;

/// What came of a STUN message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IceEvent {
    /// The server can be reached at this address: from now on everything goes there.
    Selected(SocketAddr),
}

/// Something to send.
pub(super) type Outgoing = Vec<(SocketAddr, Vec<u8>)>;

/// ICE of one client.
pub(super) struct Ice {
    ufrag: String,
    password: String,
    remote: Option<Server>,
    selected: Option<SocketAddr>,
    attempts: usize,
    due: Option<Instant>,
    last_heard: Instant,
}

struct Server {
    ufrag: String,
    password: String,
    addresses: Vec<SocketAddr>,
    controlling: bool,
    tie_breaker: [u8; 8],
    transaction: TransactionId,
}

impl Ice {
    pub(super) fn new(now: Instant, ufrag: String, password: String) -> Self {
        Self {
            ufrag,
            password,
            remote: None,
            selected: None,
            attempts: 0,
            due: None,
            last_heard: now,
        }
    }

    /// What the server's description says: checks begin. Said again it changes nothing, unless the server
    /// has restarted ICE.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        ufrag: &str,
        password: &str,
        addresses: &[SocketAddr],
        controlling: bool,
    ) -> Result<()> {
        if self
            .remote
            .as_ref()
            .is_some_and(|known| known.ufrag == ufrag)
        {
            return Ok(());
        }
        ensure!(
            !addresses.is_empty(),
            "the server's description has no UDP candidate"
        );
        self.remote = Some(Server {
            ufrag: ufrag.to_owned(),
            password: password.to_owned(),
            addresses: addresses.iter().copied().take(MOST_ADDRESSES).collect(),
            controlling,
            tie_breaker: rand::random(),
            transaction: TransactionId(rand::random()),
        });
        self.selected = None;
        self.attempts = 0;
        self.due = Some(now);
        self.last_heard = now;
        Ok(())
    }

    /// When `handle_timeout` has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Send the checks that are due. It is an error if the server has been silent for too long.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        crypto: &dyn RTCCrypto,
        out: &mut Outgoing,
    ) -> Result<()> {
        let (Some(remote), Some(due)) = (&mut self.remote, self.due) else {
            return Ok(());
        };
        if now < due {
            return Ok(());
        }
        ensure!(
            now.saturating_duration_since(self.last_heard) < CONSENT_LOST,
            "the server's media address has not answered for {} s",
            CONSENT_LOST.as_secs()
        );
        // A check that comes back late is still good while connecting; consent is asked for anew each time.
        if self.selected.is_some() {
            remote.transaction = TransactionId(rand::random());
        }
        let check = remote.check(&self.ufrag, crypto)?;
        let addresses = match &self.selected {
            Some(selected) => std::slice::from_ref(selected),
            None => &remote.addresses,
        };
        out.extend(addresses.iter().map(|address| (*address, check.clone())));
        let wait = match self.selected {
            Some(_) => CONSENT,
            None => CHECKS[self.attempts.min(CHECKS.len() - 1)],
        };
        self.attempts += 1;
        self.due = Some(now + wait);
        Ok(())
    }

    /// A STUN message came. What is not authentic is passed over.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        crypto: &dyn RTCCrypto,
        out: &mut Outgoing,
    ) -> Option<IceEvent> {
        let mut message = Message::new();
        message.unmarshal_binary(datagram).ok()?;
        if message.typ == BINDING_REQUEST {
            let password = self.password.as_bytes();
            MessageIntegrity::check(&mut message, password, crypto).ok()?;
            out.push((from, answer(&message, from, password, crypto).ok()?));
            return None;
        }
        let remote = self.remote.as_mut()?;
        if message.transaction_id != remote.transaction {
            return None;
        }
        MessageIntegrity::check(&mut message, remote.password.as_bytes(), crypto).ok()?;
        if message.typ == BINDING_ERROR {
            // RFC 8445 section 7.2.5.1: the only error that is ours to mend is that of the roles.
            remote.controlling = !remote.controlling;
            remote.transaction = TransactionId(rand::random());
            self.due = Some(now);
            return None;
        }
        if message.typ != BINDING_SUCCESS {
            return None;
        }
        self.last_heard = now;
        if self.selected.is_some() {
            return None;
        }
        self.selected = Some(from);
        self.due = Some(now + CONSENT);
        Some(IceEvent::Selected(from))
    }
}

impl Server {
    /// A check that nominates at once, if it is ours to nominate: there is one pair for each address.
    fn check(&self, ufrag: &str, crypto: &dyn RTCCrypto) -> Result<Vec<u8>> {
        let mut message = Message::new();
        message.transaction_id = self.transaction;
        message.set_type(BINDING_REQUEST);
        message.write_header();
        TextAttribute::new(ATTR_USERNAME, format!("{}:{ufrag}", self.ufrag))
            .add_to(&mut message)?;
        message.add(ATTR_PRIORITY, &PRIORITY.to_be_bytes());
        if self.controlling {
            message.add(ATTR_ICE_CONTROLLING, &self.tie_breaker);
            message.add(ATTR_USE_CANDIDATE, &[]);
        } else {
            message.add(ATTR_ICE_CONTROLLED, &self.tie_breaker);
        }
        seal(message, self.password.as_bytes(), crypto)
    }
}

fn answer(
    request: &Message,
    from: SocketAddr,
    password: &[u8],
    crypto: &dyn RTCCrypto,
) -> Result<Vec<u8>> {
    let mut message = Message::new();
    message.transaction_id = request.transaction_id;
    message.set_type(BINDING_SUCCESS);
    message.write_header();
    XorMappedAddress {
        ip: from.ip(),
        port: from.port(),
    }
    .add_to(&mut message)?;
    seal(message, password, crypto)
}

fn seal(mut message: Message, password: &[u8], crypto: &dyn RTCCrypto) -> Result<Vec<u8>> {
    MessageIntegrity::new_raw_integrity_with_provider(password, crypto)
        .add_to(&mut message)
        .map_err(|error| anyhow!("a STUN message cannot be signed: {error}"))?;
    FINGERPRINT.add_to(&mut message)?;
    Ok(message.raw)
}

#[cfg(test)]
mod tests {
    use rtc::crypto::RTCCryptoProvider;
    use rtc::crypto::providers::RingProvider;

    use super::*;

    const SERVER: SocketAddr = SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
        7_882,
    );
    const PASSWORD: &str = "a password of the server";

    fn pair(now: Instant) -> (Ice, Ice) {
        let mut client = Ice::new(now, "client".into(), "a password of the client".into());
        client
            .begin(now, "server", PASSWORD, &[SERVER], true)
            .unwrap();
        (client, Ice::new(now, "server".into(), PASSWORD.into()))
    }

    fn send(from: &mut Ice, now: Instant) -> Outgoing {
        let mut out = Vec::new();
        let provider = RingProvider::new();
        from.handle_timeout(now, provider.crypto(), &mut out)
            .unwrap();
        out
    }

    #[test]
    fn the_first_check_goes_at_once_and_the_next_ones_soon() {
        let now = Instant::now();
        let (mut client, _) = pair(now);
        for after in [0, 20, 70, 170, 370] {
            let due = now + Duration::from_millis(after);
            assert_eq!(client.poll_timeout(), Some(due));
            assert_eq!(send(&mut client, due)[0].0, SERVER);
        }
    }

    #[test]
    fn an_address_that_answers_authentically_is_selected_once_and_consent_is_renewed() {
        let now = Instant::now();
        let (mut client, mut server) = pair(now);
        let provider = RingProvider::new();
        let crypto = provider.crypto();
        let from = "192.0.2.7:5000".parse().unwrap();
        let mut exchange = |client: &mut Ice, now| {
            let check = send(client, now).remove(0).1;
            let mut answers = Vec::new();
            server.handle(now, from, &check, crypto, &mut answers);
            let mut forged = answers[0].1.clone();
            *forged.last_mut().unwrap() ^= 1;
            forged[30] ^= 1;
            assert_eq!(
                client.handle(now, SERVER, &forged, crypto, &mut Vec::new()),
                None
            );
            client.handle(now, SERVER, &answers[0].1, crypto, &mut Vec::new())
        };
        assert_eq!(exchange(&mut client, now), Some(IceEvent::Selected(SERVER)));
        let later = now + CONSENT;
        assert_eq!(client.poll_timeout(), Some(later));
        assert_eq!(exchange(&mut client, later), None);
        assert_eq!(client.poll_timeout(), Some(later + CONSENT));
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up() {
        let now = Instant::now();
        let (mut client, _) = pair(now);
        send(&mut client, now);
        let provider = RingProvider::new();
        let gave_up = client.handle_timeout(now + CONSENT_LOST, provider.crypto(), &mut Vec::new());
        assert!(
            gave_up
                .unwrap_err()
                .to_string()
                .contains("not answered for 30 s")
        );
    }

    #[test]
    fn a_check_with_another_password_is_not_answered() {
        let now = Instant::now();
        let (mut client, _) = pair(now);
        let check = send(&mut client, now).remove(0).1;
        let mut other = Ice::new(now, "server".into(), "some other password".into());
        let provider = RingProvider::new();
        let mut answers = Vec::new();
        other.handle(now, SERVER, &check, provider.crypto(), &mut answers);
        assert!(answers.is_empty());
    }
}
