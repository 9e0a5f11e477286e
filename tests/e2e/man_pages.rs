//! The man pages of the daemon, the relay and the popup in `dist/man` are the ones that their command lines make, with what no
//! command line knows: files, variables, examples. (secchatctl prints its own: `secchatctl man`.)

mod notify;

use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

const DAEMON: &str = r#".SH CONFIGURATION
A flag wins over a variable, that over ~/.config/secchat/config.toml, that over /etc/secchat/config.toml. An unknown
key is an error. Paths are relative to the file's folder.
.PP
.EX
user = "alice"
relay = "relay.example:9090"
relay_name = "relay.example"           # default: the host in relay
key = "identity.pem"                   # made by secchatctl init
ca = "ca.pem"
crl = "crl.pem"                        # optional
available = true                       # listed from the start
link_suites = ["x25519mlkem768", "rsa3072"]
peer_suites = ["x25519mlkem768"]
askpass = "/usr/bin/ssh-askpass"       # optional; one named pinentry… is spoken to as gpg does
lock_on_suspend = false                # true: wipe the key before the machine sleeps (logind)
lock_on_screen_lock = false            # true: wipe it when the screen is locked (logind)
lock_keeps_session = false             # true: when it locks by itself, requests still arrive
quiet_hours = "22:00\-07:00"            # optional: do not disturb, every day in local time

[limits]
inbox_messages = 10000                 # unread texts; then no more are acknowledged
inbox_bytes = 4194304
incoming_requests = 256
cool_down_seconds = 600                # a refused peer's next request is refused unseen
frontends = 256
.EE
.SH LOG
Who asked, who was accepted or refused, by whom and on which terms, and what else happens, never what was written: on standard
error, or in the journal, where \fBjournalctl \-\-user \-u secchatd \-x\fR explains each line, \fBPEER=bob\fR finds all about
bob, and \fBMESSAGE_ID=...\fR all of a kind.
.SH ENVIRONMENT
.TP
\fBSECCHAT_PROFILE\fR, \fBSECCHAT_CONFIG\fR, \fBSECCHAT_LOG\fR
As the flags of these names.
.TP
\fBSECCHAT_USER\fR, \fBSECCHAT_RELAY\fR, \fBSECCHAT_RELAY_NAME\fR, \fBSECCHAT_KEY\fR, \fBSECCHAT_CA\fR, \fBSECCHAT_CRL\fR, \fBSECCHAT_AVAILABLE\fR, \fBSECCHAT_LINK_SUITES\fR, \fBSECCHAT_PEER_SUITES\fR, \fBSECCHAT_ASKPASS\fR, \fBSECCHAT_LOCK_ON_SUSPEND\fR, \fBSECCHAT_LOCK_ON_SCREEN_LOCK\fR, \fBSECCHAT_QUIET_HOURS\fR
As the keys of the configuration; lists are separated by commas.
.TP
\fBCREDENTIALS_DIRECTORY\fR
Where systemd puts the credential \fIpassphrase\fR, which unlocks the key at the start.
.TP
\fBXDG_CONFIG_HOME\fR, \fBXDG_STATE_HOME\fR, \fBXDG_RUNTIME_DIR\fR
Where the files below are.
.SH FILES
All folders are 0700 and all files 0600; secrets that others can read are refused. A profile NAME has the same files in
profiles/NAME/.
.TP
~/.config/secchat/
config.toml, identity.pem, ca.pem, crl.pem.
.TP
~/.local/state/secchat/
Pinned keys, policies, answered requests. Texts and chats are in memory only.
.TP
$XDG_RUNTIME_DIR/secchat/secchatd.sock
The socket of secchatctl and other frontends. A second daemon of the same profile refuses to start.
.SH SIGNALS
SIGTERM and SIGINT log out and end the daemon, with exit status 0.
.SH EXIT STATUS
0: ended as asked. 1: could not start or go on. 2: the command line is wrong.
.SH EXAMPLES
At every login, with the socket ready before:
.PP
.EX
systemctl \-\-user enable \-\-now secchatd.socket secchatd.service
secchatctl unlock
.EE
.PP
By hand, with the passphrase from a password manager:
.PP
.EX
secchatd \-\-passphrase\-fd 3 3< <(pass show secchat)
.EE
.SH SEE ALSO
\fBsecchatctl\fR(1), \fBsecchat\-relay\fR(8)
"#;

const RELAY: &str = r#".SH CONFIGURATION
An unknown key is an error. Paths are relative to the file's folder.
.PP
.EX
listen = "0.0.0.0:9090"
user_list = "user_list"
key_dir = "."                          # of the NAME_pubkey.pem files
certificate = "relay.pem"
key = "relay\-key.pem"
crl = "crl.pem"
suites = ["x25519mlkem768", "rsa3072"]
log = "info"
admin_socket = "admin.sock"            # default for files in /etc/NAME: /run/NAME/admin.sock
log_format = "text"                    # or "json", on standard error
scrub = false                          # true: a keyed hash for each name in the log
metrics = "127.0.0.1:9191"             # off without it; loopback only

[limits]                               # docs/OPERATING.md says what each does
connections = 16384
connections_per_address = 1024
logins = 512
logins_per_address = 64
logins_per_second = 1000
login_burst = 4000
logins_per_second_per_address = 10
login_burst_per_address = 256
login_timeout_ms = 10000
frame_timeout_ms = 60000
control_per_second = 32
control_burst = 1024
messages_per_second = 16384
ping_after_ms = 60000
pong_timeout_ms = 20000
gather_ms = 3000
drain_ms = 5000
rtts_per_minute = 60
rtt_burst = 128
rtts_per_pair_per_minute = 12
rtt_pair_burst = 32
rtts_per_minute_in_all = 60000
pending_rtts = 64
chats = 128
refreshes_per_minute = 60
link_queue_messages = 1024
link_queue_bytes = 8388608
link_forward_bytes = 8388608
queued_bytes = 134217728
.EE
.SH USER LIST
One user a line: \fINAME PUBLIC\-KEY\fR, or \fINAME\fR alone with the key in \fINAME\fR_pubkey.pem; see
\fBuser_list\fR(5). All errors are told at once, each with its line, and the relay does not start on a list with one.
.SH ENVIRONMENT
.TP
\fBSECCHAT_LOG\fR
As \-\-log.
.SH FILES
\fBinit\fR makes these; without \-\-config, commands take relay.toml of the folder that they are run in.
.TP
relay.toml, user_list, relay.pem, relay\-key.pem, crl.pem
What \fBserve\fR reads, and \fBcheck\fR looks over.
.TP
ca.pem, ca\-key.pem
The private CA. Users need ca.pem; only \fBcert\fR and \fBcrl\fR need ca\-key.pem, which may be on another machine, and
have a passphrase.
.TP
admin.sock
Where the running relay answers \fBstatus\fR, \fBreload\fR and \fBinspect\fR: beside the configuration or the list; for a
configuration in /etc/\fINAME\fR it is /run/\fINAME\fR/admin.sock. Only the relay's own user and root may use it.
.TP
relay.pem.old
The certificate before the last \fBcert renew\fR, for \fBcert revoke\fR.
.SH SIGNALS
SIGTERM and SIGINT end the relay, with exit status 0. SIGHUP lets it read all its files, which it does by itself when
they change.
.SH RELOADING
Every file is taken in while the relay runs, by whatever program it is written: all of them at once, or, if one has an
error, none. Errors are logged with file and line, and \fBstatus\fR tells them until they are mended. Users who are off the
list or have another key are logged out. Certificate, key, CRL and suites are for new logins, limits for what comes; a new
\fIlisten\fR is bound before the old one is left, and links stay. \fIadmin_socket\fR and \fImetrics\fR are for the next
start. A list without a byte is believed when it has been so for 5 seconds, or when \fBreload\fR is asked for.
.PP
Programs that write a file in pieces should write another and rename it: whole lines of a list that is half there are
a list.
.SH EXIT STATUS
0: done; of \fBstatus\fR: a relay runs. 1: failed, and no file was changed; of \fBstatus\fR, \fBreload\fR and
\fBinspect\fR: no relay answers; of \fBreload\fR: the files have errors. 2: the command line is wrong.
.SH EXAMPLES
A private relay, with one user:
.PP
.EX
secchat\-relay init \-\-dir /etc/secchat\-relay \-\-name relay.example
secchat\-relay user add alice KEY \-\-config /etc/secchat\-relay/relay.toml
secchat\-relay serve \-\-config /etc/secchat\-relay/relay.toml
.EE
.PP
The relay's key may be known to others:
.PP
.EX
cd /etc/secchat\-relay
secchat\-relay cert renew \-\-new\-key
secchat\-relay cert revoke \-\-certificate relay.pem.old
.EE
.SH SEE ALSO
\fBuser_list\fR(5), \fBsecchatctl\fR(1), \fBsecchatd\fR(8)
"#;

#[test]
fn the_man_pages_are_fresh() {
    let defaults = secchat_daemon::config::Limits::default();
    for (name, value) in [
        ("inbox_messages", defaults.inbox_messages),
        ("inbox_bytes", defaults.inbox_bytes),
        ("incoming_requests", defaults.incoming_requests),
        ("frontends", defaults.frontends),
    ] {
        assert!(DAEMON.contains(&format!("\n{name} = {value}")), "the default of {name} is {value}");
    }
    for (name, value) in toml::Table::try_from(secchat_relay::limits::Limits::default()).unwrap() {
        assert!(RELAY.contains(&format!("\n{name} = {value}\n")), "the default of {name} is {value}");
    }
    is_fresh("secchatd.8", &page("8", secchat_daemon::cli::Cli::command(), DAEMON));
    is_fresh("secchat-relay.8", &page("8", secchat_relay::cli::Cli::command(), RELAY));
    is_fresh("secchat-notify.1", &page("1", secchat_notify::cli::Cli::command(), notify::TEXT));
}

/// Compares with the file; with `SECCHAT_BLESS=1` writes it.
fn is_fresh(name: &str, contents: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/man").join(name);
    if std::env::var_os("SECCHAT_BLESS").is_some() {
        std::fs::write(&path, contents).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == contents, "{} is stale: SECCHAT_BLESS=1 writes it anew", path.display());
}

fn page(section: &str, mut command: Command, more: &str) -> String {
    command.build();
    let man = Man::new(command.clone()).section(section).manual("secchat").date("");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    let mut page = String::from_utf8(page).unwrap();
    if command.has_subcommands() {
        page += ".SH COMMANDS\n";
        verbs(&mut page, &command, "");
    }
    page + more
}

/// Every verb with its synopsis and options.
fn verbs(page: &mut String, command: &Command, path: &str) {
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let path = format!("{path}{} ", verb.get_name());
        if verb.has_subcommands() {
            verbs(page, verb, &path);
            continue;
        }
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        *page += &format!(".SS {}\n{}.\n", escaped(path.trim_end()), escaped(&about));
        for argument in verb.get_arguments().filter(|argument| argument.get_id() != "help") {
            let value = argument.get_value_names().unwrap_or_default().join(" ");
            let value = if argument.get_action().takes_values() { value } else { String::new() };
            let flag = argument.get_long().map(|long| format!("\\fB\\-\\-{}\\fR ", escaped(long)));
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let head = format!("{}\\fI{}\\fR", flag.unwrap_or_default(), escaped(&value));
            *page += &format!(".TP\n{head}\n{}.\n", escaped(&help));
        }
    }
}

/// Text that roff prints as it is.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace("\n.", "\n\\&.")
}
