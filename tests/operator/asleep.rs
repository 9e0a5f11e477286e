//! A relay that could not run for a while: its machine was busy, or slept. What clients said meanwhile lies in their
//! sockets, and counts before the time that has passed.

use std::time::Duration;

use rustix::process::Signal;
use secchat_proto::wire::link::LinkMessage;

use crate::relay::{Files, LiveRelay};

/// After so much silence a link is pinged, and after as much again it is dead.
const SILENCE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_relay_that_slept_does_not_take_its_own_silence_for_its_clients() {
    let prepare = |files: &Files| {
        let ms = SILENCE.as_millis();
        files.configure(&format!("[limits]\nping_after_ms = {ms}\npong_timeout_ms = {ms}\n"));
    };
    let relay = LiveRelay::start_with(prepare).await;
    let mut alice = relay.login("alice").await;
    // Either order of what is ready at once may come by chance.
    for _ in 0..8 {
        let Some(LinkMessage::Ping(x)) = alice.hears.next().await else { panic!("no Ping") };
        relay.process.signal(Signal::STOP);
        alice.says.say(&LinkMessage::Pong(x)).await;
        // The time itself is what is tested.
        tokio::time::sleep(2 * SILENCE).await;
        relay.process.signal(Signal::CONT);
    }
    let Some(LinkMessage::Ping(_)) = alice.hears.next().await else { panic!("the link has ended") };
}
