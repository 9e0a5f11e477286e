//! What really happened, against which every daemon's view is held.

use std::collections::{BTreeMap, BTreeSet};

use secchat_ipc::types::{ChatId as IpcChatId, Message};
use secchat_ipc::{Command, CommandError, Reply};
use secchat_proto::UserName;
use secchat_proto::wire::link::{Answer, ChatId, LinkMessage};
use secchat_proto::wire::request::{RequestToTalk, Terms};

/// A text that somebody wanted sent.
#[derive(Debug)]
pub struct Sent {
    pub from: UserName,
    pub to: UserName,
    /// Its receiver's daemon said that it holds it, by its sender's.
    pub is_delivered: bool,
    /// Its receiver read it.
    pub is_received: bool,
    /// Its sender's daemon said that it was taken back, or too late: nobody may get it.
    pub is_taken_back: bool,
}

/// A text that a daemon said it keeps for somebody who is away.
#[derive(Debug)]
pub struct Left {
    pub words: String,
    /// Its daemon told what became of it.
    pub has_ended: bool,
    /// It is in the outbox at the end.
    pub is_there: bool,
}

/// Everything that daemons themselves said and did.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Who asked whom, on which terms; by the asker's own daemon.
    pub asked: BTreeMap<ChatId, (UserName, UserName, Terms)>,
    /// Who accepted; by its own daemon.
    pub granted: BTreeMap<ChatId, UserName>,
    /// Consents to further chats, by who gave them to whom: the command that did.
    standing: BTreeMap<(UserName, String), u64>,
    /// Texts by their words, each used once.
    pub texts: BTreeMap<String, Sent>,
    /// The last text of a chat that a daemon has shown.
    last: BTreeMap<(UserName, IpcChatId), u64>,
    /// When that text was written, in the order of all texts.
    order: BTreeMap<(UserName, IpcChatId), u64>,
    /// Texts that wait for who is away, by whose daemon keeps them and their numbers there.
    pub left: BTreeMap<(UserName, u64), Left>,
    /// Counters of records, by who sealed them.
    counters: BTreeSet<(UserName, ChatId, Vec<u8>)>,
    /// Accepts by such a consent.
    pub reopened: u64,
    pub opened: u64,
    pub delivered: u64,
    /// Events that programs heard.
    pub heard: u64,
}

impl Ledger {
    /// A daemon sends.
    pub fn note_sent(&mut self, from: &UserName, message: &LinkMessage) {
        match message {
            LinkMessage::Rtt { name, request } => {
                let request = RequestToTalk::decode(request).expect("a daemon makes good requests");
                self.asked.insert(request.chat_id, (from.clone(), name.clone(), request.terms));
            }
            LinkMessage::Response { answer: Answer::Accept, name, chat_id } => {
                // At first contact a relay can have a request of its own accepted; its chat must never open.
                if let Some((asker, addressee, _)) = self.asked.get(chat_id) {
                    assert_eq!((asker, addressee), (name, from), "accepted another's request");
                    self.granted.insert(*chat_id, from.clone());
                }
            }
            LinkMessage::Chat { chat_id, record } => {
                let counter = record[..12].to_vec();
                let is_new = self.counters.insert((from.clone(), *chat_id, counter));
                assert!(is_new, "{from} used a counter twice in chat {chat_id:?}");
            }
            _ => {}
        }
    }

    /// A person gives a consent to further chats, perhaps.
    pub fn note_command(&mut self, user: &UserName, id: u64, command: &Command) {
        if let Command::AcceptStanding { peer, .. } = command {
            self.standing.insert((user.clone(), peer.as_str().to_owned()), id);
        }
    }

    /// Who has given this one such a consent.
    pub fn who_lets_in(&self, user: &UserName) -> Vec<String> {
        let given = self.standing.keys().filter(|(_, to)| to == user.as_str());
        given.map(|(from, _)| from.as_str().to_owned()).collect()
    }

    /// A consent is taken back once that is on disk, whatever crashes then.
    pub fn note_answer(
        &mut self,
        user: &UserName,
        id: u64,
        command: &Command,
        result: &Result<Reply, CommandError>,
    ) {
        if let (Command::Revoke { peer }, Ok(Reply::Done)) = (command, result) {
            self.standing
                .retain(|(from, to), given| (from, to.as_str()) != (user, peer.as_str()) || *given > id);
        }
    }

    /// Nothing is accepted by a consent that was not given, or was taken back.
    pub fn note_let_in(&mut self, user: &UserName, peer: &UserName) {
        let stands = self.standing.contains_key(&(user.clone(), peer.as_str().to_owned()));
        assert!(stands, "{user} let {peer} in by a consent that does not stand");
        self.reopened += 1;
    }

    /// Both wanted the chat: one asked, the other, asked, granted.
    pub fn check_consent(&self, user: &UserName, peer: &str, chat_id: IpcChatId) -> &Terms {
        let chat_id = ChatId::from_bytes(chat_id.0).unwrap();
        let (asker, addressee, terms) = self.asked.get(&chat_id).expect("a chat that nobody asked for");
        let grantor = self.granted.get(&chat_id).expect("a chat that nobody accepted");
        assert_eq!(grantor, addressee, "accepted by somebody else");
        let both = [asker.as_str(), addressee.as_str()];
        assert!(
            both.contains(&user.as_str()) && both.contains(&peer) && user.as_str() != peer,
            "{both:?} {user} {peer}"
        );
        terms
    }

    /// A daemon shows a text: of who it says, once, in order.
    pub fn note_received(&mut self, user: &UserName, message: &Message) {
        self.check_consent(user, message.peer.as_str(), message.chat_id);
        let sent = self.texts.get_mut(&message.text).expect("a text that nobody wrote");
        assert_eq!((sent.from.as_str(), &sent.to), (message.peer.as_str(), user), "somebody else's text");
        assert!(!sent.is_received, "{user} got a text twice: {message:?}");
        assert!(!sent.is_taken_back, "{user} got a text that was taken back: {message:?}");
        sent.is_received = true;
        let last = self.last.entry((user.clone(), message.chat_id)).or_default();
        assert_eq!(message.id, *last + 1, "{user}: texts out of order");
        *last = message.id;
        let order = self.order.entry((user.clone(), message.chat_id)).or_default();
        let written = number(&message.text);
        assert!(*order <= written, "{user}: a text overtook one that was sent before: {message:?}");
        *order = written;
    }

    /// A daemon tells what became of texts that were left: `Outcome [ids]`.
    pub fn note_ended(&mut self, user: &UserName, detail: &str) {
        let (outcome, ids) = detail.split_once(" [").expect("an outcome and numbers");
        for id in ids.trim_end_matches(']').split(", ") {
            let id: u64 = id.parse().expect("a number");
            // Nobody was told of its number, if its daemon died too soon.
            let Some(left) = self.left.get_mut(&(user.clone(), id)) else { continue };
            left.has_ended = true;
            if outcome == "Delivered" {
                self.texts.get_mut(&left.words).expect("a text").is_delivered = true;
                self.delivered += 1;
            }
        }
    }

    /// A daemon died after it had handed out this text, and before it had put on disk that it did: it will be read
    /// again.
    pub fn note_unread(&mut self, user: &UserName, message: &Message) {
        if let Some(sent) = self.texts.get_mut(&message.text).filter(|sent| sent.is_received) {
            sent.is_received = false;
            let last = self.last.entry((user.clone(), message.chat_id)).or_default();
            *last = (*last).min(message.id - 1);
            let order = self.order.entry((user.clone(), message.chat_id)).or_default();
            *order = (*order).min(number(&message.text));
        }
    }
}

/// A text's place among all texts: what it begins with.
pub fn number(words: &str) -> u64 {
    words.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}
