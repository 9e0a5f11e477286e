//! `status`, `reload` and `inspect`: what the running relay answers, and to whom.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Command;

use secchat_e2e::{CtlOutput, binary};
use secchat_proto::wire::link::{BadReason, LinkMessage, LogoutReason};

use crate::relay::LiveRelay;

#[tokio::test]
async fn without_a_relay_it_is_said_what_to_do() {
    let relay = LiveRelay::start().await;
    for arguments in [&["status"][..], &["reload"], &["inspect", "--about", "alice"]] {
        let mut command = Command::new(binary("secchat-relay"));
        command.args(arguments).args(["--socket", "/nowhere/admin.sock"]);
        CtlOutput::of(command, None).await.with_code(1).says("start one with `secchat-relay serve`");
    }
    // What a killed relay leaves behind is no relay either, and a new one takes its place.
    let folder = relay.path("");
    relay.process.signal(rustix::process::Signal::KILL);
    let mut log = relay.process.log().clone();
    log.ended().await;
    assert!(folder.join("admin.sock").exists());
    relay.run(["status"]).await.with_code(1).says("no relay answers at admin.sock");
    relay.run(["inspect"]).await.with_code(2);
}

#[tokio::test]
async fn a_second_relay_with_the_same_files_does_not_start() {
    let relay = LiveRelay::start().await;
    relay.run(["serve"]).await.with_code(1).says("runs already").says("secchat-relay status");
    relay.run(["status"]).await.ok();
}

#[tokio::test]
async fn the_socket_is_its_owners_only_and_goes_with_the_relay() {
    let relay = LiveRelay::start().await;
    let socket = relay.path("admin.sock");
    let found = socket.metadata().expect("the socket");
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    if found.uid() == 0 {
        // Another user is refused, even where the file's rights would let it in.
        relay.shell("chmod 755 .; chmod 666 admin.sock").await;
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(binary("secchat-relay"));
        command.args(["status", "--socket"]).arg(&socket);
        CtlOutput::of(command, None).await.with_code(1).says("only the relay's own user and root may ask");
    } else {
        println!("not root: another user was not tried");
    }
    let LiveRelay { process, .. } = relay;
    assert!(process.stop().await.success());
    assert!(!socket.exists());
}

#[tokio::test]
async fn nonsense_on_the_socket_is_answered_or_cut_off_and_the_relay_goes_on() {
    let relay = LiveRelay::start().await;
    let say = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(relay.path("admin.sock")).expect("the socket");
        // The relay may have had enough already.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    assert!(say(b"{\"verb\":\"stop\"}\n").contains("\"error\""));
    assert!(say(b"\xff\n").contains("\"error\""));
    assert!(say(b"{\"verb\":\"inspect\",\"name\":\"../x\"}\n").contains("is not a name"));
    assert_eq!(say(b"{\"verb\":\"status\"}"), "", "half a line");
    assert_eq!(say(&[b'x'; 100_000]), "");
    let idle: Vec<_> =
        (0..7).map(|_| UnixStream::connect(relay.path("admin.sock")).expect("the socket")).collect();
    relay.run(["status"]).await.ok();
    drop(idle);
}

#[tokio::test]
async fn status_tells_what_there_is() {
    let relay = LiveRelay::start().await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    alice.pair_with(&mut carol).await;
    carol.ask(&alice.name).await;
    alice.hears.next().await;
    let status = relay.run(["status", "--json"]).await.ok().json();
    for (key, value) in [("users", 2), ("sessions", 2), ("chats", 1), ("requests", 1)] {
        assert_eq!(status[key], value, "{key}: {status}");
    }
    assert_eq!(status["limits"]["connections"]["used"], 2, "{status}");
    assert_eq!(status["limits"]["connections"]["of"], 16_384, "{status}");
    assert_eq!(status["address"], relay.address.to_string());
    let days = status["certificate_days_left"].as_i64().expect("days");
    assert!((824..=825).contains(&days), "{status}");
    assert_eq!(status["reload"], serde_json::Value::Null);
    let text = relay.run(["status"]).await.ok().stdout;
    for line in ["users        2 on the list, 2 here", "chats        1", "reload       none yet"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn a_dry_run_says_who_and_whose_session_and_changes_nothing() {
    let mut relay = LiveRelay::start().await;
    relay.write("user_list", relay.list(&["alice", "bob", "carol"]));
    relay.logs("reloaded", 1).await;
    let mut carol = relay.login("carol").await;
    let mut alice = relay.login("alice").await;
    let new = openssl::pkey::PKey::generate_ed25519().expect("a key");
    let old = relay.keys.insert("alice", new).expect("the old key");
    // Away from where the relay watches, so that only the command is at work.
    let list = relay.list(&["alice", "dora"]);
    relay.write("elsewhere", format!("{list}bad\n"));
    relay.shell("cat elsewhere > user_list").await;
    relay.logs("not reloaded", 1).await;
    relay.write("user_list", &list);
    let trial = relay.run(["reload", "--dry-run", "--json"]).await.ok().json();
    let names =
        |key: &str| -> Vec<String> { serde_json::from_value(trial["changes"][key].clone()).expect("names") };
    // The relay may have been quicker than the command.
    if names("added").is_empty() {
        assert!(relay.process.log().text().contains("added=1 removed=2 changed=1 ended=2"));
    } else {
        assert_eq!(names("added"), ["dora"]);
        assert_eq!(names("removed"), ["bob", "carol"]);
        assert_eq!(names("changed"), ["alice"]);
        assert_eq!(names("ended"), ["carol", "alice"]);
    }
    carol.is_logged_out(LogoutReason::Removed).await;
    alice.is_logged_out(LogoutReason::Removed).await;
    assert!(relay.login_at(relay.address, "alice", &old).await.is_err());
    relay.login("alice").await;
}

#[tokio::test]
async fn inspect_tells_everything_and_of_a_removed_user_nothing() {
    let relay = LiveRelay::start().await;
    relay.write("user_list", relay.list(&["alice", "bob", "carol"]));
    relay.logs("reloaded", 1).await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    let chat_id = alice.pair_with(&mut carol).await;
    let dora = "dora".parse().expect("a name");
    carol.ask(&dora).await;
    carol.hears.next().await;
    let bob = "bob".parse().expect("a name");
    alice.ask(&bob).await;
    alice.hears.next().await;
    alice.ask(&carol.name).await;
    // The key, and the request.
    carol.hears.next().await;
    carol.hears.next().await;
    let held = relay.run(["inspect", "--about", "carol", "--json"]).await.ok().json();
    assert_eq!(held["session"]["chats"], serde_json::json!(["alice"]), "{held}");
    assert_eq!(held["session"]["is_available"], true, "{held}");
    assert!(held["session"]["address"].as_str().expect("an address").starts_with("127.0.0.1:"), "{held}");
    assert_eq!(held["offers"][0]["with"], "dora", "{held}");
    assert_eq!(held["offered"][0]["with"], "alice", "{held}");
    assert_eq!(held["offered"][0]["delivered"], true, "{held}");
    assert_eq!(held["requests_counted"], 1, "{held}");
    assert!(held["key"]["fingerprint"].as_str().expect("a key").starts_with("SHA256:"), "{held}");
    let text = relay.run(["inspect", "--about", "carol"]).await.ok().stdout;
    for word in [
        "chats        with alice",
        "to dora: request",
        "by alice: request, delivered",
        "role         available",
    ] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    // Of somebody who never was there, but is asked.
    let held = relay.run(["inspect", "--about", "dora", "--json"]).await.ok().json();
    assert_eq!((&held["key"], &held["offered"][0]["with"]), (&serde_json::Value::Null, &"carol".into()));

    relay.write("user_list", relay.list(&["alice"]));
    carol.is_logged_out(LogoutReason::Removed).await;
    let name = carol.name.clone();
    alice.expect(LinkMessage::BadResponse { reason: BadReason::NotAvailable, name, chat_id }).await;
    // Others are told that carol went; then nothing of her is left.
    let deadline = tokio::time::Instant::now() + secchat_e2e::DEADLINE;
    loop {
        let held = relay.run(["inspect", "--about", "carol", "--json"]).await.ok().json();
        if held["has_news"] == false || tokio::time::Instant::now() > deadline {
            break;
        }
        alice.is_undisturbed().await;
    }
    for name in ["carol", "bob"] {
        let text = relay.run(["inspect", "--about", name]).await.ok().stdout;
        assert_eq!(text, format!("Nothing is held on {name}.\n"));
    }
    relay.run(["inspect", "--about", "No Name"]).await.with_code(1).says("is not a name");
}
