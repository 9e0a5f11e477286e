//! Where the log goes: the journal when standard error is the journal, standard error otherwise.
//!
//! Peers' text goes into fields, never into a message: the layers escape fields only.

use std::os::fd::AsFd;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A filter that is none.
#[derive(Debug, thiserror::Error)]
#[error("{filter:?} is no log filter ({source}): try `info` or `secchat_daemon=debug`")]
pub struct BadFilter {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging for this process.
///
/// # Errors
/// [`BadFilter`].
pub fn start(filter: Option<&str>) -> Result<(), BadFilter> {
    let filter = filter.filter(|text| !text.is_empty()).unwrap_or("info");
    let parsed =
        EnvFilter::try_new(filter).map_err(|source| BadFilter { filter: filter.to_owned(), source })?;
    let journal = stderr_is_journal().then(|| tracing_journald::layer().ok()).flatten();
    let journal = journal.map(|layer| layer.with_syslog_identifier("secchatd".to_owned()));
    let terminal = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()) && !no_color())
    });
    // A test starts several daemons in one process: the first one's subscriber serves all.
    let _ = tracing_subscriber::registry().with(parsed).with(journal).with(terminal).try_init();
    Ok(())
}

/// Whether standard error leads to the journal: `JOURNAL_STREAM` is `device:inode` of the stream that systemd opened,
/// and is inherited by processes whose standard error is something else.
fn stderr_is_journal() -> bool {
    std::env::var("JOURNAL_STREAM").is_ok_and(|named| is_stream(std::io::stderr(), &named))
}

/// Whether `named` is the `device:inode` of this stream.
fn is_stream(stream: impl AsFd, named: &str) -> bool {
    rustix::fs::fstat(stream).is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
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
