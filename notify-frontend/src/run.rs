//! The loop between the daemon, the desktop and the core.

use std::io;
use std::time::Instant;

use secchat_ipc::CommandError;
use secchat_ipc::paths::Paths;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinError;

use crate::cli::say;
use crate::config::Settings;
use crate::core::Core;
use crate::core::io::{Call, FromDaemon, Input, Task};
use crate::desktop::BusIsGone;
use crate::limits::{FAREWELL, QUEUE};
use crate::{daemon, desktop};

/// Why it ends without having been asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("the system refuses what it needs: {0}")]
    System(#[from] io::Error),
    #[error("the session bus is gone ({0}), so this session is over: start secchat-notify in the next one")]
    BusIsGone(String),
}

/// Runs until SIGTERM, SIGINT or SIGHUP, then takes our popups off.
pub(crate) async fn run(paths: Paths, settings: Settings) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (inputs, mut happened) = channel(QUEUE);
    let (tasks, task_queue) = channel(QUEUE);
    let (calls, call_queue) = channel(QUEUE);
    let following = tokio::spawn(daemon::follow(paths, task_queue, inputs.clone()));
    let mut desktop = tokio::spawn(desktop::serve(call_queue, inputs));
    let mut core = Core::new(settings);
    loop {
        let deadline = core.poll_timeout().map(tokio::time::Instant::from_std);
        tokio::select! {
            Some(input) = happened.recv() => core.handle(input, Instant::now()),
            () = until(deadline) => core.handle_timeout(Instant::now()),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => break,
            ended = &mut desktop => return to_result(ended),
        }
        carry_out(&mut core, &tasks, &calls);
    }
    following.abort();
    let farewell = async {
        // A popup that is about to appear has no id yet.
        while core.is_calling() {
            let Some(input) = happened.recv().await else { break };
            core.handle(input, Instant::now());
        }
        for id in core.take_all() {
            let _ = calls.send(Call::Close(id)).await;
        }
        drop(calls);
        // It ends when it has made the last call.
        let _ = desktop.await;
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    Ok(())
}

/// What the desktop's end means before anybody asked for it.
fn to_result(ended: Result<Result<(), BusIsGone>, JoinError>) -> Result<(), RunError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(BusIsGone(why))) => Err(RunError::BusIsGone(why)),
        Err(error) => Err(io::Error::other(error).into()),
    }
}

/// Passes on what the core puts out. The queue of calls never fills: there is one at a time.
fn carry_out(core: &mut Core, tasks: &Sender<Task>, calls: &Sender<Call>) {
    while let Some(line) = core.next_line() {
        say(&line);
    }
    while let Some(task) = core.next_task() {
        if let Err(TrySendError::Full(task) | TrySendError::Closed(task)) = tasks.try_send(task) {
            let why = "the daemon has not taken what was chosen before this".to_owned();
            let answer = FromDaemon::Answered(Box::new(task), Err(CommandError::LimitReached { why }));
            core.handle(Input::Daemon(answer), Instant::now());
        }
    }
    if let Some(call) = core.next_call(Instant::now()) {
        let _ = calls.try_send(call);
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
