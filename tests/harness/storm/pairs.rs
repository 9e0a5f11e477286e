//! Honest pairs, who count what they send and what they get.

use std::time::{Duration, Instant};

use secchat_proto::wire::link::{Answer, ChatId, LinkMessage};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::deadline::DEADLINE;
use crate::raw_link::{RawListener, RawSpeaker, RawUser};

/// Two who chat.
#[derive(Debug)]
pub(super) struct Pair {
    chat_id: ChatId,
    ends: [(RawSpeaker, RawListener); 2],
    epoch: Instant,
}

/// How long messages took.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time within which so many of 1,000 arrived.
    #[must_use]
    pub fn permille(&self, permille: usize) -> Duration {
        let mut times = self.0.clone();
        times.sort_unstable();
        times.get(times.len().saturating_sub(1) * permille / 1_000).copied().unwrap_or_default()
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// Logs them in, and pairs each with the next.
pub(super) async fn connect(users: &[RawUser]) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for two in users.chunks(2) {
        let [one, other] = two else { panic!("an odd number") };
        pairs.push(timeout(DEADLINE, pair(one, other)).await.expect("a pair in time").expect("a pair"));
    }
    pairs
}

async fn pair(one: &RawUser, other: &RawUser) -> Option<Pair> {
    let (mut a, mut b) = (one.login().await?, other.login().await?);
    let request = one.request(&other.name);
    let chat_id = request.chat_id;
    a.0.say(&LinkMessage::Rtt { name: other.name.clone(), request: request.encode() }).await?;
    while !matches!(b.1.hear().await?, LinkMessage::Rtt { .. }) {}
    let accept = LinkMessage::Response { answer: Answer::Accept, name: one.name.clone(), chat_id };
    b.0.say(&accept).await?;
    while !matches!(a.1.hear().await?, LinkMessage::Response { .. }) {}
    while !matches!(b.1.hear().await?, LinkMessage::Resume { .. }) {}
    Some(Pair { chat_id, ends: [a, b], epoch: Instant::now() })
}

/// Lets all of them chat for a time; every message must arrive, in order.
pub(super) async fn chat(pairs: Vec<Pair>, time: Duration, pause: Duration) -> (Vec<Pair>, Latencies) {
    let mut tasks = JoinSet::new();
    let messages = (time.as_nanos() / pause.as_nanos()).max(1);
    let messages = u64::try_from(messages).expect("few");
    for pair in pairs {
        tasks.spawn(chat_of(pair, messages, pause));
    }
    let (mut pairs, mut all) = (Vec::new(), Latencies::default());
    while let Some(done) = tasks.join_next().await {
        let (pair, times) = done.expect("a pair that has lost nothing");
        pairs.push(pair);
        all = all.and(times);
    }
    (pairs, all)
}

async fn chat_of(pair: Pair, messages: u64, pause: Duration) -> (Pair, Latencies) {
    let Pair { chat_id, ends: [mut a, mut b], epoch } = pair;
    let what = (chat_id, messages, epoch);
    let (to_a, to_b) = tokio::join!(end(&mut a, what, pause), end(&mut b, what, pause));
    (Pair { chat_id, ends: [a, b], epoch }, to_b.and(to_a))
}

type What = (ChatId, u64, Instant);

/// One end: says its messages, and hears the other's.
async fn end((speaker, listener): &mut (RawSpeaker, RawListener), what: What, pause: Duration) -> Latencies {
    let (pings, to_answer) = mpsc::channel(4);
    tokio::join!(say(speaker, what, pause, to_answer), hear(listener, pings, what)).1
}

/// Says all messages, and answers Pings until all have been heard.
async fn say(
    speaker: &mut RawSpeaker,
    (chat_id, messages, epoch): What,
    pause: Duration,
    mut pings: mpsc::Receiver<[u8; 8]>,
) {
    let mut every = interval(pause);
    let (mut number, mut is_heard) = (0_u64, false);
    loop {
        let message = tokio::select! {
            _ = every.tick(), if number < messages => {
                let sent = u64::try_from(epoch.elapsed().as_nanos()).expect("an hour");
                let mut record = [number.to_be_bytes(), sent.to_be_bytes()].concat();
                record.resize(RECORD_BYTES, 0);
                number += 1;
                LinkMessage::Chat { chat_id, record }
            }
            ping = pings.recv(), if !is_heard => match ping {
                Some(x) => LinkMessage::Pong(x),
                None => {
                    is_heard = true;
                    continue;
                }
            },
            else => return,
        };
        speaker.say(&message).await.expect("the link lives");
    }
}

async fn hear(
    listener: &mut RawListener,
    pings: mpsc::Sender<[u8; 8]>,
    (chat_id, messages, epoch): What,
) -> Latencies {
    let mut times = Vec::new();
    let mut next = 0_u64;
    while next < messages {
        let heard = timeout(DEADLINE, listener.hear()).await.expect("a message in time");
        match heard.expect("the link lives") {
            LinkMessage::Chat { chat_id: of, record } => {
                assert_eq!(of, chat_id);
                let number = |at: usize| u64::from_be_bytes(record[at..at + 8].try_into().expect("8 bytes"));
                assert_eq!(number(0), next, "nothing is lost, twice or out of order");
                next += 1;
                times.push(epoch.elapsed().saturating_sub(Duration::from_nanos(number(8))));
            }
            LinkMessage::Ping(x) => pings.send(x).await.expect("who says it"),
            // Others are being asked for by strangers to them.
            LinkMessage::PeerKey { .. }
            | LinkMessage::Rtt { .. }
            | LinkMessage::Response { .. }
            | LinkMessage::AvailableUsers { .. }
            | LinkMessage::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
    Latencies(times)
}

/// A short text's record.
const RECORD_BYTES: usize = 300;
