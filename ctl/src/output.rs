//! The only printer: data to standard output, everything else to standard error, human or JSON.
//!
//! A closed pipe ends the command quietly. Peers' text is made harmless by those who build lines of it
//! ([`harmless`]); failures, which may quote anything, are made so here.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::cli::{Color, Global};
use crate::failure::Failure;
use crate::{harmless, json};

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Whether standard output is a terminal: tables have headings there, and tabs elsewhere.
    to_terminal: bool,
    color_out: bool,
    color_err: bool,
}

/// A way to set text off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Dim,
    Red,
    Yellow,
    /// White on black, whatever the terminal's own colours: a camera's picture.
    Code,
}

impl Output {
    /// As the flags and the environment say.
    pub(crate) fn new(global: &Global) -> Self {
        let out = io::stdout().is_terminal();
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            to_terminal: out,
            color_out: colored(global.color, out, |name| std::env::var_os(name)),
            color_err: colored(global.color, io::stderr().is_terminal(), |name| std::env::var_os(name)),
        }
    }

    /// Where the flags could not be read.
    pub(crate) fn for_misuse(json: bool) -> Self {
        let color_err = colored(Color::Auto, io::stderr().is_terminal(), |name| std::env::var_os(name));
        Self { json, quiet: false, verbose: false, to_terminal: false, color_out: false, color_err }
    }

    /// Whether data is printed as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person reads standard output.
    pub(crate) fn is_terminal(&self) -> bool {
        self.to_terminal
    }

    /// Text for standard output, set off where colours are on.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        if self.color_out { paint(style, text) } else { text.to_owned() }
    }

    /// Prints data: the JSON with `--json`, else the lines.
    pub(crate) fn data(&self, value: Value, human: impl FnOnce(&Self) -> String) -> Result<(), Failure> {
        let text = if self.json { json_line(&value)? } else { human(self) };
        self.raw(&text)
    }

    /// Prints JSON, whatever the flags say.
    pub(crate) fn json(&self, value: &Value) -> Result<(), Failure> {
        self.raw(&json_line(value)?)
    }

    /// Prints text as it is, and flushes: one event at a time reaches a pipe.
    pub(crate) fn raw(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                Failure::closed_pipe()
            } else {
                Failure::failed(format!("cannot write to standard output: {error}"))
            }
        })
    }

    /// Tells a person what was done; nothing with `--quiet` or `--json`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.complain(&harmless::text(text));
        }
    }

    /// Tells a person more, with `--verbose`.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            self.note(text);
        }
    }

    /// Tells a person that something needs attention.
    pub(crate) fn warn(&self, text: &str) {
        if self.json {
            let text = json_line(&json!({ "warning": text })).unwrap_or_default();
            self.complain(text.trim_end());
        } else {
            let head = if self.color_err { paint(Style::Yellow, "warning:") } else { "warning:".to_owned() };
            self.complain(&format!("{head} {}", harmless::text(text)));
        }
    }

    /// Prints why the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        if self.json {
            let error =
                json!({ "code": failure.code, "exit": failure.exit.code(), "message": failure.message });
            let text = json_line(&json!({ "error": error })).unwrap_or_default();
            self.complain(text.trim_end());
        } else {
            let head = if self.color_err { paint(Style::Red, "error:") } else { "error:".to_owned() };
            self.complain(&format!("{head} {}", harmless::text(&failure.message)));
        }
    }

    /// A table: aligned under headings on a terminal, tabs between the cells and no headings elsewhere.
    pub(crate) fn table<const N: usize>(&self, headings: [&str; N], rows: &[[String; N]]) -> String {
        if !self.to_terminal {
            return rows.iter().map(|row| row.join("\t") + "\n").collect();
        }
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
            cells.chain(headings.get(column).map(|heading| heading.width())).max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let line = |cells: &[String]| -> String {
            let padded = cells.iter().zip(widths).map(|(cell, width)| {
                let missing = width.saturating_sub(cell.width());
                format!("{cell}{}", " ".repeat(missing))
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        let head = line(&headings.map(str::to_owned));
        let body: String = rows.iter().map(|row| line(row)).collect();
        format!("{}\n{body}", self.styled(Style::Bold, head.trim_end()))
    }

    fn complain(&self, line: &str) {
        // Where even standard error is gone, nobody is left to tell.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

pub(crate) fn json_line(value: &Value) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    json::write(&mut bytes, value).map_err(|error| Failure::failed(format!("cannot make JSON: {error}")))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|_| Failure::failed("cannot make JSON: not UTF-8"))
}

fn colored(wish: Color, to_terminal: bool, variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    let set = |name| variable(name).is_some_and(|value| !value.is_empty());
    match wish {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR") => false,
        Color::Auto if set("CLICOLOR_FORCE") => true,
        Color::Auto => to_terminal && variable("TERM").is_none_or(|term| term != "dumb"),
    }
}

fn paint(style: Style, text: &str) -> String {
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Red => "1;31",
        Style::Yellow => "1;33",
        Style::Code => "97;40",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(to_terminal: bool) -> Output {
        Output { json: false, quiet: false, verbose: false, to_terminal, color_out: false, color_err: false }
    }

    #[test]
    fn tables_are_aligned_on_a_terminal_and_tabbed_elsewhere() {
        let rows = [["bob".to_owned(), "x".to_owned()], ["名前".to_owned(), "y".to_owned()]];
        assert_eq!(plain(true).table(["USER", "K"], &rows), "USER  K\nbob   x\n名前  y\n");
        assert_eq!(plain(false).table(["USER", "K"], &rows), "bob\tx\n名前\ty\n");
    }

    #[test]
    fn colours_follow_the_usual_rules() {
        let environment = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into())
        };
        assert!(colored(Color::Auto, true, environment(&[])));
        assert!(!colored(Color::Auto, false, environment(&[])));
        assert!(!colored(Color::Auto, true, environment(&[("NO_COLOR", "1")])));
        assert!(colored(Color::Auto, true, environment(&[("NO_COLOR", "")])));
        assert!(!colored(Color::Auto, true, environment(&[("TERM", "dumb")])));
        assert!(colored(Color::Auto, false, environment(&[("CLICOLOR_FORCE", "1")])));
        assert!(colored(Color::Always, false, environment(&[("NO_COLOR", "1")])));
        assert!(!colored(Color::Never, true, environment(&[])));
    }
}
