//! Desktops that can show no popup, or not all of one.

use secchat_e2e::{Bus, CtlOutput, TestUser};
use serde_json::Value;

use super::{one, without_relay};

/// A notification server that can do this much.
struct Notifier(&'static [&'static str]);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Notifier {
    fn get_server_information(&self) -> (&str, &str, &str, &str) {
        ("fake", "secchat", "1.0", "1.2")
    }

    fn get_capabilities(&self) -> &[&str] {
        self.0
    }
}

async fn notifications(alice: &TestUser, address: &str) -> Value {
    let mut command = alice.home.command("secchatctl");
    command.args(["--json", "doctor"]).env("DBUS_SESSION_BUS_ADDRESS", address);
    one(&CtlOutput::of(command, None).await, "notifications")
}

#[tokio::test]
async fn each_lack_of_a_desktop_is_told_and_none_is_a_failure() {
    let (_pki, alice) = without_relay();
    let none = notifications(&alice, "unix:path=/nowhere/bus").await;
    assert_eq!(
        (&none["verdict"], &none["mend"]),
        (&"warning".into(), &"systemctl --user start dbus.socket".into())
    );

    let bus = Bus::start().await;
    let empty = notifications(&alice, &bus.address()).await;
    assert_eq!((&empty["verdict"], &empty["mend"]), (&"warning".into(), &"dunst &".into()));

    for (can, verdict, mend) in [
        (&["body"][..], "warning", Value::from("secchatctl requests")),
        (&["body", "actions"], "ok", Value::Null),
    ] {
        let server = zbus::connection::Builder::address(bus.address().as_str())
            .serve_at("/org/freedesktop/Notifications", Notifier(can))
            .name("org.freedesktop.Notifications")
            .build()
            .await
            .unwrap();
        let found = notifications(&alice, &bus.address()).await;
        assert_eq!((&found["verdict"], &found["mend"]), (&verdict.into(), &mend), "{found}");
        assert!(found["found"].as_str().unwrap().starts_with("fake 1.0 "), "{found}");
        server.close().await.unwrap();
    }
}
