//! The users that the vectors are about, with keys made from public text.

use secchat_proto::UserName;
use secchat_proto::crypto::signature::SigningKey;

use crate::vector_file::{ListedEntropy, VectorFile, bytes_of};

/// A user of the vectors.
pub(crate) struct Person {
    pub(crate) name: UserName,
    pub(crate) seed: Vec<u8>,
    pub(crate) key: SigningKey,
}

impl Person {
    /// The user of a name: the seed of the Ed25519 key is made of `secchat test key NAME`.
    pub(crate) fn new(name: &str) -> Self {
        let seed = bytes_of(&format!("secchat test key {name}"), 32);
        let key = SigningKey::generate_ed25519(&mut ListedEntropy(seed.clone())).unwrap();
        Self { name: name.parse().unwrap(), seed, key }
    }

    /// Writes `name_X`, `seed_X` and `spki_X`.
    pub(crate) fn write(&self, file: &mut VectorFile, suffix: &str) {
        file.text(&format!("name_{suffix}"), self.name.as_str());
        file.bytes(&format!("seed_{suffix}"), &self.seed);
        file.bytes(&format!("spki_{suffix}"), self.key.public_key().as_der());
    }
}
