//! The popup and the chat window on a real desktop: a real relay, real daemons, real notification servers under an X server without a
//! screen, and a real pointer; and servers that can do more or less than those, as values.

mod accept;
mod answers;
mod chat;
mod hints;
mod idle;
mod many;
mod servers;
mod texts;

use secchat_e2e::{Desktop, FakeNotifier, Process, TestUser};

/// A desktop with a notification server that can do this much, and on it a user's popups.
async fn popups_of(
    user: &TestUser,
    flags: &[&str],
    capabilities: &[&str],
) -> (Desktop, FakeNotifier, Process) {
    let desktop = Desktop::start().await;
    let server = FakeNotifier::start(desktop.bus(), capabilities).await;
    let popups = desktop.popups(user, flags);
    (desktop, server, popups)
}
