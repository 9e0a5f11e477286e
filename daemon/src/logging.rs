//! Where the log goes: the journal when standard error is the journal, standard error otherwise.
//!
//! Peers' text goes into fields, never into a message: the layers escape fields only.

pub(crate) mod events;

use std::os::fd::AsFd;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::core::io::LogLine;

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
    // `MESSAGE_ID` has no prefix, so that no other field has.
    let journal =
        journal.map(|layer| layer.with_syslog_identifier("secchatd".to_owned()).with_field_prefix(None));
    // Set before, by another daemon of the same test: it goes where that one's goes.
    let _ = TO_JOURNAL.set(journal.is_some());
    let terminal = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()) && !no_color())
    });
    // A test starts several daemons in one process: the first one's subscriber serves all.
    let _ = tracing_subscriber::registry().with(parsed).with(journal).with(terminal).try_init();
    Ok(())
}

/// What the core has to tell, with the id that the journal knows it by; a terminal has no use for that.
pub(crate) fn tell(line: &LogLine) {
    let id = if TO_JOURNAL.get().copied().unwrap_or(false) { events::id(line.event) } else { None };
    tell_as(line, id);
}

fn tell_as(line: &LogLine, id: Option<&'static str>) {
    let LogLine { event, peer, detail, warning } = line;
    let peer = peer.as_ref().map(tracing::field::display);
    let detail = (!detail.is_empty()).then(|| tracing::field::debug(detail));
    if *warning {
        tracing::warn!(MESSAGE_ID = id, peer, detail, "{event}");
    } else {
        tracing::info!(MESSAGE_ID = id, peer, detail, "{event}");
    }
}

/// Whether the log goes to the journal.
static TO_JOURNAL: OnceLock<bool> = OnceLock::new();

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

    use super::{LogLine, events, is_stream, tell_as};

    type Fields = std::collections::BTreeMap<String, String>;

    /// Gives on what would go to the journal: the fields of each line, by name.
    struct Kept(std::sync::mpsc::Sender<Fields>);

    struct Visitor(Fields);

    impl tracing::field::Visit for Visitor {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
            self.0.insert(field.name().to_owned(), format!("{value:?}"));
        }
    }

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Kept {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            let mut visitor = Visitor(Fields::new());
            event.record(&mut visitor);
            self.0.send(visitor.0).unwrap();
        }
    }

    #[test]
    fn the_journal_gets_the_id_and_what_a_peer_chose_only_in_fields() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let (kept, lines) = std::sync::mpsc::channel();
        let detail = "by \u{1b}[2J".to_owned();
        let peer = secchat_proto::UserName::parse(b"bob").ok();
        let line = LogLine { event: "rtt_accepted", peer, detail, warning: false };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Kept(kept)), || {
            tell_as(&line, events::id(line.event));
            tell_as(&LogLine { peer: None, detail: String::new(), ..line.clone() }, None);
        });
        let lines: Vec<Fields> = lines.try_iter().collect();
        let id = events::id("rtt_accepted").unwrap();
        assert_eq!(lines[0]["MESSAGE_ID"].trim_matches('"'), id);
        assert_eq!((lines[0]["peer"].as_str(), lines[0]["message"].as_str()), ("bob", "rtt_accepted"));
        assert!(!lines[0]["detail"].contains('\u{1b}'), "{:?}", lines[0]);
        assert_eq!(lines[1].keys().collect::<Vec<_>>(), ["message"]);
    }

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
