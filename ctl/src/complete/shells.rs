//! The shells that complete: clap's own adapters, but flags are offered only once a dash is typed, as gh and git do.
//! Else an empty word would mix them among people's names, and no lone name could be taken by one TAB.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_complete::env::{Bash, EnvCompleter, Fish, Shells, Zsh};

/// Every shell that `completions` knows.
pub(crate) const SHELLS: Shells<'static> = Shells(&[&NamesFirst(Bash), &NamesFirst(Zsh), &NamesFirst(Fish)]);

/// An adapter that keeps flags from empty words.
struct NamesFirst<S>(S);

impl<S: EnvCompleter> EnvCompleter for NamesFirst<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is(&self, name: &str) -> bool {
        self.0.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        output: &mut dyn Write,
    ) -> io::Result<()> {
        self.0.write_registration(var, name, bin, completer, output)
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        output: &mut dyn Write,
    ) -> io::Result<()> {
        let variable = |name| std::env::var(name).ok();
        let at = variable("_CLAP_COMPLETE_INDEX").and_then(|at| at.parse().ok());
        let at = at.unwrap_or_else(|| words.len().saturating_sub(1));
        if words.get(at).is_some_and(|word| !word.is_empty()) {
            return self.0.write_complete(command, words, folder, output);
        }
        let mut offered = Vec::new();
        self.0.write_complete(command, words, folder, &mut offered)?;
        // What the shell's script set, or its adapter's default.
        let separator = variable("_CLAP_IFS").unwrap_or_else(|| "\n".to_owned());
        let offered = String::from_utf8_lossy(&offered);
        let named = offered.split(&*separator).filter(|candidate| !candidate.starts_with('-'));
        output.write_all(named.collect::<Vec<_>>().join(&separator).as_bytes())
    }
}
