//! What a login costs the relay, beside what its primitives cost in the same minute on the same machine.

use std::net::Ipv4Addr;
use std::sync::Arc;

use openssl::pkey::PKey;
use secchat_e2e::raw_link::{RawUser, anchors};
use secchat_e2e::{Pki, TestRelay};
use secchat_proto::crypto::entropy::{Entropy, OsEntropy};
use secchat_proto::crypto::kdf::extract;
use secchat_proto::crypto::kem::{EphemeralKey, Suite, encapsulate};
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::record::{Session, Speaker};
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::link::{LinkMessage, LogoutReason};

/// Rounds of logins and primitives in turn, so that a change of clock speed meets both; their median counts.
const ROUNDS: usize = 7;
/// Users who log in at the same time, as after the relay was restarted: one who comes alone costs more, since a thread
/// has to be woken for each step.
const USERS: u32 = 32;
/// Logins of each user in a round, one after the other.
const LOGINS_EACH: u32 = 25;
const LOGINS: u32 = LOGINS_EACH * USERS;
/// Bytes of S1, S2 and S3, which are hashed.
const TRANSCRIPT_BYTES: [usize; 3] = [900, 1_350, 1_230];

/// Measures a login over suite 2 with Ed25519 keys, from accept to Logout.
pub async fn logins() {
    let pki = Pki::new();
    let keys: Vec<_> = (0..USERS)
        .map(|number| (format!("user{number}"), PKey::generate_ed25519().expect("a key")))
        .collect();
    pki.write_user_list(keys.iter().map(|(name, key)| (name.as_str(), key)));
    // All come from one address, as fast as they can.
    pki.write_config("[limits]\nlogin_burst = 1000000\nlogin_burst_per_address = 1000000\n");
    let relay = TestRelay::start(&pki).await;
    let anchors = anchors(&pki);
    let client = |(name, key): (String, _)| {
        let name = name.parse().expect("a name");
        let key = SigningKey::from_pkey(key).expect("a permitted key");
        Arc::new(RawUser {
            relay: relay.address,
            anchors: anchors.clone(),
            name,
            key,
            from: Ipv4Addr::LOCALHOST,
        })
    };
    let clients: Vec<_> = keys.into_iter().map(client).collect();
    log_in_and_out(&clients[0]).await;
    let pid = relay.process().pid().to_string();
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = ticks(&pid);
        log_in(&clients).await;
        rounds.push((microseconds(ticks(&pid) - before), primitives()));
    }
    rounds.sort_unstable_by(|(a, b), (c, d)| (a / b).total_cmp(&(c / d)));
    let (login, primitives) = rounds[ROUNDS / 2];
    println!(
        "| CPU of a login at the relay, suite 2 | {login:.0} µs; its primitives {primitives:.0} µs; {:.2} × |",
        login / primitives
    );
}

async fn log_in(clients: &[Arc<RawUser>]) {
    let running: Vec<_> = clients
        .iter()
        .map(|client| {
            let client = Arc::clone(client);
            tokio::spawn(async move {
                for _ in 0..LOGINS_EACH {
                    log_in_and_out(&client).await;
                }
            })
        })
        .collect();
    for client in running {
        client.await.expect("logins");
    }
}

/// Of one login: measured with every processor at work, as they are while people log in, since two that share a core
/// slow each other.
fn primitives() -> f64 {
    let threads = u32::try_from(std::thread::available_parallelism().map_or(1, usize::from)).unwrap_or(1);
    let before = ticks("self");
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| do_primitives(LOGINS / threads));
        }
    });
    microseconds(ticks("self") - before)
}

/// Does `count` times what a login needs: nonce, hashes, verification, encapsulation, signature, keys, opening the
/// first record, sealing its answer, opening the Logout.
fn do_primitives(count: u32) {
    let mut entropy = OsEntropy;
    let key = SigningKey::generate_ed25519(&mut entropy).expect("a key");
    let ephemeral = EphemeralKey::make(Suite::X25519MlKem768, None, &mut entropy).expect("a key");
    let bytes = TRANSCRIPT_BYTES.map(|length| vec![7; length]);
    let parts = [&*bytes[0], &*bytes[1], &*bytes[2]];
    let hash = transcript_hash(&parts);
    let signature = key.sign("secchat 1 S2", &hash).expect("a signature");
    let prk = extract(&hash, &[&hash]).expect("a key");
    let (mut refresh, mut logout) = (Vec::new(), Vec::new());
    let mut client = Session::derive(&prk, Speaker::Client).expect("keys").sealer;
    client.seal(&[10, 0], &mut refresh).expect("a record");
    client.seal(&[8, 0], &mut logout).expect("a record");
    let (mut plaintext, mut answer) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce).expect("randomness");
        // For the client's signature, for the relay's, and for the keys.
        let hashes = [&parts[..2], &parts[..], &parts[..]].map(transcript_hash);
        assert!(key.public_key().verifies("secchat 1 S2", &hash, &signature));
        encapsulate(Suite::X25519MlKem768, ephemeral.public_key(), &mut entropy).expect("a secret");
        key.sign("secchat 1 S3", &hashes[1]).expect("a signature");
        let prk = extract(&hash, &[&hashes[2]]).expect("a key");
        let mut session = Session::derive(&prk, Speaker::Relay).expect("keys");
        session.opener.open(&refresh, &mut plaintext).expect("the record");
        answer.clear();
        session.sealer.seal(&[2, 1, 0, 0], &mut answer).expect("a record");
        session.opener.open(&logout, &mut plaintext).expect("the record");
    }
}

async fn log_in_and_out(user: &RawUser) {
    let (mut speaker, mut listener) = user.login().await.expect("a login");
    speaker.say(&LinkMessage::Logout(LogoutReason::User)).await.expect("the relay");
    // The relay has dealt with it when it ends the connection.
    assert_eq!(listener.hear().await, None);
}

/// CPU time of a process, its own and the kernel's for it, in hundredths of a second.
pub fn ticks(pid: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    // The program's name, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").expect("a stat line");
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum()
}

/// Of one login.
fn microseconds(ticks: u64) -> f64 {
    const TICK_MICROSECONDS: f64 = 10_000.0;
    ticks as f64 * TICK_MICROSECONDS / f64::from(LOGINS)
}
