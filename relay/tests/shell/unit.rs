//! The systemd unit in dist/.

use std::path::Path;
use std::process::Command;

use crate::Shell;

#[test]
fn systemd_finds_no_fault_with_the_units() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/systemd");
    let shell = Shell::new();
    let units = ["secchat-relay.service", "secchat-relay-crl.service", "secchat-relay-crl.timer"];
    for name in units {
        let unit = std::fs::read_to_string(folder.join(name)).unwrap();
        // It names the installed program, which need not be here.
        shell.write(name, unit.replace("/usr/bin/secchat-relay", env!("CARGO_BIN_EXE_secchat-relay")));
    }
    for name in units {
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no", &format!("./{name}")])
            .current_dir(shell.path(""))
            .output()
            .expect("systemd-analyze: `dist/install-needs --test` installs it");
        let complaints = String::from_utf8_lossy(&verified.stderr);
        // Before version 253; the unit has the older type for it.
        let is_expected =
            |line: &&str| line.ends_with("Failed to parse service type, ignoring: notify-reload");
        let complaints: Vec<_> = complaints.lines().filter(|line| !is_expected(line)).collect();
        assert!(verified.status.success() && complaints.is_empty(), "{name}: {complaints:?}");
    }
}

#[test]
fn the_relay_is_exposed_to_little() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/systemd");
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=15", "./secchat-relay.service"])
        .current_dir(folder)
        .output()
        .expect("systemd-analyze: `dist/install-needs --test` installs it");
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

/// The commands that the units run are ones that there are, with files where the commands look for them.
#[test]
fn the_units_commands_are_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/systemd");
    let shell = Shell::with_relay();
    let mut commands = Vec::new();
    for name in ["secchat-relay.service", "secchat-relay-crl.service"] {
        let unit = std::fs::read_to_string(folder.join(name)).unwrap();
        let lines = unit.lines().filter(|line| line.starts_with("Exec"));
        commands.extend(lines.filter_map(|line| line.split_once("=/usr/bin/secchat-relay ")).map(
            |(key, command)| {
                let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
                assert!(shell.relay(&[words[0].as_str(), "--help"]).status.success(), "{command}");
                assert!(command.contains("--config /etc/secchat-relay/relay.toml"), "{command}");
                (key.to_owned(), words)
            },
        ));
    }
    assert!(commands.len() >= 2, "{commands:?}");
    let (_, refresh) = commands.pop().unwrap();
    let here: Vec<String> = refresh.iter().map(|word| word.replace("/etc/secchat-relay/", "")).collect();
    let output = shell.relay(&here.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("number 2"),
        "{output:?}"
    );
}
