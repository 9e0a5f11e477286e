//! The connection to the session bus and to whichever notification server is on it; made anew when it is lost, unless the
//! bus itself has ended.
//!
//! Calls and signals go on beside each other: a server that answers slowly does not hold up what it says of a popup.

use std::collections::HashMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use tokio::sync::mpsc::{Receiver, Sender};
use zbus::fdo::{self, PropertiesProxy};
use zbus::message::Message;
use zbus::{Connection, Error, Proxy, Variant};

use crate::backoff::Backoff;
use crate::cli::say;
use crate::core::io::{Call, CallError, CallResult, FromDesktop, Input, Signal};
use crate::limits::{BUS_AWAY, BUS_RETRY, CALL_TIMEOUT};
use crate::popup::{Popup, Urgency};

/// The session bus that was there has ended; why, for a person.
#[derive(Debug)]
pub(crate) struct BusIsGone(pub(crate) String);

/// Serves calls until nobody makes any more.
pub(crate) async fn serve(mut calls: Receiver<Call>, inputs: Sender<Input>) -> Result<(), BusIsGone> {
    let mut backoff = Backoff::new(BUS_RETRY);
    let mut has_said = false;
    let mut lost = None::<Instant>;
    loop {
        match Desktop::connect().await {
            Ok(desktop) => {
                backoff = Backoff::new(BUS_RETRY);
                let is_over = tokio::select! {
                    () = desktop.make(&mut calls, &inputs) => true,
                    _ = desktop.listen(&inputs) => false,
                };
                if is_over || tell(&inputs, FromDesktop::BusIsLost).await.is_none() {
                    return Ok(());
                }
                lost = Some(Instant::now());
            }
            Err(error) if lost.is_some_and(|lost| lost.elapsed() >= BUS_AWAY) => {
                return Err(BusIsGone(why(&error)));
            }
            Err(error) if lost.is_none() && !std::mem::replace(&mut has_said, true) => {
                say(&format!("no session bus: {}; popups appear once there is one", why(&error)));
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next_wait()) => {}
            // A call that the bus was lost before is made by nobody.
            () = until_closed(&mut calls) => return Ok(()),
        }
    }
}

async fn until_closed(calls: &mut Receiver<Call>) {
    while calls.recv().await.is_some() {}
}

struct Desktop {
    connection: Connection,
    server: Proxy<'static>,
}

impl Desktop {
    async fn connect() -> Result<Self, Error> {
        let connection = zbus::connection::Builder::session().method_timeout(CALL_TIMEOUT).build().await?;
        let server = Proxy::new(&connection, NAME, PATH, INTERFACE).await?;
        Ok(Self { connection, server })
    }

    /// Makes the calls, one after the other.
    async fn make(&self, calls: &mut Receiver<Call>, inputs: &Sender<Input>) {
        while let Some(call) = calls.recv().await {
            let result = match call {
                Call::Capabilities => {
                    let names = self.server.call("GetCapabilities", &()).await;
                    CallResult::Capabilities(names.map_err(|error| why(&error)))
                }
                Call::Inhibited => CallResult::Inhibited(self.is_inhibited().await.ok()),
                Call::Show { replaces, popup, is_new } => {
                    let id = self.notify(replaces, &popup, is_new).await;
                    CallResult::Shown(id.map_err(|error| to_call_error(&error)))
                }
                Call::Close(id) => {
                    // A popup that is off already is an error to some servers.
                    let _ = self.server.call_method("CloseNotification", &(id)).await;
                    CallResult::Closed
                }
            };
            let _ = tell(inputs, FromDesktop::Result(result)).await;
        }
    }

    async fn notify(&self, replaces: u32, popup: &Popup, is_new: bool) -> Result<u32, Error> {
        let actions: Vec<_> =
            popup.actions.iter().flat_map(|action| [action.key(), action.label()]).collect();
        let body = (
            APPLICATION,
            replaces,
            ICON,
            &popup.summary,
            &popup.body,
            actions,
            hints(popup, is_new),
            lifetime(popup),
        );
        self.server.call("Notify", &body).await
    }

    async fn is_inhibited(&self) -> Result<bool, Error> {
        self.server.get_property(INHIBITED).await
    }

    /// Passes on what server and bus say, until the bus is gone.
    async fn listen(&self, inputs: &Sender<Input>) -> Option<()> {
        let mut signals = self.server.receive_all_signals().await.ok()?;
        let mut owners = self.server.receive_owner_changed().await.ok()?;
        let properties = PropertiesProxy::new(&self.connection, NAME, PATH).await.ok()?;
        let mut changes = properties.receive_properties_changed().await.ok()?;
        // Only now, so that nothing is called before its answer is heard.
        tell(inputs, FromDesktop::BusIsUp).await?;
        loop {
            let heard = tokio::select! {
                signal = signals.next() => to_signal(&signal?).map(FromDesktop::Signal),
                owner = owners.next() => Some(FromDesktop::Owner { is_there: owner?.is_some() }),
                change = changes.next() => to_inhibited(&change?).map(FromDesktop::Inhibited),
            };
            if let Some(heard) = heard {
                tell(inputs, heard).await?;
            }
        }
    }
}

async fn tell(inputs: &Sender<Input>, heard: FromDesktop) -> Option<()> {
    inputs.send(Input::Desktop(heard)).await.ok()
}

fn hints(popup: &Popup, is_new: bool) -> HashMap<&'static str, Variant<'static>> {
    let urgency: u8 = match popup.urgency {
        Urgency::Low => 0,
        Urgency::Normal => 1,
        Urgency::Critical => 2,
    };
    let sound = if is_new {
        ("sound-name", Variant::from("message-new-instant"))
    } else {
        ("suppress-sound", Variant::from(true))
    };
    let mut hints = HashMap::from([
        ("urgency", Variant::from(urgency)),
        ("category", Variant::from(popup.category)),
        ("desktop-entry", Variant::from(ICON)),
        sound,
    ]);
    if popup.is_transient {
        hints.insert("transient", Variant::from(true));
    } else {
        // An action does not end it on the server's side: whether it stays is decided here.
        hints.insert("resident", Variant::from(true));
    }
    hints.extend(REPLY_HINTS.map(|(name, text)| (name, Variant::from(text))));
    hints
}

/// Milliseconds; 0 is for ever, −1 as the server likes.
fn lifetime(popup: &Popup) -> i32 {
    let Some(expires) = popup.expires else {
        return if popup.is_transient { -1 } else { 0 };
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let left = expires.saturating_sub(now).max(1).saturating_mul(1000);
    i32::try_from(left).unwrap_or(i32::MAX)
}

fn to_signal(message: &Message) -> Option<Signal> {
    let header = message.header();
    let body = message.body();
    match header.member()?.as_str() {
        "ActionInvoked" => {
            let (id, key) = body.deserialize().ok()?;
            Some(Signal::Chosen { id, key })
        }
        "NotificationReplied" => {
            let (id, text) = body.deserialize().ok()?;
            Some(Signal::Replied { id, text })
        }
        "NotificationClosed" => {
            let (id, _reason): (u32, u32) = body.deserialize().ok()?;
            Some(Signal::Closed { id })
        }
        _ => None,
    }
}

fn to_inhibited(change: &fdo::PropertiesChanged) -> Option<bool> {
    let args = change.args().ok()?;
    let value = args.changed_properties().get(INHIBITED)?;
    (args.interface_name() == INTERFACE).then(|| bool::try_from(value).ok()).flatten()
}

/// A server that says no is there; whatever else goes wrong, nobody shows the popup.
fn to_call_error(error: &Error) -> CallError {
    let is_no = if let Error::FDO(fault) = error {
        matches!(**fault, fdo::Error::LimitsExceeded(_) | fdo::Error::Failed(_))
    } else {
        matches!(error, Error::MethodError(..))
    };
    if is_no { CallError::Refused } else { CallError::NoServer(why(error)) }
}

/// What a person can do something with: the bus's own errors print their insides.
fn why(error: &Error) -> String {
    use fdo::Error as Fault;
    if let Error::Connection(source, _) | Error::InputOutput(source) = error {
        return source.to_string();
    }
    if let Error::Address(_) = error {
        return "DBUS_SESSION_BUS_ADDRESS names none".to_owned();
    }
    if let Error::FDO(fault) = error {
        if matches!(**fault, Fault::ServiceUnknown(_) | Fault::NameHasNoOwner(_)) {
            return format!("nobody owns {NAME} on the session bus");
        }
        if matches!(**fault, Fault::NoReply(_) | Fault::Timeout(_) | Fault::TimedOut(_)) {
            return format!("{NAME} does not answer");
        }
    }
    format!("{NAME} does not answer as it should")
}

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const INTERFACE: &str = "org.freedesktop.Notifications";
/// Plasma's property: do-not-disturb is on.
const INHIBITED: &str = "Inhibited";
/// As people see it.
const APPLICATION: &str = "secchat";
/// The installed `.desktop` file and icon.
const ICON: &str = "secchat-notify";
/// Words of the field for an answer, where there is one.
const REPLY_HINTS: [(&str, &str); 2] =
    [("x-kde-reply-placeholder-text", "Answer…"), ("x-kde-reply-submit-button-text", "Send")];
