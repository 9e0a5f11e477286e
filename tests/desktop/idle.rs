//! A popup that waits costs nothing.

use std::path::Path;
use std::time::Duration;

use secchat_e2e::{Process, World};

use super::popups_of;
use super::servers::GNOME;

/// Nothing that comes back every few seconds is overlooked.
const WHILE_IDLE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn while_nothing_happens_it_does_not_wake_up() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (_desktop, server, popups) = popups_of(&bob, &[], GNOME).await;
    // It has done all there is to do: a popup was shown, and taken off.
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    server.shows("alice asks to talk").await;
    bob.ctl(["refuse", "alice"]).await.ok();
    server.is_empty().await;
    sleeps(&popups).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", popups.pid())).unwrap();
    eprintln!("{}", status.lines().find(|line| line.starts_with("VmRSS")).unwrap());
}

#[tokio::test]
async fn while_there_is_no_daemon_it_does_not_wake_up_and_sees_one_come() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bob.frontend().await.until_asked_by(&alice.name).await;
    bob.stop().await;
    let (_desktop, server, popups) = popups_of(&bob, &[], GNOME).await;
    popups.log().wait_for("waiting for the daemon").await;
    sleeps(&popups).await;
    bob.start().await;
    server.shows("alice asks to talk").await;
}

/// Waits until a popup program does nothing for a while.
async fn sleeps(popups: &Process) {
    let quiet = async {
        loop {
            let before = wake_ups(popups.pid());
            tokio::time::sleep(WHILE_IDLE).await;
            if wake_ups(popups.pid()) == before {
                return;
            }
        }
    };
    secchat_e2e::within("five seconds in which it sleeps", quiet).await;
}

/// How often its threads have gone to sleep, since it started.
fn wake_ups(pid: u32) -> u64 {
    let tasks = Path::new("/proc").join(pid.to_string()).join("task");
    let count = |status: String| {
        let line =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).map(str::trim);
        line.and_then(|count| count.parse::<u64>().ok()).unwrap()
    };
    std::fs::read_dir(tasks)
        .unwrap()
        .map(|task| count(std::fs::read_to_string(task.unwrap().path().join("status")).unwrap()))
        .sum()
}
