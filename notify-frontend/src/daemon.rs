//! The connection to secchatd: events and answers in, tasks out; made anew whenever it is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use secchat_ipc::client::Incoming;
use secchat_ipc::codec::CodecError;
use secchat_ipc::paths::Paths;
use secchat_ipc::types::Peer;
use secchat_ipc::{Client, ClientError, Command, Reply};
use tokio::sync::mpsc::{Receiver, Sender};

use crate::backoff::Backoff;
use crate::cli::say;
use crate::core::io::{FromDaemon, Input, Task};
use crate::limits::DAEMON_RETRY;
use crate::socket_watch::SocketWatch;

/// Follows the daemon for ever.
pub(crate) async fn follow(paths: Paths, mut tasks: Receiver<Task>, inputs: Sender<Input>) {
    let mut backoff = Backoff::new(DAEMON_RETRY);
    let mut said = String::new();
    loop {
        // Placed before it is looked for: whoever comes in between is seen.
        let watch = SocketWatch::place(&paths).ok();
        let (watch, error) = match attach(&paths, &inputs).await {
            Ok(client) => {
                drop(watch);
                backoff = Backoff::new(DAEMON_RETRY);
                said.clear();
                let error = serve(client, &mut tasks, &inputs).await;
                if inputs.send(Input::Daemon(FromDaemon::Lost)).await.is_err() {
                    return;
                }
                (None, error)
            }
            Err(error @ ClientError::NoDaemon { .. }) => (watch, error),
            // A change of the folder would be no sign of anything.
            Err(error) => (None, error),
        };
        // Once, however often it is tried.
        let line = format!("{error}; waiting for the daemon");
        if line != said {
            say(&line);
            said = line;
        }
        wait(watch, &mut backoff).await;
        // Tasks of a daemon that is gone.
        while tasks.try_recv().is_ok() {}
    }
}

/// Waits until it is worth a look. A socket has its name a moment before it answers, so a few looks follow each change;
/// after those, an absent daemon is waited for in its folder alone.
async fn wait(watch: Option<SocketWatch>, backoff: &mut Backoff) {
    let is_last = backoff.is_at_its_last();
    let pause = tokio::time::sleep(backoff.next_wait());
    let Some(mut watch) = watch else { return pause.await };
    tokio::select! {
        () = watch.changed() => *backoff = Backoff::new(DAEMON_RETRY),
        () = pause, if !is_last => {}
    }
}

async fn attach(paths: &Paths, inputs: &Sender<Input>) -> Result<Client, ClientError> {
    let mut client = Client::connect(paths, "secchat-notify").await?;
    let mut state = Box::new(client.subscribe().await?);
    let Reply::DoNotDisturb(quiet) = client.call(Command::DoNotDisturb, Duration::ZERO).await? else {
        return Err(CodecError::Unfit.into());
    };
    state.do_not_disturb = quiet;
    // The state says of requests and chats what is known of their keys, not of other peers.
    let Reply::Peers(peers) = client.call(Command::Peers, Duration::ZERO).await? else {
        return Err(CodecError::Unfit.into());
    };
    let is_changed = |peer: &Peer| peer.trust.is_changed();
    let changed = peers.into_iter().filter(is_changed).map(|peer| peer.peer).collect();
    // Nobody hears it only when the program ends.
    let _ = inputs.send(Input::Daemon(FromDaemon::Attached { state, changed })).await;
    Ok(client)
}

async fn serve(mut client: Client, tasks: &mut Receiver<Task>, inputs: &Sender<Input>) -> ClientError {
    let mut waiting = BTreeMap::new();
    loop {
        let input = tokio::select! {
            Some(task) = tasks.recv() => {
                match client.send(task.to_command(), Duration::ZERO) {
                    Ok(id) => { waiting.insert(id, task); }
                    Err(error) => return error,
                }
                continue;
            }
            incoming = client.next() => match incoming {
                Ok(Incoming::Event { event, .. }) => FromDaemon::Event(Box::new(event)),
                Ok(Incoming::Reply { id, result }) => match waiting.remove(&id) {
                    Some(task) => FromDaemon::Answered(Box::new(task), result.map(drop)),
                    None => continue,
                },
                Err(error) => return error,
            },
        };
        // Nobody hears it only when the program ends.
        let _ = inputs.send(Input::Daemon(input)).await;
    }
}
