//! dist/Containerfile, as far as it can be tried in a moment: its instructions are ones that there are, what it runs
//! parses, what it copies is what it builds, and the relay understands the commands that it is given. `dist/test-image`
//! builds the image and runs it.

use std::path::Path;
use std::process::Command;

use secchat_e2e::binary;

/// Instruction and arguments, with continued lines put together.
fn instructions() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/Containerfile");
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let text = lines.join("\n").replace("\\\n", "");
    text.lines()
        .map(|line| {
            let (instruction, arguments) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            (instruction.to_owned(), arguments.trim().to_owned())
        })
        .collect()
}

fn of<'a>(instructions: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    instructions
        .iter()
        .filter(|(instruction, _)| instruction == name)
        .map(|(_, given)| given.as_str())
        .collect()
}

/// A command in its JSON form, without the words before it.
fn words(given: &str) -> Vec<String> {
    let at =
        given.find('[').unwrap_or_else(|| panic!("{given} is not in the JSON form, which needs no shell"));
    serde_json::from_str(&given[at..]).unwrap()
}

#[test]
fn its_instructions_are_known_and_its_scripts_parse() {
    let known = [
        "FROM",
        "RUN",
        "WORKDIR",
        "COPY",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ];
    let instructions = instructions();
    for (instruction, arguments) in &instructions {
        assert!(known.contains(&instruction.as_str()), "{instruction} {arguments}");
        if instruction == "RUN" {
            let parsed = Command::new("sh").args(["-n", "-c", arguments]).output().unwrap();
            assert!(parsed.status.success(), "{arguments}: {parsed:?}");
        }
    }
    assert_eq!(instructions[0].0, "FROM");
    let user = of(&instructions, "USER");
    assert!(
        user.len() == 1 && user[0].split(':').all(|id| id.parse::<u32>().unwrap() > 0),
        "not root: {user:?}"
    );
    let cargo = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
    let version = cargo.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(of(&instructions, "FROM")[0].contains(&format!("/rust:{version}-")), "built with Rust {version}");
}

#[test]
fn what_it_copies_is_built_and_what_it_starts_is_understood() {
    let instructions = instructions();
    let build = "cargo build --release --locked --package secchat-relay";
    assert!(of(&instructions, "RUN").contains(&build));
    let copied = of(&instructions, "COPY");
    assert_eq!(copied, [". .", "--from=build /src/target/release/secchat-relay /usr/bin/secchat-relay"]);
    let [entry] = &words(of(&instructions, "ENTRYPOINT")[0])[..] else { panic!("one program") };
    let start = words(of(&instructions, "CMD")[0]);
    let health = words(of(&instructions, "HEALTHCHECK")[0].split_once("CMD").unwrap().1);
    assert_eq!((entry.as_str(), health[0].as_str()), ("secchat-relay", "secchat-relay"));
    for arguments in [&start[..], &health[1..]] {
        let output = Command::new(binary(entry)).args(arguments).arg("--help").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert_eq!(arguments[1..], ["--config", "/etc/secchat-relay/relay.toml"], "both mean the same relay");
    }
}
