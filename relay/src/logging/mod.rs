//! Where logs go: to the journal when standard error is the journal, else to standard error, as text or JSON. What the
//! relay forwards, keys and passphrases are in no line; people's names are what `names` makes of them.

pub(crate) mod events;
pub(crate) mod lines;
pub(crate) mod names;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use lines::Format;
use lines::Lines;
pub use names::Names;

/// How to log.
#[derive(Debug, Default)]
pub struct Settings<'a> {
    /// A level, or a filter of the tracing crate.
    pub filter: Option<&'a str>,
    /// How lines on standard error look.
    pub format: Format,
    /// Whether people's names are replaced by a keyed hash.
    pub scrub: bool,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is none.
    #[error("{0}")]
    Filter(#[from] ParseError),
    /// There is no thread for it.
    #[error("there is no thread for the log: {0}")]
    Thread(io::Error),
    /// There is no key for scrubbing names.
    #[error("the system gives no randomness: names cannot be scrubbed")]
    Randomness,
}

/// The log; what is logged can be changed while the relay runs. Clones change the same log.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    handle: Option<reload::Handle<EnvFilter, Registry>>,
    names: Arc<Names>,
    lines: Option<Lines>,
}

impl LogFilter {
    /// Logs by another filter from now on.
    pub(crate) fn set(&self, filter: Option<&str>) {
        let Some(handle) = &self.handle else { return };
        if let Ok(filter) = parse(filter) {
            // An error means that the log is gone, with the program.
            let _ = handle.reload(filter);
        }
    }

    /// How people's names are shown.
    #[must_use]
    pub fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }

    /// Waits, within a bound, until what has been logged is written.
    pub fn flush(&self) {
        if let Some(lines) = &self.lines {
            lines.flush();
        }
    }
}

/// Says what is wrong with a filter.
pub(crate) fn check(filter: &str) -> Result<(), String> {
    parse(Some(filter)).map(|_| ()).map_err(|error| error.to_string())
}

fn parse(filter: Option<&str>) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(filter.unwrap_or("info"))
}

/// Starts logging.
///
/// # Errors
/// [`LogError`].
pub fn start(settings: &Settings<'_>) -> Result<LogFilter, LogError> {
    let (filter, handle) = reload::Layer::new(parse(settings.filter)?);
    let names =
        if settings.scrub { Names::scrubbed().map_err(|_| LogError::Randomness)? } else { Names::default() };
    let journal = is_journal().then(|| tracing_journald::layer().ok()).flatten();
    // `MESSAGE_ID` has no prefix.
    let journal = journal.map(|journal| journal.with_field_prefix(None));
    let lines = match &journal {
        Some(_) => None,
        None => Some(Lines::start(settings.format, is_terminal(), io::stderr()).map_err(LogError::Thread)?),
    };
    // An error means that logging was started before, by a test in the same process.
    let _ = tracing_subscriber::registry().with(filter).with(journal).with(lines.clone()).try_init();
    Ok(LogFilter { handle: Some(handle), names: Arc::new(names), lines })
}

/// systemd names the stream that it connected to the journal; it may have been redirected since.
fn is_journal() -> bool {
    std::env::var("JOURNAL_STREAM").is_ok_and(|named| is_stream(io::stderr(), &named))
}

/// Whether `named` is the `device:inode` of this stream.
fn is_stream(stream: impl AsFd, named: &str) -> bool {
    rustix::fs::fstat(stream).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn is_terminal() -> bool {
    use std::io::IsTerminal;
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::is_stream;

    #[test]
    fn only_the_very_stream_that_systemd_named_is_the_journal() {
        let (named, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let identity =
            |file: &std::fs::File| file.metadata().map(|found| (found.dev(), found.ino())).unwrap();
        let ((device, inode), (_, another)) = (identity(&named), identity(&other));
        assert!(is_stream(named.as_fd(), &format!("{device}:{inode}")));
        // Inherited by a process whose standard error is something else.
        assert!(!is_stream(other.as_fd(), &format!("{device}:{inode}")));
        let wrong = [
            format!("{device}:{another}"),
            format!("{}:{inode}", device + 1),
            format!("{inode}:{device}"),
            format!("{device}:{inode}0"),
            format!("{device}"),
            String::new(),
        ];
        for wrong in wrong {
            assert!(!is_stream(named.as_fd(), &wrong), "{wrong}");
        }
    }
}
