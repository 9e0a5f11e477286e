//! The man page, made of the same definitions as the command line.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::exit_code::Exit;
use crate::format::FIELDS;

/// `secchatctl(1)` in roff.
pub(crate) fn page() -> String {
    let mut command = Cli::command();
    command.build();
    let man = Man::new(command.clone()).section("1").manual("secchat").date("");
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = man
        .render_title(&mut page)
        .and_then(|()| man.render_name_section(&mut page))
        .and_then(|()| man.render_synopsis_section(&mut page))
        .and_then(|()| man.render_description_section(&mut page))
        .and_then(|()| man.render_options_section(&mut page));
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page += ".SH COMMANDS\n";
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        describe(&mut page, verb);
    }
    page += OUTPUT;
    page += FORMAT;
    for field in FIELDS {
        page += &format!(".TP\n\\fB{{{}}}\\fR\n{}.\n", escaped(field.name), escaped(field.meaning));
    }
    page += ".SH EXIT STATUS\n";
    for exit in Exit::ALL {
        page += &format!(".TP\n\\fB{}\\fR\n{}\n", exit.code(), escaped(exit.meaning()));
    }
    page += REST;
    page
}

fn describe(page: &mut String, verb: &Command) {
    let mut verb = verb.clone();
    let usage = verb.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace("secchatctl ", "");
    *page += &format!(".SS {}\n", escaped(&usage));
    let about = verb.get_long_about().or_else(|| verb.get_about()).map(ToString::to_string);
    // A verb's first paragraph is its line in the help: without a full stop.
    let about = about.unwrap_or_default();
    let paragraphs: Vec<String> =
        about.split("\n\n").map(|paragraph| escaped(paragraph.trim_end_matches('.')) + ".\n").collect();
    *page += &paragraphs.join(".PP\n");
    for argument in verb.get_arguments().filter(|argument| !is_global(argument.get_id().as_str())) {
        let value = argument.get_value_names().unwrap_or_default().join(" ");
        let takes_value = argument.get_action().takes_values();
        let flag = argument.get_long().map(|long| format!("--{long}"));
        let head = match (&flag, takes_value) {
            (Some(flag), true) => format!("\\fB{}\\fR \\fI{}\\fR", escaped(flag), escaped(&value)),
            (Some(flag), false) => format!("\\fB{}\\fR", escaped(flag)),
            (None, _) => format!("\\fI{}\\fR", escaped(&value)),
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let values: Vec<String> = argument
            .get_possible_values()
            .iter()
            .filter(|_| takes_value)
            .map(|value| value.get_name().to_owned())
            .collect();
        let values =
            if values.is_empty() { String::new() } else { format!(" (one of: {})", values.join(", ")) };
        *page += &format!(".TP\n{head}\n{}.\n", escaped(&(help + &values)));
    }
    for inner in verb.get_subcommands().filter(|inner| inner.get_name() != "help") {
        describe(page, inner);
    }
}

fn is_global(id: &str) -> bool {
    ["profile", "timeout", "json", "color", "no_input", "quiet", "verbose", "help", "version"].contains(&id)
}

/// Text that roff prints as it is.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = text
        .lines()
        .map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}

const OUTPUT: &str = r#".SH OUTPUT
Data goes to standard output, everything else to standard error. Tables have headings on a terminal; elsewhere their
cells are separated by tabs. Control, bidirectional and invisible characters in what peers wrote are shown as
\eu{\.\.\.}; \fB\-\-json\fR gives the exact text, with the same characters as \euXXXX.
.PP
With \fB\-\-json\fR every command prints one object, \fBread\fR, \fBchat\fR and \fBwatch\fR one a line. Fields are
only ever added. Times are RFC 3339 in UTC, ids are strings. A failure is one object on standard error:
.PP
.EX
{"error":{"code":"locked","exit":4,"message":"..."}}
.EE
"#;

const FORMAT: &str = r#".SH FORMAT
\fBstatus \-\-format\fR puts values in place of these; {{ and }} stand for one brace each. With \fB\-\-follow\fR the line
is printed anew whenever it changes, and the program ends with the daemon.
"#;

const REST: &str = r##".SH BRIDGE
\fBbridge\fR is for programs: JSON\-RPC 2.0, one object a line on standard input and output, with parameters by name and
without batches. Its methods are the daemon's commands; after \fBsubscribe\fR each event is a notification named
\fBevent\fR. docs/bridge.schema.json in the source describes all of it; versions only add, and \fBversion\fR tells which it
is. A line of more than 262,144 bytes is refused, no more than 64 calls are under way at once, and a program that does
not read what comes is cut off by the daemon. The daemon's errors are \-32000 minus the exit status below.
.PP
.EX
{"jsonrpc":"2.0","id":1,"method":"send","params":{"peer":"bob","text":"hello"}}
{"id":1,"jsonrpc":"2.0","result":{"chat":"53c9...","id":"1"}}
.EE
.SH ENVIRONMENT
.TP
\fBSECCHAT_PROFILE\fR
The profile, where \fB\-\-profile\fR names none.
.TP
\fBXDG_CONFIG_HOME\fR, \fBXDG_STATE_HOME\fR, \fBXDG_RUNTIME_DIR\fR
Where the files below are. Without XDG_RUNTIME_DIR the socket is in ~/.cache/secchat/run.
.TP
\fBSECCHAT_EVENT\fR, \fBSECCHAT_PEER\fR
For the command of \fBwatch \-\-exec\fR: the event's kind, and the peer's name where it is about one.
.TP
\fBVISUAL\fR, \fBEDITOR\fR
The editor of \fBsend \-\-edit\fR; without both it is vi.
.TP
\fBNO_COLOR\fR, \fBCLICOLOR_FORCE\fR, \fBTERM\fR
NO_COLOR, not empty, and TERM=dumb turn colours off; CLICOLOR_FORCE turns them on. Where TERM is dumb or not set,
\fBchat\fR has no window.
.SH FILES
A profile NAME has the same files in profiles/NAME/ below each of the three folders.
.TP
~/.config/secchat/config.toml
The configuration of \fBsecchatd\fR(8), made by \fBinit\fR.
.TP
~/.config/secchat/identity.pem, ca.pem, crl.pem
The identity key, the CA that vouches for the relay, and the CA's revocation list.
.TP
~/.local/state/secchat/
What the daemon keeps: pinned keys, policies, consents, answered requests.
.TP
$XDG_RUNTIME_DIR/secchat/secchatd.sock
The daemon's socket.
.SH EXAMPLES
Set up, and log in:
.PP
.EX
secchatctl init \-\-name alice \-\-relay relay.example:9090 \-\-ca ca.pem \-\-crl crl.pem
systemctl \-\-user start secchatd
secchatctl unlock \-\-ttl 8h
.EE
.PP
Ask bob for a chat of at most two hours, send him a text, and read what he answers:
.PP
.EX
secchatctl rtt bob \-\-for 2h && secchatctl send bob "lunch?"
secchatctl watch \-\-once \-\-only message_received \-\-peer bob \-\-timeout 10m
secchatctl read bob
.EE
.PP
Answer a request, and make sure that the key is alice's:
.PP
.EX
secchatctl requests
secchatctl accept alice
secchatctl verify alice
.EE
.PP
Send the output of a command:
.PP
.EX
df \-h | secchatctl send bob \-
.EE
.PP
Ring a bell at every text, whoever writes:
.PP
.EX
secchatctl watch \-\-only message_received \-\-exec 'tput bel >/dev/tty'
.EE
.PP
Unread texts and requests for tmux's status line:
.PP
.EX
set \-g status\-right "#(secchatctl status \-\-format '{unread} unread, {requests} ask')"
.EE
.PP
Complete names in bash, from now on:
.PP
.EX
secchatctl completions bash >> ~/.bashrc
.EE
.SH SEE ALSO
\fBsecchatd\fR(8), \fBsecchat\-relay\fR(8)
"##;
