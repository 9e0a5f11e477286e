//! People's names in the log: as they are, or, for an operator who does not want to know, as a keyed hash. The key is
//! made at the start and in memory only, so that nobody can try names afterwards; one run's lines can be compared.

use std::fmt;

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::{Entropy, OsEntropy};
use zeroize::Zeroizing;

/// How names are shown.
#[derive(Default)]
pub struct Names(Option<PKey<Private>>);

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Names(scrubbed)" } else { "Names(shown)" })
    }
}

impl Names {
    /// Scrubs names by a new key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn scrubbed() -> Result<Self, secchat_proto::Error> {
        let mut key = Zeroizing::new([0; 32]);
        OsEntropy.fill(&mut *key)?;
        let key = PKey::hmac(&*key).map_err(|_| secchat_proto::Error::Exhausted)?;
        Ok(Self(Some(key)))
    }

    /// Whether names are scrubbed.
    #[must_use]
    pub fn are_scrubbed(&self) -> bool {
        self.0.is_some()
    }

    /// A name, as it may be logged.
    pub(crate) fn show(&self, name: &UserName) -> String {
        match &self.0 {
            None => name.to_string(),
            // Whatever fails, it is not shown.
            Some(key) => hash(key, name).unwrap_or_else(|| String::from("~")),
        }
    }

    /// An error in a file, as it may be logged: what is wrong in a line may name somebody, where it is does not.
    pub fn of_error(&self, error: &str) -> String {
        if !self.are_scrubbed() {
            return error.to_owned();
        }
        let place = error.split(": ").next().unwrap_or_default();
        // A key's file has its owner's name.
        let place = if place.contains(crate::user_list::KEY_FILE_SUFFIX) { "a key file" } else { place };
        format!(
            "{place}: has an error; `secchat-relay check` says which, with the names that the log must not have"
        )
    }
}

fn hash(key: &PKey<Private>, name: &UserName) -> Option<String> {
    const SHOWN_BYTES: usize = 6;
    let mut signer = Signer::new(MessageDigest::sha256(), key).ok()?;
    let hash = signer.sign_oneshot_to_vec(name.as_bytes()).ok()?;
    // A tilde cannot begin a name: the two are never mistaken for each other.
    Some(hash.iter().take(SHOWN_BYTES).fold(String::from("~"), |text, byte| format!("{text}{byte:02x}")))
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn a_scrubbed_name_is_the_same_in_one_run_and_another_in_the_next() {
        let [alice, bob] = ["alice", "bob"].map(|name| name.parse().unwrap());
        let (names, next_run) = (Names::scrubbed().unwrap(), Names::scrubbed().unwrap());
        assert_eq!(names.show(&alice), names.show(&alice));
        assert_ne!(names.show(&alice), names.show(&bob));
        assert_ne!(names.show(&alice), next_run.show(&alice));
        assert_eq!(names.show(&alice).len(), 13);
        assert_eq!(Names::default().show(&alice), "alice");
    }

    #[test]
    fn a_scrubbed_error_says_where_and_not_who() {
        let names = Names::scrubbed().unwrap();
        for (error, place) in [
            ("user_list:3: alice is on line 1 already", "user_list:3: "),
            ("/etc/alice_pubkey.pem: not readable", "a key file: "),
        ] {
            let shown = names.of_error(error);
            assert!(shown.starts_with(place) && !shown.contains("alice"), "{shown}");
        }
        assert_eq!(Names::default().of_error("user_list:3: x"), "user_list:3: x");
    }
}
