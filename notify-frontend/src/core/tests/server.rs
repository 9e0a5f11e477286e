//! Notification servers that come, go, refuse, hurry, or can do little.

use secchat_ipc::types::Resolution;

use super::*;
use crate::limits::REFUSED_RETRY;

#[test]
fn without_a_server_it_is_said_once_and_everything_appears_when_one_comes() {
    let mut desk = Desk::dunst();
    desk.server_goes();
    desk.event(asks("alice"));
    desk.event(asks("bob"));
    desk.event(asks("carol"));
    let lines = desk.lines();
    assert!(lines.len() == 1 && lines[0].starts_with("no notification server: nobody is there"), "{lines:?}");
    assert_eq!(desk.core.poll_timeout(), None, "it waits for the bus's word, not for the clock");
    desk.server_comes();
    assert_eq!(desk.summaries(), ["alice asks to talk", "bob asks to talk", "carol asks to talk"]);
    assert_eq!(desk.lines(), ["a notification server is there now"]);
}

#[test]
fn a_server_that_restarts_gets_everything_again_but_what_was_sent_away() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.event(asks("bob"));
    desk.close("bob asks");
    let sounds = desk.sounds;
    desk.server_goes();
    desk.server_comes();
    assert_eq!(desk.summaries(), ["alice asks to talk"]);
    assert_eq!(desk.sounds, sounds, "it is not news");
    desk.event(resolved("alice", Resolution::Expired));
    assert_eq!(desk.summaries(), [""; 0], "its new id is known");
}

#[test]
fn what_another_server_can_do_is_asked_anew() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.server_goes();
    desk.capabilities = vec!["body".to_owned()];
    desk.server_comes();
    let (_, popup) = desk.find("alice asks");
    assert_eq!(popup.actions, []);
    for line in ["secchatctl accept alice", "secchatctl refuse alice", "secchatctl later alice"] {
        assert!(popup.body.lines().any(|found| found == line), "{}", popup.body);
    }
}

#[test]
fn a_server_that_shows_one_line_names_the_command_there() {
    let mut desk = Desk::new(Show::Name, &[]);
    desk.event(asks("alice"));
    assert_eq!(desk.summaries(), ["alice asks to talk: secchatctl accept alice"]);
}

#[test]
fn commands_name_the_profile() {
    let mut desk = Desk::new(Show::Name, &["body"]);
    desk.core = Core::new(Settings { profile: "work".to_owned(), show: Show::Name, messages: true });
    desk.input(Input::Desktop(FromDesktop::BusIsUp));
    desk.attach(Snapshot::empty(status()), &[]);
    desk.event(asks("alice"));
    assert!(desk.find("alice asks").1.body.contains("secchatctl --profile work accept alice"));
}

#[test]
fn a_click_that_comes_before_the_popups_number_counts() {
    let mut desk = Desk::dunst();
    desk.event(asks("bob"));
    desk.core.handle(Input::Daemon(FromDaemon::Event(Box::new(asks("alice")))), desk.now);
    let call = desk.core.next_call(desk.now).unwrap();
    let result = desk.perform(call);
    let (id, _) = desk.find("alice asks");
    desk.popups.remove(&id);
    desk.signal(Signal::Closed { id });
    desk.signal(Signal::Closed { id: 4_711 });
    desk.input(Input::Desktop(FromDesktop::Result(result)));
    assert_eq!(desk.summaries(), ["bob asks to talk"], "closed, so not shown again");
}

#[test]
fn popups_of_others_are_not_ours() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.read();
    desk.signal(Signal::Chosen { id: 99, key: "accept".to_owned() });
    desk.signal(Signal::Replied { id: 99, text: "x".to_owned() });
    desk.signal(Signal::Closed { id: 99 });
    let (id, _) = desk.find("alice asks");
    desk.signal(Signal::Chosen { id, key: "something".to_owned() });
    assert_eq!(desk.tasks(), []);
    desk.find("alice asks");
}

#[test]
fn a_server_that_refuses_is_asked_again_later_and_later() {
    let mut desk = Desk::dunst();
    desk.refuses = true;
    desk.event(asks("alice"));
    let mut waits = Vec::new();
    for _ in 0..8 {
        let at = desk.core.poll_timeout().unwrap();
        waits.push(at - desk.now);
        desk.pass(at - desk.now);
    }
    assert_eq!((waits[0], waits[1]), (REFUSED_RETRY.0, REFUSED_RETRY.0 * 2));
    assert_eq!(waits[7], REFUSED_RETRY.1);
    desk.refuses = false;
    desk.pass(REFUSED_RETRY.1);
    desk.find("alice asks");
    assert_eq!(desk.core.poll_timeout(), None);
}

#[test]
fn while_a_person_wants_no_popups_only_a_changed_key_appears() {
    let mut desk = Desk::new(Show::Name, PLASMA);
    desk.event(asks("alice"));
    desk.input(Input::Desktop(FromDesktop::Inhibited(true)));
    desk.find("alice asks");
    desk.event(asks("bob"));
    desk.event(Event::TrustChanged { peer: name("carol"), trust: KeyTrust::Changed });
    assert_eq!(desk.summaries(), ["alice asks to talk", "carol has another key than before"]);
    desk.input(Input::Desktop(FromDesktop::Inhibited(false)));
    desk.find("bob asks");
}

#[test]
fn a_server_that_starts_inhibited_is_asked() {
    let mut desk = Desk::new(Show::Name, PLASMA);
    desk.server_goes();
    desk.inhibited = true;
    desk.server_comes();
    desk.event(asks("alice"));
    assert_eq!(desk.summaries(), [""; 0]);
}

#[test]
fn the_outcome_of_a_call_to_a_server_that_is_gone_counts_for_nothing() {
    let mut desk = Desk::dunst();
    desk.core.handle(Input::Daemon(FromDaemon::Event(Box::new(asks("alice")))), desk.now);
    let _late = desk.core.next_call(desk.now).unwrap();
    desk.server_goes();
    desk.server_comes();
    assert_eq!(desk.shows, 0, "one call at a time");
    let gone = CallError::NoServer("it died".to_owned());
    desk.input(Input::Desktop(FromDesktop::Result(CallResult::Shown(Err(gone)))));
    desk.find("alice asks");
}

#[test]
fn at_the_end_all_popups_go() {
    let mut desk = Desk::dunst();
    desk.event(asks("alice"));
    desk.event(asks("bob"));
    let mut ids = desk.core.take_all();
    ids.sort_unstable();
    assert_eq!(ids, desk.popups.keys().copied().collect::<Vec<_>>());
}
