//! Whose a datagram is: by its address once that has proven itself, else by the user name of a STUN request.
//! The name carries the worker and the peer's place, so that no table is shared between workers.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::transport::Credentials;

/// ICE's characters are base 64's; these 32 are enough and need no care (RFC 8839 section 5.4).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Two characters for the worker, seven for the place, the rest is random.
const WORKER: usize = 2;
const PLACE: usize = 7;
const RANDOM: usize = 7;

/// New credentials for the peer at a place. The name is no secret; the password has 160 random bits.
pub(crate) fn credentials(worker: u8, place: usize, random: [u8; 27]) -> Credentials {
    let mut ufrag = String::with_capacity(WORKER + PLACE + RANDOM);
    encode(worker.into(), WORKER, &mut ufrag);
    encode(place as u64, PLACE, &mut ufrag);
    let (name, secret) = random.split_at(RANDOM);
    ufrag.extend(
        name.iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 31)])),
    );
    let mut password = String::with_capacity(32);
    for chunk in secret.chunks(5) {
        let bits = chunk
            .iter()
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        encode(bits, 8, &mut password);
    }
    Credentials { ufrag, password }
}

fn encode(bits: u64, characters: usize, text: &mut String) {
    for index in (0..characters).rev() {
        text.push(char::from(ALPHABET[(bits >> (5 * index)) as usize & 31]));
    }
}

/// The worker and the peer's place that a user name carries. Whether the peer knows the name is for it to say.
pub(crate) fn place_of(ufrag: &str) -> Option<(u8, usize)> {
    let text = ufrag.as_bytes();
    if text.len() != WORKER + PLACE + RANDOM {
        return None;
    }
    let worker = u8::try_from(decode(&text[..WORKER])?).ok()?;
    let place = usize::try_from(decode(&text[WORKER..WORKER + PLACE])?).ok()?;
    Some((worker, place))
}

fn decode(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0u64, |bits, character| {
        let value = ALPHABET.iter().position(|known| known == character)?;
        Some(bits << 5 | value as u64)
    })
}

/// Addresses that have proven themselves, with the place of the peer they belong to.
#[derive(Default)]
pub(crate) struct AddressBook {
    places: HashMap<SocketAddr, usize>,
}

impl AddressBook {
    pub(crate) fn peer(&self, address: SocketAddr) -> Option<usize> {
        self.places.get(&address).copied()
    }

    /// The address has proven itself for this peer; whoever had it before has it no longer.
    pub(crate) fn insert(&mut self, address: SocketAddr, place: usize) {
        self.places.insert(address, place);
    }

    /// The address is this peer's no longer.
    pub(crate) fn remove(&mut self, address: SocketAddr, place: usize) {
        if self.places.get(&address) == Some(&place) {
            self.places.remove(&address);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_carries_its_worker_and_place() {
        for (worker, place) in [(0, 0), (3, 1), (255, 123_456), (7, 1 << 34)] {
            let credentials = credentials(worker, place, [0xAB; 27]);
            assert_eq!(place_of(&credentials.ufrag), Some((worker, place)));
            assert_eq!(
                (credentials.ufrag.len(), credentials.password.len()),
                (16, 32)
            );
        }
    }

    #[test]
    fn a_foreign_name_has_no_place() {
        for name in [
            "",
            "abc",
            "AAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAA",
            "aaAAAAAAAAAAAAAA",
            "99AAAAAAAAAAAAAA",
        ] {
            assert_eq!(place_of(name), None, "{name}");
        }
    }

    #[test]
    fn two_names_for_one_place_differ() {
        assert_ne!(credentials(0, 1, [1; 27]), credentials(0, 1, [2; 27]));
    }
}
