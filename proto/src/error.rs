//! What can go wrong, by family.
//!
//! An error ends what it is about (a link, a handshake, a chat's attempt), never the process, and a stranger
//! learns at most a [`RejectReason`](crate::wire::login::RejectReason) of it.

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Bytes that no correct program sends.
    #[error("malformed: {0}")]
    Malformed(Malformed),
    /// Well-formed, but against the protocol.
    #[error("the other side broke the protocol: {0}")]
    PeerMisbehaved(Rule),
    /// The relay's certificate or CRL does not stand.
    #[error("{0}")]
    Untrusted(Untrusted),
    /// A record or envelope does not open. Says nothing more, so that it is no oracle.
    #[error("cannot be decrypted")]
    Decrypt,
    /// A counter, id or queue has reached its end.
    #[error("exhausted")]
    Exhausted,
    /// A primitive failed.
    #[error("a cryptographic operation failed: {0}")]
    Crypto(CryptoOperation),
}

/// What is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bytes are missing.
    #[error("bytes are missing")]
    Truncated,
    /// Bytes are left over.
    #[error("bytes are left over")]
    TrailingBytes,
    /// A frame of length 0.
    #[error("an empty frame")]
    EmptyFrame,
    /// A frame, field or list above its limit.
    #[error("a frame, field or list above its limit")]
    TooLong,
    /// Not a user's name.
    #[error("not a user's name")]
    UserName,
    /// A value that the protocol does not list.
    #[error("a value that the protocol does not list")]
    UnknownValue,
    /// A repeated list entry.
    #[error("a repeated list entry")]
    Repeated,
    /// A `chat_id` of zeros.
    #[error("a chat id of zeros")]
    ChatId,
    /// DER that is not its own re-encoding, or no key of a permitted kind.
    #[error("not a canonical key of a permitted kind")]
    Key,
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    Text,
    /// Padding of a wrong length or filler.
    #[error("wrong padding")]
    Padding,
    /// A message of the wrong direction.
    #[error("a message of the wrong direction")]
    Direction,
    /// A request whose times contradict each other.
    #[error("times that contradict each other")]
    Times,
}

/// Which rule was broken; each names its section of PROTOCOL.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// §3: S1 of another protocol version.
    #[error("another protocol version")]
    Version,
    /// §2: no suite in common, or a choice that was not offered.
    #[error("no permitted suite")]
    Suite,
    /// §3, §7: a handshake nonce that is not ours.
    #[error("a handshake nonce that is not ours")]
    HandshakeNonce,
    /// §3, §6, §7: a signature that does not verify.
    #[error("a signature that does not verify")]
    Signature,
    /// §3: a delegation whose time is over, or that is for longer than one may be.
    #[error("a delegation out of its time")]
    DelegationTime,
    /// §4: a counter that is not the expected one.
    #[error("a counter that is not the expected one")]
    Counter,
    /// §6: a request that is expired or from the future.
    #[error("a request out of its time")]
    RequestTime,
    /// §7: a grant above what was asked.
    #[error("a grant above what was asked")]
    Grant,
    /// §7: `fresh` against what we hold.
    #[error("the other side lost this chat's secret, or never had it")]
    Fresh,
    /// §8: a gap in text ids, or an acknowledgement of what was never sent.
    #[error("a gap in text ids")]
    TextId,
    /// §7, §8: a record or step that has no place here.
    #[error("a message out of its place")]
    Order,
    /// §7, §8: an answer that did not come in time.
    #[error("no answer in time")]
    Late,
    /// §5: more records than the other side may send.
    #[error("more than the other side may send")]
    Flood,
}

/// Why the relay's certificate or CRL does not stand (§3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Not a certificate.
    #[error("the relay's certificate cannot be read")]
    CertificateUnreadable,
    /// Not signed by the configured CA, or not with SHA-256 or better.
    #[error("the relay's certificate is not signed by the configured CA")]
    WrongCa,
    /// Expired.
    #[error("the relay's certificate has expired")]
    Expired,
    /// Not valid yet.
    #[error("the relay's certificate is not valid yet")]
    NotYetValid,
    /// For another name.
    #[error("the relay's certificate is for another name")]
    WrongName,
    /// Not for a server.
    #[error("the relay's certificate is not one for a server")]
    WrongPurpose,
    /// Of an unsupported or weak key.
    #[error("the relay's certificate has a key of a kind or size that is not permitted")]
    WeakKey,
    /// Revoked.
    #[error("the relay's certificate has been revoked")]
    Revoked,
    /// No CRL at all.
    #[error("there is no certificate revocation list")]
    NoCrl,
    /// The CRL is past its nextUpdate.
    #[error("the certificate revocation list has expired")]
    CrlExpired,
    /// The CRL is from the future.
    #[error("the certificate revocation list is not valid yet")]
    CrlNotYetValid,
    /// The CRL is not the CA's.
    #[error("the certificate revocation list is not signed by the configured CA")]
    CrlForeign,
    /// The CRL is older than one already seen.
    #[error("the certificate revocation list is older than one already seen")]
    CrlOlder,
    /// The CRL is unreadable, a delta or indirect.
    #[error("the certificate revocation list cannot be read")]
    CrlUnreadable,
}

/// Which primitive failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoOperation {
    /// Randomness.
    #[error("randomness")]
    Entropy,
    /// Making a key.
    #[error("making a key")]
    KeyGeneration,
    /// Signing.
    #[error("signing")]
    Sign,
    /// Encapsulation, also to a malformed or low-order key.
    #[error("encapsulation")]
    Encapsulate,
    /// Key derivation.
    #[error("key derivation")]
    Derive,
    /// Encryption.
    #[error("encryption")]
    Seal,
    /// No ready RSA key was given for suite 1.
    #[error("no RSA key was ready")]
    NoReadyKey,
}
