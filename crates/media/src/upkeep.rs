//! What one peer needs from time to time: key-frame requests, NACKs and feedback as a publisher, sender reports
//! as a subscriber. It never decides what is forwarded.

use std::collections::VecDeque;
use std::time::Instant;

use protocol::TrackKind;
use slab::Slab;

use crate::event::Event;
use crate::inbound::Track;
use crate::overload::Cut;
use crate::peer::Peer;
use crate::statistics::Statistics;
use crate::transport::rtcp;

/// The SSRC under which the server itself speaks; it sends no media under it.
const SERVER_SSRC: u32 = 1;

/// What is due often: everything a publisher is asked for.
pub(crate) fn serve_publisher(
    now: Instant,
    peer: &mut Peer,
    tracks: &mut Slab<Track>,
    statistics: &mut Statistics,
    events: &mut VecDeque<Event>,
) {
    let transport = &mut peer.transport;
    for index in &peer.tracks {
        let track = &mut tracks[*index];
        if let Some(change) = track.speech.poll(now) {
            events.push_back(Event::Speaking {
                track: track.id,
                level: change,
            });
        }
        if track.kind == TrackKind::Audio {
            continue;
        }
        // A layer beside others that has gone silent is no longer sent; a screen at rest answers all the same.
        let is_simulcast = track.layers.len() > 1;
        for layer in &mut track.layers {
            let is_over = is_simulcast && layer.has_gone_silent(now);
            let Some(ssrc) = layer.ssrc.filter(|_| !is_over) else {
                continue;
            };
            let mut missing = Vec::new();
            layer.missing(now, &mut missing);
            if !missing.is_empty() {
                statistics.outbound_nacks += missing.len() as u64;
                transport.send_rtcp(|out| rtcp::write_nack(out, SERVER_SSRC, ssrc, &missing));
            }
            if layer.key_frames.poll(now) {
                statistics.outbound_key_frame_requests += 1;
                transport.send_rtcp(|out| rtcp::write_key_frame_request(out, SERVER_SSRC, ssrc));
            }
        }
    }
    if peer.arrivals.is_due(now) {
        let arrivals = &mut peer.arrivals;
        transport.send_rtcp(|out| arrivals.write(now, SERVER_SSRC, out));
    }
}

/// What is due once a second: reports, and which layer each subscriber of the peer's tracks should get.
pub(crate) fn report(now: Instant, peer: &mut Peer, tracks: &mut Slab<Track>) {
    let mut receptions = Vec::new();
    for index in &peer.tracks {
        receptions.extend(
            tracks[*index]
                .layers
                .iter_mut()
                .filter_map(|layer| layer.reception(now)),
        );
    }
    for block in receptions.chunks(31) {
        peer.transport
            .send_rtcp(|out| rtcp::write_receiver_report(out, SERVER_SSRC, block));
    }
    let transport = &mut peer.transport;
    for outbound in &mut peer.outbound {
        let Some(layer) = outbound.selector.current() else {
            continue;
        };
        let track = &tracks[outbound.track];
        let clock = track
            .layers
            .get(layer)
            .and_then(|layer| layer.sender_clock());
        if let Some(clock) = clock {
            let clock_rate = match outbound.kind {
                TrackKind::Audio => 48_000,
                TrackKind::Video => 90_000,
            };
            transport
                .send_rtcp(|out| outbound.write_sender_report(now, layer, clock, clock_rate, out));
        }
    }
}

/// Ask for the key frames that the peer's subscriptions wait for.
pub(crate) fn want_key_frames(now: Instant, peer: &Peer, tracks: &mut Slab<Track>) {
    if !peer.transport.is_connected() {
        return;
    }
    for outbound in peer
        .outbound
        .iter()
        .filter(|outbound| !outbound.is_held() && outbound.cut != Cut::Everything)
    {
        if outbound.has_key_frame_waiting(now) {
            continue;
        }
        let wanted = outbound.selector.needs_key_frame();
        if let Some(layer) = wanted.and_then(|wanted| tracks[outbound.track].layers.get_mut(wanted))
        {
            layer.key_frames.want();
        }
    }
}

/// Pictures that are held back: see that they have a fresh key frame when they are not, for a replay.
pub(crate) fn prepare_pictures(now: Instant, peer: &Peer, tracks: &mut Slab<Track>) {
    let is_connected = peer.transport.is_connected();
    for outbound in peer.outbound.iter().filter(|outbound| outbound.is_held()) {
        let target = outbound.selector.target();
        if let Some(layer) = target.and_then(|target| tracks[outbound.track].layers.get_mut(target))
        {
            layer.prepare_picture(now, is_connected);
        }
    }
}
