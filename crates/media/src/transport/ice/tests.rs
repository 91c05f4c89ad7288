//! Checks as clients make them, answered; and those that nobody answers.

use rtc::crypto::RTCCryptoProvider;
use rtc::crypto::providers::RingProvider;
use rtc::stun::attributes::ATTR_USERNAME;
use rtc::stun::message::{Getter, TransactionId};
use rtc::stun::textattrs::TextAttribute;

use super::*;

/// A client's check, as Chromium makes it.
fn check(
    credentials: &Credentials,
    nominate: bool,
    role: rtc::stun::attributes::AttrType,
) -> Vec<u8> {
    let provider = RingProvider::new();
    let mut message = Message::new();
    message.transaction_id = TransactionId([7; 12]);
    message.set_type(BINDING_REQUEST);
    message.write_header();
    TextAttribute::new(ATTR_USERNAME, format!("{}:theirs", credentials.ufrag))
        .add_to(&mut message)
        .unwrap();
    message.add(role, &[0; 8]);
    if nominate {
        message.add(ATTR_USE_CANDIDATE, &[]);
    }
    MessageIntegrity::new_raw_integrity_with_provider(
        credentials.password.as_bytes(),
        provider.crypto(),
    )
    .add_to(&mut message)
    .unwrap();
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

use rtc::stun::attributes::ATTR_ICE_CONTROLLING;

/// A client's check that nominates its path.
pub(crate) fn nominating_check(credentials: &Credentials) -> Vec<u8> {
    check(credentials, true, ATTR_ICE_CONTROLLING)
}

fn credentials(name: &str) -> Credentials {
    Credentials {
        ufrag: name.into(),
        password: format!("password-of-{name}-long-enough"),
    }
}

fn path(port: u16) -> Path {
    Path {
        remote: SocketAddr::from(([127, 0, 0, 1], port)),
        local: None,
    }
}

fn handle(ice: &mut Ice, path: Path, datagram: &[u8]) -> Result<Checked, DropReason> {
    ice.handle_request(
        crate::test_time::start(),
        path,
        datagram,
        RingProvider::new().crypto(),
    )
}

#[test]
fn an_authentic_check_is_answered_with_the_address_it_came_from() {
    let mut ice = Ice::new(crate::test_time::start(), credentials("ours"));
    let request = check(&credentials("ours"), false, ATTR_ICE_CONTROLLING);
    assert_eq!(addressed_to(&request), Some("ours"));
    let checked = handle(&mut ice, path(4000), &request).unwrap();
    assert!(checked.validated && ice.path() == Some(path(4000)));
    let mut answer = Message::new();
    answer.unmarshal_binary(&checked.answer).unwrap();
    let mut address = XorMappedAddress::default();
    address.get_from(&answer).unwrap();
    assert_eq!((answer.typ, address.port), (BINDING_SUCCESS, 4000));
}

/// With a path that its client has nominated, from port 4000.
fn nominated(start: Instant) -> Ice {
    let mut ice = Ice::new(start, credentials("ours"));
    handle(
        &mut ice,
        path(4000),
        &nominating_check(&credentials("ours")),
    )
    .unwrap();
    ice
}

#[test]
fn media_by_the_path_checked_last_moves_the_peer_there_and_late_media_does_not_move_it_back() {
    let start = crate::test_time::start();
    let mut ice = nominated(start);
    let plain = check(&credentials("ours"), false, ATTR_ICE_CONTROLLING);
    handle(&mut ice, path(4001), &plain).unwrap();
    assert_eq!(
        ice.path(),
        Some(path(4000)),
        "a check alone does not nominate"
    );
    ice.note_consent(start, path(4001));
    assert_eq!(ice.path(), Some(path(4001)));
    ice.note_consent(start, path(4000));
    assert_eq!(ice.path(), Some(path(4001)));
    handle(&mut ice, path(4000), &plain).unwrap();
    ice.note_consent(start, path(4000));
    assert_eq!(
        ice.path(),
        Some(path(4000)),
        "and back, once it is checked again"
    );
}

#[test]
fn a_check_is_followed_without_nomination_when_the_nominated_path_is_silent() {
    let start = crate::test_time::start();
    let mut ice = nominated(start);
    let plain = check(&credentials("ours"), false, ATTR_ICE_CONTROLLING);
    let crypto = RingProvider::new();
    let at = |ice: &mut Ice, after: Duration, port| {
        ice.handle_request(start + after, path(port), &plain, crypto.crypto())
            .unwrap();
        ice.path()
    };
    let (before, silent) = (SILENCE - Duration::from_millis(1), SILENCE);
    assert_eq!(at(&mut ice, before, 4001), Some(path(4000)));
    assert_eq!(at(&mut ice, before, 4000), Some(path(4000)));
    assert_eq!(
        at(&mut ice, before + before, 4001),
        Some(path(4000)),
        "it was heard in between"
    );
    assert_eq!(at(&mut ice, before + silent, 4001), Some(path(4001)));
}

#[test]
fn a_check_with_a_wrong_password_or_name_is_not_answered() {
    let mut ice = Ice::new(crate::test_time::start(), credentials("ours"));
    let wrong = Credentials {
        ufrag: "ours".into(),
        password: "not the password, but long".into(),
    };
    for forged in [
        check(&wrong, true, ATTR_ICE_CONTROLLING),
        check(&credentials("other"), true, ATTR_ICE_CONTROLLING),
    ] {
        assert_eq!(
            handle(&mut ice, path(4000), &forged),
            Err(DropReason::StunUnauthorized)
        );
    }
    assert_eq!(ice.path(), None);
}

#[test]
fn the_nominated_path_is_used_and_a_new_nomination_moves_it() {
    let mut ice = Ice::new(crate::test_time::start(), credentials("ours"));
    let plain = check(&credentials("ours"), false, ATTR_ICE_CONTROLLING);
    let nominating = check(&credentials("ours"), true, ATTR_ICE_CONTROLLING);
    handle(&mut ice, path(1), &nominating).unwrap();
    handle(&mut ice, path(2), &plain).unwrap();
    assert_eq!(ice.path(), Some(path(1)));
    handle(&mut ice, path(2), &nominating).unwrap();
    assert_eq!(ice.path(), Some(path(2)));
}

#[test]
fn after_a_restart_both_names_are_good_until_the_new_one_is_used() {
    let mut ice = Ice::new(crate::test_time::start(), credentials("old"));
    ice.restart(credentials("new"));
    let old = check(&credentials("old"), true, ATTR_ICE_CONTROLLING);
    assert!(handle(&mut ice, path(1), &old).is_ok());
    assert!(
        handle(
            &mut ice,
            path(1),
            &check(&credentials("new"), true, ATTR_ICE_CONTROLLING)
        )
        .is_ok()
    );
    assert_eq!(
        handle(&mut ice, path(1), &old),
        Err(DropReason::StunUnauthorized)
    );
}

#[test]
fn a_client_that_thinks_itself_controlled_is_told_so() {
    let mut ice = Ice::new(crate::test_time::start(), credentials("ours"));
    let checked = handle(
        &mut ice,
        path(1),
        &check(&credentials("ours"), false, ATTR_ICE_CONTROLLED),
    )
    .unwrap();
    assert_eq!(&checked.answer[..2], &[0x01, 0x11]);
    assert!(ice.path().is_none());
}

#[test]
fn the_oldest_address_makes_room_but_never_the_nominated_one() {
    let mut ice = Ice::new(crate::test_time::start(), credentials("ours"));
    handle(
        &mut ice,
        path(1),
        &check(&credentials("ours"), true, ATTR_ICE_CONTROLLING),
    )
    .unwrap();
    let plain = check(&credentials("ours"), false, ATTR_ICE_CONTROLLING);
    for port in 2..=8 {
        assert_eq!(handle(&mut ice, path(port), &plain).unwrap().evicted, None);
    }
    assert_eq!(
        handle(&mut ice, path(9), &plain).unwrap().evicted,
        Some(path(2).remote)
    );
    assert_eq!(ice.path(), Some(path(1)));
}

#[test]
fn broken_requests_are_refused_without_a_panic() {
    let mut ice = Ice::new(crate::test_time::start(), credentials("ours"));
    let request = check(&credentials("ours"), true, ATTR_ICE_CONTROLLING);
    for length in 0..request.len() {
        assert!(handle(&mut ice, path(1), &request[..length]).is_err());
    }
    for place in 0..request.len() {
        let mut damaged = request.clone();
        damaged[place] ^= 0xFF;
        let _ = handle(&mut ice, path(1), &damaged);
    }
}
