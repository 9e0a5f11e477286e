//! What a daemon keeps on disk: taken over, set aside, refused.

use std::os::unix::fs::PermissionsExt as _;

use secchat_ipc::types::Policy;
use secchat_ipc::{Client, ClientError, Command, CommandError, Reply, UserName};

use crate::common::{Daemon, Home, call, is_locked, status, unlock};

const CONFIG: &str = "user = \"alice\"\nrelay = \"127.0.0.1:1\"\n";

fn bob() -> UserName {
    UserName::parse("bob").unwrap()
}

/// Runs a daemon, unlocked, through `shell` with the commands of `then`, and stops it.
async fn with_daemon<T>(home: &Home, shell: &str, then: impl AsyncFnOnce(&mut Client, u32) -> T) -> T {
    let daemon = Daemon::start(home.through(shell)).await;
    let mut client = home.client().await;
    assert!(matches!(unlock(&mut client, "sesame").await, Ok(Reply::Done)));
    let result = then(&mut client, daemon.pid()).await;
    assert_eq!(daemon.stop().await, Some(0));
    result
}

fn with_a_key() -> Home {
    let home = Home::new();
    home.configure(CONFIG).make_key("genpkey -algorithm ed25519 -aes-256-cbc -pass pass:sesame");
    home
}

async fn blocked_peers(client: &mut Client) -> Vec<String> {
    let Ok(Reply::Peers(peers)) = call(client, Command::Peers).await else { panic!("no peers") };
    peers.into_iter().filter(|peer| peer.blocked).map(|peer| peer.peer.to_string()).collect()
}

async fn block(client: &mut Client) {
    let block = Command::SetBlocked { peer: bob(), blocked: true };
    assert!(matches!(call(client, block).await, Ok(Reply::Done)));
}

#[tokio::test]
async fn what_an_older_daemon_kept_is_taken_over_once() {
    let home = with_a_key();
    let old = home.paths().state_folder().join("state.toml");
    secchat_ipc::paths::create_private_folder(home.paths().state_folder()).unwrap();
    let written = include_str!("../state-1.toml");
    std::fs::write(&old, written).unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o600)).unwrap();
    for _ in 0..2 {
        with_daemon(&home, r#"exec "$@""#, async |client, _| {
            assert_eq!(blocked_peers(client).await, ["7"]);
            assert_eq!(status(client).await.policy, Policy::RefuseQuietly);
        })
        .await;
        assert!(!old.exists(), "it is in the store now");
    }
}

#[tokio::test]
async fn a_broken_file_of_an_older_daemon_is_set_aside_with_its_line() {
    let home = with_a_key();
    let old = home.paths().state_folder().join("state.toml");
    secchat_ipc::paths::create_private_folder(home.paths().state_folder()).unwrap();
    let broken = include_str!("../state-1.toml").replace("blocked = true", "blocked = maybe");
    let line = 1 + broken.lines().position(|line| line.contains("maybe")).unwrap();
    std::fs::write(&old, &broken).unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o600)).unwrap();
    let hints = with_daemon(&home, r#"exec "$@""#, async |client, _| status(client).await.hints).await;
    let hint = hints.iter().find(|hint| hint.contains("set aside")).unwrap();
    assert!(hint.contains(&format!("line {line}")), "{hint}");
    let aside = hint.split_whitespace().find(|word| word.contains("set-aside")).unwrap();
    assert_eq!(std::fs::read_to_string(aside.trim_end_matches(',')).unwrap(), broken);
}

#[tokio::test]
async fn nothing_is_told_or_changed_before_the_first_unlock() {
    let home = with_a_key();
    let daemon = Daemon::start(home.secchatd()).await;
    let mut client = home.client().await;
    for command in [Command::Peers, Command::Requests, Command::SetPolicy { peer: None, policy: None }] {
        let refused = call(&mut client, command).await;
        assert!(matches!(refused, Err(ClientError::Command(CommandError::Locked))), "{refused:?}");
    }
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing() {
    let home = with_a_key();
    with_daemon(&home, r#"trap '' XFSZ; exec "$@""#, async |client, pid| {
        block(client).await;
        // No file may grow or change: what a full disk does, without one.
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap());
        let limit = rustix::process::Rlimit { current: Some(0), maximum: None };
        rustix::process::prlimit(pid, rustix::process::Resource::Fsize, limit).unwrap();
        let refuse = Command::SetPolicy { peer: None, policy: Some(Policy::Refuse) };
        let failed = call(client, refuse).await;
        let Err(ClientError::Command(CommandError::NotSaved { why })) = failed else { panic!("{failed:?}") };
        assert!(why.contains("store.redb") && why.contains("still there"), "{why}");
        assert_eq!(status(client).await.policy, Policy::Refuse, "in force until the daemon stops");
    })
    .await;
    with_daemon(&home, r#"exec "$@""#, async |client, _| {
        assert_eq!(blocked_peers(client).await, ["bob"]);
        assert_eq!(status(client).await.policy, Policy::Ask);
    })
    .await;
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_keeps_the_daemon_locked_and_is_told() {
    let home = with_a_key();
    with_daemon(&home, r#"exec "$@""#, async |client, _| block(client).await).await;
    let store = home.paths().state_folder().join("store.redb");
    let with_mode = |mode| std::fs::set_permissions(&store, std::fs::Permissions::from_mode(mode)).unwrap();
    // Root writes everywhere unless it gives that up.
    let shell = r#"if [ "$(id -u)" = 0 ]; then exec setpriv --bounding-set=-all "$@"; else exec "$@"; fi"#;
    for (mode, what) in [(0o400, "denied"), (0o644, "chmod")] {
        with_mode(mode);
        let daemon = Daemon::start(home.through(shell)).await;
        let mut client = home.client().await;
        let refused = unlock(&mut client, "sesame").await;
        let Err(ClientError::Command(CommandError::StateUnusable { why })) = refused else {
            panic!("{refused:?}")
        };
        assert!(why.contains("store.redb") && why.contains(what), "{why}");
        assert!(is_locked(&mut client).await);
        with_mode(0o600);
        assert!(matches!(unlock(&mut client, "sesame").await, Ok(Reply::Done)));
        assert_eq!(blocked_peers(&mut client).await, ["bob"]);
        assert_eq!(daemon.stop().await, Some(0));
    }
}
