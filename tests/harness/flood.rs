//! Many texts through one chat, as fast as the window allows.

use std::time::Duration;

use secchat_ipc::client::Incoming;
use secchat_ipc::{Command, Event, Reply, UserName};

use crate::deadline::within;
use crate::frontend::Frontend;

/// Texts under way at once: below PROTOCOL.md §5's 32, so that the daemon never has to make the sender wait.
const AT_ONCE: u64 = 24;

/// Texts after which the receiver says that it has read them: the inbox is bounded.
const READ_AFTER: u64 = 100;

/// Sends texts number `first` to `last` of a chat to `peer`, and insists that all arrive, in order, once, and are
/// acknowledged.
///
/// # Panics
/// When one is not delivered, or comes out of its place.
pub async fn flood(
    sending: &mut Frontend,
    receiving: &mut Frontend,
    peer: &UserName,
    (first, last): (u64, u64),
) {
    tokio::join!(send(sending, peer, (first, last)), receive(receiving, (first, last)));
}

async fn send(sending: &mut Frontend, peer: &UserName, (first, last): (u64, u64)) {
    let client = sending.client();
    let (mut next, mut under_way) = (first, 0);
    while next <= last || under_way > 0 {
        while next <= last && under_way < AT_ONCE {
            let command = Command::Send { peer: peer.clone(), text: format!("text {next}") };
            client.send(command, Duration::ZERO).expect("queued");
            next += 1;
            under_way += 1;
        }
        if let Incoming::Reply { result, .. } = within("a reply", client.next()).await.expect("reply") {
            assert!(matches!(result, Ok(Reply::Delivered { .. })), "{result:?}");
            under_way -= 1;
        }
    }
}

async fn receive(receiving: &mut Frontend, (first, last): (u64, u64)) {
    for expected in first..=last {
        let message = receiving
            .find(|event| if let Event::MessageReceived(message) = event { Some(message) } else { None })
            .await;
        assert_eq!((message.id, message.text), (expected, format!("text {expected}")));
        if expected % READ_AFTER == 0 || expected == last {
            let read = Command::MarkRead { chat_id: message.chat_id, up_to: message.id };
            receiving.call(read).await.expect("read");
        }
    }
}
