//! Sockets of the loopback, two by two.

use super::statistics::dropped_by_kernel;
use super::*;

async fn pair() -> (Udp, Udp, SocketAddr) {
    let [a, b] =
        [(); 2].map(|()| Udp::new(bind("127.0.0.1:0".parse().unwrap(), 65_536).unwrap()).unwrap());
    a.socket.writable().await.unwrap();
    let to = b.socket.local_addr().unwrap();
    (a, b, to)
}

fn transmit(to: SocketAddr, contents: &[u8], segment_size: Option<usize>) -> media::Transmit<'_> {
    media::Transmit {
        to,
        from: None,
        contents,
        segment_size,
    }
}

async fn received(udp: &mut Udp, count: usize) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    while datagrams.len() < count {
        tokio::time::timeout(Duration::from_secs(5), udp.ready())
            .await
            .unwrap()
            .unwrap();
        udp.receive(|_, _, _, datagram| datagrams.push(datagram.to_vec()))
            .unwrap();
    }
    datagrams
}

#[tokio::test]
async fn a_full_receive_buffer_is_seen_in_what_the_kernel_dropped() {
    let (mut a, mut b, to) = pair().await;
    assert_eq!(dropped_by_kernel(to.port()), 0);
    for _ in 0..2_000 {
        a.sender().send(transmit(to, &[7; 1_000], None));
    }
    a.sender().finish();
    assert!(b.statistics().receive_buffer_bytes >= 65_536);
    let dropped = dropped_by_kernel(to.port());
    let kept = received(&mut b, 1).await.len() as u64;
    let more = std::iter::from_fn(|| b.receive(|_, _, _, _| ()).unwrap().then_some(()));
    more.for_each(drop);
    assert!(dropped > 0 && kept > 0);
    assert_eq!(b.statistics().received + dropped, a.statistics().sent);
    assert_eq!(a.statistics().sent, 2_000);
}

#[tokio::test]
async fn what_has_waited_in_the_kernel_is_known_by_the_first_datagram() {
    let (mut a, mut b, to) = pair().await;
    a.sender().send(transmit(to, b"early", None));
    a.sender().finish();
    std::thread::sleep(Duration::from_millis(30));
    a.sender().send(transmit(to, b"late", None));
    a.sender().finish();
    assert_eq!(b.take_waited(), None);
    received(&mut b, 2).await;
    assert!(b.take_waited().unwrap() >= Duration::from_millis(29));
    assert_eq!(b.take_waited(), None);
}

#[tokio::test]
async fn a_run_arrives_as_its_datagrams_and_is_one_call() {
    let (mut a, mut b, to) = pair().await;
    a.sender().send(transmit(to, b"aaaabbbbcc", Some(4)));
    a.sender().send(transmit(to, b"dddddd", None));
    a.sender().finish();
    let expected = ["aaaa", "bbbb", "cc", "dddddd"].map(|text| text.as_bytes().to_vec());
    assert_eq!(received(&mut b, 4).await, expected);
    assert_eq!((a.statistics().sent, b.statistics().received), (4, 4));
    if a.state.max_gso_segments() > 1 {
        assert_eq!(a.statistics().send_calls, 2);
    }
}

#[tokio::test]
async fn a_run_longer_than_the_kernel_takes_is_split_between_datagrams() {
    let (mut a, mut b, to) = pair().await;
    let contents: Vec<u8> = (0..200u8).flat_map(|number| [number; 10]).collect();
    a.sender().send(transmit(to, &contents, Some(10)));
    let expected: Vec<_> = (0..200u8).map(|number| vec![number; 10]).collect();
    assert_eq!(received(&mut b, 200).await, expected);
}

#[tokio::test]
async fn what_waits_is_bounded_and_goes_out_in_order() {
    let (mut a, mut b, to) = pair().await;
    let big = vec![0; 1_000_000];
    for _ in 0..5 {
        a.queue.keep(to, None, &big, Some(1_000));
    }
    assert_eq!(
        (a.statistics().waiting, a.statistics().overflowed),
        (4_000, 1_000)
    );
    a.queue.waiting.clear();
    a.queue.waiting_bytes = 0;

    a.queue.keep(to, None, b"first", None);
    a.sender().send(transmit(to, b"second", None));
    a.sender().finish();
    assert_eq!(a.statistics().waiting, 2, "nothing overtakes what waits");
    a.sender().send_waiting();
    assert_eq!(
        received(&mut b, 2).await,
        [b"first".to_vec(), b"second".to_vec()]
    );
    assert_eq!((a.statistics().waiting, a.queue.waiting_bytes), (0, 0));
}

#[tokio::test]
async fn single_datagrams_go_out_in_one_call_and_in_order_with_runs() {
    let (mut a, mut b, to) = pair().await;
    let (_, mut c, other) = pair().await;
    let mut sender = a.sender();
    for number in 0..100u8 {
        sender.send(transmit(to, &[number; 40], None));
        sender.send(transmit(other, &[number; 41], None));
    }
    sender.send(transmit(to, b"aaaabbbb", Some(4)));
    sender.send(transmit(to, b"last", None));
    sender.finish();
    let mut expected: Vec<_> = (0..100u8).map(|number| vec![number; 40]).collect();
    expected.extend([b"aaaa".to_vec(), b"bbbb".to_vec(), b"last".to_vec()]);
    assert_eq!(received(&mut b, 103).await, expected);
    let expected: Vec<_> = (0..100u8).map(|number| vec![number; 41]).collect();
    assert_eq!(received(&mut c, 100).await, expected);
    assert_eq!(a.statistics().sent, 203);
    if a.state.max_gso_segments() > 1 {
        // 200 in batches of 64, the run, and the last one.
        assert_eq!(a.statistics().send_calls, 6);
    }
}

#[tokio::test]
async fn a_datagram_goes_out_from_the_address_it_is_to_come_from() {
    let a = Udp::new(bind("0.0.0.0:0".parse().unwrap(), 65_536).unwrap()).unwrap();
    let (_, mut b, to) = pair().await;
    let mut a = a;
    a.socket.writable().await.unwrap();
    let from: IpAddr = "127.0.0.9".parse().unwrap();
    a.sender().send(media::Transmit {
        from: Some(from),
        ..transmit(to, b"hello", None)
    });
    a.sender().finish();
    let mut sources = Vec::new();
    while sources.is_empty() {
        b.ready().await.unwrap();
        b.receive(|_, source, _, _| sources.push(source.ip()))
            .unwrap();
    }
    assert_eq!(sources, [from]);
}
