//! What is asked of the person, below the texts: a request to answer, one's own that waits, no chat at all.

use secchat_ipc::UserName;
use secchat_ipc::types::{IncomingRequest, OutgoingRequest, RequestState};
use secchat_ipc::{harmless, time};

use crate::chat::conversation::Pane;
use crate::chat::model::{Answer, Dialog, Model, Question};
use crate::chat::rows::{Row, Tone};
use crate::view;

/// The rows of it, none when a chat goes on.
pub(super) fn rows(model: &Model, pane: Pane, now: u64) -> Vec<Row> {
    let is_small = pane.height < ROOM_FOR_DETAILS;
    let (lines, tone) = match (model.dialog(), model.current()) {
        (_, None) => (nobody(), Tone::Note),
        (Some(Dialog::Question(question)), Some(_)) => {
            let request = model.request(&question.peer).filter(|_| !is_small);
            let about = request.map(|request| about_request(request, now));
            (about.into_iter().flatten().chain([asking_back(question)]).collect(), Tone::Alarm)
        }
        (_, Some((peer, _))) => {
            let has_chat = model.state().chats.iter().any(|chat| chat.peer == *peer);
            match (model.request(peer), model.asked(peer)) {
                (Some(request), _) if is_small => (brief_request(request), Tone::Alarm),
                (Some(request), _) => (request_in_full(request, now), Tone::Alarm),
                (None, Some(asked)) => (own_request(asked, now), Tone::Note),
                (None, None) if has_chat => return Vec::new(),
                (None, None) => (no_chat(peer), Tone::Note),
            }
        }
    };
    let wrap = |line: &String| {
        let options = textwrap::Options::new(usize::from(pane.width));
        let wrapped = textwrap::wrap(line, options).into_iter();
        wrapped.map(|text| Row { text: text.into_owned(), tone }).collect::<Vec<_>>()
    };
    lines.iter().flat_map(wrap).collect()
}

fn nobody() -> Vec<String> {
    ["Nobody talks to you yet.", "Tab, /who and /ask NAME help; F1 shows all keys."].map(str::to_owned).into()
}

fn no_chat(peer: &UserName) -> Vec<String> {
    vec![format!("No chat is open with {peer}: /ask asks for one.")]
}

fn asking_back(question: &Question) -> String {
    let peer = &question.peer;
    match question.answer {
        Answer::Accept => format!("Accept {peer}'s request to talk?"),
        Answer::Refuse => format!("Refuse {peer}'s request to talk?"),
        Answer::RefuseQuietly => format!("Refuse {peer}'s request quietly, as if nobody answered?"),
        Answer::Later => format!("Keep {peer}'s request for later?"),
    }
}

fn brief_request(request: &IncomingRequest) -> Vec<String> {
    if request.trust.is_changed() {
        return vec!["asks to talk; key CHANGED: /verify, F3 refuse".to_owned()];
    }
    vec!["asks to talk:".to_owned(), "F2 accept F3 refuse F4 later".to_owned()]
}

fn request_in_full(request: &IncomingRequest, now: u64) -> Vec<String> {
    let peer = &request.peer;
    let answers = if request.trust.is_changed() {
        format!("{peer}'s key CHANGED: compare the number with {peer}, then /verify NUMBER. F3 refuses.")
    } else {
        "F2 or /accept · F3 or /refuse · F4 or /later".to_owned()
    };
    about_request(request, now).into_iter().chain([answers]).collect()
}

fn about_request(request: &IncomingRequest, now: u64) -> [String; 2] {
    let IncomingRequest { peer, trust, .. } = request;
    let state = match request.state {
        RequestState::Pending | RequestState::Accepted => "",
        RequestState::Later => " (kept for later)",
        RequestState::Refused => " (refused; accepting undoes it)",
    };
    let terms = view::terms_for_people(request.terms, now);
    let until = time::relative(request.expires, now);
    [
        format!("{peer} asks to talk{state}: {terms}; ends {until}."),
        format!("Key {}; safety number {}", view::trust_word(*trust), harmless::line(&request.safety_number)),
    ]
}

fn own_request(asked: &OutgoingRequest, now: u64) -> Vec<String> {
    let away = if asked.peer_away { ", who is not available now" } else { "" };
    let until = time::relative(asked.expires, now);
    vec![format!("You asked {}{away}; ends {until}. /withdraw takes it back.", asked.peer)]
}

/// Rows from which on a request is shown with its terms and number.
const ROOM_FOR_DETAILS: u16 = 8;
