//! Fifty people ask at once: a few popups, and one that stands for the rest.

use openssl::pkey::PKey;
use secchat_e2e::{Desktop, FakeNotifier, Notifier, Pki, TestRelay, TestUser, WireClient};
use tokio::task::JoinSet;

use super::servers::GNOME;

/// Three popups of requests, and the one for the rest.
const AT_ONCE: usize = 4;

/// A relay, bob who is online, and fifty others who are.
async fn crowd() -> (Pki, TestRelay, TestUser, Vec<WireClient>) {
    let pki = Pki::new();
    let names: Vec<_> = (0..50).map(|number| format!("asker-{number:02}")).collect();
    let keys: Vec<_> = names.iter().map(|_| PKey::generate_ed25519().unwrap()).collect();
    let bobs = PKey::generate_ed25519().unwrap();
    let everybody = names.iter().map(String::as_str).zip(&keys).chain([("bob", &bobs)]);
    pki.write_user_list(everybody);
    let relay = TestRelay::start(&pki).await;
    let mut bob = TestUser::new("bob", &bobs, &pki, relay.address);
    bob.start().await;
    bob.is_online().await;
    let mut askers = Vec::new();
    for user in names.iter().map(String::as_str).zip(&keys) {
        askers.push(WireClient::login(relay.address, &pki.ca.pem(), user).await.expect("a login"));
    }
    (pki, relay, bob, askers)
}

/// All of them ask; returns when bob's daemon has heard every one.
async fn ask(askers: Vec<WireClient>, bob: &TestUser) -> Vec<WireClient> {
    let mut asking = JoinSet::new();
    for mut asker in askers {
        let bob = secchat_e2e::proto_name(bob.name.as_str());
        asking.spawn(async move {
            asker.ask(&bob).await;
            asker
        });
    }
    let askers = asking.join_all().await;
    bob.frontend().await.until("fifty requests", |state| state.incoming.len() == 50).await;
    askers
}

#[tokio::test]
async fn fifty_requests_are_three_popups_and_one_for_the_rest() {
    let (_pki, _relay, bob, askers) = crowd().await;
    let desktop = Desktop::start().await;
    let server = FakeNotifier::start(desktop.bus(), GNOME).await;
    let popups = desktop.popups(&bob, &[]);
    let _askers = ask(askers, &bob).await;
    server.shows("47 more people ask to talk").await;
    assert_eq!((server.popups().len(), server.most_at_once()), (AT_ONCE, AT_ONCE));
    let (_, rest) = server.shows("47 more people ask to talk").await;
    assert!(rest.body.lines().count() <= 2 && rest.body.len() < 200, "{}", rest.body);
    assert_eq!(rest.actions, ["default"], "no button answers many at once");

    // One is answered: another takes the place.
    let (_, first) = server.shows("asker-").await;
    let name = first.summary.split(' ').next().unwrap().to_owned();
    bob.ctl(["refuse", &name]).await.ok();
    server.shows("46 more people ask to talk").await;
    assert_eq!((server.popups().len(), server.most_at_once()), (AT_ONCE, AT_ONCE));
    assert!(popups.stop().await.success());
    server.is_empty().await;
}

#[tokio::test]
async fn fifty_requests_leave_room_on_a_real_screen() {
    let (_pki, _relay, bob, askers) = crowd().await;
    let desktop = Desktop::start().await;
    let _server = desktop.notifier(Notifier::Xfce).await;
    let _popups = desktop.popups(&bob, &[]);
    let _askers = ask(askers, &bob).await;
    desktop.windows(Notifier::Xfce, AT_ONCE).await;
    desktop.picture("popups-many", [0, 0, 1024, 768]);
}
