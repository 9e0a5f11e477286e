//! `secchat-relay`: reads the command line, does what it says, tells errors.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use secchat_relay::admin::command::{self, Output};
use secchat_relay::cli::{Check, Cli, Command, Init, Serve};
use secchat_relay::config::{Config, DEFAULT_CONFIG};
use secchat_relay::logging::{LogError, LogFilter};
use secchat_relay::{Relay, RelayError, check, init, logging, renewal, service, signals, user_command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(arguments) => serve(&arguments),
        Command::Init(arguments) => set_up(&arguments),
        Command::Check(arguments) => look_over(&arguments),
        Command::Status(arguments) => command::status(&arguments).map_err(tell).and_then(say),
        Command::Reload(arguments) => command::reload(&arguments).map_err(tell).and_then(say),
        Command::Inspect(arguments) => command::inspect(&arguments).map_err(tell).and_then(say),
        Command::User { command } => user_command::run(&command).map_err(tell).and_then(|text| print(&text)),
        Command::Cert { command } => renewal::cert(&command).map_err(tell).and_then(|text| print(&text)),
        Command::Crl { command } => renewal::crl(&command).map_err(tell).and_then(|text| print(&text)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed) => ExitCode::FAILURE,
    }
}

/// Something failed, and was told.
struct Failed;

/// Tells an error; each line of it says what happened, to what, and what to do.
fn tell(error: impl Display) -> Failed {
    for line in error.to_string().lines() {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "secchat-relay: {line}");
    }
    Failed
}

fn print(text: &str) -> Result<(), Failed> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| tell(format!("standard output: {error}")))
}

/// Prints what a running relay said; it may have been errors.
fn say(Output { text, errors }: Output) -> Result<(), Failed> {
    print(&text)?;
    if errors.is_empty() { Ok(()) } else { Err(tell(errors.join("\n"))) }
}

fn serve(arguments: &Serve) -> Result<(), Failed> {
    if arguments.address.is_none() && arguments.config.is_none() && !Path::new(DEFAULT_CONFIG).exists() {
        return Err(tell(format!(
            "there is no {DEFAULT_CONFIG} in this folder; give another with --config, or ADDRESS PORT USER_LIST. \
             `secchat-relay init` makes what a relay needs"
        )));
    }
    let config = Config::of(arguments).map_err(tell)?;
    let filter = config.log.as_deref();
    let settings = logging::Settings { filter, format: config.log_format, scrub: config.scrub };
    let log = logging::start(&settings).map_err(|error| match error {
        LogError::Filter(error) => {
            tell(format!("the log filter {:?}: {error}; try \"info\"", filter.unwrap_or_default()))
        }
        LogError::Thread(_) | LogError::Randomness => tell(error),
    })?;
    // A core dump would hold the relay's key.
    let dumpable = rustix::process::DumpableBehavior::NotDumpable;
    rustix::process::set_dumpable_behavior(dumpable)
        .map_err(|error| tell(format!("cannot forbid core dumps: {error}")))?;
    allow_many_connections();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(tell)?;
    runtime.block_on(async {
        let stop = signals::stop().map_err(|error| tell(format!("cannot watch for signals: {error}")))?;
        let relay = Relay::bind(arguments.clone(), log.clone()).await;
        let relay = relay.map_err(|error| tell_scrubbed(&error, &log))?;
        if arguments.print_address {
            print(&format!("listening on {}\n", relay.local_address()))?;
        }
        service::ready();
        let stop = async {
            stop.await;
            service::stopping();
        };
        // On a worker, among the connections it makes: this thread would have to be woken for each.
        let done = tokio::spawn(relay.run(stop)).await.unwrap_or(Err(RelayError::Router)).map_err(tell);
        log.flush();
        done
    })
}

/// Tells why the relay does not start; an operator who does not want names in the log gets none here either.
fn tell_scrubbed(error: &RelayError, log: &LogFilter) -> Failed {
    log.flush();
    let RelayError::Files(errors) = error else { return tell(error) };
    let names = log.names();
    tell(errors.iter().map(|error| names.of_error(&error.to_string())).collect::<Vec<_>>().join("\n"))
}

/// Takes all the file descriptors that the system permits: each connection needs one.
fn allow_many_connections() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is not to be, the relay serves fewer, and says so when it cannot accept.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn set_up(arguments: &Init) -> Result<(), Failed> {
    let advice = init::init(&arguments.dir, &arguments.names, arguments.listen.as_deref()).map_err(tell)?;
    print(&advice)
}

fn look_over(arguments: &Check) -> Result<(), Failed> {
    let report = check::check(arguments.config.as_deref(), arguments.ca.as_deref());
    if arguments.json {
        print(&report.json())?;
    } else {
        print(&report.fine_text())?;
        for warning in &report.warnings {
            tell(format!("warning: {warning}"));
        }
        for error in &report.errors {
            tell(error);
        }
    }
    if report.is_ok() { Ok(()) } else { Err(Failed) }
}
