//! `peers`: known peers and their keys; `peers add` pins a key before first contact.

use std::path::Path;

use secchat_ipc::types::KeyTrust;
use secchat_ipc::{Command, Reply};
use serde_json::json;

use crate::cli::{PeersArgs, PeersVerb};
use crate::failure::Failure;
use crate::session::Session;
use crate::{harmless, view};

pub(super) async fn run(session: &Session, args: PeersArgs) -> Result<(), Failure> {
    if let Some(PeersVerb::Add { user, key }) = args.verb {
        let public_key = public_key(&key)?;
        session.done(Command::AddPeer { peer: user.clone(), public_key }).await?;
        let value = json!({ "peer": user.as_str(), "trust": "pinned" });
        return session.told(value, &format!("{user}'s key is pinned"));
    }
    let Reply::Peers(peers) = session.call(Command::Peers).await? else {
        return Err(Failure::unfit_reply());
    };
    if peers.is_empty() {
        session.output.note("no peer is known yet");
    }
    let value = json!({ "peers": peers.iter().map(view::peer).collect::<Vec<_>>() });
    session.output.data(value, |output| {
        if peers.is_empty() {
            return String::new();
        }
        let row = |peer: &secchat_ipc::types::Peer| {
            let policy = peer.policy.map_or("default", view::policy_word);
            [
                peer.peer.to_string(),
                if peer.trust == KeyTrust::Vouched {
                    "changed, the old one vouches".to_owned()
                } else {
                    view::trust_word(peer.trust).to_owned()
                },
                if peer.blocked { "blocked" } else { policy }.to_owned(),
                if peer.public_key.is_empty() { "-".to_owned() } else { harmless::line(&peer.public_key) },
            ]
        };
        let rows: Vec<_> = peers.iter().map(row).collect();
        output.table(["USER", "KEY", "POLICY", "PUBLIC KEY"], &rows)
    })
}

/// A key in base64, or the one in a PEM file.
fn public_key(given: &str) -> Result<String, Failure> {
    let path = Path::new(given);
    if path.is_file() {
        let pem = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
        return from_pem(&pem).ok_or_else(|| {
            Failure::usage(format!(
                "{}: no public key in PEM (-----BEGIN PUBLIC KEY-----) is in it",
                path.display()
            ))
        });
    }
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    if given.len() >= MIN_KEY_CHARACTERS && given.bytes().all(base64) {
        Ok(given.to_owned())
    } else {
        Err(Failure::usage(format!("{given:?} is neither a public key in base64 nor a file that exists")))
    }
}

fn from_pem(pem: &str) -> Option<String> {
    let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    Some(body.split_whitespace().collect())
}

/// Characters of the smallest key that is accepted (Ed25519: 44 bytes of DER) in base64.
const MIN_KEY_CHARACTERS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    #[test]
    fn a_key_is_base64_or_a_pem_file() {
        assert_eq!(public_key(KEY).unwrap(), KEY);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bob_pubkey.pem");
        std::fs::write(&file, format!("-----BEGIN PUBLIC KEY-----\n{KEY}\n-----END PUBLIC KEY-----\n"))
            .unwrap();
        assert_eq!(public_key(file.to_str().unwrap()).unwrap(), KEY);
        std::fs::write(&file, "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n").unwrap();
        assert!(public_key(file.to_str().unwrap()).unwrap_err().message.contains("bob_pubkey.pem"));
        assert!(public_key("nonsense").is_err());
        assert!(public_key(&format!("{KEY}\u{1b}")).is_err());
    }
}
