//! `history`: what was kept of conversations: shown, searched, exported, erased; and for how long it is kept.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use secchat_ipc::types::{HistoryQuery, Keep, KeptText};
use secchat_ipc::{Client, Command, Reply, UserName};
use serde_json::json;

use crate::cli::{ExportFormat, HistoryArgs, Keeping};
use crate::failure::Failure;
use crate::new_files;
use crate::output::{Output, Style, json_line};
use crate::session::Session;
use crate::{harmless, prompt, time, view};

pub(super) async fn run(session: &Session, args: HistoryArgs) -> Result<(), Failure> {
    if let Some(Keeping(keep)) = args.keep {
        return set(session, args.user, keep).await;
    }
    if args.erase {
        return erase(session, args).await;
    }
    let is_asked_for_texts = args.search.is_some() || args.since.is_some() || args.before.is_some();
    if args.user.is_none() && args.export.is_none() && !is_asked_for_texts {
        return overview(session).await;
    }
    let mut to = Sink::open(session, args.export, args.output.as_deref())?;
    let query = HistoryQuery {
        peer: args.user,
        search: args.search,
        since: args.since,
        before: args.before,
        newest_first: args.last.is_some(),
        after: None,
        most: PAGE,
    };
    let count = match args.last {
        Some(last) => show_last(session, query, usize::from(last), &mut to).await?,
        None => show_all(session, query, &mut to).await?,
    };
    to.close()?;
    if count == 0 {
        session.output.note("no such text was kept");
    }
    if let Some(path) = &args.output {
        session.output.note(&format!("{count} texts are in {}", path.display()));
    }
    Ok(())
}

/// Every page as it comes, so that any number of them needs no more memory than one.
async fn show_all(session: &Session, query: HistoryQuery, to: &mut Sink<'_>) -> Result<usize, Failure> {
    let has_peer = query.peer.is_some();
    let mut pages = Pages::of(session, query).await?;
    let mut count: usize = 0;
    while let Some(texts) = pages.next(session).await? {
        for text in &texts {
            to.put(text, has_peer)?;
        }
        count = count.saturating_add(texts.len());
    }
    Ok(count)
}

async fn show_last(
    session: &Session,
    query: HistoryQuery,
    last: usize,
    to: &mut Sink<'_>,
) -> Result<usize, Failure> {
    let mut pages = Pages::of(session, query).await?;
    let mut found = Vec::new();
    while found.len() < last
        && let Some(texts) = pages.next(session).await?
    {
        found.extend(texts);
    }
    found.truncate(last);
    for text in found.iter().rev() {
        to.put(text, true)?;
    }
    Ok(found.len())
}

/// What a query finds, page by page.
struct Pages {
    client: Client,
    /// Of the next page; `None`: there is none.
    query: Option<HistoryQuery>,
}

impl Pages {
    async fn of(session: &Session, query: HistoryQuery) -> Result<Self, Failure> {
        Ok(Self { client: session.connect().await?, query: Some(query) })
    }

    async fn next(&mut self, session: &Session) -> Result<Option<Vec<KeptText>>, Failure> {
        let Some(mut query) = self.query.take() else { return Ok(None) };
        let reply = self.client.call(Command::History(query.clone()), session.limit()).await?;
        let Reply::History { texts, next } = reply else { return Err(Failure::unfit_reply()) };
        query.after = next;
        self.query = Some(query).filter(|query| query.after.is_some());
        Ok(Some(texts))
    }
}

/// Where texts go, and how they look there.
struct Sink<'a> {
    output: &'a Output,
    is_json: bool,
    file: Option<(&'a Path, File)>,
}

impl<'a> Sink<'a> {
    fn open(
        session: &'a Session,
        export: Option<ExportFormat>,
        path: Option<&'a Path>,
    ) -> Result<Self, Failure> {
        let is_json = match export {
            Some(format) => format == ExportFormat::Jsonl,
            None => session.output.is_json(),
        };
        let file = path.map(|path| {
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            made.map(|file| (path, file)).map_err(|error| {
                let is_there = error.kind() == std::io::ErrorKind::AlreadyExists;
                if is_there { new_files::exists(path) } else { Failure::file("write", path, &error) }
            })
        });
        Ok(Self { output: &session.output, is_json, file: file.transpose()? })
    }

    fn put(&mut self, text: &KeptText, has_peer: bool) -> Result<(), Failure> {
        let line = if self.is_json {
            json_line(&view::kept_text(text))?
        } else {
            line(self.file.is_none().then_some(self.output), text, has_peer)
        };
        match &mut self.file {
            Some((path, file)) => {
                file.write_all(line.as_bytes()).map_err(|error| Failure::file("write", path, &error))
            }
            None => self.output.raw(&line),
        }
    }

    fn close(&mut self) -> Result<(), Failure> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        file.sync_all().map_err(|error| Failure::file("write", path, &error))
    }
}

/// A text as a person sees it: who, when, what; no line of it can look like another's.
fn line(output: Option<&Output>, text: &KeptText, has_peer: bool) -> String {
    let who = match (text.is_own, has_peer) {
        (false, _) => text.peer.to_string(),
        (true, true) => "you".to_owned(),
        (true, false) => format!("you to {}", text.peer),
    };
    let when = time::local(text.at);
    let when = output.map_or_else(|| when.clone(), |output| output.styled(Style::Dim, &when));
    let words = harmless::text(&text.text).replace('\n', "\n    ");
    format!("{who} {when}  {words}\n")
}

async fn overview(session: &Session) -> Result<(), Failure> {
    let Reply::HistoryKept { keep, peers } = session.call(Command::HistoryKept).await? else {
        return Err(Failure::unfit_reply());
    };
    session.output.data(view::history_kept(keep, &peers), |output| {
        let day = |unix: Option<u64>| unix.map_or_else(|| "-".to_owned(), view::utc_day);
        let rows = peers.iter().map(|peer| {
            let word = peer.keep.map_or_else(|| "default".to_owned(), view::keep_words);
            [peer.peer.to_string(), word, day(peer.from), day(peer.to)]
        });
        let everybody =
            ["(everybody else)".to_owned(), view::keep_words(keep), "-".to_owned(), "-".to_owned()];
        let rows: Vec<_> = rows.chain([everybody]).collect();
        output.table(["USER", "KEEP", "FROM", "TO"], &rows)
    })
}

async fn set(session: &Session, peer: Option<UserName>, keep: Option<Keep>) -> Result<(), Failure> {
    let command = Command::SetHistory { peer: peer.clone(), keep };
    let Reply::HistoryErased { texts } = session.call(command).await? else {
        return Err(Failure::unfit_reply());
    };
    let whose = peer.as_ref().map_or_else(|| "texts".to_owned(), |peer| format!("texts with {peer}"));
    let word = match (keep, &peer) {
        (Some(keep), _) => format!("kept: {}", view::keep_words(keep)),
        (None, Some(_)) => "kept as all others".to_owned(),
        (None, None) => "not kept".to_owned(),
    };
    let erased = if texts > 0 { format!("; {} erased", counted(texts)) } else { String::new() };
    let value = json!({
        "peer": peer.as_ref().map(UserName::as_str),
        "keep": keep.map(view::keep_words),
        "erased": texts,
    });
    session.told(value, &format!("{whose} are {word}, as far as the chat's terms allow{erased}"))
}

async fn erase(session: &Session, args: HistoryArgs) -> Result<(), Failure> {
    let HistoryArgs { user: peer, before, yes, .. } = args;
    if !yes {
        let whose =
            peer.as_ref().map_or_else(|| "all texts".to_owned(), |peer| format!("the texts with {peer}"));
        let until = before.map(|before| format!(" of the days before {}", view::utc_day(before)));
        let what = format!("{whose}{}", until.unwrap_or_default());
        if !session.may_ask() {
            return Err(Failure::usage(format!("erasing {what} cannot be undone: say --yes")));
        }
        if !prompt::yes(&format!("Erase {what}? This cannot be undone."))? {
            return Err(Failure::failed("nothing is erased"));
        }
    }
    let command = Command::EraseHistory { peer: peer.clone(), before };
    let Reply::HistoryErased { texts } = session.call(command).await? else {
        return Err(Failure::unfit_reply());
    };
    let value = json!({ "peer": peer.as_ref().map(UserName::as_str), "erased": texts });
    session.told(value, &format!("{} erased", counted(texts)))
}

fn counted(texts: u64) -> String {
    if texts == 1 { "one text is".to_owned() } else { format!("{texts} texts are") }
}

/// Texts that are asked for at once.
const PAGE: u16 = 1_024;
