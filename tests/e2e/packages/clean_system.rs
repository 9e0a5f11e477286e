//! The package on a Debian that has nothing but what Debian itself insists on: so that what it depends on is all there, and
//! nothing is left of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use secchat_e2e::Home;

use super::package;

#[test]
#[ignore = "as root, with Debian's archive at hand: dist/test packages"]
fn a_deb_is_installed_used_upgraded_and_purged_on_a_clean_system() {
    let home = Home::empty();
    let system = CleanSystem::new();
    for version in ["0.1.0", "0.1.1"] {
        let package = package("deb", &home, version, version);
        std::fs::copy(package, system.path(&format!("tmp/{version}.deb"))).unwrap();
    }
    let install = ["apt-get", "install", "--yes", "--no-install-recommends"];
    // So that only what is ours is new from here on.
    system.run(&["apt-get", "update"]);
    let before = system.files();

    system.run(&[&install[..], &["./0.1.0.deb"]].concat());
    assert_eq!(system.run(&["dpkg", "--verify", "secchat"]), "", "what is there is not what was packaged");
    system.is_usable("/usr/bin");
    let settings = system.path("etc/xdg/autostart/secchat-notify.desktop");
    let own = "[Desktop Entry]\nHidden=true\n";
    std::fs::write(&settings, own).unwrap();

    system.run(&[&install[..], &["./0.1.1.deb"]].concat());
    let version = system.run(&["dpkg-query", "--show", "--showformat", "${Version}", "secchat"]);
    assert_eq!(version, "0.1.1-1");
    let kept = std::fs::read_to_string(&settings).unwrap();
    assert_eq!(kept, own, "an administrator's own setting is kept");
    system.is_usable("/usr/bin");

    system.run(&["apt-get", "purge", "--yes", "secchat"]);
    system.run(&["apt-get", "autoremove", "--purge", "--yes"]);
    let left: Vec<_> = system.files().difference(&before).cloned().collect();
    assert_eq!(left, [""; 0], "something is left");
}

/// A Debian of this machine's own release, below a folder.
pub(super) struct CleanSystem {
    home: Home,
}

impl CleanSystem {
    pub(super) fn new() -> Self {
        let system = Self { home: Home::empty() };
        let release = std::fs::read_to_string("/etc/os-release").unwrap();
        let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).expect("a name");
        let made =
            Command::new("debootstrap").args(["--variant=minbase", suite]).arg(system.path("")).output();
        let made = made.expect("debootstrap: `dist/install-needs --test` installs it");
        assert!(made.status.success(), "{made:?}");
        // Any machine's.
        std::fs::write(system.path("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
        std::fs::create_dir(system.path("tmp/dist")).unwrap();
        let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/try");
        std::fs::copy(story, system.path("tmp/dist/try")).unwrap();
        system
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.home.path("system").join(below)
    }

    /// Two people and a relay, with the programs of this folder and nothing else.
    pub(super) fn is_usable(&self, programs: &str) {
        let said = self.run(&["dist/try", "--with", programs]);
        assert!(said.contains("Everything was as expected."), "{said}");
    }

    /// Runs a command there, of which nothing goes on afterwards, and returns its standard output.
    fn run(&self, command: &[&str]) -> String {
        let mut unshare = Command::new("unshare");
        unshare
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--wd=/tmp"])
            .arg(format!("--root={}", self.path("").display()))
            .args(command)
            .env_clear()
            .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C"), ("HOME", "/root")])
            .env("DEBIAN_FRONTEND", "noninteractive");
        let Output { status, stdout, stderr } = unshare.output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
        stdout.into_owned()
    }

    /// Every file and folder, but for what the package manager itself keeps.
    fn files(&self) -> BTreeSet<String> {
        let mut find = Command::new("find");
        find.args([".", "-xdev", "-path", "./proc", "-prune", "-o", "-print"]).current_dir(self.path(""));
        let found = find.output().unwrap();
        assert!(found.status.success(), "{found:?}");
        let own = ["./var/lib/apt/", "./var/lib/dpkg/", "./var/cache/", "./var/log/"];
        let found = String::from_utf8(found.stdout).unwrap();
        let found = found.lines().filter(|file| !own.iter().any(|folder| file.starts_with(folder)));
        found.map(str::to_owned).collect()
    }
}
