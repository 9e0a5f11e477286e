//! What a failed accept means: that one connection has gone already, or that something is used up which the next one
//! needs as well. Pure: it is told what came of each accept, and says what to do.

use std::io;

use rustix::io::Errno;

/// Whether connections can be accepted.
#[derive(Debug, Default)]
pub(crate) struct Accepting {
    /// An accept has failed for want of something, and none has succeeded since.
    is_starved: bool,
}

/// What to do about a failed accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing: it concerns one connection, which is gone from the queue.
    PassOver,
    /// Wait for something to be given back; `tell` at the first failure of a row.
    Pause { tell: bool },
}

impl Accepting {
    /// A connection has come; whether that is worth a word.
    pub(crate) fn note_success(&mut self) -> bool {
        std::mem::take(&mut self.is_starved)
    }

    /// An accept has failed.
    pub(crate) fn note_failure(&mut self, error: &io::Error) -> Remedy {
        if Errno::from_io_error(error).is_some_and(is_of_one_connection) {
            return Remedy::PassOver;
        }
        Remedy::Pause { tell: !std::mem::replace(&mut self.is_starved, true) }
    }
}

/// What befell the connection that would have been accepted: Linux hands a fresh socket's errors to accept (accept(2)).
/// All else stays until somebody gives something back, and asking again at once would only burn the processor.
fn is_of_one_connection(error: Errno) -> bool {
    matches!(
        error,
        Errno::CONNABORTED
            | Errno::INTR
            | Errno::PROTO
            | Errno::NETDOWN
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::NONET
            | Errno::HOSTUNREACH
            | Errno::OPNOTSUPP
            | Errno::NETUNREACH
    )
}

/// What an operator can do about it.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => "raise the service's LimitNOFILE, or lower limits.connections",
        Some(Errno::NFILE) => "raise the machine's fs.file-max, or see which program holds the files",
        Some(Errno::NOMEM | Errno::NOBUFS) => "the machine has no memory left for sockets",
        _ => "connections wait in the system's queue meanwhile",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.raw_os_error())
    }

    #[test]
    fn what_is_used_up_makes_a_pause_and_is_told_once() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::PERM, Errno::INVAL] {
            let mut accepting = Accepting::default();
            let pauses = [(); 3].map(|()| accepting.note_failure(&error(errno)));
            let expected = [true, false, false].map(|tell| Remedy::Pause { tell });
            assert_eq!(pauses, expected, "{errno:?}");
            assert_eq!([(); 2].map(|()| accepting.note_success()), [true, false], "{errno:?}");
            assert_eq!(accepting.note_failure(&error(errno)), Remedy::Pause { tell: true }, "{errno:?}");
        }
        let odd = io::Error::other("not the system's");
        assert_eq!(Accepting::default().note_failure(&odd), Remedy::Pause { tell: true });
    }

    #[test]
    fn a_connection_that_has_gone_is_passed_over_and_says_nothing_of_the_others() {
        let mut accepting = Accepting::default();
        for errno in [Errno::CONNABORTED, Errno::PROTO, Errno::INTR, Errno::HOSTUNREACH] {
            assert_eq!(accepting.note_failure(&error(errno)), Remedy::PassOver, "{errno:?}");
        }
        assert!(!accepting.note_success());
        assert_eq!(accepting.note_failure(&error(Errno::NFILE)), Remedy::Pause { tell: true });
        assert_eq!(accepting.note_failure(&error(Errno::CONNABORTED)), Remedy::PassOver);
        assert!(accepting.note_success(), "still starved until one has come");
    }
}
