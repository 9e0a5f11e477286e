//! What `secchatctl` exits with. Scripts rely on every number: none is ever reused.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    Usage,
    NoDaemon,
    Locked,
    NotConnected,
    PeerUnavailable,
    Refused,
    TimedOut,
    KeyNotTrusted,
    NoChat,
    Interrupted,
}

impl Exit {
    /// All of them, in order of their numbers.
    pub(crate) const ALL: [Self; 12] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NoDaemon,
        Self::Locked,
        Self::NotConnected,
        Self::PeerUnavailable,
        Self::Refused,
        Self::TimedOut,
        Self::KeyNotTrusted,
        Self::NoChat,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoDaemon => 3,
            Self::Locked => 4,
            Self::NotConnected => 5,
            Self::PeerUnavailable => 6,
            Self::Refused => 7,
            Self::TimedOut => 8,
            Self::KeyNotTrusted => 9,
            Self::NoChat => 10,
            Self::Interrupted => 130,
        }
    }

    /// What it means, for the man page.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "Done. For rtt: the peer accepted; for send: the peer's daemon has the text.",
            Self::Failed => "Failed, for a reason that no other number stands for.",
            Self::Usage => "The command line or the input is wrong.",
            Self::NoDaemon => "No daemon is running, or none that works with this program.",
            Self::Locked => "The identity key is locked, or the passphrase is wrong.",
            Self::NotConnected => "Not connected to the relay.",
            Self::PeerUnavailable => "The peer is not available: hidden, offline or unknown.",
            Self::Refused => "The peer refused.",
            Self::TimedOut => "Nothing came of it in time.",
            Self::KeyNotTrusted => "The peer's key changed, or the safety number is not the right one.",
            Self::NoChat => "No chat is open with the peer, or it ended before the text was acknowledged.",
            Self::Interrupted => "Interrupted (SIGINT).",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_frozen() {
        let codes: Vec<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
        assert_eq!(Exit::TimedOut.code(), 8);
    }
}
