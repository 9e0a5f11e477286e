//! Whether the desktop can show popups. Without one all else works, so nothing here is worse than a warning.

use std::time::Duration;

use zbus::Connection;

use super::Finding;

/// Asks the notification server who it is, and what it can.
pub(super) async fn look() -> Finding {
    match tokio::time::timeout(PATIENCE, ask()).await {
        Ok(finding) => finding,
        Err(_) => Finding::warning(
            CHECK,
            "the notification server does not answer, so no popup can be shown",
            "systemctl --user restart dbus",
        ),
    }
}

async fn ask() -> Finding {
    let Ok(bus) = Connection::session().await else {
        return Finding::warning(
            CHECK,
            "there is no session bus, so no popup can be shown: secchatctl needs none; in a desktop session",
            "systemctl --user start dbus.socket",
        );
    };
    let call = async |method: &str| {
        let (name, path) = ("org.freedesktop.Notifications", "/org/freedesktop/Notifications");
        bus.call_method(Some(name), path, Some(name), method, &()).await
    };
    let server = call("GetServerInformation").await;
    let Some((name, _, version, _)) =
        server.ok().and_then(|reply| reply.body().deserialize::<(String, String, String, String)>().ok())
    else {
        return Finding::warning(
            CHECK,
            "no notification server is running, so no popup can be shown: start one, such as",
            "dunst &",
        );
    };
    let can = call("GetCapabilities").await;
    let can = can.ok().and_then(|reply| reply.body().deserialize::<Vec<String>>().ok()).unwrap_or_default();
    if can.iter().any(|capability| capability == "actions") {
        Finding::good(CHECK, format!("{name} {version} shows popups with buttons"))
    } else {
        let found = format!("{name} {version} shows popups without buttons: answer requests with");
        Finding::warning(CHECK, found, "secchatctl requests")
    }
}

const CHECK: &str = "notifications";

/// How long a notification server may take: some are started by the question.
const PATIENCE: Duration = Duration::from_secs(3);
