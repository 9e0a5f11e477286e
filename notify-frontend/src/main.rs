//! The popup's executable: everything is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    secchat_notify::cli::main()
}
