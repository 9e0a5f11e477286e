//! The daemon as a process: how it starts, refuses to start, and ends.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::common::{DEADLINE, Daemon, Home, is_locked, output, status, unlock};
use secchat_ipc::{ClientError, CommandError, Reply, UserName};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

const CONFIG: &str = "user = \"alice\"\nrelay = \"127.0.0.1:1\"\n";

#[tokio::test]
async fn a_wrong_configuration_ends_it_with_1_and_changes_nothing() {
    let home = Home::new();
    home.configure("user = \"alice\"\nuzer = \"bob\"\n");
    let (code, stdout, stderr) = output(home.secchatd()).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("config.toml:2: unknown field `uzer`"), "{stderr}");
    assert!(!home.paths().state_folder().exists() && !home.paths().runtime_folder().exists());
}

#[tokio::test]
async fn a_wrong_command_line_ends_it_with_2() {
    let home = Home::new();
    for arguments in [&["--passphrase", "x"][..], &["frobnicate"], &["--passphrase-fd", "x"], &["keygen"]] {
        let mut command = home.secchatd();
        command.args(arguments);
        let (code, _, stderr) = output(command).await;
        assert_eq!(code, Some(2), "{arguments:?}: {stderr}");
    }
    let mut command = home.secchatd();
    command.args(["--log", "a=b=c"]);
    let (code, _, stderr) = output(command).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("is no log filter"), "{stderr}");
}

#[tokio::test]
async fn it_serves_without_a_configuration_and_says_what_is_missing() {
    let home = Home::new();
    let daemon = Daemon::start(home.secchatd()).await;
    let mut client = home.client().await;
    assert_eq!(status(&mut client).await.user, None);
    let refused = unlock(&mut client, "sesame").await;
    assert!(matches!(refused, Err(ClientError::Command(CommandError::NotConfigured))), "{refused:?}");
    // Configured meanwhile, it needs no restart.
    home.configure("user = 7");
    assert_eq!(status(&mut home.client().await).await.user, None);
    home.configure(CONFIG).make_key("genpkey -algorithm ed25519 -aes-256-cbc -pass pass:sesame");
    let mut client = home.client().await;
    assert_eq!(status(&mut client).await.user, UserName::parse("alice").ok());
    assert!(matches!(unlock(&mut client, "sesame").await, Ok(Reply::Done)));
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn signals_end_it_cleanly_and_the_socket_goes() {
    for signal in ["TERM", "INT"] {
        let home = Home::new();
        home.configure(CONFIG);
        let mut daemon = Daemon::start(home.secchatd()).await;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&home.paths().socket()), 0o600);
        assert_eq!(mode(home.paths().runtime_folder()), 0o700);
        daemon.signal("HUP");
        daemon.wait_for("SIGHUP").await;
        daemon.signal(signal);
        let ended = timeout(DEADLINE, daemon.child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0), "{signal}");
        assert!(!home.paths().socket().exists());
    }
}

#[tokio::test]
async fn a_second_one_names_the_first_and_harms_nothing() {
    let home = Home::new();
    home.configure(CONFIG);
    let daemon = Daemon::start(home.secchatd()).await;
    let (code, _, stderr) = output(home.secchatd()).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("another secchatd (process {})", daemon.pid())), "{stderr}");
    let mut other_socket = home.secchatd();
    other_socket.env("XDG_RUNTIME_DIR", home.path().join("r2"));
    let (code, _, stderr) = output(other_socket).await;
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains(&format!("(process {})", daemon.pid())),
        "one state folder, one daemon: {stderr}"
    );
    let mut other_state = home.secchatd();
    other_state.env("XDG_STATE_HOME", home.path().join("s2"));
    let (code, _, stderr) = output(other_state).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("(process {})", daemon.pid())), "one socket, one daemon: {stderr}");
    assert!(is_locked(&mut home.client().await).await, "the first one still serves");
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn a_killed_daemons_socket_is_taken_over() {
    let home = Home::new();
    home.configure(CONFIG);
    let mut daemon = Daemon::start(home.secchatd()).await;
    daemon.child.kill().await.unwrap();
    assert!(home.paths().socket().exists());
    let daemon = Daemon::start(home.secchatd()).await;
    assert!(is_locked(&mut home.client().await).await);
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn a_passphrase_on_a_descriptor_unlocks_and_is_never_logged() {
    let home = Home::new();
    home.configure(CONFIG).make_key("genpkey -algorithm ed25519 -aes-256-cbc -pass pass:sesame");
    let mut command = home.through(
        r#"exec "$@" --passphrase-fd 3 --log trace 3<<END
sesame
END"#,
    );
    let mut child = command.spawn().unwrap();
    let log = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stderr.take().unwrap()));
    let mut daemon = Daemon { child, log };
    let mut lines = Vec::new();
    timeout(DEADLINE, async {
        while let Some(line) = daemon.log.next_line().await.unwrap() {
            let is_there = line.contains("the identity key is unlocked");
            lines.push(line);
            if is_there {
                return;
            }
        }
        panic!("it ended: {lines:?}");
    })
    .await
    .unwrap();
    assert!(!is_locked(&mut home.client().await).await);
    assert!(!lines.iter().any(|line| line.contains("sesame")), "{lines:?}");
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn a_credential_and_an_askpass_unlock() {
    let home = Home::new();
    home.make_key("genrsa -traditional -des3 -passout pass:sesame 2048");
    home.configure(CONFIG);
    std::fs::write(home.path().join("passphrase"), "sesame\n").unwrap();
    let mut command = home.secchatd();
    command.env("CREDENTIALS_DIRECTORY", home.path());
    let mut daemon = Daemon::start(command).await;
    daemon.wait_for("the identity key is unlocked").await;
    assert_eq!(daemon.stop().await, Some(0));

    // Wrong at first; the prompt says so the second time.
    let ask = home.path().join("ask");
    let text = "#!/bin/sh\ncase $1 in Wrong*) echo sesame;; *alice*) echo simsim;; *) exit 1;; esac\n";
    std::fs::write(&ask, text).unwrap();
    std::fs::set_permissions(&ask, std::fs::Permissions::from_mode(0o700)).unwrap();
    home.configure(&format!("{CONFIG}askpass = \"{}\"\n", ask.display()));
    let daemon = Daemon::start(home.secchatd()).await;
    let mut client = home.client().await;
    client.subscribe().await.unwrap();
    timeout(DEADLINE, async {
        while is_locked(&mut client).await {
            client.next_event().await.unwrap();
        }
    })
    .await
    .unwrap();
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn unlocking_tells_a_wrong_passphrase_from_a_loose_file() {
    let home = Home::new();
    let key = home.configure(CONFIG).make_key("genrsa -traditional -des3 -passout pass:sesame 2048");
    let daemon = Daemon::start(home.secchatd()).await;
    let mut client = home.client().await;
    let wrong = unlock(&mut client, "simsim").await;
    assert!(matches!(wrong, Err(ClientError::Command(CommandError::WrongPassphrase))), "{wrong:?}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let loose = unlock(&mut client, "sesame").await;
    let Err(ClientError::Command(CommandError::IdentityUnusable { why })) = loose else {
        panic!("{loose:?}")
    };
    assert!(why.contains("chmod 600"), "{why}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(unlock(&mut client, "sesame").await, Ok(Reply::Done)));
    assert!(!is_locked(&mut client).await);
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test]
async fn keys_are_made_and_shown() {
    let home = Home::new();
    let out = home.path().join("key.pem");
    let mut keygen = home.secchatd();
    keygen.args(["keygen", "--kind", "ed25519", "--out"]).arg(&out).stdin(Stdio::piped());
    let mut child = keygen.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"sesame\n").await.unwrap();
    let made = timeout(DEADLINE, child.wait_with_output()).await.unwrap().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let shown = String::from_utf8(made.stdout).unwrap();
    let mut pubkey = home.through(
        r#"exec "$@" 3<<END
sesame
END"#,
    );
    pubkey.args(["pubkey", "--passphrase-fd", "3", "--key"]).arg(&out);
    assert_eq!(output(pubkey).await, (Some(0), shown.clone(), String::new()));
    let by_openssl = std::process::Command::new("openssl")
        .args(["pkey", "-passin", "pass:sesame", "-pubout", "-in"])
        .arg(&out)
        .output()
        .unwrap();
    let pem = String::from_utf8(by_openssl.stdout).unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(base64, shown.trim_end());
    let mut again = home.secchatd();
    again.args(["keygen", "--no-passphrase", "--out"]).arg(&out);
    let (code, stdout, stderr) = output(again).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("exists already"), "{stderr}");
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_made_is_told() {
    let home = Home::new();
    home.configure(CONFIG);
    std::fs::write(home.path().join("s"), "a file in the way").unwrap();
    let (code, _, stderr) = output(home.secchatd()).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&home.paths().state_folder().display().to_string()), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[tokio::test]
async fn systemds_socket_is_served_and_left() {
    let home = Home::new();
    home.configure(CONFIG);
    let socket = home.paths().socket();
    secchat_ipc::paths::create_private_folder(home.paths().runtime_folder()).unwrap();
    // systemd's own test tool passes the socket as systemd does.
    let mut command = tokio::process::Command::new("systemd-socket-activate");
    command.arg("--listen").arg(&socket);
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
        command.arg("-E").arg(name);
    }
    command.arg(env!("CARGO_BIN_EXE_secchatd"));
    let from = home.secchatd();
    let variables =
        from.as_std().get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    command.envs(variables).stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let Ok(mut child) = command.spawn() else {
        println!("systemd-socket-activate is not installed: not tested");
        return;
    };
    let log = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stderr.take().unwrap()));
    let mut daemon = Daemon { child, log };
    daemon.wait_for("Listening on").await;
    assert!(is_locked(&mut home.client().await).await);
    daemon.wait_for("serving").await;
    assert_eq!(daemon.stop().await, Some(0));
    assert!(socket.exists(), "systemd's socket is not the daemon's to remove");
}
