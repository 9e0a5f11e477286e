//! `watch --exec`: a command of the person's own, once for each event.

use std::process::Stdio;

use secchat_ipc::UserName;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::failure::Failure;
use crate::json;

/// Runs `command` in a shell with the event on its standard input, and waits for its end: what an event says, a peer may
/// have written, so it is never part of a command line.
pub(super) async fn run(command: &str, peer: Option<&UserName>, event: &Value) -> Result<(), Failure> {
    let failed = |why: String| Failure::failed(format!("the command {command:?} {why}"));
    let name = event.get("event").and_then(|name| name.as_str()).unwrap_or_default();
    let peer = peer.map(ToString::to_string).unwrap_or_default();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("SECCHAT_EVENT", name)
        .env("SECCHAT_PEER", peer)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        let mut line = Vec::new();
        json::write(&mut line, event).map_err(|error| failed(format!("cannot be told: {error}")))?;
        line.push(b'\n');
        // A command that does not care closes its end.
        let _ = input.write_all(&line).await;
    }
    let status = child.wait().await.map_err(|error| failed(format!("cannot be awaited: {error}")))?;
    if status.success() { Ok(()) } else { Err(failed(format!("ended with {status}"))) }
}
