//! What was on disk, put back: with the first unlock, before the login.

use std::collections::BTreeMap;

use secchat_ipc::Event;
use secchat_ipc::types::Message;
use secchat_proto::UserName;
use secchat_proto::chat::{Chat, SavedChat};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::ChatId;
use secchat_proto::wire::request::RequestToTalk;

use super::Core;
use super::asking::Asked;
use super::chats::Talk;
use super::record::{Record, RecordKey, Restored, SavedConsumer, SavedQueued};
use super::requests::Incoming;

/// Records by what they belong to.
#[derive(Default)]
struct Sorted {
    requests: Vec<Incoming>,
    asked: Vec<(UserName, RequestToTalk)>,
    chats: BTreeMap<ChatId, SavedChat>,
    sent: BTreeMap<ChatId, BTreeMap<u64, String>>,
    unread: Vec<(ChatId, Message)>,
    queued: Vec<SavedQueued>,
    last_queued: u64,
    consumers: Vec<SavedConsumer>,
    log: Vec<(u64, Event)>,
}

impl<E: Entropy> Core<E> {
    /// Takes up what an earlier daemon left on disk. Chats resume after the login.
    pub(super) fn restore(&mut self, restored: Restored) {
        self.is_restored = true;
        let has_history = restored.has_history;
        for notice in restored.notices {
            self.warn("state_notice", None, notice.clone());
            self.notices.push(notice);
        }
        let Sorted { requests, asked, chats, mut sent, unread, queued, last_queued, consumers, log } =
            self.sort(restored.records);
        self.restore_consumers(consumers, log);
        self.consumers.is_replaying = true;
        for incoming in requests {
            self.restore_request(incoming);
        }
        for (peer, request) in asked {
            self.next_expiry = self.next_expiry.min(request.expires);
            self.view.touch_asked(&peer);
            self.asked.insert(peer, Asked { request, peer_away: false, standing: true });
        }
        for (chat_id, mut saved) in chats {
            let held = unread.iter().filter(|(id, _)| *id == chat_id).map(|(_, message)| message.id).max();
            saved.held = saved.held.max(held.unwrap_or(0));
            self.restore_chat(chat_id, saved, sent.remove(&chat_id).unwrap_or_default());
        }
        // Texts of chats that are no more: the chat's end was written, they were not yet deleted.
        for (chat_id, texts) in sent {
            texts.into_keys().for_each(|id| self.touch_lazily(RecordKey::Sent(chat_id, id)));
        }
        for message in by_arrival(unread) {
            self.inbox_bytes = self.inbox_bytes.saturating_add(message.text.len());
            self.event(Event::MessageReceived(message));
        }
        self.publish();
        self.consumers.is_replaying = false;
        self.restore_queued(queued, last_queued);
        if has_history {
            self.look_again_tomorrow();
        }
    }

    fn sort(&mut self, records: Vec<Record>) -> Sorted {
        let mut sorted = Sorted::default();
        for record in records {
            match record {
                Record::Settings(settings) => self.known.settings = settings,
                Record::Peer(peer, saved) => {
                    self.known.peers.insert(peer, saved);
                }
                Record::Stale(peer, newest) => {
                    self.known.stale.insert(peer, newest);
                }
                Record::Request(saved) => sorted.requests.push(Incoming::from_saved(*saved)),
                Record::Asked(peer, request) => sorted.asked.push((peer, request)),
                Record::Chat(saved) => {
                    sorted.chats.insert(saved.context.request.chat_id, *saved);
                }
                Record::Sent(chat_id, id, text) => {
                    sorted.sent.entry(chat_id).or_default().insert(id, text);
                }
                Record::Unread(chat_id, message) => sorted.unread.push((chat_id, message)),
                Record::Quiet(saved) => self.restore_quiet(saved),
                Record::Consent(peer, consent) => {
                    self.next_expiry = self.next_expiry.min(consent.terms.until);
                    self.consents.insert(peer, consent);
                }
                Record::Queued(queued) => sorted.queued.push(*queued),
                Record::LastQueued(id) => sorted.last_queued = id,
                Record::Consumer(consumer) => sorted.consumers.push(consumer),
                Record::Event(number, event) => sorted.log.push((number, event)),
                Record::Keep(peer, days) => self.history.restore_keep(peer, days),
                // The owner of the history has it.
                Record::Kept(_) => {}
            }
        }
        sorted
    }

    fn restore_request(&mut self, incoming: Incoming) {
        let chat_id = incoming.request.chat_id;
        if incoming.request.expires <= self.time.unix {
            return self.touch_lazily(RecordKey::Request(chat_id));
        }
        self.next_expiry = self.next_expiry.min(incoming.request.expires);
        self.requests.insert(chat_id, incoming);
        self.view.touch_request(chat_id);
    }

    fn restore_chat(&mut self, chat_id: ChatId, saved: SavedChat, texts: BTreeMap<u64, String>) {
        let (is_told, is_closing) = (saved.end.is_told, saved.end.own.is_some());
        let (last, acknowledged) = (saved.last_sent, saved.acknowledged);
        let env = self.session.env(self.time, &mut self.entropy);
        let chat = Chat::restore(saved, texts, self.settings.peer_suites.clone(), &env);
        let mut talk = Talk::new(chat.peer().clone(), chat);
        talk.closing = is_closing;
        talk.is_over = is_told;
        talk.held.restore(&talk.chat, last, acknowledged);
        self.chats.insert(chat_id, talk);
        self.view.touch_chat(chat_id);
    }
}

/// Texts in the order in which they came: by time, but within a chat by number, whatever the clock did meanwhile.
fn by_arrival(mut unread: Vec<(ChatId, Message)>) -> Vec<Message> {
    unread.sort_by_key(|(chat_id, message)| (*chat_id, message.id));
    let mut before = None;
    let mut placed: Vec<(u64, Message)> = Vec::with_capacity(unread.len());
    for (chat_id, message) in unread {
        let earlier = before.filter(|(chat, _)| *chat == chat_id).map_or(0, |(_, at)| at);
        let at = message.received.max(earlier);
        before = Some((chat_id, at));
        placed.push((at, message));
    }
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, message)| message).collect()
}
