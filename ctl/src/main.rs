//! `secchatctl`: the command line of secchat. It talks to the daemon, prints what it says, and exits with what came of
//! it; it decides nothing itself.

mod bridge;
mod chat;
mod cli;
mod commands;
mod complete;
mod event_view;
mod exit_code;
mod failure;
mod format;
mod json;
mod man;
mod new_files;
mod output;
mod prompt;
mod safety_number;
mod secchatd;
mod session;
mod view;

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use clap_complete::CompleteEnv;

use cli::Cli;
use exit_code::Exit;
use failure::Failure;
use output::Output;
use secchat_ipc::{harmless, time};
use session::Session;

fn main() -> ExitCode {
    // First of all: a shell that completes wants nothing else done.
    CompleteEnv::with_factory(Cli::command).var("SECCHATCTL_COMPLETE").shells(complete::SHELLS).complete();
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let output = Output::new(&cli.global);
    let exit = match run(cli) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            output.failure(&failure);
            failure.exit
        }
    };
    ExitCode::from(exit.code())
}

fn run(cli: Cli) -> Result<(), Failure> {
    let session = Session::new(&cli.global)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let ended = runtime.block_on(commands::run(&session, cli.verb));
    // A read from standard input may still block: it must not keep the process.
    runtime.shutdown_background();
    ended
}

/// Help and version go to standard output; a wrong command line is told as `--json` asks.
fn misused(error: &clap::Error) -> ExitCode {
    let mut words = std::env::args().skip(1).take_while(|word| word != "--");
    let json = words.any(|word| word == "--json");
    let is_bare = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || (is_bare && !json) {
        // Nobody is left to tell when the other end is gone.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Done.code() });
    }
    // Printed here and not by clap: it shows the wrong word as it is, escape sequences and all.
    let message = error.to_string();
    let message = message.trim().trim_start_matches("error: ");
    Output::for_misuse(json).failure(&Failure::usage(message));
    ExitCode::from(Exit::Usage.code())
}
