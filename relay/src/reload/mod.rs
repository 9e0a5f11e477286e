//! Taking in changed files while the relay runs: all of them at once, or none.
//!
//! - [`snapshot`]: what all files say together, checked
//! - [`layout`]: which folders have to be watched for that
//! - [`watcher`]: watches them
//! - [`debounce`]: waits until whoever writes has finished
//! - [`reloader`]: the task that owns the state in force, and swaps it
//! - [`outcome`]: what came of a reload, in words and for programs

pub(crate) mod debounce;
mod layout;
pub(crate) mod outcome;
pub(crate) mod reloader;
pub(crate) mod snapshot;
pub(crate) mod watcher;
