//! A notification server of the test's own: it can do what a test says, and shows what it was given.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::watch;
use zbus::{Connection, OwnedVariant, interface};

use crate::bus::Bus;
use crate::deadline::within;

/// A notification server that draws nothing.
#[derive(Debug)]
pub struct FakeNotifier {
    connection: Connection,
    popups: watch::Receiver<Popups>,
}

/// Popups by their ids.
pub type Popups = BTreeMap<u32, ShownPopup>;

/// What a popup was sent as.
#[derive(Clone, Debug)]
pub struct ShownPopup {
    /// The summary.
    pub summary: String,
    /// The body, as sent.
    pub body: String,
    /// The keys of its actions.
    pub actions: Vec<String>,
    /// 0 to 2.
    pub urgency: u8,
    /// The `.desktop` file that it names.
    pub desktop_entry: String,
}

impl FakeNotifier {
    /// Starts one that can do this, on this bus.
    ///
    /// # Panics
    /// When there is one already.
    pub async fn start(bus: &Bus, capabilities: &[&str]) -> Self {
        let (sender, popups) = watch::channel(Popups::new());
        let capabilities = capabilities.iter().map(|name| (*name).to_owned()).collect();
        let service = Service { capabilities, popups: sender, last_id: 0 };
        let connection = zbus::connection::Builder::address(bus.address().as_str())
            .name(INTERFACE)
            .serve_at(PATH, service)
            .build()
            .await
            .expect("a notification server");
        Self { connection, popups }
    }

    /// What is shown.
    #[must_use]
    pub fn popups(&self) -> Popups {
        self.popups.borrow().clone()
    }

    /// Awaits that what is shown is this.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn until(&self, what: &str, is_reached: impl Fn(&Popups) -> bool) -> Popups {
        let mut popups = self.popups.clone();
        within(what, popups.wait_for(|popups| is_reached(popups))).await.expect("the server runs").clone()
    }

    /// Awaits a popup whose summary starts so, and returns it with its id.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn shows(&self, summary: &str) -> (u32, ShownPopup) {
        let is_it = |popup: &ShownPopup| popup.summary.starts_with(summary);
        let popups = self.until(&format!("a popup “{summary}…”"), |all| all.values().any(is_it)).await;
        popups.into_iter().find(|(_, popup)| is_it(popup)).expect("it was there")
    }

    /// Awaits that nothing is shown.
    pub async fn is_empty(&self) {
        self.until("no popup", Popups::is_empty).await;
    }

    /// A person chooses an action.
    pub async fn choose(&self, id: u32, key: &str) {
        self.emit("ActionInvoked", &(id, key)).await;
    }

    /// A person types an answer.
    pub async fn reply(&self, id: u32, text: &str) {
        self.emit("NotificationReplied", &(id, text)).await;
    }

    /// The popup goes, for this reason: 1 its time, 2 a person.
    pub async fn close(&self, id: u32, reason: u32) {
        let server = self.connection.object_server();
        let service = server.interface::<_, Service>(PATH).await.expect("the service");
        service.get().await.popups.send_modify(|popups| drop(popups.remove(&id)));
        self.emit("NotificationClosed", &(id, reason)).await;
    }

    /// Goes, as a server that ends.
    pub async fn stop(self) {
        self.connection.close().await.expect("an end");
    }

    async fn emit<B: serde::Serialize + zbus::wire::DynamicType + Sync>(&self, signal: &str, body: &B) {
        let to_all = Option::<&str>::None;
        self.connection.emit_signal(to_all, PATH, INTERFACE, signal, body).await.expect("a signal");
    }
}

struct Service {
    capabilities: Vec<String>,
    popups: watch::Sender<Popups>,
    last_id: u32,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Service {
    fn get_capabilities(&self) -> Vec<String> {
        self.capabilities.clone()
    }

    #[expect(clippy::too_many_arguments, reason = "as the specification has it")]
    fn notify(
        &mut self,
        _app_name: &str,
        replaces_id: u32,
        _app_icon: &str,
        summary: &str,
        body: &str,
        actions: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        _expire_timeout: i32,
    ) -> u32 {
        let id = if replaces_id == 0 { self.last_id + 1 } else { replaces_id };
        self.last_id = self.last_id.max(id);
        let hint = |name: &str| hints.get(name).cloned();
        let popup = ShownPopup {
            summary: summary.to_owned(),
            body: body.to_owned(),
            actions: actions.into_iter().step_by(2).collect(),
            urgency: hint("urgency").and_then(|hint| u8::try_from(hint).ok()).expect("an urgency"),
            desktop_entry: hint("desktop-entry")
                .and_then(|hint| String::try_from(hint).ok())
                .expect("an entry"),
        };
        self.popups.send_modify(|popups| drop(popups.insert(id, popup)));
        id
    }

    fn close_notification(&self, id: u32) {
        self.popups.send_modify(|popups| drop(popups.remove(&id)));
    }
}

const INTERFACE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
