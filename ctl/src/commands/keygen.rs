//! `keygen`: an identity key, and the public key for the relay's `user_list`.

use secchat_ipc::types::Passphrase;
use serde_json::json;

use crate::cli::{KeygenArgs, NewKeyArgs};
use crate::failure::Failure;
use crate::new_files::{self, NewFiles};
use crate::session::Session;
use crate::{prompt, secchatd};

pub(super) fn run(session: &Session, args: &KeygenArgs) -> Result<(), Failure> {
    if args.rotate {
        return super::rotate::run(session, args);
    }
    let (out, public_key) = if let Some(out) = &args.out {
        if out.exists() {
            return Err(new_files::exists(out));
        }
        let passphrase = new_passphrase(session, &args.new_key)?;
        (out.clone(), secchatd::keygen(out, args.new_key.kind, passphrase.as_ref())?)
    } else {
        let out = session.paths.config_folder().join(KEY_FILE);
        if out.exists() {
            return Err(new_files::exists(&out));
        }
        let passphrase = new_passphrase(session, &args.new_key)?;
        let files = NewFiles::begin(session.paths.config_folder())?;
        let public_key = secchatd::keygen(&files.path(KEY_FILE), args.new_key.kind, passphrase.as_ref())?;
        files.place(&[KEY_FILE])?;
        (out, public_key)
    };
    session.output.note(&format!("the key is in {}", out.display()));
    let value = json!({ "key": out.display().to_string(), "public_key": public_key });
    session.output.data(value, |_| format!("{public_key}\n"))
}

/// The passphrase for a new key, from where the flags say; `None` for a key without one.
pub(super) fn new_passphrase(session: &Session, args: &NewKeyArgs) -> Result<Option<Passphrase>, Failure> {
    if args.no_passphrase {
        return Ok(None);
    }
    if let Some(descriptor) = args.passphrase_fd {
        let passphrase = prompt::passphrase_from_descriptor(descriptor)?;
        if passphrase.0.is_empty() {
            return Err(Failure::usage("an empty passphrase: for a key without one say --no-passphrase"));
        }
        return Ok(Some(passphrase));
    }
    if session.may_ask() {
        return prompt::new_passphrase().map(Some);
    }
    Err(Failure::usage("no terminal to ask for a passphrase on: use --passphrase-fd FD or --no-passphrase"))
}

/// The identity key's file in the configuration folder.
pub(super) const KEY_FILE: &str = "identity.pem";
