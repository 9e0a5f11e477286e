//! The packages that `dist/package` makes: installed into a folder of their own, used there, upgraded, purged.

mod clean_system;
mod release;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use secchat_e2e::{Home, binary};

fn programs() -> PathBuf {
    binary("secchatctl").parent().unwrap().to_owned()
}

/// A program of a tree's `dist`.
fn dist_at(tree: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(tree.join("dist").join(program));
    command.args(arguments).env("SOURCE_DATE_EPOCH", "1790000000");
    command
}

/// Makes a package of the programs that the tests run, and returns its file.
fn package(kind: &str, home: &Home, folder: &str, version: &str) -> PathBuf {
    package_from(&programs(), kind, home, folder, version)
}

fn package_from(from: &Path, kind: &str, home: &Home, folder: &str, version: &str) -> PathBuf {
    let (from, out) = (from.to_str().unwrap(), home.path(folder));
    let arguments =
        [kind, "--from", from, "--out", out.to_str().unwrap(), "--version", version, "--compression", "none"];
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let made = dist_at(&tree, "package", &arguments).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())
}

/// dpkg on a system of its own below `root`, where nothing else is installed.
fn dpkg(root: &Path, arguments: &[&str]) -> Output {
    let state = root.join("var/lib/dpkg");
    std::fs::create_dir_all(state.join("info")).unwrap();
    std::fs::create_dir_all(state.join("updates")).unwrap();
    for name in ["status", "available"] {
        std::fs::OpenOptions::new().create(true).append(true).open(state.join(name)).unwrap();
    }
    let mut command = as_root("dpkg");
    command.arg(format!("--root={}", root.display())).arg("--force-depends,script-chrootless");
    command.args(arguments).output().unwrap()
}

/// rpm on a system of its own below `root`, without a shell for scripts.
fn rpm(root: &Path, arguments: &[&str]) -> Output {
    let mut command = as_root("rpm");
    command.arg(format!("--root={}", root.display())).args(["--dbpath", "/var/lib/rpm"]);
    command.args(arguments).output().expect("rpm: `dist/install-needs --test` installs it")
}

/// A package manager. Whoever is not root is root of a namespace of its own.
fn as_root(program: &str) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new(program)
    } else {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", program]);
        command
    };
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    command
}

fn run(program: &Path, home: &Home, arguments: &[&str]) -> Output {
    let environment = home.command("secchatctl");
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir(home.path(""));
    for (name, value) in environment.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.output().unwrap()
}

/// What is there works: secchatctl finds the secchatd beside it, and the relay makes its files.
fn is_usable(root: &Path, home: &Home) {
    let program = |name: &str| root.join("usr/bin").join(name);
    let made = run(&program("secchat-relay"), home, &["init", "--dir", "relay", "--name", "localhost"]);
    assert!(made.status.success(), "{made:?}");
    let init =
        ["init", "--name", "alice", "--relay", "localhost:1", "--ca", "relay/ca.pem", "--no-passphrase"];
    let made = run(&program("secchatctl"), home, &init);
    assert!(made.status.success(), "{made:?}");
    let shown = run(&program("secchatctl"), home, &["config", "show"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("user\talice"), "{shown:?}");
}

#[test]
fn a_deb_is_installed_used_upgraded_and_purged() {
    let home = Home::empty();
    let root = home.path("root");
    let first = package("deb", &home, "one", "0.1.0");
    let installed = dpkg(&root, &["--install", first.to_str().unwrap()]);
    assert!(installed.status.success(), "{installed:?}");
    for file in [
        "usr/lib/systemd/user/secchatd.socket",
        "usr/lib/systemd/system/secchat-relay.service",
        "usr/share/man/man1/secchatctl.1.gz",
        "usr/share/man/man5/user_list.5.gz",
        "usr/share/man/man8/secchatd.8.gz",
        "usr/share/bash-completion/completions/secchatctl",
        "usr/share/zsh/vendor-completions/_secchatctl",
        "usr/share/fish/vendor_completions.d/secchatctl.fish",
        "usr/share/doc/secchat/copyright",
    ] {
        assert!(root.join(file).is_file(), "{file}");
    }

    is_usable(&root, &home);
    let second = package("deb", &home, "two", "0.1.1");
    let upgraded = dpkg(&root, &["--install", second.to_str().unwrap()]);
    assert!(upgraded.status.success(), "{upgraded:?}");
    let listed = dpkg(&root, &["--list", "secchat"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("0.1.1"), "{listed:?}");
    let purged = dpkg(&root, &["--purge", "secchat"]);
    assert!(purged.status.success(), "{purged:?}");
    assert!(!root.join("usr").exists(), "something is left");
    assert!(home.config_dir().join("identity.pem").is_file(), "a person's key is nobody's to remove");
}

#[test]
fn an_rpm_is_installed_used_upgraded_and_erased() {
    let home = Home::empty();
    let root = home.path("root");
    std::fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
    let [first, second] = ["0.1.0", "0.1.1"].map(|version| package("rpm", &home, version, version));
    let again = package("rpm", &home, "again", "0.1.0");
    assert!(
        std::fs::read(&first).unwrap() == std::fs::read(again).unwrap(),
        "two packages of the same programs differ"
    );
    let asked = |what: &[&str]| {
        let answer = rpm(&root, &[what, &[first.to_str().unwrap()]].concat());
        assert!(answer.status.success(), "{answer:?}");
        String::from_utf8(answer.stdout).unwrap()
    };
    let files = asked(&["--query", "--list", "--package"]);
    for file in [
        "/usr/bin/secchatd",
        "/usr/lib/systemd/user/secchatd.socket",
        "/usr/share/man/man5/secchat.toml.5.gz",
        "/usr/share/zsh/site-functions/_secchatctl",
    ] {
        assert!(files.lines().any(|line| line == file), "{file} is not among {files}");
    }
    let needs = asked(&["--query", "--requires", "--package"]);
    assert!(needs.contains("libssl.so.3()(64bit)") || cfg!(not(target_pointer_width = "64")), "{needs}");
    assert!(asked(&["--query", "--configfiles", "--package"]).starts_with("/etc/xdg/autostart/"));

    // Nothing else is installed there: neither what it needs, nor a shell for its scripts.
    let alone = ["--nodeps", "--noscripts"];
    let installed = rpm(&root, &[&["--install", first.to_str().unwrap()], &alone[..]].concat());
    assert!(installed.status.success(), "{installed:?}");
    let verified = rpm(&root, &["--verify", "--nodeps", "secchat"]);
    assert!(verified.status.success(), "{verified:?}");
    is_usable(&root, &home);
    let upgraded = rpm(&root, &[&["--upgrade", second.to_str().unwrap()], &alone[..]].concat());
    assert!(upgraded.status.success(), "{upgraded:?}");
    let version = rpm(&root, &["--query", "secchat"]);
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("secchat-0.1.1-1"), "{version:?}");
    let erased = rpm(&root, &[&["--erase", "secchat"], &alone[..]].concat());
    assert!(erased.status.success(), "{erased:?}");
    let mut left = Command::new("find");
    let left = left
        .arg(&root)
        .args(["(", "-name", "*secchat*", "-not", "-path", "*/var/lib/rpm/*", ")"])
        .output()
        .unwrap();
    assert!(left.status.success() && left.stdout.is_empty(), "{left:?}");
    assert!(home.config_dir().join("identity.pem").is_file(), "a person's key is nobody's to remove");
}

#[test]
fn lintian_finds_no_error_and_two_builds_are_alike() {
    let home = Home::empty();
    let files = ["one", "two"].map(|folder| package("deb", &home, folder, "0.1.0"));
    let bytes = files.each_ref().map(|file| std::fs::read(file).unwrap());
    assert!(bytes[0] == bytes[1], "two packages of the same programs differ");
    let mut lintian = Command::new("lintian");
    // Another compression than Debian's is this test's own, for its pace.
    lintian.args([
        "--fail-on",
        "error",
        "--suppress-tags",
        "uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball",
    ]);
    let found = lintian.arg(&files[0]).output().expect("lintian: `dist/install-needs --test` installs it");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn an_archive_is_unpacked_anywhere() {
    let home = Home::empty();
    let archive = package("tar", &home, "out", "0.1.0");
    let unpacked = Command::new("tar").arg("-xf").arg(&archive).current_dir(home.path("")).status().unwrap();
    assert!(unpacked.success());
    let top = home.path(archive.file_stem().unwrap().to_str().unwrap());
    for file in ["share/man/man8/secchatd.8", "share/bash-completion/completions/secchatctl"] {
        assert!(top.join(file).is_file(), "{file} in {}", archive.display());
    }
    let unit = std::fs::read_to_string(top.join("lib/systemd/user/secchatd.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/local/bin/secchatd"), "{unit}");
    let shown = run(&top.join("bin/secchatctl"), &home, &["config", "show"]);
    assert!(shown.status.success(), "{shown:?}");
}
