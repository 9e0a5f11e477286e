//! A notification server of the test's own: it can do what a test says, and shows what it was given.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;
use zbus::{Connection, OwnedVariant, interface};

use crate::bus::Bus;
use crate::deadline::within;

/// A notification server that draws nothing.
#[derive(Debug)]
pub struct FakeNotifier {
    connection: Connection,
    popups: watch::Receiver<Popups>,
    most_at_once: Arc<AtomicUsize>,
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
    /// What it is about, as the specification classes it.
    pub category: String,
    /// It stays when an action was chosen.
    pub is_resident: bool,
    /// It is not kept once its time is over.
    pub is_transient: bool,
    /// What is played; none when it asks for silence.
    pub sound: Option<String>,
}

impl FakeNotifier {
    /// Starts one that can do this, on this bus.
    ///
    /// # Panics
    /// When there is one already.
    pub async fn start(bus: &Bus, capabilities: &[&str]) -> Self {
        let (sender, popups) = watch::channel(Popups::new());
        let capabilities = capabilities.iter().map(|name| (*name).to_owned()).collect();
        let most_at_once = Arc::new(AtomicUsize::new(0));
        let service =
            Service { capabilities, popups: sender, last_id: 0, most_at_once: Arc::clone(&most_at_once) };
        let connection = zbus::connection::Builder::address(bus.address().as_str())
            .name(INTERFACE)
            .serve_at(PATH, service)
            .build()
            .await
            .expect("a notification server");
        Self { connection, popups, most_at_once }
    }

    /// The most popups that were ever on the screen together.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::Relaxed)
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
    most_at_once: Arc<AtomicUsize>,
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
        let text = |name: &str| hint(name).and_then(|hint| String::try_from(hint).ok());
        let flag = |name: &str| hint(name).and_then(|hint| bool::try_from(hint).ok()).unwrap_or(false);
        let popup = ShownPopup {
            summary: summary.to_owned(),
            body: body.to_owned(),
            actions: actions.into_iter().step_by(2).collect(),
            urgency: hint("urgency").and_then(|hint| u8::try_from(hint).ok()).expect("an urgency"),
            desktop_entry: text("desktop-entry").expect("an entry"),
            category: text("category").expect("a category"),
            is_resident: flag("resident"),
            is_transient: flag("transient"),
            sound: text("sound-name").filter(|_| !flag("suppress-sound")),
        };
        self.popups.send_modify(|popups| {
            popups.insert(id, popup);
            self.most_at_once.fetch_max(popups.len(), Ordering::Relaxed);
        });
        id
    }

    fn close_notification(&self, id: u32) {
        self.popups.send_modify(|popups| drop(popups.remove(&id)));
    }
}

const INTERFACE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
