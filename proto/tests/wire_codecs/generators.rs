//! Any message of the wire, as a peer that keeps the rules may send it.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use secchat_proto::UserName;
use secchat_proto::crypto::kem::Suite;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::limits::{MAX_REQUEST_LIFETIME_SECONDS, MAX_TEXT_BYTES};
use secchat_proto::wire::chat_record::{ChatMessage, EndReason};
use secchat_proto::wire::key_establishment::{M1, M2, M3};
use secchat_proto::wire::link::{
    Answer, BadReason, ChatId, Direction, LinkMessage, ListPart, LogoutReason, Step,
};
use secchat_proto::wire::login::{Delegation, Role, S1, S2, S3};
use secchat_proto::wire::request::{RequestToTalk, Terms};

pub(crate) fn user_name() -> impl Strategy<Value = UserName> {
    "[a-z0-9][a-z0-9._-]{0,31}".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn chat_id() -> impl Strategy<Value = ChatId> {
    any::<[u8; 16]>().prop_filter_map("zeros", |bytes| ChatId::from_bytes(bytes).ok())
}

pub(crate) fn suites() -> impl Strategy<Value = Vec<Suite>> {
    subsequence(vec![Suite::Rsa3072, Suite::X25519MlKem768], 0..=2).prop_shuffle()
}

pub(crate) fn suite() -> impl Strategy<Value = Suite> {
    select(vec![Suite::Rsa3072, Suite::X25519MlKem768])
}

pub(crate) fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Receiver, Role::Sender])
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    select(vec![Step::M1, Step::M2, Step::M3])
}

pub(crate) fn terms() -> impl Strategy<Value = Terms> {
    (any::<u64>(), any::<u16>()).prop_map(|(until, history_days)| Terms { until, history_days })
}

pub(crate) fn signature() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=512)
}

pub(crate) fn token<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    proptest::array::uniform(any::<u8>())
}

pub(crate) fn opaque() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..100)
}

pub(crate) fn request() -> impl Strategy<Value = RequestToTalk> {
    let times = (0..u64::MAX - MAX_REQUEST_LIFETIME_SECONDS, 0..=MAX_REQUEST_LIFETIME_SECONDS);
    (chat_id(), times, any::<u64>(), any::<u16>(), signature()).prop_map(
        |(chat_id, (issued, lifetime), until, history_days, signature)| RequestToTalk {
            chat_id,
            issued,
            expires: issued + lifetime,
            terms: Terms { until: until.max(issued + 1), history_days },
            signature,
        },
    )
}

pub(crate) fn s1() -> impl Strategy<Value = S1> {
    (token(), suites(), opaque(), opaque()).prop_map(|(nonce_relay, suites, certificate, crl)| S1 {
        nonce_relay,
        suites,
        certificate,
        crl,
    })
}

/// Any 32 bytes are an Ed25519 key as far as its encoding goes.
fn delegation() -> impl Strategy<Value = Delegation> {
    (token::<32>(), any::<u64>(), signature()).prop_map(|(raw, not_after, signature)| {
        let spki =
            [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &raw].concat();
        Delegation { delegate: PublicKey::from_der(&spki).unwrap(), not_after, signature }
    })
}

pub(crate) fn s2() -> impl Strategy<Value = S2> {
    let delegation = proptest::option::of(delegation());
    (role(), token(), suite(), opaque(), token(), user_name(), delegation, signature()).prop_map(
        |(role, nonce_relay, suite, ephemeral_key, nonce_user, user_name, delegation, signature)| S2 {
            role,
            nonce_relay,
            suite,
            ephemeral_key,
            nonce_user,
            user_name,
            delegation,
            signature,
        },
    )
}

pub(crate) fn s3() -> impl Strategy<Value = S3> {
    (token(), opaque(), signature()).prop_map(|(nonce_user, sealed, signature)| S3 {
        nonce_user,
        sealed,
        signature,
    })
}

pub(crate) fn m1() -> impl Strategy<Value = M1> {
    (token(), chat_id(), suites()).prop_map(|(nonce_sender, chat_id, suites)| M1 {
        nonce_sender,
        chat_id,
        suites,
    })
}

pub(crate) fn m2() -> impl Strategy<Value = M2> {
    (token(), suite(), opaque(), token(), terms(), any::<bool>(), signature()).prop_map(
        |(nonce_sender, suite, ephemeral_key, nonce_receiver, terms, fresh, signature)| M2 {
            nonce_sender,
            suite,
            ephemeral_key,
            nonce_receiver,
            terms,
            fresh,
            signature,
        },
    )
}

pub(crate) fn m3() -> impl Strategy<Value = M3> {
    (token(), opaque(), signature()).prop_map(|(nonce_receiver, sealed, signature)| M3 {
        nonce_receiver,
        sealed,
        signature,
    })
}

/// A link message, and who may send it.
pub(crate) fn link_message() -> impl Strategy<Value = (LinkMessage, Vec<Direction>)> {
    let either = || vec![Direction::FromClient, Direction::FromRelay];
    let relay = || vec![Direction::FromRelay];
    let client = || vec![Direction::FromClient];
    let part = select(vec![ListPart::More, ListPart::Last, ListPart::Came, ListPart::Went]);
    let answer = select(vec![Answer::Refuse, Answer::Accept, Answer::Withdraw]);
    let bad = select(vec![BadReason::NotAvailable, BadReason::Limit]);
    let logout = select(vec![
        LogoutReason::User,
        LogoutReason::Closing,
        LogoutReason::Replaced,
        LogoutReason::Removed,
        LogoutReason::TooSlow,
    ]);
    prop_oneof![
        (part, btree_set(user_name(), 0..20)).prop_map(move |(part, names)| {
            (LinkMessage::AvailableUsers { part, names: names.into_iter().collect() }, relay())
        }),
        any::<bool>().prop_map(move |watch| (LinkMessage::Refresh { watch }, client())),
        role().prop_map(move |role| (LinkMessage::Presence { role }, client())),
        (user_name(), opaque())
            .prop_map(move |(name, request)| (LinkMessage::Rtt { name, request }, either())),
        (user_name(), opaque())
            .prop_map(move |(name, public_key)| (LinkMessage::PeerKey { name, public_key }, relay())),
        (answer, user_name(), chat_id()).prop_map(move |(answer, name, chat_id)| {
            (LinkMessage::Response { answer, name, chat_id }, either())
        }),
        (user_name(), chat_id())
            .prop_map(move |(name, chat_id)| (LinkMessage::Resume { name, chat_id }, either())),
        (chat_id(), step(), opaque()).prop_map(move |(chat_id, step, body)| {
            (LinkMessage::KeyEstablishment { chat_id, step, body }, either())
        }),
        (chat_id(), opaque())
            .prop_map(move |(chat_id, record)| (LinkMessage::Chat { chat_id, record }, either())),
        chat_id().prop_map(move |chat_id| (LinkMessage::ReturnToLobby { chat_id }, either())),
        (bad, user_name(), chat_id()).prop_map(move |(reason, name, chat_id)| {
            (LinkMessage::BadResponse { reason, name, chat_id }, relay())
        }),
        (user_name(), chat_id())
            .prop_map(move |(name, chat_id)| (LinkMessage::Acknowledgment { name, chat_id }, client())),
        token().prop_map(move |token| (LinkMessage::Ping(token), either())),
        token().prop_map(move |token| (LinkMessage::Pong(token), either())),
        logout.prop_map(move |reason| (LinkMessage::Logout(reason), either())),
    ]
}

pub(crate) fn chat_message() -> impl Strategy<Value = ChatMessage> {
    let end = select(vec![EndReason::Person, EndReason::Until, EndReason::RestoredCopy, EndReason::Answer]);
    prop_oneof![
        Just(ChatMessage::Nothing),
        (1..=u64::MAX, "\\PC{0,400}").prop_map(|(id, text)| ChatMessage::Text { id, text }),
        (1..=u64::MAX, 0..=MAX_TEXT_BYTES)
            .prop_map(|(id, bytes)| ChatMessage::Text { id, text: "x".repeat(bytes) }),
        any::<u64>().prop_map(|id| ChatMessage::Delivered { id }),
        (any::<u64>(), end).prop_map(|(id, reason)| ChatMessage::End { id, reason }),
        (step(), vec(any::<u8>(), 0..2_000))
            .prop_map(|(step, body)| ChatMessage::KeyEstablishment { step, body }),
        (any::<u64>(), any::<u64>()).prop_map(|(sent, held)| ChatMessage::State { sent, held }),
    ]
}
