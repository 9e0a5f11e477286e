//! What packages install beside the program, as systemd and the desktops' own checker see it.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn dist(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(dist(name)).unwrap()
}

/// What a checker says, which `dist/install-needs --test` installs; nothing when it is content.
fn complaints(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(status.success(), "{said}");
    said
}

#[test]
fn systemd_accepts_the_unit_and_ends_it_with_the_session() {
    let unit = text("systemd/user/secchat-notify.service");
    for line in ["PartOf=graphical-session.target", "WantedBy=graphical-session.target"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let top = tempfile::tempdir().unwrap();
    // The program is not installed here; systemd only wants to see that there is one.
    let path = top.path().join("secchat-notify.service");
    std::fs::write(&path, unit.replace("/usr/bin/secchat-notify", env!("CARGO_BIN_EXE_secchat-notify")))
        .unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--user", "--man=no", "verify"]).arg(&path).env("XDG_RUNTIME_DIR", top.path());
    assert_eq!(complaints(&mut verify), "");
}

#[test]
fn desktops_accept_the_entries() {
    let top = tempfile::tempdir().unwrap();
    for name in ["secchat-notify.desktop", "secchat-notify-autostart.desktop"] {
        let entry = text(&format!("desktop/{name}"));
        for line in ["Exec=secchat-notify", "Icon=secchat-notify"] {
            assert!(entry.lines().any(|found| found == line), "{name}: {line}");
        }
        let path = top.path().join("secchat-notify.desktop");
        std::fs::write(&path, entry).unwrap();
        assert_eq!(complaints(Command::new("desktop-file-validate").arg(&path)), "");
    }
}

#[test]
fn the_icon_has_the_name_that_entries_and_popups_give() {
    assert!(text("desktop/secchat-notify.svg").starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
}

#[test]
fn a_wrong_setting_is_named_with_its_line() {
    let top = tempfile::tempdir().unwrap();
    let file = top.path().join("notify.toml");
    std::fs::write(&file, "\nshow = \"everything\"\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secchat-notify"));
        command.args(arguments).env_clear().env("HOME", top.path()).env("XDG_RUNTIME_DIR", top.path());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&["--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("notify.toml:2: ") && said.contains("`none`, `name`, `full`"), "{said}");
    assert_eq!(run(&["--show", "everything"]).0, Some(2));
}
