//! Every bound of the popup, with its unit and reason.

use std::time::Duration;

/// For how long after something of ours appeared or went on the screen no request is answered: longer than a click that
/// was already under way, shorter than reading takes.
pub const REFLEX: Duration = Duration::from_millis(500);
/// How long a text waits before its popup: a chat window that is open has read it by then.
pub const SETTLE: Duration = Duration::from_millis(500);
/// How long the word that a chat is open stays, where the server does not end it itself.
pub const OPENED_STAYS: Duration = Duration::from_secs(10);
/// Popups of requests, and again of senders of texts, at a time; one more stands for the rest. A click on that one
/// shows as many more.
pub const POPUPS_AT_A_TIME: usize = 3;
/// Names in the popup that stands for many.
pub const NAMES_IN_A_POPUP: usize = 8;
/// Texts of one sender in a popup, the newest.
pub const TEXTS_IN_A_POPUP: usize = 3;
/// Characters of one text in a popup.
pub const CHARACTERS_OF_A_TEXT: usize = 200;
/// Peers with another key than the pinned one whose popups are kept in mind.
pub const LOUD_PEERS: usize = 64;
/// Signals of popups that the server shows already, but has not numbered yet.
pub const EARLY_SIGNALS: usize = 16;
/// How long a call to the server may take: the bus gives one that it has to start 25 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// First and last wait before a call that the server refused is made again.
pub const REFUSED_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// First and last wait before the daemon is looked for again. Where its socket's folder can be watched, a change of that
/// counts in the place of the last wait.
pub const DAEMON_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));
/// First and last wait before the session bus is looked for again.
pub const BUS_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long a session bus that was there may be away: one that is restarted is back at once; one that ended with its
/// session must not leave a program behind that keeps the next session's from starting.
pub const BUS_AWAY: Duration = Duration::from_secs(3);
/// How long closing our popups may hold up the end: a server that hangs is not waited for.
pub const FAREWELL: Duration = Duration::from_secs(3);
/// Messages between the tasks: enough for one burst; who has more waits.
pub const QUEUE: usize = 64;
