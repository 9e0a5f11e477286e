//! The log on standard error: a line for each event, as text or JSON, written by a thread of its own. Whoever logs
//! never waits: a full disk, a closed stream or a reader that has stopped costs lines, which are counted, and no more.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::{Context, Layer};

use super::events;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// An object for each line, for programs.
    Json,
}

/// The way to the thread that writes.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    format: Format,
    is_coloured: bool,
    queue: SyncSender<Job>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Job {
    Line(String),
    /// Answers when all before it has been written.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no room for a thread.
    pub(super) fn start(
        format: Format,
        is_coloured: bool,
        out: impl io::Write + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let lines = Self { format, is_coloured, queue, lost: Arc::default() };
        let lost = Arc::clone(&lines.lost);
        std::thread::Builder::new()
            .name(String::from("log"))
            .spawn(move || write(&jobs, (format, &lost), out))?;
        Ok(lines)
    }

    /// Waits until all lines so far have been written, for a second at most.
    pub(super) fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.queue.try_send(Job::Flush(done)).is_ok() {
            // An error means that the time is up: the lines are lost.
            let _ = is_done.recv_timeout(FLUSH);
        }
    }

    fn say(&self, line: String) {
        if self.queue.try_send(Job::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(jobs: &Receiver<Job>, (format, lost): (Format, &AtomicU64), mut out: impl io::Write) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Line(line) => {
                let count = lost.swap(0, Ordering::Relaxed);
                let is_told = count == 0 || out.write_all(lost_line(format, count).as_bytes()).is_ok();
                if !is_told || out.write_all(line.as_bytes()).is_err() {
                    let more = if is_told { 1 } else { count.saturating_add(1) };
                    lost.fetch_add(more, Ordering::Relaxed);
                }
            }
            Job::Flush(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
        }
    }
}

fn lost_line(format: Format, count: u64) -> String {
    let message = "lines of this log were lost: the disk was full, or its reader too slow";
    let fields = Fields {
        message: message.to_owned(),
        message_id: Some(events::LINES_LOST.to_owned()),
        others: vec![("lines", count.to_string(), Value::from(count))],
    };
    fields.line(format, Level::WARN, false)
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.say(fields.line(self.format, *event.metadata().level(), self.is_coloured));
    }
}

/// What an event says.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    message_id: Option<String>,
    /// Each as text and as JSON.
    others: Vec<(&'static str, String, Value)>,
}

impl Fields {
    fn line(self, format: Format, level: Level, is_coloured: bool) -> String {
        let mut time = String::new();
        // Writing into memory does not fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        match format {
            Format::Text => self.text(&time, level, is_coloured),
            Format::Json => self.json(time, level),
        }
    }

    fn text(self, time: &str, level: Level, is_coloured: bool) -> String {
        let (on, off) = if is_coloured { (colour(level), "\x1b[0m") } else { ("", "") };
        let mut line = format!("{time} {on}{level:>5}{off} {}", Plain(&self.message));
        for (name, text, _) in &self.others {
            let is_simple =
                !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !"\"'\\".contains(c));
            let _ = if is_simple {
                write!(line, " {name}={}", Plain(text))
            } else {
                write!(line, " {name}={text:?}")
            };
        }
        line.push('\n');
        line
    }

    fn json(self, time: String, level: Level) -> String {
        let mut object = Map::new();
        object.insert("time".into(), time.into());
        object.insert("level".into(), level.as_str().to_ascii_lowercase().into());
        object.insert("message".into(), self.message.into());
        if let Some(id) = self.message_id {
            object.insert("message_id".into(), id.into());
        }
        for (name, _, value) in self.others {
            object.insert(name.into(), value);
        }
        format!("{}\n", Value::Object(object))
    }

    fn put(&mut self, field: &Field, text: String, value: Value) {
        match field.name() {
            "message" => self.message = text,
            "message_id" => self.message_id = Some(text),
            name => self.others.push((name, text, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.put(field, text.clone(), text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.to_string(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.to_string(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.to_string(), value.into());
    }
}

/// Text in which no control character acts: whoever writes a file must not write the log.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[2m",
    }
}

/// Lines that wait for the thread.
const QUEUE: usize = 4_096;
/// Time for the last lines.
const FLUSH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::{Format, Lines};

    /// Passes on what is written, or fails.
    struct Out(Sender<String>, Arc<AtomicBool>);

    impl io::Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let sent = self.0.send(String::from_utf8_lossy(bytes).into_owned());
            sent.map(|()| bytes.len()).map_err(io::Error::other)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(format: Format) -> (Lines, Receiver<String>, Arc<AtomicBool>) {
        let (sender, written) = channel();
        let is_full = Arc::<AtomicBool>::default();
        let lines = Lines::start(format, false, Out(sender, Arc::clone(&is_full))).unwrap();
        (lines, written, is_full)
    }

    fn log(lines: &Lines, event: impl FnOnce()) {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines.clone()), event);
        lines.flush();
    }

    #[test]
    fn text_is_for_people_and_nobody_can_write_lines_into_it() {
        let (lines, written, _) = lines(Format::Text);
        log(&lines, || {
            tracing::warn!(message_id = "0123", user = "al ice", n = 7, empty = "", "a\nb \x1b[31m");
        });
        let line = written.try_recv().unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.len() > 20, "{time}");
        assert_eq!(rest, " WARN a\\nb \\u{1b}[31m user=\"al ice\" n=7 empty=\"\"\n");
    }

    #[test]
    fn json_is_an_object_a_line() {
        let (lines, written, _) = lines(Format::Json);
        log(&lines, || tracing::info!(message_id = "0123", user = %"alice", n = 7, ok = true, "a\nb"));
        let line = written.try_recv().unwrap();
        let mut object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
        assert!(object["time"].take().as_str().unwrap().ends_with('Z'));
        let expected = serde_json::json!({
            "time": null, "level": "info", "message": "a\nb", "message_id": "0123",
            "user": "alice", "n": 7, "ok": true,
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn what_could_not_be_written_is_told_when_it_can() {
        let (lines, written, is_full) = lines(Format::Text);
        is_full.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            log(&lines, || tracing::info!("lost"));
        }
        is_full.store(false, Ordering::SeqCst);
        log(&lines, || tracing::info!("here again"));
        assert!(written.try_recv().unwrap().ends_with("its reader too slow lines=3\n"));
        assert!(written.try_recv().unwrap().ends_with("here again\n"));
        assert!(written.try_recv().is_err());
    }

    #[test]
    fn a_reader_that_has_stopped_holds_nobody_up() {
        struct Stuck(Sender<()>, Receiver<()>);
        impl io::Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.send(());
                let _ = self.1.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (is_writing, started) = channel();
        let (go_on, stuck) = channel();
        let lines = Lines::start(Format::Text, false, Stuck(is_writing, stuck)).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines.clone()), || {
            tracing::info!("the line that it writes");
            // From here on nothing leaves the queue.
            started.recv().unwrap();
            for _ in 0..2 * super::QUEUE {
                tracing::info!("a line");
            }
        });
        assert_eq!(lines.lost.load(Ordering::SeqCst), super::QUEUE as u64);
        drop(go_on);
    }
}
