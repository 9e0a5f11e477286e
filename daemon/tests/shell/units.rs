//! The systemd units: accepted by systemd itself.

use std::path::Path;
use std::process::Command;

#[test]
fn systemd_accepts_the_units() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/systemd/user");
    let top = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for name in ["secchatd.service", "secchatd.socket"] {
        let text = std::fs::read_to_string(units.join(name)).unwrap();
        // The program is not installed here; systemd only wants to see that there is one.
        let path = top.path().join(name);
        std::fs::write(&path, text.replace("/usr/bin/secchatd", env!("CARGO_BIN_EXE_secchatd"))).unwrap();
        paths.push(path);
    }
    let verified = Command::new("systemd-analyze")
        .args(["--user", "--man=no", "verify"])
        .args(&paths)
        .env("XDG_RUNTIME_DIR", top.path())
        .output()
        .expect("systemd-analyze: `dist/install-needs --test` installs it");
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_socket_is_where_frontends_look_and_as_private() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/systemd/user");
    let socket = std::fs::read_to_string(units.join("secchatd.socket")).unwrap();
    for line in ["ListenStream=%t/secchat/secchatd.sock", "SocketMode=0600", "DirectoryMode=0700"] {
        assert!(socket.lines().any(|found| found == line), "{line}");
    }
}
