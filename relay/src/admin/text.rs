//! Answers for people: a line for each thing, the thing's name first.

use std::fmt::Write as _;

use super::protocol::{Changes, LastReload, Offer, Person, Report, Session, Share, Status, Trigger};

/// How a relay is, at a time in Unix seconds.
pub(super) fn status(status: &Status, now: u64) -> String {
    let Status { version, pid, address, uptime_seconds, users, sessions, chats, requests, limits, .. } =
        status;
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:12} {value}");
    };
    let share = |Share { used, of }: Share| format!("{used} of {of}");
    row("relay", format!("{version}, process {pid}, for {}", span(*uptime_seconds)));
    row("address", address.to_string());
    row("users", format!("{users} on the list, {sessions} here"));
    row("chats", chats.to_string());
    row("requests", format!("{requests} waiting"));
    row("connections", share(limits.connections));
    row("logins", format!("{} under way", share(limits.logins)));
    row("queued", format!("{} bytes", share(limits.queued_bytes)));
    row("certificate", days_left(status.certificate_days_left, "cannot be read"));
    row("CRL", days_left(status.crl_days_left, "none, or without nextUpdate"));
    match &status.reload {
        None => row("reload", "none yet".to_owned()),
        Some(last) => {
            row("reload", last_reload(last, now));
            for error in &last.errors {
                row("", error.clone());
            }
        }
    }
    text
}

fn last_reload(last: &LastReload, now: u64) -> String {
    let LastReload { at, trigger, added, removed, changed, ended, errors } = last;
    let why = match trigger {
        Trigger::Files => "files changed",
        Trigger::Signal => "SIGHUP",
        Trigger::Command => "command",
    };
    let ago = span(now.saturating_sub(*at));
    if errors.is_empty() {
        format!("{ago} ago ({why}): +{added} -{removed} ~{changed}, {ended} sessions ended")
    } else {
        format!("FAILED {ago} ago ({why}); what was in force before still is. Mend this:")
    }
}

/// What a reload did, or would do.
pub(super) fn report(Report { changes, .. }: &Report, is_trial: bool) -> String {
    if changes.is_empty() {
        return "Nothing has changed.\n".to_owned();
    }
    let Changes { added, removed, changed, ended, credentials, settings } = changes;
    let mut text = String::new();
    for (sign, names) in [('+', added), ('-', removed), ('~', changed)] {
        for name in names {
            let ends = if ended.contains(name) {
                if is_trial { "  (here: the session ends)" } else { "  (session ended)" }
            } else {
                ""
            };
            let _ = writeln!(text, "{sign}{name}{ends}");
        }
    }
    if *credentials {
        text.push_str("certificate, key or CRL: others, for new logins\n");
    }
    if !settings.is_empty() {
        let _ = writeln!(text, "settings: {}", settings.join(", "));
    }
    let verb = if is_trial { "would end" } else { "ended" };
    let (added, removed, changed, ended) = (added.len(), removed.len(), changed.len(), ended.len());
    let _ = writeln!(
        text,
        "{added} added, {removed} removed, {changed} with another key; sessions that {verb}: {ended}"
    );
    text
}

/// Everything that is held on somebody.
pub(super) fn person(person: &Person, now: u64) -> String {
    let name = &person.name;
    if person.is_empty() {
        return format!("Nothing is held on {name}.\n");
    }
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:12} {value}");
    };
    row("name", name.clone());
    match &person.key {
        Some(key) => row("key", format!("{} {}", key.kind, key.fingerprint)),
        None => row("key", "not on the list".to_owned()),
    }
    if let Some(old) = person.key.as_ref().and_then(|key| key.old_fingerprint.as_ref()) {
        row("old key", format!("{old}, taken as well"));
    }
    if let Some(count) = person.key.as_ref().map(|key| key.successions).filter(|count| *count > 0) {
        row("successions", format!("{count}, signed by the keys before"));
    }
    match &person.session {
        Some(session) => session_rows(session, now, &mut row),
        None => row("session", "none".to_owned()),
    }
    for offer in &person.offers {
        row("offers", format!("to {}", offer_text(offer, now)));
    }
    for offer in &person.offered {
        row("is offered", format!("by {}", offer_text(offer, now)));
    }
    row(
        "counted",
        format!(
            "{} requests of the last minutes; {} pairs of asker and asked",
            person.requests_counted, person.request_pairs
        ),
    );
    if person.has_news {
        row("news", "others are about to be told that the user came or went".to_owned());
    }
    text
}

fn session_rows(session: &Session, now: u64, row: &mut impl FnMut(&str, String)) {
    let Session {
        address,
        since,
        is_available,
        watches,
        delegated_until,
        chats,
        lists_counted,
        owed_list,
        queued_messages,
        queued_bytes,
    } = session;
    let address = address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
    let since = since.map_or_else(String::new, |since| format!(", for {}", span(now.saturating_sub(since))));
    row("session", format!("from {address}{since}"));
    if let Some(until) = delegated_until {
        row("key", format!("a delegated one, for {} more", span(until.saturating_sub(now))));
    }
    row("role", if *is_available { "available" } else { "hidden" }.to_owned());
    let list = if *owed_list { "; one is to follow" } else { "" };
    let watches = if *watches { "watched, " } else { "" };
    row("list", format!("{watches}{lists_counted} sent in the last minute{list}"));
    let with = if chats.is_empty() { "none".to_owned() } else { format!("with {}", chats.join(", ")) };
    row("chats", with);
    row("queued", format!("{queued_messages} messages, {queued_bytes} bytes"));
}

fn offer_text(Offer { with, kind, expires, delivered }: &Offer, now: u64) -> String {
    let ends = expires.map_or_else(String::new, |at| format!(", ends in {}", span(at.saturating_sub(now))));
    let delivered = if *delivered { ", delivered" } else { "" };
    format!("{with}: {kind}{delivered}{ends}")
}

fn days_left(days: Option<i64>, otherwise: &str) -> String {
    match days {
        Some(days) if days < 0 => format!("ENDED {} days ago: nobody can log in", days.unsigned_abs()),
        Some(1) => "1 day left".to_owned(),
        Some(days) => format!("{days} days left"),
        None => otherwise.to_owned(),
    }
}

/// A span of time in the two units that matter.
fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, name) in UNITS {
        let count = rest / unit;
        rest %= unit;
        if count > 0 || (!parts.is_empty() && parts.len() < 2) {
            parts.push(format!("{count} {name}"));
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_725, "1 h 2 min"),
            (90_000, "1 d 1 h"),
            (86_460, "1 d 0 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
