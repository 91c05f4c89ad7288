//! One offer, one answer: which section carries which track. The client always offers; the server answers
//! with the tracks it was told to receive and to send, and asks for sections that are missing.

use std::time::Instant;

use protocol::{MediaSection, TrackKind};
use slab::Slab;

use crate::Limits;
use crate::config::Config;
use crate::demux;
use crate::event::Event;
use crate::extension::{Extension, ExtensionMap};
use crate::inbound::{Track, track::Subscriber};
use crate::outbound::{FirstNumbers, OutboundTrack};
use crate::peer::{Peer, ReceivingSection, Stream};
use crate::sdp::{self, AnsweredSection, HashFunction, Media, Offer, OfferedSection};
use crate::transport::Identity;

/// What came of an offer.
pub(crate) struct Negotiated {
    pub(crate) sdp: String,
    pub(crate) sections: Vec<MediaSection>,
    /// Published tracks that the offer has no section for: places in the engine, and why.
    pub(crate) refused: Vec<(usize, String)>,
}

/// Answer an offer. On an error nothing has changed.
pub(crate) fn answer(
    now: Instant,
    place: usize,
    peer: &mut Peer,
    tracks: &mut Slab<Track>,
    text: &str,
    config: &Config,
    identity: &Identity,
) -> Result<Negotiated, String> {
    let offer = sdp::parse_offer(text, &config.limits).map_err(|error| error.to_string())?;
    if offer.fingerprint.algorithm != HashFunction::Sha256 {
        return Err("only certificates with a SHA-256 fingerprint are supported".into());
    }
    peer.transport
        .expect_fingerprint(&offer.fingerprint.bytes)?;
    if peer.first_offer.is_none() {
        peer.first_offer = Some(now);
    } else if peer.remote_ufrag != offer.ice_ufrag {
        peer.transport
            .ice
            .restart(demux::credentials(config.worker, place, identity.random()));
    }
    peer.remote_ufrag.clone_from(&offer.ice_ufrag);
    peer.sections_asked = false;
    peer.receiving = receiving(&offer);
    peer.extensions = extensions(&offer);
    let refused = refuse_publications(peer, tracks, &offer);
    release_sections(place, peer, tracks, &offer);

    let mut sections = Vec::new();
    let answered = offer
        .sections
        .iter()
        .map(|section| {
            answer_section(
                now,
                place,
                peer,
                tracks,
                section,
                &mut sections,
                &config.limits,
                identity,
            )
        })
        .collect();
    peer.answers += 1;
    let credentials = peer.transport.ice.credentials();
    let answer = sdp::Answer {
        session_id: peer.session_id,
        version: peer.answers,
        ice_ufrag: &credentials.ufrag,
        ice_pwd: &credentials.password,
        fingerprint: identity.fingerprint(),
        candidates: &config.candidates,
        max_message_size: config.limits.data_message_bytes,
        sections: answered,
    };
    let sdp = sdp::write_answer(&offer, &answer);
    // What is still without a section is asked for when everything else of this turn is done.
    peer.sections_changed = true;
    Ok(Negotiated {
        sdp,
        sections,
        refused,
    })
}

/// The numbers of all extensions: audio sections have no layers' names, data sections have none at all.
fn extensions(offer: &Offer) -> ExtensionMap {
    let mut all = ExtensionMap::default();
    for section in offer.sections.iter().filter(|section| section.is_usable()) {
        for extension in Extension::ALL {
            if let Some(id) = section.extensions.id(extension) {
                all.set(extension, id);
            }
        }
    }
    all
}

fn receiving(offer: &Offer) -> Vec<ReceivingSection> {
    let usable = offer
        .sections
        .iter()
        .filter(|section| section.is_usable() && section.direction.receives());
    usable
        .filter_map(|section| {
            Some(ReceivingSection {
                mid: section.mid.clone(),
                kind: section.media.kind()?,
            })
        })
        .collect()
}

/// Published tracks that were to be in this offer, and are not.
fn refuse_publications(peer: &Peer, tracks: &Slab<Track>, offer: &Offer) -> Vec<(usize, String)> {
    let mut refused = Vec::new();
    for &index in &peer.tracks {
        let track = &tracks[index];
        let section = offer
            .sections
            .iter()
            .find(|section| section.mid == track.mid && section.is_usable());
        let reason = match section {
            None => format!("the offer has no usable section with mid {:?}", track.mid),
            Some(section) if section.media.kind() != Some(track.kind) => {
                format!(
                    "the section with mid {:?} is not of the kind of the track",
                    track.mid
                )
            }
            // A sender that pauses turns its section `inactive` and keeps its track.
            Some(section) if !section.direction.sends() && track.layers.is_empty() => {
                format!("the section with mid {:?} does not send", track.mid)
            }
            Some(_) => continue,
        };
        refused.push((index, reason));
    }
    refused
}

/// A section that was sending to the client, and in which it receives no longer, gives its track back.
fn release_sections(place: usize, peer: &mut Peer, tracks: &mut Slab<Track>, offer: &Offer) {
    let receives = |mid: &str| {
        let section = offer
            .sections
            .iter()
            .find(|section| section.mid == mid && section.is_usable());
        section.is_some_and(|section| section.direction.receives())
    };
    for outbound in peer.retain_outbound(|outbound| receives(&outbound.mid)) {
        tracks[outbound.track]
            .subscribers
            .retain(|subscriber| subscriber.peer != place);
        peer.unbound.push(outbound.track);
    }
}

#[allow(clippy::too_many_arguments)]
fn answer_section(
    now: Instant,
    place: usize,
    peer: &mut Peer,
    tracks: &mut Slab<Track>,
    section: &OfferedSection,
    sections: &mut Vec<MediaSection>,
    limits: &Limits,
    identity: &Identity,
) -> AnsweredSection {
    if !section.is_usable() {
        return AnsweredSection::Rejected;
    }
    let kind = match (&section.media, section.media.kind()) {
        (Media::Application, _) => return AnsweredSection::Data,
        (_, Some(kind)) => kind,
        _ => return AnsweredSection::Rejected,
    };
    let rids = if section.direction.sends() {
        receive(peer, tracks, section, kind, limits)
    } else {
        None
    };
    let track = if section.direction.receives() {
        send(now, place, peer, tracks, section, kind, limits, identity)
    } else {
        None
    };
    if let Some(outbound) = track {
        sections.push(MediaSection {
            mid: section.mid.clone(),
            track_id: outbound.id,
        });
    }
    match (rids, track.map(OutboundTrack::description)) {
        (None, None) => AnsweredSection::Inactive,
        (Some(rids), None) => AnsweredSection::Receive { rids },
        (None, Some(track)) => AnsweredSection::Send(track),
        (Some(rids), Some(track)) => AnsweredSection::SendReceive { rids, track },
    }
}

/// The client sends in this section: if it said what, take it. Gives the simulcast layers taken.
fn receive(
    peer: &mut Peer,
    tracks: &mut Slab<Track>,
    section: &OfferedSection,
    kind: TrackKind,
    limits: &Limits,
) -> Option<Vec<String>> {
    let is_it = |index: &&usize| tracks[**index].mid == section.mid && tracks[**index].kind == kind;
    let index = *peer.tracks.iter().find(is_it)?;
    let track = &mut tracks[index];
    for (ssrc, layer, is_rtx) in track.negotiate(section, limits) {
        peer.learn_stream(
            ssrc,
            Stream {
                track: index,
                layer,
                is_rtx,
            },
            limits.inbound_ssrcs,
        );
    }
    Some(
        track
            .layers
            .iter()
            .filter_map(|layer| layer.rid.clone())
            .collect(),
    )
}

/// The client receives in this section: the track it already carries, or the oldest that waits for one.
#[allow(clippy::too_many_arguments)]
fn send<'a>(
    now: Instant,
    place: usize,
    peer: &'a mut Peer,
    tracks: &mut Slab<Track>,
    section: &OfferedSection,
    kind: TrackKind,
    limits: &Limits,
    identity: &Identity,
) -> Option<&'a OutboundTrack> {
    if let Some(known) = peer
        .outbound
        .iter()
        .position(|outbound| outbound.mid == section.mid)
    {
        return Some(&peer.outbound[known]);
    }
    let waiting = peer
        .unbound
        .iter()
        .position(|index| tracks[*index].kind == kind)?;
    let index = peer.unbound.remove(waiting);
    let track = &mut tracks[index];
    let numbers = first_numbers(identity);
    let outbound = OutboundTrack::new(
        now,
        track.id,
        index,
        kind,
        track.participant,
        section,
        numbers,
        limits,
    );
    track.subscribers.push(Subscriber {
        peer: place,
        ssrc: outbound.ssrc,
        outbound: peer.outbound.len(),
    });
    if outbound.has_feedback() {
        peer.bandwidth.enable();
    }
    peer.outbound.push(outbound);
    peer.outbound.last()
}

fn first_numbers(identity: &Identity) -> FirstNumbers {
    let random: [u8; 14] = identity.random();
    let word = |at: usize| {
        u32::from_be_bytes([random[at], random[at + 1], random[at + 2], random[at + 3]])
    };
    FirstNumbers {
        ssrc: word(0).max(1),
        rtx_ssrc: word(4).max(1),
        timestamp: word(8),
        sequence: u16::from_be_bytes([random[12], random[13]]),
    }
}

/// What a peer must be asked for: sections to add, if any wish is without one. Asked once for each offer.
pub(crate) fn required_sections(peer: &mut Peer, tracks: &Slab<Track>) -> Option<Event> {
    if peer.sections_asked || peer.first_offer.is_none() || peer.unbound.is_empty() {
        return None;
    }
    let missing = |kind: TrackKind| {
        let wanted = peer
            .unbound
            .iter()
            .filter(|index| tracks[**index].kind == kind)
            .count();
        wanted.saturating_sub(peer.free_sections(kind)) as u32
    };
    let (audio, video) = (missing(TrackKind::Audio), missing(TrackKind::Video));
    peer.sections_asked = true;
    Some(Event::SectionsRequired {
        peer: peer.id,
        audio,
        video,
    })
}
