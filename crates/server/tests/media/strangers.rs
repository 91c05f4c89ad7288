//! Bytes from strangers: they are counted, get no answer, and disturb nobody.

use std::net::SocketAddr;
use std::time::Duration;

use load_tester::{Participant, PublishOptions, Relay};
use rand::RngExt;
use tokio::net::UdpSocket;

use crate::support::*;

/// Random bytes that begin like STUN, DTLS, RTP, RTCP, or like nothing.
fn random_datagrams(count: usize) -> Vec<Vec<u8>> {
    let mut random = rand::rng();
    let mut datagrams = Vec::new();
    for number in 0..count {
        let length = random.random_range(0..1_400);
        let mut datagram: Vec<u8> = (0..length).map(|_| random.random()).collect();
        let beginning: &[u8] = match number % 6 {
            0 => &[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42],
            1 => &[22, 254, 253],
            2 => &[0x80, 96],
            3 => &[0x80, 200],
            4 => &[23, 254, 253, 0, 1],
            _ => &[],
        };
        for (byte, given) in datagram.iter_mut().zip(beginning) {
            *byte = *given;
        }
        datagrams.push(datagram);
    }
    datagrams
}

/// Whether anything was sent to this socket.
async fn has_heard(socket: &UdpSocket) -> bool {
    let mut datagram = [0; 2_048];
    tokio::time::timeout(Duration::from_secs(1), socket.recv_from(&mut datagram))
        .await
        .is_ok()
}

async fn all_dropped(server: &Server) -> u64 {
    let mut dropped = 0;
    for reason in [
        "unknown_address",
        "malformed",
        "stun_unauthorized",
        "dtls_unvalidated",
        "dtls_failed",
        "srtp_authentication",
    ] {
        dropped += server.dropped(reason).await;
    }
    dropped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_on_the_udp_port_do_not_disturb_a_call() {
    let mut server = Server::start().await;
    let relay = Relay::start().await.unwrap();
    let mut options = server
        .options("room", "behind")
        .publishing(PublishOptions::microphone())
        .publishing(CAMERA);
    options.answer_filter = Some(relay.answer_filter());
    let behind = Participant::join(options).await.unwrap();
    let other = server.publisher("room", "other").await;
    for publication in other.publications() {
        more_packets(&behind, publication.id, 30).await;
    }
    let address = relay.server().unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let before = all_dropped(&server).await;
    for datagrams in random_datagrams(6_000).chunks(20) {
        for datagram in datagrams {
            stranger.send_to(datagram, address).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        !has_heard(&stranger).await,
        "an address that proved nothing gets no answer"
    );
    // A busy machine's kernel drops some before the server can.
    until("half of the 6000 and more are counted", async || {
        all_dropped(&server).await - before > 3_000
    })
    .await;

    // The same from the address of somebody in the call.
    let before = all_dropped(&server).await;
    for datagrams in random_datagrams(600).chunks(20) {
        for datagram in datagrams {
            relay.inject(datagram).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until("they are counted", async || {
        all_dropped(&server).await > before + 100
    })
    .await;

    for (sender, receiver) in [(&behind, &other), (&other, &behind)] {
        for publication in sender.publications() {
            more_packets(receiver, publication.id, 50).await;
            assert_eq!(all_received(publication, receiver).await.faults(), None);
        }
    }
    assert_in_order(&[behind, other]);
    server.assert_running();
}

/// A ClientHello as a browser's: DTLS 1.2, ECDHE-ECDSA-AES128-GCM, use_srtp.
fn client_hello() -> Vec<u8> {
    let extensions: &[u8] = &[
        0, 10, 0, 4, 0, 2, 0, 23, // supported_groups: secp256r1
        0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
        0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms: ecdsa_secp256r1_sha256
        0, 14, 0, 7, 0, 4, 0, 7, 0, 1, 0, // use_srtp: AEAD_AES_128_GCM, AES128_CM_SHA1_80
        0, 23, 0, 0, // extended_master_secret
    ];
    let mut body = vec![254, 253];
    body.extend((0..32).map(|_| rand::random::<u8>()));
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]); // no session, no cookie, one suite, no compression
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let length = (body.len() as u32).to_be_bytes();
    let mut handshake = vec![
        1, length[1], length[2], length[3], 0, 0, 0, 0, 0, length[1], length[2], length[3],
    ];
    handshake.extend(body);
    let mut record = vec![22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend((handshake.len() as u16).to_be_bytes());
    record.extend(handshake);
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_hello_from_a_foreign_address_does_not_disturb_a_handshake() {
    let server = Server::start().await;
    let relay = Relay::start().await.unwrap();
    let mut options = server.options("room", "first");
    options.answer_filter = Some(relay.answer_filter());
    let first = Participant::join(options).await.unwrap();
    let address: SocketAddr = relay.server().unwrap();

    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let foreign = async |socket: &UdpSocket| loop {
        socket.send_to(&client_hello(), address).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let before = server.dropped("unknown_address").await + server.dropped("dtls_unvalidated").await;
    let joining = async {
        let mut participants = vec![first];
        for number in 0..5 {
            participants.push(
                server
                    .publisher("room", &format!("publisher {number}"))
                    .await,
            );
        }
        participants
    };
    let participants = tokio::select! {
        participants = joining => participants,
        () = foreign(&stranger) => unreachable!("it never ends"),
    };
    let dropped =
        server.dropped("unknown_address").await + server.dropped("dtls_unvalidated").await - before;
    assert!(dropped > 10, "{dropped}");
    assert!(
        !has_heard(&stranger).await,
        "an address that proved nothing gets no answer"
    );
    for publisher in &participants[1..] {
        for publication in publisher.publications() {
            more_packets(&participants[0], publication.id, 30).await;
        }
    }
    assert_in_order(&participants);
}
