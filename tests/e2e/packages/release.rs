//! What a release consists of, built as `dist/build` does: for `dist/test release`, since it takes half an hour.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secchat_e2e::Home;

use super::clean_system::CleanSystem;
use super::{dist_at, package_from};

const PROGRAMS: [&str; 4] = ["secchatd", "secchatctl", "secchat-relay", "secchat-notify"];

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Builds in this tree and returns the folder of the programs.
fn build(tree: &Path, flags: &[&str], target: Option<&Path>) -> PathBuf {
    let mut command = dist_at(tree, "build", flags);
    if let Some(target) = target {
        command.env("CARGO_TARGET_DIR", target);
    }
    let made = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    tree.join(String::from_utf8(made.stdout).unwrap().trim())
}

#[test]
#[ignore = "half an hour: dist/test release"]
fn two_builds_in_different_places_are_alike() {
    let home = Home::empty();
    let copy = home.path("another/place");
    std::fs::create_dir_all(&copy).unwrap();
    let script =
        "git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C \"$0\"";
    let copied = Command::new("sh").args(["-c", script]).arg(&copy).current_dir(tree()).status().unwrap();
    assert!(copied.success());
    let here = build(&tree(), &[], None);
    let there = build(&copy, &[], Some(&home.path("other-target")));
    for program in PROGRAMS {
        let [one, two] = [&here, &there].map(|folder| std::fs::read(folder.join(program)).unwrap());
        assert!(one == two, "{program} differs between {} and {}", here.display(), there.display());
        let text = String::from_utf8_lossy(&one);
        for place in [tree(), copy.clone()] {
            assert!(!text.contains(place.to_str().unwrap()), "{program} names {}", place.display());
        }
    }
    for kind in ["deb", "rpm", "tar"] {
        let [one, two] = [(&here, "one"), (&there, "two")]
            .map(|(from, out)| std::fs::read(package_from(from, kind, &home, out, "0.1.0")).unwrap());
        assert!(one == two, "two {kind} packages differ");
    }
}

#[test]
#[ignore = "a quarter of an hour, as root, with Debian's archive at hand: dist/test release"]
fn the_static_programs_need_nothing_of_a_system() {
    let folder = build(&tree(), &["--static"], None);
    let system = CleanSystem::new();
    for program in PROGRAMS {
        let described = Command::new("file").arg(folder.join(program)).output().unwrap();
        let described = String::from_utf8_lossy(&described.stdout).into_owned();
        assert!(described.contains("static"), "{described}");
        std::fs::copy(folder.join(program), system.path(&format!("usr/local/bin/{program}"))).unwrap();
    }
    system.is_usable("/usr/local/bin");
}
