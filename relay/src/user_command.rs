//! `secchat-relay user`: finds the list that is meant, changes or reads it, and words what came of it.

use std::fmt::Write as _;
use std::path::PathBuf;

use secchat_proto::crypto::signature::{KeyKind, PublicKey};

use crate::cli::{UserAdd, UserCommand, UserPrint, UserRemove, UserRotate, WhichList};
use crate::config::{Config, ConfigError};
use crate::replacement::folder_of;
use crate::router::moment;
use crate::user_list::edit::{Change, EditError, ListFile, Rotated};
use crate::user_list::rotation::{Rotation, time};
use crate::user_list::{ListError, UserList};

/// Why a `user` command failed.
#[derive(Debug, thiserror::Error)]
pub enum UserCommandError {
    /// The configuration does not say which list.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The list was not changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The list has errors: all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    List(Vec<ListError>),
}

/// Does what the command says; gives what to print.
///
/// # Errors
/// [`UserCommandError`]; the list is then as it was.
pub fn run(command: &UserCommand) -> Result<String, UserCommandError> {
    match command {
        UserCommand::Add(arguments) => add(arguments),
        UserCommand::Rotate(arguments) => rotate(arguments),
        UserCommand::Remove(arguments) => remove(arguments),
        UserCommand::List(arguments) => print(arguments),
    }
}

fn add(arguments: &UserAdd) -> Result<String, UserCommandError> {
    let (list, key_dir) = find(&arguments.which)?;
    let file = ListFile::open(&list, &key_dir)?;
    let (name, change) = file.add(&arguments.name, &arguments.key, arguments.replace)?;
    let list = list.display();
    Ok(match change {
        Change::Added => format!("{name} is on {list}. A running relay takes it in by itself.\n"),
        Change::Replaced => format!(
            "{name} has another key on {list}. A running relay takes it in by itself: it ends the old key's session, \
             and {name} logs in with the new one. Who has talked to {name} is told that the key has changed.\n"
        ),
        Change::Unchanged => format!("{name} has this key on {list} already: nothing was changed.\n"),
    })
}

fn rotate(arguments: &UserRotate) -> Result<String, UserCommandError> {
    let (list, key_dir) = find(&arguments.which)?;
    let until = moment().unix.saturating_add(arguments.lifetime);
    let file = ListFile::open(&list, &key_dir)?;
    let Rotated { name, rotation, key_file } = file.rotate(&arguments.name, &arguments.succession, until)?;
    let mut text = format!(
        "{name}'s key on {} is the new one, {}; the old one is taken until {}. A running relay takes it in by itself; \
         tell {name} that the new key is taken.\n",
        list.display(),
        rotation.new_key().map(fingerprint).unwrap_or_default(),
        time(rotation.until()),
    );
    if let Some(path) = key_file {
        let _ = writeln!(text, "Nobody reads {} any more; it is still there.", path.display());
    }
    Ok(text)
}

fn remove(arguments: &UserRemove) -> Result<String, UserCommandError> {
    let (list, key_dir) = find(&arguments.which)?;
    let removed = ListFile::open(&list, &key_dir)?.remove(&arguments.name)?;
    let mut text = format!(
        "{} is off {}. A running relay takes it in by itself: it ends the user's session.\n",
        removed.name,
        list.display()
    );
    if let Some(path) = removed.key_file {
        let _ = writeln!(text, "Nobody reads {} any more; it is still there.", path.display());
    }
    Ok(text)
}

fn print(arguments: &UserPrint) -> Result<String, UserCommandError> {
    let (list, key_dir) = find(&arguments.which)?;
    let users = UserList::load(&list, &key_dir).map_err(UserCommandError::List)?;
    if arguments.json {
        let users: Vec<_> = users
            .iter()
            .map(|(name, key)| {
                let old = users.rotation(name).and_then(|rotation| old_key(rotation));
                let old = old.map(|(until, old)| serde_json::json!({ "fingerprint": old, "until": until }));
                serde_json::json!({
                    "name": name.as_str(),
                    "kind": kind(key),
                    "fingerprint": fingerprint(key),
                    "key": openssl::base64::encode_block(key.as_der()),
                    "old": old,
                })
            })
            .collect();
        return Ok(format!("{}\n", serde_json::Value::Array(users)));
    }
    let width = users.iter().map(|(name, _)| name.as_str().len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, key) in users.iter() {
        let _ = write!(text, "{:width$}  {:7}  {}", name.as_str(), kind(key), fingerprint(key));
        if let Some((until, old)) = users.rotation(name).and_then(|rotation| old_key(rotation)) {
            let _ = write!(text, "  until {} also {old}", time(until));
        }
        text.push('\n');
    }
    Ok(text)
}

/// Until when the key before is taken, and its fingerprint; not of one whose time is over.
fn old_key(rotation: &Rotation) -> Option<(u64, String)> {
    let until = rotation.until();
    let old = rotation.old_key().filter(|_| moment().unix < until)?;
    Some((until, fingerprint(old)))
}

/// In the words of `secchatd keygen --kind`.
pub(crate) fn kind(key: &PublicKey) -> String {
    match key.kind() {
        KeyKind::Ed25519 => "ed25519".to_owned(),
        KeyKind::Rsa { bits } => format!("rsa{bits}"),
    }
}

/// SHA-256 of the key's DER, as ssh writes such things.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    let digest = openssl::base64::encode_block(&openssl::sha::sha256(key.as_der()));
    format!("SHA256:{}", digest.trim_end_matches('='))
}

/// The list that is meant, and the folder of its key files.
fn find(which: &WhichList) -> Result<(PathBuf, PathBuf), ConfigError> {
    let (list, key_dir) = match &which.list {
        Some(list) => (list.clone(), folder_of(list).to_owned()),
        None => {
            let config = Config::find(which.config.as_deref())?;
            (config.user_list, config.key_dir)
        }
    };
    Ok((list, which.key_dir.clone().unwrap_or(key_dir)))
}
