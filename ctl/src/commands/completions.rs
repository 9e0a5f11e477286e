//! `completions`: what a shell reads at its start. One line: the script itself comes from the program that it is for,
//! so that the two cannot be of different versions.

use serde_json::json;

use crate::cli::Shell;
use crate::failure::Failure;
use crate::session::Session;

pub(super) fn run(session: &Session, shell: Shell) -> Result<(), Failure> {
    let script = script(shell);
    session.output.data(json!({ "script": script }), |_| script.to_owned())
}

/// The file that packages install for `shell`.
fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "source <(SECCHATCTL_COMPLETE=bash secchatctl)\n",
        Shell::Zsh => ZSH,
        Shell::Fish => "SECCHATCTL_COMPLETE=fish secchatctl | source\n",
    }
}

/// As a function in zsh's `fpath` this is first run by a TAB, which it must answer too.
const ZSH: &str = r#"#compdef secchatctl
source <(SECCHATCTL_COMPLETE=zsh secchatctl)
if [[ "${funcstack[1]}" == _secchatctl ]]; then _clap_dynamic_completer_secchatctl "$@"; fi
"#;
