//! The list of users, one a line: `NAME PUBLIC-KEY` (base64 of the DER `SubjectPublicKeyInfo`), or a bare `NAME` whose
//! key is in `NAME_pubkey.pem` in the key folder. `NAME PUBLIC-KEY until=TIME SUCCESSION` is a user whose key has
//! followed another ([`rotation`]). `#` begins a comment. Parsing is pure (whoever calls reads the key files), and finds
//! every error at once. [`edit`] changes a list.

pub mod edit;
pub mod rotation;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssl::base64::encode_block;
use openssl::pkey::{Id, PKey};
use secchat_proto::UserName;
use secchat_proto::crypto::signature::PublicKey;

use self::rotation::{Registered, Rotation, RotationFault};
use crate::files::{Digest, Files};

/// The users and their keys.
#[derive(Clone, Debug, Default)]
pub struct UserList {
    users: BTreeMap<UserName, PublicKey>,
    /// Of those whose keys have followed others.
    rotations: BTreeMap<UserName, Arc<Rotation>>,
    /// Of the text, if all keys were in it: the same text is the same list then.
    digest: Option<Digest>,
    /// The text had no bytes at all: it may have been cut off and not been written yet.
    is_blank: bool,
}

/// What is different between two lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Who is new.
    pub added: Vec<UserName>,
    /// Who is gone.
    pub removed: Vec<UserName>,
    /// Who has another key, or whose key before is to be taken for another time.
    pub changed: Vec<UserName>,
}

/// An error in the list, with its place.
#[derive(Debug)]
pub struct ListError {
    /// The list's file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Not a name.
    #[error("{0:?} is not a name: 1 to 32 of a-z 0-9 . _ - are, beginning with a letter or a digit")]
    Name(String),
    /// A name that was there already.
    #[error("{name} is on line {first} already: remove one of the two")]
    Duplicate {
        /// Which.
        name: UserName,
        /// Where it was first.
        first: usize,
    },
    /// More than a line may hold.
    #[error(
        "there is something after {0}'s succession: a line holds a name and a key in base64, after a rotation \
         until=TIME and the succession, and nothing else"
    )]
    TooMuch(UserName),
    /// A rotation that is not usable.
    #[error("after {name}'s key: {fault}")]
    Rotation {
        /// Whose.
        name: UserName,
        /// Why.
        fault: RotationFault,
    },
    /// The list itself cannot be read.
    #[error("the list of users cannot be read: {0}; make one with `secchat-relay init`, or with `touch`")]
    File(io::Error),
    /// A key in a file that is not usable.
    #[error("{name}'s key, in {path}, {fault}", path = path.display())]
    KeyInFile {
        /// Whose.
        name: UserName,
        /// Where it is.
        path: PathBuf,
        /// Why.
        fault: KeyFault,
    },
    /// A key on the line that is not usable.
    #[error("{name}'s key {fault}")]
    Key {
        /// Whose.
        name: UserName,
        /// Why.
        fault: KeyFault,
    },
    /// A key file that cannot be read.
    #[error("{name}'s key file {path}: {error}; put the key there, or write it on this line after the name", path = path.display())]
    KeyFile {
        /// Whose.
        name: UserName,
        /// Where the key should be.
        path: PathBuf,
        /// Why it cannot be read.
        error: io::Error,
    },
}

/// Why a key is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not base64 of anything.
    #[error("is not base64")]
    NotBase64,
    /// The secret half.
    #[error(
        "is a private key, which nobody but its owner should have; `secchatd pubkey --key FILE` prints the public one"
    )]
    Private,
    /// No public key.
    #[error("is not a public key (SubjectPublicKeyInfo) of a kind that is known")]
    Unreadable,
    /// An RSA key of a size that is not permitted.
    #[error("is RSA of {0} bits: 2048 to 4096 are permitted")]
    Size(u32),
    /// A kind that is not permitted, or an encoding that is not the only one.
    #[error("is not permitted: Ed25519 is, and RSA of 2048 to 4096 bits with e = 65537, in plain DER")]
    NotPermitted,
}

impl UserList {
    /// Reads a list from its file, and the keys of bare names from `key_dir`.
    ///
    /// # Errors
    /// Every error of the list; [`Fault::File`] alone when it cannot be read.
    pub fn load(file: &Path, key_dir: &Path) -> Result<Self, Vec<ListError>> {
        let list = Self::read((file, key_dir), &mut Files::new(), &Arc::default())?;
        Ok(Arc::unwrap_or_clone(list))
    }

    /// As [`Self::load`], by a reader that remembers. What is as in the list before is taken from there: checking a
    /// key costs far more than comparing it.
    pub(crate) fn read(
        (file, key_dir): (&Path, &Path),
        files: &mut Files,
        before: &Arc<Self>,
    ) -> Result<Arc<Self>, Vec<ListError>> {
        let text = files
            .read(file)
            .map_err(|error| vec![ListError { file: file.to_owned(), line: 0, fault: Fault::File(error) }])?;
        let digest = openssl::sha::sha256(&text);
        if before.digest == Some(digest) {
            return Ok(Arc::clone(before));
        }
        let mut has_key_files = false;
        let read_key = |name: &UserName| {
            has_key_files = true;
            let path = key_file(key_dir, name);
            let pem = files.read(&path);
            (path, pem)
        };
        let list = Self::parse_after(&text, file, read_key, before)?;
        Ok(Arc::new(Self { digest: (!has_key_files).then_some(digest), ..list }))
    }

    /// Parses the text of a list. `file` only names it in errors; `read_key` gives a bare name's key file.
    ///
    /// # Errors
    /// Every error of the list, in the order of its lines.
    pub fn parse(
        text: &[u8],
        file: &Path,
        read_key: impl FnMut(&UserName) -> (PathBuf, io::Result<Vec<u8>>),
    ) -> Result<Self, Vec<ListError>> {
        Self::parse_after(text, file, read_key, &Self::default())
    }

    fn parse_after(
        text: &[u8],
        file: &Path,
        mut read_key: impl FnMut(&UserName) -> (PathBuf, io::Result<Vec<u8>>),
        before: &Self,
    ) -> Result<Self, Vec<ListError>> {
        let (mut users, mut rotations) = (BTreeMap::new(), BTreeMap::new());
        let mut first_lines: HashMap<UserName, usize> = HashMap::new();
        let mut errors = Vec::new();
        for (text, line) in text.split(|byte| *byte == b'\n').zip(1..) {
            let mut error = |fault| errors.push(ListError { file: file.to_owned(), line, fault });
            let name = match name_of(text) {
                Some(Ok(name)) => name,
                Some(Err(fault)) => {
                    error(fault);
                    continue;
                }
                None => continue,
            };
            if let Some(first) = first_lines.get(&name).copied() {
                error(Fault::Duplicate { name, first });
                continue;
            }
            first_lines.insert(name.clone(), line);
            let said = key_of(text, &name, &mut read_key, before.key(&name)).and_then(|key| {
                let rotation = rotation_of(text, (&name, &key), before.rotation(&name))?;
                Ok((key, rotation))
            });
            match said {
                Ok((key, rotation)) => {
                    rotations.extend(rotation.map(|rotation| (name.clone(), rotation)));
                    users.insert(name, key);
                }
                Err(fault) => error(fault),
            }
        }
        let is_blank = text.is_empty();
        if errors.is_empty() { Ok(Self { users, rotations, digest: None, is_blank }) } else { Err(errors) }
    }

    /// Whether its file had no bytes, not even a comment.
    pub(crate) fn is_blank(&self) -> bool {
        self.is_blank
    }

    /// What is different in `newer`, in one pass.
    #[must_use]
    pub fn difference(&self, newer: &Self) -> Difference {
        let mut difference = Difference::default();
        let (mut old, mut new) = (self.iter().peekable(), newer.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return difference,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let old = old.next_if(|_| order.is_le());
            let new = new.next_if(|_| order.is_ge());
            match (old, new) {
                (Some((name, key)), Some((_, other)))
                    if key.as_der() != other.as_der() || self.rotates_otherwise(newer, name) =>
                {
                    difference.changed.push(name.clone());
                }
                (Some((name, _)), None) => difference.removed.push(name.clone()),
                (None, Some((name, _))) => difference.added.push(name.clone()),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
    }

    /// The key of a user.
    #[must_use]
    pub fn key(&self, name: &UserName) -> Option<&PublicKey> {
        self.users.get(name)
    }

    /// What the list says of the keys before a user's present one.
    #[must_use]
    pub fn rotation(&self, name: &UserName) -> Option<&Arc<Rotation>> {
        self.rotations.get(name)
    }

    /// The users whose keys have followed others, in the order of their names.
    pub fn rotations(&self) -> impl Iterator<Item = (&UserName, &Rotation)> {
        self.rotations.iter().map(|(name, rotation)| (name, rotation.as_ref()))
    }

    /// What holds for a user at this time.
    #[must_use]
    pub fn registered(&self, name: &UserName, unix_now: u64) -> Option<Registered> {
        let key = self.key(name)?.clone();
        let rotation = self.rotation(name);
        let taken = rotation.filter(|rotation| unix_now < rotation.until());
        Some(Registered {
            key,
            old_key: taken.and_then(|rotation| rotation.old_key()).cloned(),
            chain: rotation.map(|rotation| Arc::clone(rotation.encoded())),
        })
    }

    fn rotates_otherwise(&self, newer: &Self, name: &UserName) -> bool {
        match (self.rotation(name), newer.rotation(name)) {
            (None, None) => false,
            (Some(old), Some(new)) => !Arc::ptr_eq(old, new) && !old.is_as(new),
            (Some(_), None) | (None, Some(_)) => true,
        }
    }

    /// The users, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&UserName, &PublicKey)> {
        self.users.iter()
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there are no users.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.fault),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.fault),
        }
    }
}

impl std::error::Error for ListError {}

/// Takes a key in base64 of its DER, or says why not.
///
/// # Errors
/// [`KeyFault`].
pub fn key_from_base64(text: &[u8]) -> Result<PublicKey, KeyFault> {
    let der = der_from_base64(text).ok_or(KeyFault::NotBase64)?;
    PublicKey::from_der(&der).map_err(|_| fault_of(PKey::public_key_from_der(&der).ok()))
}

/// The bytes, if the text is base64 and there is something in it.
fn der_from_base64(text: &[u8]) -> Option<Vec<u8>> {
    // OpenSSL's decoder passes over some errors; what it made must be what was written.
    let der = std::str::from_utf8(text).ok().and_then(|text| openssl::base64::decode_block(text).ok());
    der.filter(|der| encode_block(der).as_bytes() == text)
}

/// Takes a key in PEM, or says why not.
///
/// # Errors
/// [`KeyFault`].
pub fn key_from_pem(pem: &[u8]) -> Result<PublicKey, KeyFault> {
    const PRIVATE: &[u8] = b"PRIVATE KEY-----";
    if pem.windows(PRIVATE.len()).any(|words| words == PRIVATE) {
        return Err(KeyFault::Private);
    }
    PublicKey::from_pem(pem).map_err(|_| fault_of(PKey::public_key_from_pem(pem).ok()))
}

/// Why a key that OpenSSL read, or did not, was not taken.
fn fault_of(key: Option<PKey<openssl::pkey::Public>>) -> KeyFault {
    const PERMITTED_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;
    match key {
        None => KeyFault::Unreadable,
        Some(key) if key.id() == Id::RSA && !PERMITTED_BITS.contains(&key.bits()) => {
            KeyFault::Size(key.bits())
        }
        Some(_) => KeyFault::NotPermitted,
    }
}

/// Where a bare name's key is.
pub(crate) fn key_file(key_dir: &Path, name: &UserName) -> PathBuf {
    key_dir.join(format!("{name}{KEY_FILE_SUFFIX}"))
}

/// What a key file's name ends in, after its user's.
pub(crate) const KEY_FILE_SUFFIX: &str = "_pubkey.pem";

/// The words of a line, without its comment.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = line.split(|byte| *byte == b'#').next().unwrap_or_default();
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The name on a line; `None` when it says nothing.
fn name_of(line: &[u8]) -> Option<Result<UserName, Fault>> {
    let word = words(line).next()?;
    Some(UserName::parse(word).map_err(|_| Fault::Name(String::from_utf8_lossy(word).into_owned())))
}

/// The key on a line, or the one in the name's file; `before` is the one that it most likely is.
fn key_of(
    line: &[u8],
    name: &UserName,
    read_key: &mut impl FnMut(&UserName) -> (PathBuf, io::Result<Vec<u8>>),
    before: Option<&PublicKey>,
) -> Result<PublicKey, Fault> {
    if let Some(key) = words(line).nth(1) {
        if let Some(before) = before.filter(|before| encode_block(before.as_der()).as_bytes() == key) {
            return Ok(before.clone());
        }
        return key_from_base64(key).map_err(|fault| Fault::Key { name: name.clone(), fault });
    }
    let (path, pem) = read_key(name);
    let pem = pem.map_err(|error| Fault::KeyFile { name: name.clone(), path: path.clone(), error })?;
    key_from_pem(&pem).map_err(|fault| Fault::KeyInFile { name: name.clone(), path, fault })
}

/// What a line says after the key; `before` is what it most likely is.
fn rotation_of(
    line: &[u8],
    (name, key): (&UserName, &PublicKey),
    before: Option<&Arc<Rotation>>,
) -> Result<Option<Arc<Rotation>>, Fault> {
    let mut rest = words(line).skip(2);
    let (until, chain, more) = (rest.next(), rest.next(), rest.next());
    if more.is_some() {
        return Err(Fault::TooMuch(name.clone()));
    }
    let Some(until) = until else { return Ok(None) };
    let rotation = Rotation::parse((until, chain), (name, key), before);
    rotation.map(Some).map_err(|fault| Fault::Rotation { name: name.clone(), fault })
}

#[cfg(test)]
mod tests;
