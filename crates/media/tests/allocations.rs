//! Forwarding takes no memory for each packet and subscriber.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // An engine reads no clock; somebody must.
#![allow(unsafe_code)] // An allocator that counts is one.

mod client;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use client::{Client, Credentials, Section, VP8, packet, vp8_payload};
use media::Limits;
use protocol::{TrackId, TrackSource};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is the system's allocator's; the counter allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps to the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SSRC: u32 = 77;
const PACKETS: u16 = 10;
const TURNS: u16 = 100;

/// Allocations in so many turns of ten packets, once everything has its size.
fn allocations(subscribers: u32) -> u64 {
    let mut now = Instant::now();
    let track = TrackId::from_bits(1);
    let mut engine = client::engine(now, Limits::default());
    let credentials = Credentials::new();
    let publish = vec![client::publish(1, track, TrackSource::Camera)];
    let sending = [Section::SendVideo(SSRC)];
    let mut publisher = Client::connect(&mut engine, now, &credentials, 1, publish, &sending);
    for number in 2..2 + subscribers {
        let before = vec![client::subscribe(number, track)];
        let receiving = [Section::ReceiveVideo];
        Client::connect(&mut engine, now, &credentials, number, before, &receiving);
    }
    now += Duration::from_secs(1);
    engine.handle_timeout(now);

    let mut sequence_number = 0;
    let mut turns = |count: u16| {
        let mut allocated = 0;
        for _ in 0..count {
            let mut frame: Vec<Vec<u8>> = (0..PACKETS)
                .map(|index| {
                    sequence_number += 1;
                    let frame = sequence_number / PACKETS;
                    let payload = vp8_payload(frame, index == 0, frame == 0, 1_000);
                    let timestamp = u32::from(frame) * 3_000;
                    publisher.seal(&packet(
                        VP8,
                        false,
                        sequence_number,
                        timestamp,
                        SSRC,
                        &payload,
                    ))
                })
                .collect();
            let before = ALLOCATIONS.get();
            for datagram in &mut frame {
                engine.handle_datagram(now, publisher.address, None, datagram);
            }
            engine.flush(now, |_| {});
            allocated += ALLOCATIONS.get() - before;
        }
        allocated
    };
    // More packets than the cache holds: its places have their memory then.
    turns(60);
    let allocated = turns(TURNS);
    let forwarded = engine.statistics().outbound_packets;
    let most = u64::from(subscribers) * u64::from(60 + TURNS) * u64::from(PACKETS);
    assert!(
        forwarded > most / 2,
        "{forwarded} of {most} packets are forwarded"
    );
    allocated
}

#[test]
fn forwarding_allocates_no_more_for_fifty_subscribers_than_for_two() {
    let (few, many) = (allocations(2), allocations(50));
    assert_eq!(few, many);
    assert!(
        few <= 4 * u64::from(TURNS),
        "{few} allocations in {TURNS} turns of {PACKETS} packets"
    );
}
