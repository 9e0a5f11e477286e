//! `keygen --rotate`: the key that follows the one in force and what both sign, for the operator; with `--finish`, the
//! change from the one to the other, which a crash leaves done or not begun.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use secchat_ipc::UserName;
use secchat_ipc::types::Passphrase;
use serde_json::json;
use zeroize::Zeroizing;

use super::init::read_small;
use super::keygen::new_passphrase;
use crate::cli::{KeygenArgs, NewKeyArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::{prompt, secchatd};

pub(super) fn run(session: &Session, args: &KeygenArgs) -> Result<(), Failure> {
    let place = Place::of(session)?;
    if args.finish { finish(session, &place) } else { begin(session, &place, &args.new_key) }
}

/// Whose key it is, and the files.
struct Place {
    user: UserName,
    /// The key in force.
    key: PathBuf,
    /// The one that follows it, until it is taken into use.
    new: PathBuf,
    /// What both sign.
    succession: PathBuf,
}

impl Place {
    fn of(session: &Session) -> Result<Self, Failure> {
        let settings = secchatd::settings(session.paths.profile())?;
        let setting = |name: &str| {
            let row = settings.iter().find(|[key, ..]| key == name);
            row.map(|[_, value, _]| value.as_str()).filter(|value| !value.is_empty())
        };
        let nobody = || Failure::failed("no user is set up in this profile: run `secchatctl init`");
        let user = UserName::parse(setting("user").ok_or_else(nobody)?);
        let user = user.map_err(|error| Failure::failed(format!("user: {error}")))?;
        let key = PathBuf::from(setting("key").unwrap_or_default());
        // Where it is, not a link to it: that stays one.
        let key = key.canonicalize().map_err(|error| Failure::file("read the key", &key, &error))?;
        let (new, succession) =
            (key.with_extension("new.pem"), key.with_file_name(format!("{user}.succession")));
        Ok(Self { user, key, new, succession })
    }

    /// A name for the old key that nothing has, unless it is this key already: a finish that was cut off.
    fn kept(&self) -> PathBuf {
        let is_key = |path: &Path| {
            let (Ok(one), Ok(other)) = (path.symlink_metadata(), self.key.metadata()) else { return false };
            (one.dev(), one.ino()) == (other.dev(), other.ino())
        };
        let named = |n: u32| match n {
            1 => self.key.with_extension("old.pem"),
            n => self.key.with_extension(format!("old-{n}.pem")),
        };
        let is_fit = |path: &PathBuf| is_key(path) || path.symlink_metadata().is_err();
        (1..).map(named).find(is_fit).unwrap_or_else(|| named(1))
    }
}

fn begin(session: &Session, place: &Place, args: &NewKeyArgs) -> Result<(), Failure> {
    let succession = if place.new.exists() { begun(place)? } else { make(session, place, args)? };
    let Place { user, new, succession: file, .. } = place;
    session.output.note(&format!(
        "The new key waits in {}; the old one stays in use. Give the relay's operator this line, which is in {} too (for: \
         secchat-relay user rotate {user} LINE):",
        new.display(),
        file.display()
    ));
    let value = json!({
        "user": user.as_str(),
        "key": new.display().to_string(),
        "succession": succession,
        "file": file.display().to_string(),
    });
    session.output.data(value, |_| format!("{succession}\n"))?;
    session.output.note("Once the operator has taken it: secchatctl keygen --rotate --finish");
    Ok(())
}

/// What was signed before; the operator may have it.
fn begun(place: &Place) -> Result<String, Failure> {
    let (new, file) = (place.new.display(), place.succession.display());
    let text = read_small(&place.succession).map_err(|_| {
        Failure::failed(format!(
            "{new} is there, and {file} is not: nobody can have taken that key, so remove it and begin again"
        ))
    })?;
    Ok(text.trim().to_owned())
}

fn make(session: &Session, place: &Place, args: &NewKeyArgs) -> Result<String, Failure> {
    let (old, new) = passphrases(session, &place.key, args)?;
    // Of an earlier rotation, whose key is in use by now.
    let _ = std::fs::remove_file(&place.succession);
    let succession =
        secchatd::rotate((&place.key, &old), (&place.new, args.kind, new.as_ref()), &place.user)?;
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(place.key.parent().unwrap_or_else(|| Path::new("/")))?;
        file.write_all(format!("{succession}\n").as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&place.succession)?;
        Ok(())
    };
    write().map_err(|error| Failure::file("write", &place.succession, &error))?;
    Ok(succession)
}

/// The old key's passphrase, and the new one's.
fn passphrases(
    session: &Session,
    key: &Path,
    args: &NewKeyArgs,
) -> Result<(Passphrase, Option<Passphrase>), Failure> {
    if let Some(descriptor) = args.passphrase_fd {
        let [old, new] = prompt::two_passphrases_from_descriptor(descriptor)?;
        if new.0.is_empty() {
            return Err(Failure::usage("the second line is the new key's passphrase, and it is empty"));
        }
        return Ok((old, Some(new)));
    }
    let old = if !read_small(key)?.contains("ENCRYPTED") {
        Passphrase(Zeroizing::default())
    } else if session.may_ask() {
        prompt::passphrase(&format!("Passphrase for {}: ", key.display()))?
    } else {
        return Err(Failure::usage(
            "no terminal to ask for passphrases on: use --passphrase-fd FD, the old key's in the first line, the new \
             key's in the second",
        ));
    };
    Ok((old, new_passphrase(session, args)?))
}

fn finish(session: &Session, place: &Place) -> Result<(), Failure> {
    let (key, new) = (place.key.display(), place.new.display());
    if !place.new.exists() {
        return Err(Failure::failed(format!(
            "no new key waits in {new}: begin with `secchatctl keygen --rotate`"
        )));
    }
    let kept = place.kept();
    // First the old key has two names, then the new one takes the one in force: at no time is there none.
    if !kept.exists() {
        std::fs::hard_link(&place.key, &kept).map_err(|error| Failure::file("write", &kept, &error))?;
    }
    std::fs::rename(&place.new, &place.key).map_err(|error| Failure::file("rename", &place.new, &error))?;
    // Where a folder cannot be synced the files are there all the same.
    let _ = place.key.parent().and_then(|folder| std::fs::File::open(folder).ok()).map(|it| it.sync_all());
    session.output.note(&format!(
        "{key} is the new key; the old one is {}: keep it until the relay takes it no more, then delete it. The daemon \
         takes the new one with the next unlock, by its own passphrase: secchatctl lock, secchatctl unlock. Open chats end \
         with that; who has verified you follows, others are asked.",
        kept.display()
    ));
    let value = json!({ "key": place.key.display().to_string(), "old_key": kept.display().to_string() });
    session.output.data(value, |_| String::new())
}
