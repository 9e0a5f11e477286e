//! Runs `secchatd` for what needs a key file, a certificate or the configuration: this program links no cryptographic
//! library, and a file is read in one place.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secchat_ipc::UserName;
use secchat_ipc::paths::Profile;
use secchat_ipc::types::Passphrase;
use zeroize::Zeroizing;

use crate::cli::KeyKind;
use crate::failure::Failure;

/// Makes a key file and returns its public key.
pub(crate) fn keygen(
    out: &Path,
    kind: Option<KeyKind>,
    passphrase: Option<&Passphrase>,
) -> Result<String, Failure> {
    let mut arguments: Vec<OsString> = vec!["keygen".into(), "--out".into(), out.into()];
    if let Some(kind) = kind {
        arguments.extend(["--kind".into(), kind_word(kind).into()]);
    }
    if passphrase.is_none() {
        arguments.push("--no-passphrase".into());
    }
    public_key(run(arguments, passphrase)?)
}

/// Makes the key that follows another one, and returns what both sign for this user. Both passphrases go the same way: a
/// line for each.
pub(crate) fn rotate(
    (old, old_passphrase): (&Path, &Passphrase),
    (out, kind, passphrase): (&Path, Option<KeyKind>, Option<&Passphrase>),
    user: &UserName,
) -> Result<String, Failure> {
    let mut arguments: Vec<OsString> = vec!["rotate".into(), "--key".into(), old.into()];
    arguments.extend(["--out".into(), out.into(), "--name".into(), user.as_str().into()]);
    if let Some(kind) = kind {
        arguments.extend(["--kind".into(), kind_word(kind).into()]);
    }
    if passphrase.is_none() {
        arguments.push("--no-passphrase".into());
    }
    // The full size at once: growing would leave copies behind.
    let new = passphrase.map_or("", |passphrase| passphrase.0.as_str());
    let length = old_passphrase.0.len().saturating_add(new.len()).saturating_add(1);
    let mut lines = Zeroizing::new(String::with_capacity(length));
    lines.push_str(&old_passphrase.0);
    lines.push('\n');
    lines.push_str(new);
    public_key(run(arguments, Some(&Passphrase(lines)))?)
}

/// The public key of a key file.
pub(crate) fn pubkey(key: &Path, passphrase: Option<&Passphrase>) -> Result<String, Failure> {
    public_key(run(vec!["pubkey".into(), "--key".into(), key.into()], passphrase)?)
}

/// One line for each setting: key, value, origin.
pub(crate) fn settings(profile: &Profile) -> Result<Vec<[String; 3]>, Failure> {
    table("config", profile)
}

/// One line for each thing that was looked at: verdict, check, sentence.
pub(crate) fn findings(profile: &Profile) -> Result<Vec<[String; 3]>, Failure> {
    table("check", profile)
}

/// The lines of a verb that prints three cells in each.
fn table(verb: &str, profile: &Profile) -> Result<Vec<[String; 3]>, Failure> {
    let printed = run(vec![verb.into(), "--profile".into(), profile.name().into()], None)?;
    let cells = |line: &str| -> Option<[String; 3]> {
        line.splitn(3, '\t').map(str::to_owned).collect::<Vec<_>>().try_into().ok()
    };
    let lines: Option<Vec<_>> = printed.lines().map(cells).collect();
    lines.ok_or_else(|| Failure::failed(format!("{} printed something unexpected", program().display())))
}

fn public_key(printed: String) -> Result<String, Failure> {
    let key = printed.trim();
    let fits = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
    if fits {
        Ok(key.to_owned())
    } else {
        Err(Failure::failed(format!("{} printed no public key", program().display())))
    }
}

/// Runs secchatd with the passphrase on its standard input and returns what it prints.
fn run(mut arguments: Vec<OsString>, passphrase: Option<&Passphrase>) -> Result<String, Failure> {
    if passphrase.is_some() {
        arguments.extend(["--passphrase-fd".into(), "0".into()]);
    }
    let program = program();
    let mut child = Command::new(&program)
        .args(arguments)
        .stdin(if passphrase.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            Failure::failed(format!(
                "cannot run {}, which keeps the keys: {error} (install it beside secchatctl or in PATH)",
                program.display()
            ))
        })?;
    if let (Some(passphrase), Some(mut input)) = (passphrase, child.stdin.take()) {
        // A program that ended before it read this says why by itself.
        let _ = input.write_all(passphrase.0.as_bytes()).and_then(|()| input.write_all(b"\n"));
    }
    let output = child.wait_with_output().map_err(|error| Failure::file("wait for", &program, &error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().trim_start_matches("secchatd: ");
        return Err(Failure::failed(if said.is_empty() {
            format!("{} ended with {}", program.display(), output.status)
        } else {
            said.to_owned()
        }));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The secchatd beside this program, else the one in `PATH`.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("secchatd"));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(OsStr::new("secchatd")))
}

fn kind_word(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Ed25519 => "ed25519",
        KeyKind::Rsa2048 => "rsa2048",
        KeyKind::Rsa3072 => "rsa3072",
        KeyKind::Rsa4096 => "rsa4096",
    }
}
