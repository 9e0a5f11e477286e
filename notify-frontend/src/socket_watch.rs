//! Watches the folder of the daemon's socket, so that a daemon that comes is seen without looking for it.

use std::io;
use std::path::Path;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use secchat_ipc::paths::{Paths, create_private_folder};
use tokio::sync::mpsc;

/// A watch in force.
#[derive(Debug)]
pub(crate) struct SocketWatch {
    // Watches until it is dropped.
    _running: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

impl SocketWatch {
    /// Watches from now on. The folder is made where it is missing, as the daemon would.
    ///
    /// # Errors
    /// When there can be no such folder, or the system has no watch to give.
    pub(crate) fn place(paths: &Paths) -> io::Result<Self> {
        let (folder, socket) = (paths.runtime_folder(), paths.socket());
        create_private_folder(folder)?;
        let (changed, changes) = mpsc::channel(1);
        let tell = move |event: notify::Result<Event>| {
            if event.map_or(true, |event| is_change(&event, &socket)) {
                // Full: the word is on its way already.
                let _ = changed.try_send(());
            }
        };
        let mut running = notify::recommended_watcher(tell).map_err(io::Error::other)?;
        running.watch(folder, RecursiveMode::NonRecursive).map_err(io::Error::other)?;
        Ok(Self { _running: running, changes })
    }

    /// Waits until the socket came or went, or its folder did.
    pub(crate) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The watch ended by itself, which it does not.
            std::future::pending().await
        }
    }
}

/// Whether the socket came or went; also when events were lost.
fn is_change(event: &Event, socket: &Path) -> bool {
    let is_of_it = |path: &Path| path == socket || socket.parent() == Some(path);
    event.need_rescan()
        || (!matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| is_of_it(path)))
}
