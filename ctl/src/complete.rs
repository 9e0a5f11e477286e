//! Live names for the shell's completions: quick, silent, and empty when anything is amiss.

mod shells;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap_complete::engine::CompletionCandidate;
use secchat_ipc::paths::Paths;
use secchat_ipc::types::{
    ChatState, ChatSummary, Consumer, IncomingRequest, LockState, Peer, QueuedText, RequestState,
};
use secchat_ipc::{Client, Command, Reply, UserName};

pub(crate) use self::shells::SHELLS;
use crate::{harmless, time, view};

/// Who waits for an answer.
pub(crate) fn requesters() -> Vec<CompletionCandidate> {
    let Some([Reply::Requests { incoming, .. }]) = ask([Command::Requests]) else { return Vec::new() };
    let waits = |r: &&IncomingRequest| matches!(r.state, RequestState::Pending | RequestState::Later);
    let now = time::now();
    let help = |r: &IncomingRequest| {
        format!("asked {}, key {}", time::relative(r.received, now), view::trust_word(r.trust))
    };
    incoming.iter().filter(waits).map(|r| candidate(&r.peer, help(r))).collect()
}

/// Who has a chat, open ones first.
pub(crate) fn chatters() -> Vec<CompletionCandidate> {
    let Some([Reply::Chats(chats)]) = ask([Command::Chats]) else { return Vec::new() };
    by_openness(chats).iter().map(with_chat).collect()
}

/// To whom a text may go: who has a chat, open ones first, then whoever else is known, for `--request`.
pub(crate) fn addressees() -> Vec<CompletionCandidate> {
    let Some([Reply::Chats(chats), Reply::Peers(peers)]) = ask([Command::Chats, Command::Peers]) else {
        return Vec::new();
    };
    let has_chat = |peer: &&Peer| chats.iter().any(|chat| chat.peer == peer.peer);
    let others = peers.iter().filter(|peer| !has_chat(peer) && !peer.blocked).map(with_key);
    let chats = by_openness(chats.clone());
    chats.iter().map(with_chat).chain(others).collect()
}

/// Who is available.
pub(crate) fn available() -> Vec<CompletionCandidate> {
    let Some([Reply::Users(users)]) = ask([Command::List]) else { return Vec::new() };
    users.iter().map(|user| candidate(user, "available".to_owned())).collect()
}

/// Who may talk.
pub(crate) fn consented() -> Vec<CompletionCandidate> {
    let Some([Reply::Consents(consents)]) = ask([Command::Consents]) else { return Vec::new() };
    let now = time::now();
    let mut names = BTreeMap::new();
    for consent in &consents {
        names.entry(&consent.peer).or_insert_with(|| view::terms_for_people(consent.terms, now));
    }
    names.into_iter().map(|(peer, terms)| candidate(peer, terms)).collect()
}

/// Whose key is known, or whose policy is set.
pub(crate) fn peers() -> Vec<CompletionCandidate> {
    let Some([Reply::Peers(peers)]) = ask([Command::Peers]) else { return Vec::new() };
    peers.iter().map(with_key).collect()
}

/// Texts that can be taken back, and whom they are for.
pub(crate) fn outbox() -> Vec<CompletionCandidate> {
    let Some([Reply::Outbox(texts)]) = ask([Command::Outbox]) else { return Vec::new() };
    let waiting = || texts.iter().filter(|text| !text.is_sent);
    let peers: BTreeSet<&UserName> = waiting().map(|text| &text.peer).collect();
    let one = |text: &QueuedText| {
        let help = format!("for {}: {}", text.peer, harmless::line(&text.beginning));
        CompletionCandidate::new(text.id.to_string()).help(Some(help.into()))
    };
    let all = |peer: &UserName| candidate(peer, "all that is left".to_owned());
    waiting().map(one).chain(peers.into_iter().map(all)).collect()
}

/// Whose texts were kept.
pub(crate) fn kept() -> Vec<CompletionCandidate> {
    let Some([Reply::HistoryKept { peers, .. }, Reply::Peers(known)]) =
        ask([Command::HistoryKept, Command::Peers])
    else {
        return Vec::new();
    };
    let names: BTreeSet<&UserName> =
        peers.iter().map(|kept| &kept.peer).chain(known.iter().map(|known| &known.peer)).collect();
    names.into_iter().map(|name| CompletionCandidate::new(name.as_str())).collect()
}

/// Who reads the log of events.
pub(crate) fn consumers() -> Vec<CompletionCandidate> {
    let Some([Reply::Consumers(consumers)]) = ask([Command::Consumers]) else { return Vec::new() };
    let one =
        |it: &Consumer| CompletionCandidate::new(&it.name).help(Some(format!("{} wait", it.waiting).into()));
    consumers.iter().map(one).collect()
}

/// Known peers, and the policies themselves.
pub(crate) fn policy_words() -> Vec<CompletionCandidate> {
    let words = ["ask", "accept", "refuse", "refuse-quietly", "default"];
    peers().into_iter().chain(words.map(CompletionCandidate::new)).collect()
}

fn by_openness(mut chats: Vec<ChatSummary>) -> Vec<ChatSummary> {
    chats.sort_by_key(|chat| chat.state != ChatState::Open);
    chats
}

fn with_chat(chat: &ChatSummary) -> CompletionCandidate {
    candidate(&chat.peer, format!("chat {}, {} unread", view::chat_word(chat.state), chat.unread))
}

fn with_key(peer: &Peer) -> CompletionCandidate {
    candidate(&peer.peer, format!("key {}", view::trust_word(peer.trust)))
}

fn candidate(name: &UserName, help: String) -> CompletionCandidate {
    CompletionCandidate::new(name.as_str()).help(Some(help.into()))
}

/// Questions to the daemon, over one connection. The shell waits for the answers, and never sees an error; a locked
/// daemon's people are nobody's business.
fn ask<const N: usize>(commands: [Command; N]) -> Option<[Reply; N]> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let paths = Paths::from_environment(profile_on_the_line().as_deref()).ok()?;
    runtime.block_on(async {
        let answers = async {
            let mut client = Client::connect(&paths, "secchatctl").await.ok()?;
            let Reply::Status(status) = client.call(Command::Status, PATIENCE).await.ok()? else {
                return None;
            };
            if status.lock == LockState::Locked {
                return None;
            }
            let mut answers = Vec::with_capacity(N);
            for command in commands {
                answers.push(client.call(command, PATIENCE).await.ok()?);
            }
            answers.try_into().ok()
        };
        tokio::time::timeout(PATIENCE, answers).await.ok().flatten()
    })
}

/// `--profile` as typed so far: clap does not show it to a completer.
fn profile_on_the_line() -> Option<String> {
    profile_among(std::env::args().skip(1))
}

fn profile_among(mut words: impl Iterator<Item = String>) -> Option<String> {
    while let Some(word) = words.next() {
        if word == "--profile" {
            return words.next();
        }
        if let Some(name) = word.strip_prefix("--profile=") {
            return Some(name.to_owned());
        }
    }
    None
}

/// How long a shell waits for names: a person does not notice it. A build for tests, which is slow, and often runs where much
/// else does, has more time.
const PATIENCE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_found_on_the_line() {
        let among = |line: &str| profile_among(line.split(' ').map(str::to_owned));
        assert_eq!(among("-- secchatctl --profile bob accept "), Some("bob".to_owned()));
        assert_eq!(among("-- secchatctl accept --profile=bob "), Some("bob".to_owned()));
        assert_eq!(among("-- secchatctl accept "), None);
    }
}
