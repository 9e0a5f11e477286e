//! Requests to talk, and what a person says to them.

use secchat_ipc::CommandError;
use secchat_ipc::types::{KeyTrust, RequestState, Resolution, Terms};

use super::*;
use crate::core::io::Choice;
use crate::limits::{LOUD_PEERS, NAMES_IN_A_POPUP, POPUPS_AT_A_TIME, REFLEX};
use crate::popup::Urgency;

#[test]
fn accept_is_neither_the_default_nor_the_only_action() {
    for trust in [KeyTrust::Unverified, KeyTrust::Pinned, KeyTrust::Verified] {
        let mut desk = Desk::dunst();
        desk.event(Event::RequestReceived(request("alice", trust)));
        let (_, popup) = desk.find("alice asks to talk");
        assert_eq!(popup.actions, [Action::Show, Action::Accept, Action::Refuse, Action::Later]);
        assert_eq!(popup.actions[0].key(), "default");
        assert_eq!((popup.urgency, popup.expires), (Urgency::Normal, Some(2_000)));
        assert!(popup.body.contains("12345 12345 12345 12345\n12345"), "{}", popup.body);
    }
}

#[test]
fn the_default_only_shows() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.read();
    desk.choose("alice asks", Action::Show);
    assert_eq!(desk.tasks(), []);
    desk.find("alice asks to talk");
}

#[test]
fn answers_reach_the_daemon_on_the_terms_that_were_shown() {
    for (action, choice) in [
        (Action::Accept, Choice::Accept(TERMS)),
        (Action::Refuse, Choice::Refuse),
        (Action::Later, Choice::Later),
    ] {
        let mut desk = Desk::dunst();
        desk.event(asks("alice"));
        desk.read();
        desk.choose("alice asks", action);
        let task = Task { peer: name("alice"), chat_id: chat_id("alice"), choice };
        assert_eq!(desk.tasks(), [task]);
        assert_eq!(desk.summaries(), [""; 0], "answered, until the daemon says otherwise");
    }
}

#[test]
fn another_request_is_not_accepted_for_the_one_that_was_shown() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.read();
    let (id, _) = desk.find("alice asks");
    // The core has the new request, the screen still the old one.
    let newer = IncomingRequest {
        chat_id: ChatId([9; 16]),
        terms: Terms { until: None, history_days: None },
        ..request("alice", KeyTrust::Unverified)
    };
    desk.core.handle(
        Input::Daemon(FromDaemon::Event(Box::new(resolved("alice", Resolution::Withdrawn)))),
        desk.now,
    );
    desk.core.handle(Input::Daemon(FromDaemon::Event(Box::new(Event::RequestReceived(newer)))), desk.now);
    desk.signal(Signal::Chosen { id, key: "accept".to_owned() });
    assert_eq!(desk.tasks(), []);
    assert!(desk.find("alice asks").1.body.contains("A chat without a set end."));
}

#[test]
fn an_answer_by_reflex_is_not_one_and_the_popup_comes_back() {
    for action in [Action::Accept, Action::Refuse, Action::Later] {
        let mut desk = Desk::dunst();
        desk.event(asks("alice"));
        desk.pass(REFLEX - Duration::from_millis(1));
        desk.choose("alice asks", action);
        assert_eq!(desk.tasks(), []);
        desk.find("alice asks to talk");
        // It has appeared anew: the time to read begins again.
        desk.pass(REFLEX - Duration::from_millis(1));
        desk.choose("alice asks", action);
        assert_eq!(desk.tasks(), []);
        desk.pass(REFLEX);
        desk.choose("alice asks", action);
        assert_eq!(desk.tasks().len(), 1);
    }
}

#[test]
fn a_popup_that_took_the_place_of_another_is_not_accepted_by_reflex() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.event(asks("bob"));
    desk.read();
    desk.event(resolved("alice", Resolution::Expired));
    // bob's popup has moved under the pointer that was on its way to alice's.
    desk.choose("bob asks", Action::Accept);
    assert_eq!(desk.tasks(), []);
    desk.pass(REFLEX);
    desk.choose("bob asks", Action::Accept);
    assert_eq!(desk.tasks().len(), 1);
}

#[test]
fn answered_elsewhere_the_popup_goes() {
    for resolution in [
        Resolution::Accepted,
        Resolution::Refused,
        Resolution::Later,
        Resolution::Expired,
        Resolution::Withdrawn,
    ] {
        let mut desk = Desk::dunst();
        desk.event(asks("alice"));
        desk.find("alice asks");
        desk.event(resolved("alice", resolution));
        assert_eq!(desk.summaries(), [""; 0], "{resolution:?}");
    }
}

#[test]
fn closed_or_expired_on_the_screen_is_no_answer() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.close("alice asks");
    desk.pass(Duration::from_secs(3_600));
    assert_eq!(desk.tasks(), []);
    assert_eq!(desk.summaries(), [""; 0], "the request waits, and does not nag");
    // The next one is something new.
    desk.event(Event::RequestReceived(IncomingRequest {
        chat_id: ChatId([9; 16]),
        ..request("alice", KeyTrust::Unverified)
    }));
    desk.find("alice asks");
}

#[test]
fn on_a_changed_key_there_is_no_accept() {
    let mut desk = Desk::dunst();
    desk.event(Event::RequestReceived(request("alice", KeyTrust::Changed)));
    let (id, popup) = desk.find("alice asks to talk, with another key");
    assert_eq!(popup.actions, [Action::Show, Action::Refuse, Action::Later]);
    assert!(popup.body.contains("secchatctl verify alice"), "{}", popup.body);
    assert_eq!(popup.urgency, Urgency::Critical);
    desk.read();
    // Not even from a server that makes actions up.
    desk.signal(Signal::Chosen { id, key: "accept".to_owned() });
    assert_eq!(desk.tasks(), []);

    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.event(Event::TrustChanged { peer: name("alice"), trust: KeyTrust::Changed });
    assert!(!desk.find("alice asks").1.actions.contains(&Action::Accept));
}

#[test]
fn a_changed_key_is_told_until_it_is_another_again_or_closed() {
    let mut desk = Desk::dunst();
    desk.event(Event::TrustChanged { peer: name("alice"), trust: KeyTrust::Changed });
    let (_, popup) = desk.find("alice has another key than before");
    assert_eq!((popup.urgency, popup.actions), (Urgency::Critical, vec![Action::Show]));
    desk.event(Event::TrustChanged { peer: name("alice"), trust: KeyTrust::Verified });
    assert_eq!(desk.summaries(), [""; 0]);

    desk.event(chat("bob", KeyTrust::Changed));
    desk.close("bob has another key");
    desk.event(asks("carol"));
    assert_eq!(desk.summaries(), ["carol asks to talk"]);
}

#[test]
fn a_key_that_changed_before_is_told_too() {
    let mut desk = Desk::dunst();
    desk.input(Input::Daemon(FromDaemon::Lost));
    desk.attach(Snapshot::empty(status()), &["alice"]);
    desk.find("alice has another key than before");
    desk.input(Input::Daemon(FromDaemon::Lost));
    desk.attach(Snapshot::empty(status()), &[]);
    assert_eq!(desk.summaries(), [""; 0]);
}

#[test]
fn many_changed_keys_are_few_popups() {
    let mut desk = Desk::dunst();
    for number in 0..LOUD_PEERS + 10 {
        desk.event(Event::TrustChanged { peer: name(&format!("user{number}")), trust: KeyTrust::Changed });
    }
    assert_eq!(desk.popups.len(), POPUPS_AT_A_TIME + 1);
    desk.find(&format!("{} people you know have another key", LOUD_PEERS - POPUPS_AT_A_TIME));
}

#[test]
fn fifty_requests_are_three_popups_and_one_for_the_rest() {
    let mut desk = Desk::dunst();
    for number in 10..60 {
        desk.event(asks(&format!("user{number}")));
    }
    assert_eq!(desk.popups.len(), POPUPS_AT_A_TIME + 1);
    let (_, more) = desk.find("47 more people ask to talk");
    assert_eq!(more.actions, [Action::Show]);
    assert_eq!(more.body.matches("user").count(), NAMES_IN_A_POPUP);
    assert!(more.body.ends_with("and 39 others"), "{}", more.body);
    // Who asked first has a popup of their own, and the next one when they are answered.
    desk.find("user12 asks");
    desk.event(resolved("user10", Resolution::Refused));
    desk.find("user13 asks");
    desk.find("46 more people");
    // A person may see more of them, three at a time.
    desk.choose("46 more people", Action::Show);
    assert_eq!(desk.popups.len(), 2 * POPUPS_AT_A_TIME + 1);
}

#[test]
fn a_burst_is_taken_together() {
    let mut desk = Desk::dunst();
    // The server is slow: it has not answered the first call when the rest comes.
    desk.core.handle(Input::Daemon(FromDaemon::Event(Box::new(asks("user9")))), desk.now);
    let call = desk.core.next_call(desk.now).unwrap();
    for number in 10..60 {
        desk.event(asks(&format!("user{number}")));
    }
    assert_eq!(desk.shows, 0);
    let result = desk.perform(call);
    desk.input(Input::Desktop(FromDesktop::Result(result)));
    assert_eq!((desk.shows, desk.sounds), (POPUPS_AT_A_TIME + 1, POPUPS_AT_A_TIME + 1));
    desk.find("48 more people");
}

#[test]
fn with_names_hidden_a_person_has_to_ask_for_them() {
    let mut desk = Desk::new(Show::None, DUNST);
    desk.event(asks("alice"));
    let (_, popup) = desk.find("Somebody asks to talk");
    assert_eq!((popup.body.as_str(), &popup.actions[..]), ("", &[Action::Show][..]));
    desk.event(Event::TrustChanged { peer: name("bob"), trust: KeyTrust::Changed });
    assert!(!format!("{:?}", desk.popups).contains("bob"));
    desk.choose("Somebody asks", Action::Show);
    desk.read();
    desk.choose("alice asks", Action::Accept);
    assert_eq!(desk.tasks().len(), 1);
    desk.event(resolved("alice", Resolution::Accepted));
    desk.event(asks("carol"));
    desk.find("Somebody asks to talk");
}

#[test]
fn what_became_of_an_accept_is_told() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.read();
    desk.choose("alice asks", Action::Accept);
    let task = desk.tasks().remove(0);
    desk.event(resolved("alice", Resolution::Accepted));
    desk.answer(task, Ok(()));
    desk.event(chat("alice", KeyTrust::Pinned));
    let (_, popup) = desk.find("The chat with alice is open");
    assert!(popup.is_transient && popup.body == "secchatctl chat alice", "{popup:?}");
    desk.pass(Duration::from_secs(11));
    assert_eq!(desk.summaries(), [""; 0]);
    assert_eq!(desk.core.poll_timeout(), None, "nothing to wake up for");
}

#[test]
fn who_comes_in_by_an_earlier_consent_is_told() {
    let mut desk = Desk::dunst();
    let (peer, chat_id, by) =
        (name("alice"), request("alice", KeyTrust::Pinned).chat_id, ResolvedBy::Consent);
    desk.event(asks("alice"));
    desk.event(Event::RequestResolved { peer, chat_id, resolution: Resolution::Accepted, by });
    desk.event(chat("alice", KeyTrust::Pinned));
    assert_eq!(desk.summaries(), ["The chat with alice is open"]);
}

#[test]
fn an_accept_that_fails_says_why_and_can_be_tried_again() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.read();
    desk.choose("alice asks", Action::Accept);
    let task = desk.tasks().remove(0);
    desk.answer(task, Err(CommandError::Locked));
    assert!(desk.find("Not accepted: alice").1.body.contains("secchatctl unlock"));
    desk.read();
    desk.choose("alice asks", Action::Accept);
    assert_eq!(desk.tasks().len(), 1);
    assert_eq!(desk.summaries(), [""; 0], "tried anew");
}

fn quiet(on: bool) -> Event {
    Event::DoNotDisturbChanged(DoNotDisturb { on, ..DoNotDisturb::default() })
}

#[test]
fn who_wants_no_disturbance_has_none_and_sees_afterwards_what_waits() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.event(asks("bob"));
    desk.close("bob asks");
    desk.event(quiet(true));
    assert_eq!(desk.summaries(), [""; 0], "what is there goes");
    desk.event(asks("carol"));
    desk.read();
    assert_eq!((desk.summaries(), desk.sounds), (vec![], 2));
    desk.event(quiet(false));
    assert_eq!(desk.summaries(), ["alice asks to talk", "carol asks to talk"], "bob's was sent away before");
    assert_eq!(desk.sounds, 3, "only carol's is new");
    // A daemon that says so at once.
    desk.input(Input::Daemon(FromDaemon::Lost));
    let mut state = Snapshot::empty(status());
    state.incoming = vec![request("dave", KeyTrust::Unverified)];
    state.do_not_disturb.on = true;
    desk.attach(state, &[]);
    assert_eq!(desk.summaries(), [""; 0]);
    // Another key than the pinned one is told all the same.
    desk.event(Event::TrustChanged { peer: name("erin"), trust: KeyTrust::Changed });
    assert_eq!(desk.summaries().len(), 1);
}

#[test]
fn a_request_for_later_has_no_popup() {
    let mut desk = Desk::dunst();
    let later = IncomingRequest { state: RequestState::Later, ..request("alice", KeyTrust::Pinned) };
    desk.event(Event::RequestReceived(later));
    assert_eq!(desk.summaries(), [""; 0]);
}

#[test]
fn without_a_daemon_there_are_no_dead_buttons() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.event(asks("bob"));
    desk.close("bob asks");
    desk.input(Input::Daemon(FromDaemon::Lost));
    assert_eq!(desk.summaries(), [""; 0]);
    let mut state = Snapshot::empty(status());
    state.incoming = vec![request("alice", KeyTrust::Unverified), request("bob", KeyTrust::Unverified)];
    desk.attach(state, &[]);
    assert_eq!(desk.summaries(), ["alice asks to talk"], "bob's was sent away");
}
