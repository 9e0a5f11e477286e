//! What hostile connections do, again and again until the storm is over.

use std::sync::Arc;
use std::time::Duration;

use secchat_proto::crypto::entropy::{Entropy, OsEntropy};
use secchat_proto::crypto::kem::{EphemeralKey, Suite};
use secchat_proto::limits::MAX_FRAME_BYTES;
use secchat_proto::wire::frame::FrameDecoder;
use secchat_proto::wire::link::{ChatId, LinkMessage};
use secchat_proto::wire::login::{OrReject, Role, S1, S2};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Weather;
use crate::raw_link::{RawUser, connect, framed, next_frame};

/// What they do; strangers first.
pub(super) const KINDS: [&str; 11] = [
    "byte by byte",
    "a huge frame announced",
    "a forged proof",
    "connect and leave",
    "login, and nothing read",
    "requests without end",
    "Pings without end",
    "garbage after the login",
    "half a frame, held",
    "records for no pair",
    "lists without end, nothing read",
];
const STRANGERS: usize = 4;

/// Somebody who is not on the list; the user is whom it claims to be.
pub(super) async fn stranger(n: usize, victim: RawUser, weather: Arc<Weather>) {
    let kind = n % STRANGERS;
    let ephemeral = EphemeralKey::make(Suite::X25519MlKem768, None, &mut OsEntropy).expect("a key");
    let public_key = ephemeral.public_key().to_vec();
    while !weather.is_over() {
        weather.note(kind);
        let _ = tokio::time::timeout(ATTEMPT, attempt(kind, &victim, &public_key)).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(kind: usize, victim: &RawUser, public_key: &[u8]) -> Option<()> {
    let mut stream = connect(victim.relay, victim.from).await.ok()?;
    let mut decoder = FrameDecoder::new(MAX_FRAME_BYTES);
    match kind {
        0 => {
            stream.write_all(&[0x05, 0x00]).await.ok()?;
            loop {
                stream.write_all(&[0]).await.ok()?;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        1 => stream.write_all(&[&[0xff; 2][..], &[0; 4_000]].concat()).await.ok()?,
        2 => {
            let s1 = next_frame(&mut stream, &mut decoder).await?;
            let OrReject::Message(s1) = S1::decode(&s1).ok()? else { return None };
            let mut signature = vec![0; 64];
            OsEntropy.fill(&mut signature).ok()?;
            let s2 = S2 {
                role: Role::Receiver,
                nonce_relay: s1.nonce_relay,
                suite: Suite::X25519MlKem768,
                ephemeral_key: public_key.to_vec(),
                nonce_user: [7; 16],
                user_name: victim.name.clone(),
                delegation: None,
                signature,
            };
            stream.write_all(&framed(&s2.encode())).await.ok()?;
        }
        _ => return Some(()),
    }
    let mut rest = [0; 512];
    while stream.read(&mut rest).await.ok()? > 0 {}
    Some(())
}

/// Somebody who is on the list, and does what it should not.
pub(super) async fn user(n: usize, user: RawUser, weather: Arc<Weather>) {
    let kind = STRANGERS + n % (KINDS.len() - STRANGERS);
    while !weather.is_over() {
        weather.note(kind);
        let _ = misbehave(kind, &user, &weather).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn misbehave(kind: usize, user: &RawUser, weather: &Weather) -> Option<()> {
    let (mut speaker, mut listener) = user.login().await?;
    weather.note_login();
    let chat_id = ChatId::from_bytes([1; 16]).ok()?;
    let hearing = tokio::spawn(async move {
        // Some hear nothing: the kernel's buffers fill, then the relay's queue.
        if kind == 4 || kind == 10 {
            std::future::pending::<()>().await;
        }
        while listener.hear().await.is_some() {}
    });
    let done = async {
        match kind {
            4 => {
                speaker.say(&LinkMessage::Refresh { watch: true }).await?;
                std::future::pending::<()>().await;
            }
            5 => {
                for n in 0.. {
                    let name = format!("honest{}", n % 7).parse().ok()?;
                    let request = user.request(&name).encode();
                    speaker.say(&LinkMessage::Rtt { name, request }).await?;
                }
            }
            6 => loop {
                speaker.say(&LinkMessage::Ping([1; 8])).await?;
            },
            7 => {
                let mut garbage = [0; 300];
                OsEntropy.fill(&mut garbage).ok()?;
                speaker.socket.write_all(&framed(&garbage)).await.ok()?;
                // Until the relay has ended it.
                while speaker.socket.write_all(&[1]).await.is_ok() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            8 => {
                let frame = speaker.seal(&LinkMessage::Chat { chat_id, record: vec![0; 65_000] });
                speaker.socket.write_all(&frame[..frame.len() - 1]).await.ok()?;
                std::future::pending::<()>().await;
            }
            9 => loop {
                speaker.say(&LinkMessage::Chat { chat_id, record: vec![0; 200] }).await?;
            },
            _ => loop {
                speaker.say(&LinkMessage::Refresh { watch: true }).await?;
            },
        }
        Some(())
    };
    let done = done.await;
    hearing.abort();
    done
}

/// Between two attempts of one connection.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest attempt of a stranger; the relay ends it before.
const ATTEMPT: Duration = Duration::from_secs(30);
