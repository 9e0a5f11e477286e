//! docs/OPERATING.md, followed to the letter: every `sh` block of it is run, in order, and prints what the `output`
//! block behind it shows; between its sections real daemons log in, or no longer do.
//!
//! What a test machine has not is stood in for: `systemctl` and `journalctl` by the script below, which runs the
//! unit's own command; the port, the folder and the host name by others, in the text of the blocks; the keys that
//! people send by those of the test's daemons.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use openssl::pkey::{PKey, Private};
use secchat_e2e::{Home, TestUser, binary, public_key_base64, within};
use secchat_ipc::types::LinkState;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::succession::Succession;

/// A section's blocks: what is run, and what it prints.
struct Section {
    title: String,
    blocks: Vec<(String, Vec<String>)>,
}

/// Who follows the handbook, and where.
struct Reader {
    home: Home,
    port: u16,
    keys: Vec<(&'static str, PKey<Private>)>,
}

fn handbook() -> Vec<Section> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATING.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut sections: Vec<Section> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section { title: title.to_owned(), blocks: Vec::new() });
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: Vec<String> =
            lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
        let blocks = &mut sections.last_mut().expect("a section").blocks;
        match kind {
            "sh" => blocks.push((block.join("\n"), Vec::new())),
            "output" => blocks.last_mut().expect("a command before its output").1.extend(block),
            other => panic!("a block of kind {other:?} is not tested: write `sh`, or `output` behind one"),
        }
    }
    sections
}

/// The unit's command, run as systemd would.
const SYSTEMCTL: &str = r#"#!/bin/bash
set -euo pipefail
start() {
    secchat-relay serve --config "$ETC/relay.toml" --key "$ETC/relay-key.pem" --print-address >"$RUN/out" 2>>"$RUN/log" 3>&- &
    echo $! >"$RUN/pid"
    timeout 30 sh -c 'until grep -q "^listening on" "$0"; do read -r -t 0.05 <>"$1" || :; done' "$RUN/out" "$RUN/fifo"
}
stop() { kill "$(cat "$RUN/pid")" && tail --pid="$(cat "$RUN/pid")" -f /dev/null; }
case "$*" in
    'enable --now secchat-relay') start ;;
    'enable --now secchat-relay-crl.timer') secchat-relay crl refresh --config "$ETC/relay.toml" ;;
    'restart secchat-relay') stop; start ;;
    'reload secchat-relay') secchat-relay reload --config "$ETC/relay.toml" ;;
    'stop secchat-relay') stop ;;
    *) echo "systemctl $*: the test knows no such thing" >&2; exit 1 ;;
esac
"#;
const JOURNALCTL: &str = "#!/bin/sh\n[ \"$*\" = '-u secchat-relay' ] && cat \"$RUN/log\"\n";

impl Reader {
    fn new() -> Self {
        let home = Home::empty();
        std::fs::create_dir(home.path("bin")).unwrap();
        std::fs::create_dir(home.path("run")).unwrap();
        for (name, script) in [("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)] {
            let path = home.path("bin").join(name);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            home.path("run/fifo"),
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )
        .unwrap();
        // Free now, and with luck in a moment as well.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let keys = ["alice", "bob"].map(|name| (name, PKey::generate_ed25519().unwrap())).into();
        Self { home, port, keys }
    }

    fn etc(&self) -> PathBuf {
        self.home.path("etc")
    }

    /// A text of the handbook, as it is here.
    fn here(&self, text: &str) -> String {
        let mut text = text
            .replace("/etc/secchat-relay", self.etc().to_str().unwrap())
            .replace("[::]:9090", &format!("127.0.0.1:{}", self.port))
            .replace("chat.example.org", "localhost");
        for (name, key) in &self.keys {
            text = text.replace(&format!("{name} {PASTED}"), &format!("{name} {}", public_key_base64(key)));
        }
        text = text.replace(&format!("alice {SIGNED}"), &format!("alice {}", self.succession("alice")));
        assert!(!text.contains(PASTED) && !text.contains(SIGNED), "whose is it? {text}");
        text
    }

    /// What somebody and a new key sign.
    fn succession(&self, name: &str) -> String {
        let (_, key) = self.keys.iter().find(|(of, _)| *of == name).unwrap();
        let [old, new] = [key.clone(), PKey::generate_ed25519().unwrap()];
        let [old, new] = [old, new].map(|key| SigningKey::from_pkey(key).unwrap());
        let made = Succession::make(&name.parse().unwrap(), &old, &new, 1_800_000_000).unwrap();
        openssl::base64::encode_block(&made.encode())
    }

    /// Runs a section's blocks.
    async fn follow(&self, section: &Section) {
        let path = std::env::var("PATH").unwrap_or_default();
        let programs = binary("secchat-relay");
        let programs = programs.parent().unwrap().to_str().unwrap();
        for (script, expected) in &section.blocks {
            let script = self.here(script);
            let mut command = Command::new("bash");
            command.args(["-euo", "pipefail", "-c", &script]).current_dir(self.home.path(""));
            command
                .env_clear()
                .env("HOME", self.home.path(""))
                .env("ETC", self.etc())
                .env("RUN", self.home.path("run"));
            command.env("PATH", format!("{}:{programs}:{path}", self.home.path("bin").display()));
            let said = self.home.path("said");
            let output = std::fs::File::create(&said).unwrap();
            command.stdin(std::process::Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
            let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
            let status = within(&script, child.wait()).await.unwrap();
            let said = std::fs::read_to_string(said).unwrap();
            let what = format!("{}:\n{script}\n--- printed\n{said}", section.title);
            assert!(status.success(), "{status}: {what}");
            for line in expected {
                let line = self.here(line);
                assert!(said.lines().any(|said| fits(said, &line)), "“{line}” was not printed by {what}");
            }
        }
    }

    fn user(&self, name: &str) -> TestUser {
        let (_, key) = self.keys.iter().find(|(of, _)| *of == name).unwrap();
        let ca = std::fs::read(self.etc().join("ca.pem")).unwrap();
        TestUser::who_trusts(name, key, &ca, ([127, 0, 0, 1], self.port).into())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.home.path("run/pid"))
            && let Some(pid) = pid.trim().parse().ok().and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        if std::thread::panicking() {
            let mut log = String::from("---- log of the relay\n");
            let _ = write!(log, "{}", std::fs::read_to_string(self.home.path("run/log")).unwrap_or_default());
            eprintln!("{log}");
        }
    }
}

/// Whether a line is as it was shown; `…` stands for anything.
fn fits(said: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = said.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut is_open = false;
    for part in parts {
        is_open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    is_open || rest.is_empty()
}

#[tokio::test]
async fn the_handbook_works() {
    let reader = Reader::new();
    let mut followed = Vec::new();
    let mut alice: Option<TestUser> = None;
    for section in handbook() {
        reader.follow(&section).await;
        if section.title == "People" {
            let user = alice.insert(reader.user("alice"));
            user.start().await;
        }
        // After each section alice is there: through every renewal, restart and revocation.
        if let Some(alice) = &alice {
            let what = format!("alice is there after “{}”", section.title);
            let mut frontend = alice.frontend().await;
            frontend.until(&what, |state| state.status.link == LinkState::Online).await;
        }
        followed.push(section.title);
    }
    for title in ["Set-up in a minute", "People", "Renewals", "A stolen key", "Backup and restore", "Upgrade"]
    {
        assert!(followed.iter().any(|followed| followed == title), "{title} is not in {followed:?}");
    }
}

#[test]
fn every_message_of_the_table_is_one_that_is_said() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = String::new();
    for folder in ["relay/src", "daemon/src", "proto/src"] {
        read_all(&root.join(folder), &mut sources);
    }
    let text = std::fs::read_to_string(root.join("docs/OPERATING.md")).unwrap();
    let section = text
        .split("\n## What to do when\n")
        .nth(1)
        .expect("the section")
        .split("\n## ")
        .next()
        .unwrap_or_default();
    let rows: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    assert!(rows.len() > 10, "the table has rows");
    for row in rows {
        let message = row.split('`').next().unwrap();
        assert!(sources.contains(message), "nothing says “{message}”");
    }
}

/// All source of a folder, with strings that go over lines put together.
fn read_all(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            let text = std::fs::read_to_string(path).unwrap();
            let mut pieces = text.split("\\\n");
            into.push_str(pieces.next().unwrap_or_default());
            pieces.for_each(|piece| into.push_str(piece.trim_start()));
        }
    }
}

#[test]
fn shown_lines_are_matched_as_a_whole() {
    assert!(fits("a 12 b", "a … b") && fits("a 12", "a …") && fits("x a", "… a") && fits("a", "a"));
    assert!(!fits("a b c", "a b") && !fits("ab", "b") && !fits("a 12 c", "a … b"));
}

/// What the handbook has for a key that somebody sent.
const PASTED: &str = "MCowBQYDK2VwAyEA…";
/// What the handbook has for a succession that somebody sent.
const SIGNED: &str = "ACwwKjAFBgMrZXADIQ…";
