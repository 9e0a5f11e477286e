//! One person says some texts to another, one after the other.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use secchat_e2e::within;
use secchat_ipc::client::Incoming;
use secchat_ipc::{Client, CommandError, Reply, UserName};
use tokio::sync::watch;

use crate::ledger::{Fate, Way};

/// Texts of one person to another.
pub struct Burst {
    pub way: Way,
    pub socket: PathBuf,
    /// Said over one connection, without waiting in between: number, words, and whether it is left (`--queue`) or sent.
    pub piped: Vec<(u64, String, bool)>,
    /// Said by programs after that, one by one.
    pub programs: Vec<(u64, Command)>,
}

impl Burst {
    /// Says them, and gives what is known of each then. Programs are killed when `kills` changes.
    pub async fn say(self, mut kills: watch::Receiver<u64>) -> (Way, Vec<(u64, Fate)>) {
        let what = format!("{} says something to {}", self.way.0, self.way.1);
        let mut fates = within(&what, pipe(&self.socket, &self.way.1, self.piped)).await;
        for (number, command) in self.programs {
            fates.push((number, run(command, &mut kills).await));
        }
        (self.way, fates)
    }
}

async fn pipe(socket: &std::path::Path, to: &UserName, texts: Vec<(u64, String, bool)>) -> Vec<(u64, Fate)> {
    let mut fates: Vec<_> = texts.iter().map(|(number, ..)| (*number, Fate::Unknown)).collect();
    let Ok(mut client) = Client::connect_to(socket, "soak").await else { return fates };
    let mut ids = Vec::new();
    for (_, text, is_left) in texts {
        let peer = to.clone();
        let command = if is_left {
            secchat_ipc::Command::Queue { peer, text, lifetime_seconds: 7 * 24 * 60 * 60 }
        } else {
            secchat_ipc::Command::Send { peer, text }
        };
        ids.push(client.send(command, Duration::ZERO).expect("a command"));
    }
    let mut answers = 0;
    while answers < ids.len() {
        let Ok(incoming) = client.next().await else { break };
        let Incoming::Reply { id, result } = incoming else { continue };
        let at = ids.iter().position(|it| *it == id).expect("a command of its own");
        fates[at].1 = fate(result);
        answers += 1;
    }
    fates
}

fn fate(answer: Result<Reply, CommandError>) -> Fate {
    match answer {
        Ok(Reply::Delivered { .. } | Reply::Queued { .. }) => Fate::Promised,
        Err(CommandError::NotSent { .. }) => Fate::Refused,
        Err(CommandError::Stopping | CommandError::TimedOut | CommandError::NotSaved { .. }) => Fate::Unknown,
        other => panic!("no answer to expect: {other:?}"),
    }
}

/// Runs secchatctl to its end, or to its death.
async fn run(command: Command, kills: &mut watch::Receiver<u64>) -> Fate {
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let said = command.spawn().expect("secchatctl starts").wait_with_output();
    let said = tokio::select! {
        said = within("secchatctl send ends", said) => said.expect("its output"),
        // Dropped, and so killed.
        _ = kills.changed() => return Fate::Unknown,
    };
    if said.status.success() {
        return Fate::Promised;
    }
    let complaint = String::from_utf8_lossy(&said.stderr);
    assert!(!complaint.contains("panicked at"), "{complaint}");
    if complaint.contains("not sent, because") { Fate::Refused } else { Fate::Unknown }
}
