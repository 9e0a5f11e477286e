//! Reads a command line. What clap prepares for the thirty verbs that it does not name would cost as much as all the rest of
//! a run that only asks the daemon, so the one that it names is tried alone first.

use std::ffi::OsString;

use clap::{Args as _, Command, CommandFactory as _, FromArgMatches as _, Parser as _};

use super::{Cli, Global};

/// This process's command line.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    parse_from(std::env::args_os().collect())
}

fn parse_from(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    // What is wrong, and every help, is told by the command that knows all verbs.
    if let Some(cli) = alone(&arguments) { Ok(cli) } else { Cli::try_parse_from(arguments) }
}

/// The command line, if it is right with only that verb known that it seems to name.
fn alone(arguments: &[OsString]) -> Option<Cli> {
    let mut all = Cli::command();
    let verb = arguments.iter().skip(1).find_map(|word| {
        let word = word.to_str()?;
        all.find_subcommand_mut(word).map(std::mem::take)
    })?;
    let one = Global::augment_args(Command::new("secchatctl")).subcommand(verb).subcommand_required(true);
    let matches = one.try_get_matches_from(arguments).ok()?;
    Cli::from_arg_matches(&matches).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_verb_alone_is_read_as_among_all() {
        for line in [
            "secchatctl status",
            "secchatctl --json status --format %r",
            "secchatctl status --profile bob -q",
            "secchatctl --timeout 5s rtt bob --no-wait",
            "secchatctl send bob read this --json",
            "secchatctl send -- bob list",
            "secchatctl config show --origin",
            "secchatctl policy bob accept",
            "secchatctl completions bash",
            "secchatctl watch --once --exec true",
        ] {
            let alone = alone(&words(line)).unwrap_or_else(|| panic!("{line}"));
            let among_all =
                Cli::try_parse_from(words(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(format!("{alone:?}"), format!("{among_all:?}"), "{line}");
        }
    }

    #[test]
    fn a_value_that_is_a_verbs_name_is_a_value() {
        let cli = parse_from(words("secchatctl --profile status list")).unwrap();
        assert_eq!(cli.global.profile.as_deref(), Some("status"));
        assert_eq!(format!("{:?}", cli.verb), "List");
    }

    #[test]
    fn errors_and_help_are_those_of_the_whole() {
        for line in [
            "secchatctl",
            "secchatctl stats",
            "secchatctl status list",
            "secchatctl rtt Bob",
            "secchatctl --quiet --verbose status",
            "secchatctl status --help",
            "secchatctl --version",
            "secchatctl help status",
        ] {
            let told = parse_from(words(line)).unwrap_err();
            let whole = Cli::try_parse_from(words(line)).unwrap_err();
            assert_eq!((told.kind(), told.to_string()), (whole.kind(), whole.to_string()), "{line}");
        }
    }
}
