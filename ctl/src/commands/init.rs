//! `init`: sets up a profile, all of it or nothing: configuration, CA certificate, CRL and identity key.

use std::path::{Path, PathBuf};

use secchat_ipc::UserName;
use secchat_ipc::types::Passphrase;
use serde::Serialize;
use serde_json::json;

use super::keygen::{self, KEY_FILE};
use crate::cli::InitArgs;
use crate::failure::Failure;
use crate::new_files::{self, NewFiles};
use crate::session::Session;
use crate::{prompt, secchatd};

pub(super) fn run(session: &Session, args: InitArgs) -> Result<(), Failure> {
    let config_file = session.paths.config_file();
    if config_file.exists() {
        return Err(Failure::failed(format!(
            "this profile is set up already: {} exists (another one: --profile NAME)",
            config_file.display()
        )));
    }
    let plan = Plan::of(session, args)?;
    let passphrase = plan.passphrase(session)?;
    let files = NewFiles::begin(session.paths.config_folder())?;
    files.write(CA_FILE, plan.ca.as_bytes())?;
    let mut names = vec![CA_FILE];
    if let Some(crl) = &plan.crl {
        files.write(CRL_FILE, crl.as_bytes())?;
        names.push(CRL_FILE);
    }
    let public_key = match &plan.args.key {
        Some(key) => secchatd::pubkey(key, passphrase.as_ref())?,
        None => {
            names.push(KEY_FILE);
            secchatd::keygen(&files.path(KEY_FILE), plan.args.new_key.kind, passphrase.as_ref())?
        }
    };
    files.write(CONFIG_FILE, plan.config()?.as_bytes())?;
    // Last, so that a daemon never sees a configuration without its files.
    names.push(CONFIG_FILE);
    files.place(&names)?;
    report(session, &plan, &config_file, &public_key)
}

fn report(session: &Session, plan: &Plan, config: &Path, public_key: &str) -> Result<(), Failure> {
    let user = &plan.name;
    session.output.note(&format!(
        "Set up {user} in {}.\nGive the relay's operator this line for the user_list (or: secchat-relay user add {user} KEY):",
        config.display()
    ));
    let line = format!("{user} {public_key}");
    let value = json!({
        "user": user.as_str(),
        "relay": plan.relay,
        "config": config.display().to_string(),
        "public_key": public_key,
        "user_list_line": line,
    });
    session.output.data(value, |_| format!("{line}\n"))?;
    session.output.note("Then: systemctl --user start secchatd (or: secchatd &), and secchatctl unlock");
    Ok(())
}

/// What is set up, checked before anything is made.
struct Plan {
    args: InitArgs,
    name: UserName,
    relay: String,
    ca: String,
    crl: Option<String>,
}

impl Plan {
    fn of(session: &Session, mut args: InitArgs) -> Result<Self, Failure> {
        let name = match args.name.clone() {
            Some(name) => name,
            None => UserName::parse(&missing(session, "--name", "Your name on the relay")?)
                .map_err(|error| Failure::usage(format!("--name: {error}")))?,
        };
        let relay = match args.relay.take() {
            Some(relay) => relay,
            None => missing(session, "--relay", "The relay's address (HOST:PORT)")?,
        };
        check_address(&relay)?;
        let ca = match args.ca.take() {
            Some(ca) => ca,
            None => PathBuf::from(missing(session, "--ca", "The CA's certificate (a PEM file)")?),
        };
        let ca = pem(&ca, "-----BEGIN CERTIFICATE-----", "certificate")?;
        let crl = args.crl.take();
        let crl = crl.map(|crl| pem(&crl, "-----BEGIN X509 CRL-----", "revocation list")).transpose()?;
        if let Some(key) = &mut args.key {
            *key = key.canonicalize().map_err(|error| Failure::file("read the key", key, &error))?;
        } else if session.paths.config_folder().join(KEY_FILE).exists() {
            let key = session.paths.config_folder().join(KEY_FILE);
            let failure = new_files::exists(&key);
            let message = format!("{}, or use it with --key {}", failure.message, key.display());
            return Err(Failure { message, ..failure });
        }
        Ok(Self { args, name, relay, ca, crl })
    }

    /// The new key's passphrase, or the existing one's.
    fn passphrase(&self, session: &Session) -> Result<Option<Passphrase>, Failure> {
        let Some(key) = &self.args.key else {
            return keygen::new_passphrase(session, &self.args.new_key);
        };
        if let Some(descriptor) = self.args.new_key.passphrase_fd {
            return prompt::passphrase_from_descriptor(descriptor).map(Some);
        }
        let contents = read_small(key)?;
        if self.args.new_key.no_passphrase || !contents.contains("ENCRYPTED") {
            return Ok(None);
        }
        if session.may_ask() {
            return prompt::passphrase(&format!("Passphrase for {}: ", key.display())).map(Some);
        }
        Err(Failure::usage(format!(
            "{} is encrypted, and there is no terminal to ask on: use --passphrase-fd FD",
            key.display()
        )))
    }

    fn config(&self) -> Result<String, Failure> {
        let key = match &self.args.key {
            None => KEY_FILE,
            Some(path) => path
                .to_str()
                .ok_or_else(|| Failure::usage(format!("--key: the path {} is not UTF-8", path.display())))?,
        };
        let config = Config {
            user: self.name.as_str(),
            relay: &self.relay,
            relay_name: self.args.relay_name.as_deref(),
            key,
            ca: CA_FILE,
            crl: self.crl.as_ref().map(|_| CRL_FILE),
            available: !self.args.hidden,
        };
        toml::to_string(&config)
            .map_err(|error| Failure::failed(format!("cannot write the configuration: {error}")))
    }
}

/// The file that secchatd reads.
#[derive(Serialize)]
struct Config<'a> {
    user: &'a str,
    relay: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay_name: Option<&'a str>,
    key: &'a str,
    ca: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crl: Option<&'a str>,
    available: bool,
}

fn missing(session: &Session, flag: &str, question: &str) -> Result<String, Failure> {
    if !session.may_ask() {
        return Err(Failure::usage(format!("{flag} is missing, and there is no terminal to ask on")));
    }
    let answer = prompt::line(question, None)?;
    if answer.is_empty() { Err(Failure::usage(format!("{flag} is missing"))) } else { Ok(answer) }
}

fn check_address(relay: &str) -> Result<(), Failure> {
    let port =
        relay.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(1..)) => Ok(()),
        _ => Err(Failure::usage(format!("--relay: {relay:?} is no HOST:PORT with a port from 1 to 65535"))),
    }
}

fn pem(path: &Path, begin: &str, what: &str) -> Result<String, Failure> {
    let contents = read_small(path)?;
    if contents.contains(begin) {
        Ok(contents)
    } else {
        Err(Failure::usage(format!("{} holds no {what} in PEM ({begin})", path.display())))
    }
}

pub(super) fn read_small(path: &Path) -> Result<String, Failure> {
    let size = std::fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?.len();
    if size > MAX_FILE_BYTES {
        return Err(Failure::usage(format!("{} is too big ({size} bytes)", path.display())));
    }
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{} is not PEM: that is text, this is not", path.display())))
}

const CONFIG_FILE: &str = "config.toml";
const CA_FILE: &str = "ca.pem";
const CRL_FILE: &str = "crl.pem";

/// Bytes of a certificate, key or CRL file at most: a CRL of many thousand entries fits.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in ["relay.example:4433", "127.0.0.1:1", "[::1]:65535"] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in ["relay.example", ":4433", "relay:0", "relay:65536", "relay:http", ""] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_configuration_quotes_what_needs_it() {
        let config = Config {
            user: "alice",
            relay: "relay:1",
            relay_name: None,
            key: "/home/a \"b\"/key.pem",
            ca: CA_FILE,
            crl: None,
            available: true,
        };
        let written = toml::to_string(&config).unwrap();
        assert!(!written.contains("crl"), "{written}");
        let read: toml::Table = written.parse().unwrap();
        assert_eq!(read["key"].as_str(), Some("/home/a \"b\"/key.pem"));
        assert_eq!(read["available"].as_bool(), Some(true));
    }
}
