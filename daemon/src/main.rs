//! The daemon's executable: everything is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: it changes the environment, which only a process with one thread may.
    let activated = secchat_daemon::activation::take();
    secchat_daemon::cli::main(activated)
}
