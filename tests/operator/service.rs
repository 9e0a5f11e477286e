//! What a service manager sees: reloads that begin and end, a relay that lives, and one that stops.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use secchat_e2e::within;
use secchat_proto::wire::link::LogoutReason;
use tokio::net::UnixDatagram;

use crate::relay::LiveRelay;

/// The manager's end of the notices from now on.
struct Manager(UnixDatagram);

impl Manager {
    /// Listens where the relay was told to speak.
    fn at(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        Self(UnixDatagram::bind(path).expect("the socket"))
    }

    async fn hears(&self, word: &str) -> String {
        let listening = async {
            let mut datagram = [0; 1024];
            loop {
                let length = self.0.recv(&mut datagram).await.expect("a notice");
                let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
                if text.contains(word) {
                    return text;
                }
            }
        };
        within(&format!("the relay says {word}"), listening).await
    }
}

#[tokio::test]
async fn sighup_reloads_and_the_manager_is_told_when_it_begins_and_ends() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    let manager = Manager::at(&relay.path("notify"));
    relay.process.signal(Signal::HUP);
    let begun = manager.hears("RELOADING=1").await;
    let at = begun.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("the time");
    assert!(at.parse::<u64>().expect("microseconds") > 0);
    manager.hears("READY=1").await;
    let log = relay.logs("reloaded", 1).await;
    assert!(log.contains("added=0 removed=0"), "{log}");
    relay.write("user_list", "x y z\n");
    relay.process.signal(Signal::HUP);
    manager.hears("STATUS=1 error").await;
    manager.hears("READY=1").await;
    carol.is_undisturbed().await;
    relay.write("user_list", relay.list(&["alice"]));
    relay.process.signal(Signal::HUP);
    carol.is_logged_out(LogoutReason::Removed).await;
}

#[tokio::test]
async fn the_watchdog_is_fed_while_the_router_answers() {
    let relay = LiveRelay::start_command(
        |_| {},
        |command| {
            command.env("WATCHDOG_USEC", "400000");
        },
    )
    .await;
    let manager = Manager::at(&relay.path("notify"));
    for _ in 0..3 {
        let began = std::time::Instant::now();
        manager.hears("WATCHDOG=1").await;
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn sigterm_says_closing_to_everybody() {
    let relay = LiveRelay::start().await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    let manager = Manager::at(&relay.path("notify"));
    relay.process.signal(Signal::TERM);
    manager.hears("STOPPING=1").await;
    alice.is_logged_out(LogoutReason::Closing).await;
    carol.is_logged_out(LogoutReason::Closing).await;
    drop((alice, carol));
    let LiveRelay { process, .. } = relay;
    assert!(process.exit().await.success());
}
