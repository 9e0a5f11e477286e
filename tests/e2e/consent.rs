//! Nobody talks to anybody who has not said yes.

use secchat_e2e::{TestUser, World};
use secchat_ipc::types::{RequestState, Resolution, ResolvedBy};
use secchat_ipc::{Command, Event};

#[tokio::test]
async fn a_refusal_is_told_and_can_be_undone() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let mut bobs = bob.frontend().await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    bobs.until_asked_by(&alice.name).await;
    bob.ctl(["refuse", "alice"]).await.ok();
    asking.await.unwrap().with_code(7).says("refused");
    alice.ctl(["send", "bob", "let me in"]).await.with_code(10);

    // Changed his mind: alice, who has her answer, asks again, and is not refused for having been refused.
    bob.ctl(["accept", "alice", "--no-wait"]).await.ok();
    let again = tokio::spawn(alice.ctl(["rtt", "bob"]));
    let mut bobs = bob.frontend().await;
    bobs.until_asked_by(&alice.name).await;
    bob.ctl(["accept", "alice"]).await.ok();
    again.await.unwrap().ok();
}

#[tokio::test]
async fn a_quiet_refusal_undone_is_an_accept() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let mut bobs = bob.frontend().await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    bobs.until_asked_by(&alice.name).await;
    bob.ctl(["refuse", "--quietly", "alice"]).await.ok();
    bobs.until("the request shows as refused", |state| {
        state.incoming.iter().any(|request| request.state == RequestState::Refused)
    })
    .await;
    // Alice, who heard nothing, still waits.
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.unwrap().ok();
}

#[tokio::test]
async fn a_request_waits_while_no_frontend_is_there() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    // Not one frontend of bob's was there; whoever comes now, finds the request in the first snapshot or as an event.
    let mut bobs = bob.frontend().await;
    bobs.until_asked_by(&alice.name).await;
    drop(bobs);
    let requests = bob.ctl(["requests", "--json"]).await.ok();
    assert!(requests.stdout.contains("alice"), "{requests:?}");

    bob.ctl(["later", "alice"]).await.ok();
    let mut bobs = bob.frontend().await;
    assert!(bobs.state().incoming.iter().any(|request| request.state == RequestState::Later));
    bob.ctl(["accept", "alice"]).await.ok();
    bobs.until_open_with(&alice.name).await;
}

#[tokio::test]
async fn hidden_offline_and_unknown_people_look_the_same() {
    let (_world, [alice, mut bob, carol]) = World::start(["alice", "bob", "carol"]).await;
    carol.ctl(["hidden"]).await.ok();
    bob.stop().await;
    alice_sees_nobody(&alice).await;
    let mut answers = Vec::new();
    for name in ["bob", "carol", "nobody"] {
        let answer = alice.ctl(["rtt", name]).await.with_code(6);
        answers.push((answer.stdout.replace(name, "X"), answer.stderr.replace(name, "X")));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
}

async fn alice_sees_nobody(alice: &TestUser) {
    let listed = alice.ctl(["list", "--json"]).await.ok();
    assert!(!listed.stdout.contains("bob") && !listed.stdout.contains("carol"), "{listed:?}");
}

#[tokio::test]
async fn hidden_people_may_ask() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.ctl(["hidden"]).await.ok();
    assert!(!bob.ctl(["list"]).await.ok().stdout.contains("alice"));
    alice.chat_with(&bob).await;
    bob.ctl(["send", "alice", "good to hear from you"]).await.ok();
    alice.ctl(["available"]).await.ok();
    assert!(bob.ctl(["list"]).await.ok().stdout.contains("alice"));
}

#[tokio::test]
async fn two_requests_that_cross_are_an_accept() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (one, other) = tokio::join!(alice.ctl(["rtt", "bob"]), bob.ctl(["rtt", "alice"]));
    one.ok();
    other.ok();
    let bobs = bob.frontend().await;
    assert_eq!(bobs.state().chats.len(), 1, "{:#?}", bobs.state());
    alice.ctl(["send", "bob", "snap"]).await.ok();
}

#[tokio::test]
async fn who_does_not_answer_is_not_waited_for_for_ever() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let asked = alice.ctl(["rtt", "bob", "--timeout", "1s"]).await.with_code(8);
    assert!(!asked.stderr.is_empty());
    let mut bobs = bob.frontend().await;
    bobs.until("the request is gone", |state| state.incoming.is_empty()).await;
}

#[tokio::test]
async fn blocked_and_quietly_refused_look_like_no_answer() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let unanswered = alice.ctl(["rtt", "bob", "--timeout", "1s"]).await.with_code(8);
    bob.ctl(["block", "alice"]).await.ok();
    let blocked = alice.ctl(["rtt", "bob", "--timeout", "1s"]).await.with_code(8);
    assert_eq!((&unanswered.stdout, &unanswered.stderr), (&blocked.stdout, &blocked.stderr));
    assert!(bob.frontend().await.state().incoming.is_empty());

    bob.ctl(["unblock", "alice"]).await.ok();
    bob.ctl(["policy", "refuse-quietly"]).await.ok();
    let refused = alice.ctl(["rtt", "bob", "--timeout", "1s"]).await.with_code(8);
    assert_eq!((&unanswered.stdout, &unanswered.stderr), (&refused.stdout, &refused.stderr));

    bob.ctl(["policy", "refuse"]).await.ok();
    alice.ctl(["rtt", "bob"]).await.with_code(7);
    bob.ctl(["policy", "accept"]).await.ok();
    alice.ctl(["rtt", "bob"]).await.ok();
}

#[tokio::test]
async fn the_first_answer_wins_and_the_others_learn_of_it() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (mut quick, mut slow) = (bob.frontend().await, bob.frontend().await);
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    quick.until_asked_by(&alice.name).await;
    slow.until_asked_by(&alice.name).await;
    let peer = alice.name.clone();
    quick.call(Command::Refuse { peer: peer.clone(), quietly: false }).await.unwrap();
    asking.await.unwrap().with_code(7);
    let (resolution, by) = slow
        .find(|event| match event {
            Event::RequestResolved { resolution, by, .. } => Some((resolution, by)),
            _ => None,
        })
        .await;
    assert_eq!(resolution, Resolution::Refused);
    assert!(matches!(by, ResolvedBy::Frontend { name, pid } if name == "test" && pid == std::process::id()));
    assert!(slow.call(Command::Refuse { peer, quietly: false }).await.is_err());
}

#[tokio::test]
async fn after_a_refusal_the_next_request_is_refused_without_asking_until_a_person_says_otherwise() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    let mut bobs = bob.frontend().await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    bobs.until_asked_by(&alice.name).await;
    bob.ctl(["refuse", "alice"]).await.ok();
    asking.await.unwrap().with_code(7);
    // Bob is not asked again, and alice has her answer.
    alice.ctl(["rtt", "bob"]).await.with_code(7);
    let by = bobs
        .find(|event| match event {
            Event::RequestResolved { by: ResolvedBy::Policy, resolution, .. } => Some(resolution),
            _ => None,
        })
        .await;
    assert_eq!(by, Resolution::Refused);
    // A word of his about alice ends it; so does another daemon, which knows of no cool-down.
    bob.ctl(["policy", "alice", "ask"]).await.ok();
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    bobs.until_asked_by(&alice.name).await;
    bob.ctl(["refuse", "alice"]).await.ok();
    asking.await.unwrap().with_code(7);
    bob.stop().await;
    bob.start().await;
    bob.is_online().await;
    // The relay has taken him in, too, when it gives him its list.
    bob.ctl(["list"]).await.ok();
    let mut bobs = bob.frontend().await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    bobs.until_asked_by(&alice.name).await;
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.unwrap().ok();
}

#[tokio::test]
async fn that_a_request_expired_is_told_to_both() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    alice.ctl(["rtt", "bob", "--no-wait", "--timeout", "2s"]).await.ok();
    bobs.until_asked_by(&alice.name).await;
    let theirs = |event| match event {
        Event::RequestResolved { resolution, .. } | Event::RequestAnswered { resolution, .. } => {
            Some(resolution)
        }
        _ => None,
    };
    assert_eq!(alices.find(theirs).await, Resolution::Expired);
    assert_eq!(bobs.find(theirs).await, Resolution::Expired);
    bob.ctl(["accept", "alice"]).await.with_code(1).says("has not asked");
}

#[tokio::test]
async fn a_policy_for_one_goes_before_the_one_for_all() {
    let (_world, [alice, bob, carol]) = World::start(["alice", "bob", "carol"]).await;
    bob.ctl(["policy", "refuse"]).await.ok();
    bob.ctl(["policy", "carol", "accept"]).await.ok();
    alice.ctl(["rtt", "bob"]).await.with_code(7);
    carol.ctl(["rtt", "bob"]).await.ok();
    assert_eq!(bob.ctl(["policy", "alice"]).await.ok().stdout, "refuse (the default)\n");
    // `revoke` is stronger than a policy that accepts: carol is asked about now.
    bob.ctl(["revoke", "carol"]).await.ok();
    let mut bobs = bob.frontend().await;
    carol.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bobs.until_asked_by(&carol.name).await;
}
