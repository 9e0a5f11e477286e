//! TAB in real shells, with the files that packages install: live names, in order, and none when locked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use secchat_e2e::{Home, Terminal, World, binary};
use secchat_ipc::types::LockState;

/// A shell that has read the installed file, on a terminal, at its first prompt.
async fn shell(name: &str, home: &Home) -> Terminal {
    let environment = home.command("secchatctl");
    let mut command = Command::new(name);
    command.env_clear().current_dir(home.path(""));
    for (name, value) in environment.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let programs = binary("secchatctl").parent().unwrap().display().to_string();
    command.env("PATH", format!("{programs}:/usr/bin:/bin"));
    let file = |name: &str| installed(name).display().to_string();
    match name {
        "bash" => {
            let start = format!(
                "PS1='ready> '\nbind 'set show-all-if-ambiguous on'\nsource {}\n",
                file("bash/secchatctl")
            );
            std::fs::write(home.path("bashrc"), start).unwrap();
            command.args(["--noprofile", "--rcfile", "bashrc", "-i"]);
        }
        "zsh" => {
            let start = format!(
                "PS1='ready> '\nfpath=({} $fpath)\nautoload -Uz compinit\ncompinit -u -D\n",
                file("zsh")
            );
            std::fs::write(home.path(".zshrc"), start).unwrap();
            command.args(["-d", "-i"]).env("ZDOTDIR", home.path(""));
        }
        "fish" => {
            let start = format!(
                "set -g fish_greeting; set -p fish_complete_path {}; function fish_prompt; echo 'ready> '; end",
                file("fish")
            );
            command.args(["--no-config", "--init-command", &start]);
        }
        other => panic!("no shell {other}"),
    }
    let terminal = Terminal::start(&command);
    terminal.shown().wait_for("ready>").await;
    terminal
}

fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/completions").join(name).canonicalize().unwrap()
}

#[tokio::test]
async fn bash_completes_live_names() {
    completes_live_names("bash").await;
}

#[tokio::test]
async fn zsh_completes_live_names() {
    completes_live_names("zsh").await;
}

#[tokio::test]
async fn fish_completes_live_names() {
    completes_live_names("fish").await;
}

async fn completes_live_names(name: &str) {
    let (_world, [alice, bob, carol, zoe]) = World::start(["alice", "bob", "carol", "zoe"]).await;
    let mut alices = alice.frontend().await;
    carol.ctl(["rtt", "alice", "--no-wait"]).await.ok();
    alices.until_asked_by(&carol.name).await;
    alice.ctl(["refuse", "carol"]).await.ok();
    bob.ctl(["rtt", "alice", "--no-wait"]).await.ok();
    alices.until_asked_by(&bob.name).await;

    // The one whose request waits is the only name: one TAB writes it, and Enter accepts.
    let mut terminal = shell(name, &alice.home).await;
    terminal.type_in("secchatctl accept ");
    tab_until(&mut terminal, "the name", |shown| shown.contains("accept bob")).await;
    terminal.type_in("\r");
    alices.until_open_with(&bob.name).await;
    terminal.shown().wait_for(ACCEPTED).await;

    // An open chat comes before somebody who is only known.
    alice.ctl(["close", "bob"]).await.ok();
    alices.until_over_with(&bob.name).await;
    alice.chat_with(&zoe).await;
    terminal.type_in("secchatctl send ");
    let offered = |shown: &str| {
        let (_, list) = shown.split_once(ACCEPTED)?;
        list.find("zoe").zip(list.find("bob"))
    };
    let shown = tab_until(&mut terminal, "both names", |shown| offered(shown).is_some()).await;
    let (open, known) = offered(&shown).unwrap();
    assert!(open < known, "{shown}");

    // Locked, there is nobody: the word stays as it was typed.
    alice.ctl(["lock"]).await.ok();
    alices.until("locked", |state| state.status.lock == LockState::Locked).await;
    let mut terminal = shell(name, &alice.home).await;
    terminal.type_in("secchatctl accept \tnobody\r");
    let shown = terminal.shown().wait_for("Locked. Passphrase for").await;
    let names = ["bob", "carol", "zoe"];
    assert!(!names.iter().any(|name| shown.contains(name)), "{shown}");
}

/// Presses TAB until it has an effect: names that take longer than 50 ms, as on a busy machine, are not offered.
async fn tab_until(terminal: &mut Terminal, what: &str, is_reached: impl Fn(&str) -> bool) -> String {
    let shown = terminal.shown().clone();
    let waiting = shown.wait_until(what, is_reached);
    tokio::pin!(waiting);
    loop {
        terminal.type_in("\t");
        if let Ok(shown) = tokio::time::timeout(Duration::from_secs(1), &mut waiting).await {
            return shown;
        }
    }
}

/// The end of what `accept` says.
const ACCEPTED: &str = "secchatctl chat bob`";
