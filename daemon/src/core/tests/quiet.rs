//! Do not disturb, by word and by hours: across midnight, across days on which the clock is changed, across restarts.

use jiff::civil::date;
use jiff::tz::TimeZone;
use secchat_ipc::types::{DoNotDisturb, QuietChange, QuietHours, RequestState};

use super::*;

const NIGHT: QuietHours = QuietHours { from: 22 * 60, to: 7 * 60 };

/// Berlin's clock, by rule, wherever the test runs: forward on the last Sunday of March at 2:00, back in October at 3:00.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn unix(day: jiff::civil::Date, hour: i8, minute: i8) -> u64 {
    day.at(hour, minute, 0, 0)
        .to_zoned_datetime(berlin())
        .unwrap()
        .timestamp()
        .as_second()
        .try_into()
        .unwrap()
}

/// Bob alone, in Berlin, at this time of [`World::time`]'s clock or later.
fn world() -> World {
    let mut world = World::new(&["bob"]);
    world.input("bob", Input::Zone(berlin()));
    world
}

fn until(world: &mut World, unix: u64) {
    let now = world.time().unix;
    world.advance(unix - now);
}

fn set(world: &mut World, change: QuietChange) {
    assert_eq!(world.ok("bob", Command::SetDoNotDisturb(change)), Reply::Done);
}

fn shown(world: &mut World) -> (bool, Option<u64>) {
    let DoNotDisturb { on, until, .. } = world.snapshot("bob").do_not_disturb;
    let Reply::DoNotDisturb(told) = world.ok("bob", Command::DoNotDisturb) else { panic!() };
    assert_eq!((told.on, told.until), (on, until), "an answer is what events say");
    (on, until)
}

// The tests' clock starts on Friday, 15 January 2027, at 9:00 in Berlin.

#[test]
fn on_is_until_off_and_for_a_while_is_for_a_while() {
    let mut world = world();
    assert_eq!(shown(&mut world), (false, None));
    set(&mut world, QuietChange::On { seconds: 0 });
    world.advance(10 * 86_400);
    assert_eq!(shown(&mut world), (true, None));
    set(&mut world, QuietChange::Off);
    assert_eq!(shown(&mut world), (false, None));
    let end = world.time().unix + 7_200;
    set(&mut world, QuietChange::On { seconds: 7_200 });
    world.advance(7_199);
    assert_eq!(shown(&mut world), (true, Some(end)));
    world.advance(1);
    assert_eq!(shown(&mut world), (false, None));
    let changes = world.node("bob").events.iter().filter(|e| matches!(e, Event::DoNotDisturbChanged(_)));
    assert_eq!(changes.count(), 4, "told when it changes, by itself too");
}

#[test]
fn the_hours_cross_midnight() {
    let mut world = world();
    set(&mut world, QuietChange::Hours(Some(NIGHT)));
    let friday = date(2027, 1, 15);
    assert_eq!(shown(&mut world), (false, Some(unix(friday, 22, 0))));
    for (day, hour, minute, on) in [
        (15, 21, 59, false),
        (15, 22, 0, true),
        (15, 23, 59, true),
        (16, 0, 0, true),
        (16, 6, 59, true),
        (16, 7, 0, false),
        (16, 21, 59, false),
        (16, 22, 0, true),
    ] {
        until(&mut world, unix(date(2027, 1, day), hour, minute));
        assert_eq!(shown(&mut world).0, on, "{day} {hour}:{minute}");
    }
    // By day, within one day.
    set(&mut world, QuietChange::Hours(Some(QuietHours { from: 12 * 60, to: 13 * 60 + 30 })));
    assert_eq!(shown(&mut world), (false, Some(unix(date(2027, 1, 17), 12, 0))));
    until(&mut world, unix(date(2027, 1, 17), 13, 29));
    assert_eq!(shown(&mut world), (true, Some(unix(date(2027, 1, 17), 13, 30))));
}

#[test]
fn the_clock_is_put_forward_and_back() {
    let half_past_two = QuietHours { from: 2 * 60 + 30, to: 8 * 60 };
    let mut world = world();
    set(&mut world, QuietChange::Hours(Some(half_past_two)));
    // 28 March 2027 has no 2:30: it begins at 3:30, when it would have been half past two.
    let spring = date(2027, 3, 28);
    until(&mut world, unix(spring, 1, 59));
    assert_eq!(shown(&mut world), (false, Some(unix(spring, 3, 30))));
    until(&mut world, unix(spring, 3, 30));
    assert_eq!(shown(&mut world), (true, Some(unix(spring, 8, 0))));
    // That night is an hour short, with hours over it.
    set(&mut world, QuietChange::Hours(Some(NIGHT)));
    let summer_night = unix(date(2027, 7, 2), 7, 0) - unix(date(2027, 7, 1), 22, 0);
    assert_eq!(unix(spring, 7, 0) - unix(date(2027, 3, 27), 22, 0), summer_night - 3_600);
    // 31 October 2027 has 2:30 twice: it begins at the first and goes on through the second.
    set(&mut world, QuietChange::Hours(Some(half_past_two)));
    let autumn = date(2027, 10, 31);
    let first = unix(autumn, 2, 30);
    until(&mut world, first - 1);
    assert_eq!(shown(&mut world), (false, Some(first)));
    until(&mut world, first + 3_600);
    assert_eq!(shown(&mut world), (true, Some(unix(autumn, 8, 0))));
    // An end that comes twice is the first.
    set(&mut world, QuietChange::Hours(Some(QuietHours { from: 22 * 60, to: 2 * 60 + 30 })));
    assert_eq!(shown(&mut world), (false, Some(unix(autumn, 22, 0))), "over since the first one");
}

#[test]
fn off_during_the_hours_is_for_their_rest_and_on_lasts_into_them() {
    let mut world = world();
    set(&mut world, QuietChange::Hours(Some(NIGHT)));
    until(&mut world, unix(date(2027, 1, 15), 23, 0));
    set(&mut world, QuietChange::Off);
    assert_eq!(shown(&mut world), (false, Some(unix(date(2027, 1, 16), 22, 0))));
    until(&mut world, unix(date(2027, 1, 16), 22, 0));
    assert_eq!(shown(&mut world), (true, Some(unix(date(2027, 1, 17), 7, 0))), "the next night holds");
    // For two hours from 21:00 is until the morning, because the night has begun by then.
    until(&mut world, unix(date(2027, 1, 17), 21, 0));
    set(&mut world, QuietChange::On { seconds: 7_200 });
    assert_eq!(shown(&mut world), (true, Some(unix(date(2027, 1, 18), 7, 0))));
    until(&mut world, unix(date(2027, 1, 18), 7, 0));
    assert!(!shown(&mut world).0);
    set(&mut world, QuietChange::Hours(None));
    assert_eq!(shown(&mut world), (false, None));
}

#[test]
fn a_journey_moves_the_hours() {
    let mut world = world();
    set(&mut world, QuietChange::Hours(Some(NIGHT)));
    until(&mut world, unix(date(2027, 1, 15), 22, 30));
    assert!(shown(&mut world).0);
    world.input("bob", Input::Zone(TimeZone::posix("EST5").unwrap()));
    assert!(!shown(&mut world).0, "half past four in the afternoon there");
}

#[test]
fn it_survives_a_crash_and_the_configuration_holds_until_a_person_says_otherwise() {
    let mut world = world();
    set(&mut world, QuietChange::On { seconds: 0 });
    set(&mut world, QuietChange::Hours(Some(NIGHT)));
    world.crash("bob");
    world.command("bob", Command::Subscribe, MIRROR);
    assert_eq!(shown(&mut world), (true, None));
    set(&mut world, QuietChange::Off);
    assert_eq!(world.snapshot("bob").do_not_disturb.hours, Some(NIGHT));
    set(&mut world, QuietChange::HoursAsConfigured);
    assert_eq!(world.snapshot("bob").do_not_disturb.hours, None);
    for wrong in [QuietHours { from: 5, to: 5 }, QuietHours { from: 0, to: 1_440 }] {
        let error = world.err("bob", Command::SetDoNotDisturb(QuietChange::Hours(Some(wrong))));
        assert!(matches!(error, CommandError::Invalid { .. }));
    }
    // Configured hours hold in a daemon that was never told anything, locked too.
    let configured = Settings { quiet_hours: Some(NIGHT), ..settings("carol") };
    world.add(configured, Disk::new());
    world.input("carol", Input::Zone(berlin()));
    let Reply::DoNotDisturb(state) = world.ok("carol", Command::DoNotDisturb) else { panic!() };
    assert_eq!((state.on, state.hours), (false, Some(NIGHT)));
    assert_eq!(world.err("carol", Command::SetDoNotDisturb(QuietChange::Off)), CommandError::Locked);
}

#[test]
fn requests_and_texts_arrive_as_ever() {
    let mut world = World::new(&["alice", "bob"]);
    set(&mut world, QuietChange::On { seconds: 0 });
    let asking = world.start("alice", world.rtt("bob", true));
    assert_eq!(world.snapshot("bob").incoming[0].state, RequestState::Pending);
    assert_eq!(world.answer("alice", asking), None, "nothing is answered by it");
    world.accept("bob", "alice");
    world.send("alice", "bob", "when you are awake");
    assert_eq!(world.read("bob"), ["when you are awake"]);
}
