//! The daemon locks when logind says that the machine goes to sleep or the screen is locked, and only where it was asked
//! to. (A logind of the test's own, on a bus of its own.)

use secchat_e2e::{Bus, FOREIGN_SESSION, Frontend, Logind, OWN_SESSION, PASSPHRASE, TestUser, World};
use secchat_ipc::types::LockState;

/// Alice, whose daemon hears that bus.
async fn alice_on(bus: &Bus, settings: &str) -> (World, TestUser) {
    let (world, [mut alice]) = World::start(["alice"]).await;
    alice.stop().await;
    alice.home.write_config(&format!("{}{settings}", alice.config(world.relay.address)));
    alice.start_with(&[("DBUS_SYSTEM_BUS_ADDRESS", &bus.address())]).await;
    alice.is_online().await;
    (world, alice)
}

async fn is_locked(frontend: &mut Frontend) {
    frontend.until("locked", |state| state.status.lock == LockState::Locked).await;
}

#[tokio::test]
async fn the_key_is_wiped_before_the_machine_sleeps() {
    let bus = Bus::start().await;
    let logind = Logind::start(&bus).await;
    let (_world, alice) = alice_on(&bus, "lock_on_suspend = true\n").await;
    alice.daemon().log().wait_for("listening to logind").await;
    for slept in 1..=2 {
        logind.suspend().await;
        // The machine would sleep from here on.
        assert_eq!(alice.frontend().await.state().status.lock, LockState::Locked);
        logind.resume().await;
        alice.unlock(PASSPHRASE).await;
        alice
            .daemon()
            .log()
            .wait_until("another delay", |log| log.matches("sleep is delayed").count() > slept)
            .await;
    }
}

#[tokio::test]
async fn the_screens_lock_locks() {
    let bus = Bus::start().await;
    let logind = Logind::start(&bus).await;
    let (_world, alice) = alice_on(&bus, "lock_on_screen_lock = true\n").await;
    alice.daemon().log().wait_for("listening to logind").await;
    let mut frontend = alice.frontend().await;
    // Sleep was not asked for, and the other session is another user's.
    logind.prepare_for_sleep(true).await;
    logind.lock_session(FOREIGN_SESSION).await;
    logind.hint_locked(FOREIGN_SESSION).await;
    logind.lock_session(OWN_SESSION).await;
    is_locked(&mut frontend).await;
    alice.unlock(PASSPHRASE).await;
    frontend.until("unlocked", |state| state.status.lock == LockState::Unlocked).await;
    logind.hint_locked(OWN_SESSION).await;
    is_locked(&mut frontend).await;
    // What is written is read by another thread than the one that saw it happen.
    let twice = |log: &str| log.matches("locking: the screen is locked").count() == 2;
    let log = alice.daemon().log().wait_until("two locks", twice).await;
    assert!(!log.contains("goes to sleep"), "{log}");
    assert_eq!(logind.delays(), 0, "nothing of it was asked to wait");
}

#[tokio::test]
async fn a_bus_that_is_restarted_is_heard_again() {
    let mut bus = Bus::start().await;
    let first = Logind::start(&bus).await;
    let (_world, alice) = alice_on(&bus, "lock_on_screen_lock = true\n").await;
    alice.daemon().log().wait_for("listening to logind").await;
    let mut frontend = alice.frontend().await;
    drop(first);
    bus.restart().await;
    let logind = Logind::start(&bus).await;
    alice
        .daemon()
        .log()
        .wait_until("it listens again", |log| log.matches("listening to logind").count() > 1)
        .await;
    logind.lock_session(OWN_SESSION).await;
    is_locked(&mut frontend).await;
}

#[tokio::test]
async fn without_a_bus_all_else_works() {
    let (world, [mut alice]) = World::start(["alice"]).await;
    alice.stop().await;
    alice.home.write_config(&format!("{}lock_on_suspend = true\n", alice.config(world.relay.address)));
    alice.start_with(&[("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")]).await;
    alice.is_online().await;
    alice.daemon().log().wait_for("logind cannot be heard").await;
    alice.ctl(["list"]).await.ok();
}
