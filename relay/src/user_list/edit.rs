//! Changing the list of users: one line comes, goes or gets another key; all else stays as its owner wrote it. A list
//! is only written if the new one has no errors.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use secchat_proto::UserName;
use secchat_proto::crypto::signature::PublicKey;

use super::rotation::{Rotation, RotationFault, succession_from_base64};
use super::{KeyFault, ListError, UserList, key_file, key_from_base64, key_from_pem, words};
use crate::replacement::{FolderLock, Replacement, folder_of};

/// Why a list was not changed. It is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// Not a name.
    #[error("{0:?} is not a name: 1 to 32 of a-z 0-9 . _ - are, beginning with a letter or a digit")]
    Name(String),
    /// A key that is not usable.
    #[error(
        "the key {0}; give what its owner's `secchatctl init` or `secchatd pubkey` prints, or a PEM file with it"
    )]
    Key(KeyFault),
    /// A succession that is not usable.
    #[error("{name} gets no other key: {fault}{}", .fault.advice())]
    Succession {
        /// Whose.
        name: UserName,
        /// Why.
        fault: RotationFault,
    },
    /// The list would have errors.
    #[error("the list has errors; mend them first:{}", .0.iter().map(|error| format!("\n{error}")).collect::<String>())]
    List(Vec<ListError>),
    /// The name is there already.
    #[error("{name} is on {list} already (line {line}); to give it another key, add --replace", list = list.display())]
    Duplicate {
        /// Which name.
        name: UserName,
        /// Which list.
        list: PathBuf,
        /// Where on it.
        line: usize,
    },
    /// The name is not there.
    #[error("{name} is not on {list}: `secchat-relay user list` prints who is", list = list.display())]
    Unknown {
        /// Which name.
        name: UserName,
        /// Which list.
        list: PathBuf,
    },
    /// The list cannot be found.
    #[error("{path}: {error}; name the list with --list, or its configuration with --config", path = path.display())]
    NoList {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file failed.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The user is new.
    Added,
    /// The user had another key.
    Replaced,
    /// The user had this key already: nothing was written.
    Unchanged,
}

/// A user whose key another has followed.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// Who.
    pub name: UserName,
    /// What the line says now.
    pub rotation: Rotation,
    /// The key file that nobody reads any more, where there was one.
    pub key_file: Option<PathBuf>,
}

/// A user who was taken off the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Who.
    pub name: UserName,
    /// The key file that nobody reads any more, where there was one.
    pub key_file: Option<PathBuf>,
}

/// A list that only this program changes.
#[derive(Debug)]
pub struct ListFile {
    path: PathBuf,
    key_dir: PathBuf,
    text: Vec<u8>,
    _lock: FolderLock,
}

impl ListFile {
    /// Reads a list to change it; others who want to wait. Bare names there have their keys in `key_dir`.
    ///
    /// # Errors
    /// [`EditError::NoList`], [`EditError::File`].
    pub fn open(list: &Path, key_dir: &Path) -> Result<Self, EditError> {
        // A list that is a link stays one; whoever comes by another link locks the same folder.
        let path = list.canonicalize().map_err(|error| EditError::NoList { path: list.to_owned(), error })?;
        let folder = folder_of(&path);
        let lock = FolderLock::take(folder).map_err(|error| at(folder, error))?;
        let text = std::fs::read(&path).map_err(|error| at(&path, error))?;
        Ok(Self { path, key_dir: key_dir.to_owned(), text, _lock: lock })
    }

    /// Adds `name` with `key` (base64, or the path of a PEM file); to a user who is there, the key is only given if
    /// `replace` says so.
    ///
    /// # Errors
    /// [`EditError`]; the list is then as it was.
    pub fn add(self, name: &str, key: &OsStr, replace: bool) -> Result<(UserName, Change), EditError> {
        let name = parse_name(name)?;
        let key = read_key(key)?;
        let Some(line) = line_of(&self.text, &name) else {
            self.write(&with_line(&self.text, &name, &key))?;
            return Ok((name, Change::Added));
        };
        if !replace {
            return Err(EditError::Duplicate { name, list: self.path, line });
        }
        // An error on the list, a key that is missing for instance, is no reason not to give this one.
        let users = self.parse(&self.text).ok();
        let had = users.as_ref().and_then(|users| users.key(&name));
        let has_rotated = users.as_ref().is_some_and(|users| users.rotation(&name).is_some());
        if had == Some(&key) && !has_rotated {
            return Ok((name, Change::Unchanged));
        }
        self.write(&with_key(&self.text, &name, &base64(&key)))?;
        Ok((name, Change::Replaced))
    }

    /// Gives `name` the key that follows the one on the list, by a succession (base64, or the path of a file with it)
    /// that both signed; the one on the list is taken until `until`. The same succession again changes only that.
    ///
    /// # Errors
    /// [`EditError`]; the list is then as it was.
    pub fn rotate(self, name: &str, succession: &OsStr, until: u64) -> Result<Rotated, EditError> {
        let name = parse_name(name)?;
        let users = self.parse(&self.text).map_err(EditError::List)?;
        let Some(key) = users.key(&name) else { return Err(EditError::Unknown { name, list: self.path }) };
        let failed = |fault| EditError::Succession { name: name.clone(), fault };
        let text = read_argument(succession)?;
        let succession = succession_from_base64(&text).map_err(failed)?;
        let new = base64(&succession.new);
        let before = users.rotation(&name).map(AsRef::as_ref);
        let rotation = Rotation::by(succession, (&name, key), before, until).map_err(failed)?;
        self.write(&with_key(&self.text, &name, &format!("{new} {rotation}")))?;
        let key_file = self.unread_key_file(&name);
        Ok(Rotated { name, rotation, key_file })
    }

    /// Takes `name` off the list. Its key file, if it has one, stays where it is.
    ///
    /// # Errors
    /// [`EditError`]; the list is then as it was.
    pub fn remove(self, name: &str) -> Result<Removed, EditError> {
        let name = parse_name(name)?;
        if line_of(&self.text, &name).is_none() {
            return Err(EditError::Unknown { name, list: self.path });
        }
        let key_file = self.unread_key_file(&name);
        let rest: Vec<u8> = lines(&self.text).filter(|line| !is_of(line, &name)).flatten().copied().collect();
        self.write(&rest)?;
        Ok(Removed { name, key_file })
    }

    /// The key file of a name that was bare, and is so no more.
    fn unread_key_file(&self, name: &UserName) -> Option<PathBuf> {
        let was_bare = lines(&self.text).any(|line| is_of(line, name) && words(line).count() == 1);
        was_bare.then(|| key_file(&self.key_dir, name)).filter(|path| path.exists())
    }

    fn parse(&self, text: &[u8]) -> Result<UserList, Vec<ListError>> {
        UserList::parse(text, &self.path, |name| {
            let path = key_file(&self.key_dir, name);
            let pem = std::fs::read(&path);
            (path, pem)
        })
    }

    /// The new list, unless it has errors: a running relay would not take it.
    fn write(&self, text: &[u8]) -> Result<(), EditError> {
        self.parse(text).map_err(EditError::List)?;
        let mode = 0o644;
        let new = Replacement::prepare(&self.path, text, mode).map_err(|error| at(&self.path, error))?;
        new.commit().map_err(|error| at(&self.path, error))
    }
}

fn parse_name(name: &str) -> Result<UserName, EditError> {
    name.parse().map_err(|_| EditError::Name(name.to_owned()))
}

/// The key itself, or the one in a file.
fn read_key(argument: &OsStr) -> Result<PublicKey, EditError> {
    let path = Path::new(argument);
    if path.is_file() {
        let pem = std::fs::read(path).map_err(|error| at(path, error))?;
        return key_from_pem(&pem).map_err(EditError::Key);
    }
    key_from_base64(argument.as_encoded_bytes()).map_err(EditError::Key)
}

/// What is given itself, or what is in the file that is named.
fn read_argument(argument: &OsStr) -> Result<Vec<u8>, EditError> {
    let path = Path::new(argument);
    if !path.is_file() {
        return Ok(argument.as_encoded_bytes().to_owned());
    }
    let file = std::fs::File::open(path).map_err(|error| at(path, error))?;
    let mut text = Vec::new();
    let limit = u64::try_from(MAX_SUCCESSION_TEXT_BYTES).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut text).map_err(|error| at(path, error))?;
    Ok(text)
}

fn at(path: &Path, error: io::Error) -> EditError {
    EditError::File { path: path.to_owned(), error }
}

/// The lines of a list, each with its end.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn is_of(line: &[u8], name: &UserName) -> bool {
    words(line).next() == Some(name.as_str().as_bytes())
}

/// Where a user is on the list, from 1.
fn line_of(text: &[u8], name: &UserName) -> Option<usize> {
    lines(text).zip(1..).find(|(line, _)| is_of(line, name)).map(|(_, number)| number)
}

/// The list with one more line.
fn with_line(text: &[u8], name: &UserName, key: &PublicKey) -> Vec<u8> {
    let mut text = text.to_owned();
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(format!("{name} {}\n", base64(key)).as_bytes());
    text
}

/// The list with another key, and what belongs to it, on the user's line, whose comment stays.
fn with_key(text: &[u8], name: &UserName, key: &str) -> Vec<u8> {
    let mut new = Vec::with_capacity(text.len());
    for line in lines(text) {
        if !is_of(line, name) {
            new.extend_from_slice(line);
            continue;
        }
        let comment = line.iter().position(|byte| *byte == b'#').unwrap_or(line.len());
        let (said, comment) = line.split_at_checked(comment).unwrap_or((line, b""));
        let indent = said.len().saturating_sub(said.trim_ascii_start().len());
        let end = said.trim_ascii_end().len();
        new.extend_from_slice(said.get(..indent).unwrap_or_default());
        new.extend_from_slice(format!("{name} {key}").as_bytes());
        new.extend_from_slice(said.get(end..).unwrap_or_default());
        new.extend_from_slice(comment);
    }
    new
}

fn base64(key: &PublicKey) -> String {
    openssl::base64::encode_block(key.as_der())
}

/// Of a file that should hold a succession: two RSA-4096 keys and signatures take 3 KiB.
const MAX_SUCCESSION_TEXT_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PublicKey {
        let key = openssl::pkey::PKey::generate_ed25519().unwrap();
        PublicKey::from_der(&key.public_key_to_der().unwrap()).unwrap()
    }

    fn text(list: &[u8]) -> &str {
        std::str::from_utf8(list).unwrap()
    }

    #[test]
    fn a_new_line_is_the_last_one() {
        let (name, key) = ("bob".parse().unwrap(), key());
        let line = format!("bob {}\n", base64(&key));
        assert_eq!(text(&with_line(b"", &name, &key)), line);
        assert_eq!(text(&with_line(b"# no end", &name, &key)), format!("# no end\n{line}"));
        assert_eq!(text(&with_line(b"alice x\n\n", &name, &key)), format!("alice x\n\n{line}"));
    }

    #[test]
    fn another_key_leaves_everything_else_of_its_line() {
        let (name, key) = ("bob".parse().unwrap(), key());
        let new = base64(&key);
        let list = "bobby old\n\t bob   old \t# since # 2021\r\n\n# bob old\nbob";
        let changed = with_key(list.as_bytes(), &name, &new);
        let expected = format!("bobby old\n\t bob {new} \t# since # 2021\r\n\n# bob old\nbob {new}");
        assert_eq!(text(&changed), expected);
    }

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let name = "bob".parse().unwrap();
        assert_eq!(line_of(b"# bob\nbobby\n\nbo b\n bob# here\nbob\n", &name), Some(5));
        assert_eq!(line_of(b"bob.", &name), None);
    }
}
