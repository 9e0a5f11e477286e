//! Do not disturb: by word and by hours, and across restarts.

use secchat_e2e::World;
use secchat_ipc::Event;

#[tokio::test]
async fn it_is_shown_everywhere_and_outlives_the_daemon() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    let mut bobs = bob.frontend().await;
    bob.ctl(["dnd", "on", "--for", "8h"]).await.ok().says("do not disturb: on until");
    let changed = bobs
        .find(|event| if let Event::DoNotDisturbChanged(state) = event { Some(state) } else { None })
        .await;
    assert!(changed.on && changed.until.is_some());
    bob.kill();
    bob.start().await;
    bob.is_online().await;
    assert_eq!(bob.ctl(["status", "--format", "{dnd}"]).await.ok().stdout, "on\n");
    assert!(bob.ctl(["status"]).await.ok().stdout.contains("secchatctl dnd off"));
    // Whoever asks notices nothing of it, and waits.
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    bob.frontend().await.until_asked_by(&alice.name).await;
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.unwrap().ok();
    bob.ctl(["dnd", "off"]).await.ok();
    assert_eq!(bob.ctl(["dnd", "--json"]).await.ok().json()["on"], false);
}

#[tokio::test]
async fn its_hours_are_those_of_the_configuration_until_a_person_says_otherwise() {
    let (world, [mut bob]) = World::start(["bob"]).await;
    bob.stop().await;
    let config = bob.config(world.relay.address);
    // In UTC: from an hour ago until in an hour.
    let hour = |hours: u64| (secchat_e2e::unix_now() / 3_600 + hours) % 24;
    let hours = format!("{:02}:00-{:02}:59", hour(23), hour(1));
    bob.home.write_config(&format!("{config}quiet_hours = \"{hours}\"\n"));
    bob.start_with(&[("TZ", "UTC")]).await;
    bob.is_online().await;
    let state = bob.ctl(["dnd", "--json"]).await.ok().json();
    assert_eq!((&state["on"], state["hours"].as_str()), (&true.into(), Some(hours.as_str())), "{state}");
    bob.ctl(["dnd", "--between", "none"]).await.ok();
    assert_eq!(bob.ctl(["dnd", "--json"]).await.ok().json()["on"], false);
    bob.ctl(["dnd", "--between", "default"]).await.ok();
    assert_eq!(bob.ctl(["dnd", "--json"]).await.ok().json()["on"], true);
    bob.ctl(["dnd", "--between", "9-5"]).await.with_code(2).says("22:00-07:00");
}
