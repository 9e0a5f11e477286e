//! Every codec of the wire under generated messages and hostile bytes: what is encoded decodes to itself; a byte
//! less or more is an error; arbitrary bytes never panic; nothing has two encodings.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "all of it is tests"
)]

mod generators;

use proptest::collection::vec;
use proptest::prelude::*;
use secchat_proto::Error;
use secchat_proto::limits::CHAT_PLAINTEXT_SIZES;
use secchat_proto::wire::chat_record::ChatMessage;
use secchat_proto::wire::frame::{FrameDecoder, write_frame};
use secchat_proto::wire::key_establishment::{M1, M2, M3};
use secchat_proto::wire::link::{Direction, LinkMessage};
use secchat_proto::wire::login::{OrReject, RejectReason, S1, S2, S3};
use secchat_proto::wire::request::RequestToTalk;
use std::fmt::Debug;

use generators::{chat_message, link_message, m1, m2, m3, request, s1, s2, s3};

/// How many of a message's last bytes are opaque, so that their absence cannot show.
fn opaque_bytes(message: &LinkMessage) -> usize {
    match message {
        LinkMessage::Rtt { request, .. } => request.len(),
        LinkMessage::KeyEstablishment { body, .. } => body.len(),
        LinkMessage::Chat { record, .. } => record.len(),
        _ => 0,
    }
}

fn encode_link(message: &LinkMessage) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// A message of exact length: round trip, each truncation, one byte too many.
fn check_exact<T: Debug + PartialEq>(message: &T, bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T, Error>) {
    assert_eq!(decode(bytes).as_ref(), Ok(message));
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    for extra in [0, 1, 0xff] {
        assert!(decode(&[bytes, &[extra]].concat()).is_err(), "with {extra} appended");
    }
}

/// What is accepted after a change encodes to just those bytes: nothing has two encodings.
fn check_canonical<T: Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, Error>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(message) = decode(bytes) {
        assert_eq!(encode(&message), bytes, "{message:?}");
    }
}

fn s1_or_error(bytes: &[u8]) -> Result<S1, Error> {
    S1::decode(bytes).map(|read| match read {
        OrReject::Message(message) => message,
        OrReject::Reject(reason) => panic!("a Reject: {reason:?}"),
    })
}

fn s3_or_error(bytes: &[u8]) -> Result<S3, Error> {
    S3::decode(bytes).map(|read| match read {
        OrReject::Message(message) => message,
        OrReject::Reject(reason) => panic!("a Reject: {reason:?}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn login_messages(s1 in s1(), s2 in s2(), s3 in s3()) {
        check_exact(&s1, &s1.encode(), s1_or_error);
        check_exact(&s2, &s2.encode(), S2::decode);
        check_exact(&s3, &s3.encode(), s3_or_error);
        for (whole, unsigned, signature) in [
            (s2.encode(), s2.encode_unsigned(), &s2.signature),
            (s3.encode(), s3.encode_unsigned(), &s3.signature),
        ] {
            prop_assert_eq!(&whole[..whole.len() - signature.len() - 2], &unsigned[..]);
        }
    }

    #[test]
    fn key_establishment_messages(m1 in m1(), m2 in m2(), m3 in m3()) {
        check_exact(&m1, &m1.encode(), M1::decode);
        check_exact(&m2, &m2.encode(), M2::decode);
        check_exact(&m3, &m3.encode(), M3::decode);
        for (whole, unsigned, signature) in [
            (m2.encode(), m2.encode_unsigned(), &m2.signature),
            (m3.encode(), m3.encode_unsigned(), &m3.signature),
        ] {
            prop_assert_eq!(&whole[..whole.len() - signature.len() - 2], &unsigned[..]);
        }
    }

    #[test]
    fn requests(request in request()) {
        check_exact(&request, &request.encode(), RequestToTalk::decode);
    }

    #[test]
    fn link_messages((message, senders) in link_message()) {
        let bytes = encode_link(&message);
        for sender in [Direction::FromClient, Direction::FromRelay] {
            let decoded = LinkMessage::decode(&bytes, sender);
            prop_assert_eq!(decoded.is_ok(), senders.contains(&sender));
            if let Ok(decoded) = decoded {
                prop_assert_eq!(&decoded, &message);
            }
            for end in 0..bytes.len() - opaque_bytes(&message) {
                prop_assert!(LinkMessage::decode(&bytes[..end], sender).is_err(), "cut at {}", end);
            }
            let is_open_ended = matches!(
                message,
                LinkMessage::Rtt { .. } | LinkMessage::KeyEstablishment { .. } | LinkMessage::Chat { .. }
            );
            if !is_open_ended {
                prop_assert!(LinkMessage::decode(&[&bytes[..], &[0]].concat(), sender).is_err());
            }
        }
    }

    #[test]
    fn chat_records(message in chat_message()) {
        let bytes = message.encode().unwrap();
        prop_assert!(CHAT_PLAINTEXT_SIZES.contains(&bytes.len()));
        prop_assert_eq!(ChatMessage::decode(&bytes), Ok(message));
        prop_assert!(ChatMessage::decode(&bytes[..bytes.len() - 1]).is_err());
        prop_assert!(ChatMessage::decode(&[&bytes[..], &[0]].concat()).is_err());
        // The next listed size is not the least that holds it.
        if let Some(larger) = CHAT_PLAINTEXT_SIZES.into_iter().find(|size| *size > bytes.len()) {
            let mut longer = bytes.to_vec();
            longer.resize(larger, 0);
            prop_assert!(ChatMessage::decode(&longer).is_err());
        }
    }

    #[test]
    fn a_changed_byte_gives_an_error_or_the_only_encoding_of_another_message(
        (message, senders) in link_message(),
        (s2, s3, m2, m3, request) in (s2(), s3(), m2(), m3(), request()),
        chat in chat_message(),
        (at, new) in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let changed = |mut bytes: Vec<u8>| {
            let at = at.index(bytes.len());
            bytes[at] = new;
            bytes
        };
        let s3_bytes = changed(s3.encode());
        if !matches!(S3::decode(&s3_bytes), Ok(OrReject::Reject(_))) {
            check_canonical(&s3_bytes, s3_or_error, S3::encode);
        }
        check_canonical(&changed(encode_link(&message)), |b| LinkMessage::decode(b, senders[0]), encode_link);
        check_canonical(&changed(s2.encode()), S2::decode, S2::encode);
        check_canonical(&changed(m2.encode()), M2::decode, M2::encode);
        check_canonical(&changed(m3.encode()), M3::decode, M3::encode);
        check_canonical(&changed(request.encode()), RequestToTalk::decode, RequestToTalk::encode);
        check_canonical(
            &changed(chat.encode().unwrap().to_vec()),
            ChatMessage::decode,
            |message| message.encode().unwrap().to_vec(),
        );
    }

    #[test]
    fn arbitrary_bytes_never_panic(first in 0u8..20, mut bytes in vec(any::<u8>(), 0..300)) {
        bytes.insert(0, first);
        let _ = S1::decode(&bytes);
        let _ = S1::decode(&[b"secchat\x01", &bytes[..]].concat());
        let _ = S3::decode(&bytes);
        check_canonical(&bytes, S2::decode, S2::encode);
        let _ = M1::decode(&bytes);
        check_canonical(&bytes, M2::decode, M2::encode);
        check_canonical(&bytes, M3::decode, M3::encode);
        check_canonical(&bytes, RequestToTalk::decode, RequestToTalk::encode);
        for sender in [Direction::FromClient, Direction::FromRelay] {
            check_canonical(&bytes, |b| LinkMessage::decode(b, sender), encode_link);
        }
        let _ = ChatMessage::decode(&bytes);
        for size in CHAT_PLAINTEXT_SIZES.into_iter().filter(|size| *size >= bytes.len()) {
            let mut filled = bytes.clone();
            filled.resize(size, 0);
            check_canonical(&filled, ChatMessage::decode, |message| message.encode().unwrap().to_vec());
        }
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut(
        bodies in vec(vec(any::<u8>(), 1..300), 0..10),
        cuts in vec(1usize..50, 1..100),
    ) {
        let mut stream = Vec::new();
        for body in &bodies {
            write_frame(body, &mut stream).unwrap();
        }
        let mut decoder = FrameDecoder::new(300);
        let mut got = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            decoder.push(piece);
            while let Some(body) = decoder.next_frame().unwrap() {
                got.push(body.to_vec());
            }
            rest = after;
        }
        prop_assert_eq!(got, bodies);
        prop_assert!(!decoder.is_mid_frame());
    }

    #[test]
    fn arbitrary_streams_never_panic(bytes in vec(any::<u8>(), 0..2_000), limit in 0usize..70_000) {
        let mut decoder = FrameDecoder::new(limit);
        for piece in bytes.chunks(97) {
            decoder.push(piece);
            loop {
                match decoder.next_frame() {
                    Ok(Some(body)) => prop_assert!((1..=limit).contains(&body.len())),
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
            }
        }
    }
}

#[test]
fn every_reject_reason() {
    let reasons = [
        (1, RejectReason::Version),
        (2, RejectReason::Malformed),
        (3, RejectReason::NotAuthenticated),
        (4, RejectReason::Busy),
        (5, RejectReason::Closing),
    ];
    for (code, reason) in reasons {
        assert_eq!(reason.encode(), [0xff, code]);
        assert_eq!(S1::decode(&[0xff, code]), Ok(OrReject::Reject(reason)));
        assert_eq!(S3::decode(&[0xff, code]), Ok(OrReject::Reject(reason)));
    }
    for bad in [&[0xff][..], &[0xff, 0], &[0xff, 6], &[0xff, 1, 0]] {
        assert!(S1::decode(bad).is_err());
        assert!(S3::decode(bad).is_err());
    }
}
