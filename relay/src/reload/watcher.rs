//! Watches the folders of a [`Layout`], and says that something has changed; never what. Who asks then reads all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::layout::Layout;
use crate::config::Config;
use crate::logging::events;

/// Watches for changes.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// One place is enough: whoever takes the word looks at everything.
    changed: mpsc::Sender<()>,
    /// The configuration's file, and the settings whose files are watched.
    followed: (Option<PathBuf>, Vec<Config>),
    layout: Layout,
    /// Dropped and made anew when the layout is another.
    running: Option<RecommendedWatcher>,
    unwatched: BTreeSet<PathBuf>,
}

impl Watcher {
    /// Nothing is watched yet; the receiver hears of changes.
    pub(crate) fn new() -> (Self, mpsc::Receiver<()>) {
        let (changed, changes) = mpsc::channel(1);
        let (layout, unwatched) = (Layout::default(), BTreeSet::new());
        (Self { changed, followed: (None, Vec::new()), layout, running: None, unwatched }, changes)
    }

    /// Has everything read, though no change was seen.
    pub(crate) fn say_changed(&self) {
        // Full: the word is on its way already.
        let _ = self.changed.try_send(());
    }

    /// Watches the configuration's file and all that these settings name; whether more is seen by that than before.
    /// Blocking, though only on what is quick on a disk.
    pub(crate) fn follow(&mut self, config_file: Option<PathBuf>, settings: Vec<Config>) -> bool {
        self.followed = (config_file, settings);
        self.look_again()
    }

    /// Watches the same files where they are by now.
    pub(crate) fn look_again(&mut self) -> bool {
        let layout = self.look();
        let is_news = layout != self.layout;
        if !is_news && self.unwatched.is_empty() {
            return false;
        }
        let unwatched = self.unwatched.len();
        self.place(layout);
        // What is swapped while the watches are placed is seen at the second look.
        for _ in 0..ATTEMPTS {
            let layout = self.look();
            if layout == self.layout {
                break;
            }
            self.place(layout);
        }
        is_news || self.unwatched.len() < unwatched
    }

    fn look(&self) -> Layout {
        let mut layout = Layout::default();
        let (config_file, settings) = &self.followed;
        config_file.iter().for_each(|file| layout.add(file));
        for config in settings {
            let files = [&config.user_list, &config.certificate, &config.key];
            files.into_iter().chain(&config.crl).for_each(|file| layout.add(file));
            layout.add_keys(&config.key_dir);
        }
        layout
    }

    /// Whether some folder cannot be watched: then changes there have to be looked for.
    pub(crate) fn is_blind(&self) -> bool {
        !self.unwatched.is_empty()
    }

    fn place(&mut self, layout: Layout) {
        let matters = layout.clone();
        let changed = self.changed.clone();
        let made = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.map_or(true, |event| is_change(&event, &matters)) {
                // Full: the word is on its way already.
                let _ = changed.try_send(());
            }
        });
        let mut unwatched = BTreeSet::new();
        self.running = match made {
            Ok(mut watcher) => {
                for folder in layout.folders.keys() {
                    if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                        self.tell(folder, &error);
                        unwatched.insert(folder.clone());
                    }
                }
                Some(watcher)
            }
            Err(error) => {
                for folder in layout.folders.keys() {
                    self.tell(folder, &error);
                    unwatched.insert(folder.clone());
                }
                None
            }
        };
        for folder in self.unwatched.difference(&unwatched) {
            info!(message_id = events::FOLDER_WATCHED, folder = %folder.display(), "changes are noticed at once again");
        }
        self.unwatched = unwatched;
        self.layout = layout;
    }

    /// Says it once for each folder.
    fn tell(&self, folder: &Path, error: &notify::Error) {
        if !self.unwatched.contains(folder) {
            let folder = folder.display();
            warn!(message_id = events::FOLDER_UNWATCHED, %folder, %error, "this folder cannot be watched; its files are read every few seconds instead");
        }
    }
}

/// Whether files have to be read again. Reading them is an event as well, which would go on for ever.
fn is_change(event: &Event, layout: &Layout) -> bool {
    let is_only_read =
        matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write));
    // Events were lost, or it is not known what changed.
    event.need_rescan()
        || event.paths.is_empty()
        || (!is_only_read && event.paths.iter().any(|path| layout.matters(path)))
}

/// Looks at a layout that keeps changing.
const ATTEMPTS: usize = 3;
