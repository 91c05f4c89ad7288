//! A participant against a peer of its own: a WebSocket that says what a server says, and one `webrtc`
//! peer connection that answers. It shows that the witness sees straight, and nothing of the server.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use load_tester::payload::{Mark, Picture, write_video};
use load_tester::{Participant, ParticipantOptions, PublishOptions, Reception};
use protocol::*;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{
    Registry, register_default_interceptors,
};
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState,
};

/// Long enough for a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

const CLIENT: ParticipantId = ParticipantId::from_bits(1);
const OTHER: ParticipantId = ParticipantId::from_bits(2);
const OTHER_TRACK: TrackId = TrackId::from_bits(70);
const SOURCE: u32 = 4_242;

/// The other side: what it received, and whether it is connected.
struct Peer {
    receptions: Mutex<Vec<Arc<Mutex<Reception>>>>,
    events: tokio::sync::mpsc::UnboundedSender<&'static str>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Peer {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.events.send("gathered").unwrap();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            self.events.send("connected").unwrap();
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let kind = match track.kind().await == RtpCodecKind::Audio {
            true => TrackKind::Audio,
            false => TrackKind::Video,
        };
        let reception = Arc::new(Mutex::new(Reception::new(kind)));
        self.receptions.lock().unwrap().push(reception.clone());
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                let TrackRemoteEvent::OnRtpPacket(packet) = event else {
                    continue;
                };
                let packets = {
                    let mut reception = reception.lock().unwrap();
                    reception.add(Instant::now(), 0, &packet);
                    reception.packets
                };
                if packets == 20 && kind == TrackKind::Video {
                    let request = PictureLossIndication {
                        sender_ssrc: 1,
                        media_ssrc: packet.header.ssrc,
                    };
                    track.write_rtcp(vec![Box::new(request)]).await.unwrap();
                }
            }
        });
    }
}

struct MockServer {
    address: SocketAddr,
    peer: Arc<Peer>,
}

/// A server for one participant. With `sends` there is somebody else in the room whose video it forwards.
async fn mock_server(sends: bool) -> MockServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (events, events_receiver) = tokio::sync::mpsc::unbounded_channel();
    let peer = Arc::new(Peer {
        receptions: Mutex::default(),
        events,
    });
    let handler = peer.clone();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let websocket = tokio_tungstenite::accept_async(stream).await.unwrap();
        serve(websocket, handler, events_receiver, sends).await;
    });
    MockServer { address, peer }
}

async fn serve(
    mut websocket: WebSocketStream<TcpStream>,
    handler: Arc<Peer>,
    mut events: tokio::sync::mpsc::UnboundedReceiver<&'static str>,
    sends: bool,
) {
    let connection = answering_connection(handler).await;
    let mut published = 0;
    while let Some(Ok(message)) = websocket.next().await {
        let Message::Text(text) = message else {
            continue;
        };
        let request = parse_client_message(&text).unwrap();
        let reply = match request.message {
            ClientMessage::Join(_) => ServerMessage::Joined(Box::new(joined(sends))),
            ClientMessage::Publish(publish) => {
                published += 1;
                let track = track(TrackId::from_bits(published), publish.source);
                ServerMessage::Published {
                    mid: publish.mid,
                    track,
                }
            }
            ClientMessage::Offer {
                peer_connection,
                sdp,
            } => {
                connection
                    .set_remote_description(RTCSessionDescription::offer(sdp).unwrap())
                    .await
                    .unwrap();
                if sends {
                    tokio::spawn(send_video(add_track(&connection).await));
                }
                let answer = connection.create_answer(None).await.unwrap();
                connection.set_local_description(answer).await.unwrap();
                while events.recv().await != Some("gathered") {}
                let sdp = connection.local_description().await.unwrap().sdp;
                ServerMessage::Answer(Answer {
                    peer_connection,
                    sdp,
                    sections: Vec::new(),
                })
            }
            ClientMessage::Ping => ServerMessage::Pong {
                request_id: request.request_id,
            },
            ClientMessage::Leave => break,
            other => panic!("not expected: {other:?}"),
        };
        let text = serde_json::to_string(&reply).unwrap();
        websocket.send(Message::text(text)).await.unwrap();
    }
    let _ = websocket.close(None).await;
}

async fn answering_connection(handler: Arc<Peer>) -> Arc<dyn PeerConnection> {
    let mut media_engine = MediaEngine::default();
    media_engine.register_default_codecs().unwrap();
    let registry = register_default_interceptors(Registry::new(), &mut media_engine).unwrap();
    let settings = SettingEngineBuilder::new()
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled)
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(media_engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .with_handler(handler)
        .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
        .build()
        .await
        .unwrap();
    Arc::new(connection)
}

async fn add_track(connection: &Arc<dyn PeerConnection>) -> Arc<TrackLocalStaticRTP> {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(SOURCE),
            ..Default::default()
        },
        codec: RTCRtpCodec {
            mime_type: "video/VP8".into(),
            clock_rate: 90_000,
            ..Default::default()
        },
        ..Default::default()
    };
    let id = OTHER_TRACK.to_string();
    let track = MediaStreamTrack::new(
        "stream".into(),
        id.clone(),
        id,
        RtpCodecKind::Video,
        vec![encoding],
    );
    let track = Arc::new(TrackLocalStaticRTP::new(track));
    connection.add_track(track.clone()).await.unwrap();
    track
}

/// Frames of one packet. Number 30 never comes, 40 comes twice, 50 and 51 are exchanged.
async fn send_video(track: Arc<TrackLocalStaticRTP>) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let numbers = (0..30)
        .chain(31..=40)
        .chain(40..50)
        .chain([51, 50])
        .chain(52..100);
    for (position, number) in numbers.enumerate() {
        let mark = Mark {
            publisher: OTHER,
            counter: number,
            sent_at_us: 0,
        };
        let picture = Picture {
            id: number as u16,
            base_layer_index: number as u8,
            begins_frame: true,
            begins_key_frame: number % 50 == 0,
        };
        // A sequence number of its own for what comes twice: SRTP would drop the second.
        let sequence_number = number as u16 + u16::from(position >= 40);
        let header = rtp::Header {
            version: 2,
            payload_type: 96,
            sequence_number,
            timestamp: number as u32 * 3_000,
            ssrc: SOURCE,
            ..Default::default()
        };
        track
            .write_rtp(rtp::Packet {
                header,
                payload: write_video(mark, picture, 300, 300),
            })
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn track(id: TrackId, source: TrackSource) -> Track {
    Track {
        id,
        kind: source.kind(),
        source,
        muted: false,
        published_at: Timestamp(0),
    }
}

fn joined(with_other: bool) -> Joined {
    let participant = |id: ParticipantId, tracks: serde_json::Value| {
        json!({
            "id": id, "identity": "i", "name": "n", "role": "r", "camera": false, "microphone": false,
            "hand_raised": false, "away": false, "moderator": false, "joined_at": 0, "tracks": tracks,
        })
    };
    let mut participants = vec![participant(CLIENT, json!([]))];
    if with_other {
        participants.push(participant(
            OTHER,
            json!([track(OTHER_TRACK, TrackSource::Camera)]),
        ));
    }
    serde_json::from_value(json!({
        "room": { "id": RoomId::from_bits(1), "name": "room", "state": "live", "settings": {} },
        "participant_id": CLIENT, "participants": participants, "live": [], "last_change": 0,
        "resume_token": "t", "rejoined": false, "ping_interval_ms": 5000, "ping_timeout_ms": 15000,
    }))
    .unwrap()
}

fn options(server: &MockServer) -> ParticipantOptions {
    let mut options = ParticipantOptions::new(server.address, "room", "name");
    options.token = Some("token".into());
    options.data = false;
    options
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began_at = Instant::now();
    while !is_so() {
        assert!(
            began_at.elapsed() < PATIENCE,
            "not so after {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_participant_publishes_arrives_whole_and_a_key_frame_when_asked_for() {
    let server = mock_server(false).await;
    let options = options(&server)
        .publishing(PublishOptions::microphone())
        .publishing(PublishOptions::camera(600_000));
    let participant = Participant::join(options).await.unwrap();
    let [sound, pictures] = participant.publications() else {
        panic!("two publications")
    };
    until("packets were sent", || {
        sound.packets() > 100 && pictures.packets() > 100 && pictures.key_frames() > 1
    })
    .await;
    assert_eq!(
        (pictures.key_frame_requests(), pictures.key_frames()),
        (1, 2)
    );
    sound.pause(true);
    pictures.pause(true);

    let received = || {
        server
            .peer
            .receptions
            .lock()
            .unwrap()
            .iter()
            .map(|one| one.lock().unwrap().clone())
            .collect()
    };
    until("all has come", || {
        let received: Vec<Reception> = received();
        let of = |kind| {
            received
                .iter()
                .find(|one| one.kind == kind)
                .map_or(0, |one| one.counters.highest().unwrap() + 1)
        };
        of(TrackKind::Audio) == sound.packets() && of(TrackKind::Video) == pictures.packets()
    })
    .await;
    let received: Vec<Reception> = received();
    for one in &received {
        assert_eq!(
            (one.faults(), one.counters.first()),
            (None, Some(0)),
            "{one:?}"
        );
    }
    let pictures = received
        .iter()
        .find(|one| one.kind == TrackKind::Video)
        .unwrap();
    assert_eq!(pictures.key_frames, 2);
    participant.leave().await.unwrap();
}

#[tokio::test]
async fn a_participant_notices_what_is_lost_doubled_and_overtaken() {
    let server = mock_server(true).await;
    let participant = Participant::join(options(&server)).await.unwrap();
    until("the last packet came", || {
        participant
            .reception(OTHER_TRACK)
            .is_some_and(|one| one.counters.highest() == Some(99))
    })
    .await;
    let reception = participant.reception(OTHER_TRACK).unwrap();
    assert_eq!(reception.publisher, Some(OTHER));
    assert_eq!(reception.key_frames, 2);
    let counters = &reception.counters;
    assert_eq!(
        (counters.lost(), counters.duplicated(), counters.reordered()),
        (1, 1, 1)
    );
    // The doubled payload had a sequence number of its own.
    assert_eq!(
        (reception.sequence.lost(), reception.sequence.reordered()),
        (1, 1)
    );
}

#[tokio::test]
async fn a_participant_that_is_killed_says_nothing_and_closes_its_sockets() {
    let server = mock_server(false).await;
    let options = options(&server).publishing(PublishOptions::microphone());
    let participant = Participant::join(options).await.unwrap();
    let publication = participant.publications()[0].clone();
    until("packets were sent", || publication.packets() > 10).await;
    participant.kill();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let sent = publication.packets();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(publication.packets(), sent);
    let received: u64 = server
        .peer
        .receptions
        .lock()
        .unwrap()
        .iter()
        .map(|one| one.lock().unwrap().packets)
        .sum();
    assert!(received > 0 && received <= sent);
}
