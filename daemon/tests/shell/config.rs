//! The configuration: what wins over what, and what each mistake is told.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secchat_daemon::config::{Config, ConfigError, Flags};
use secchat_ipc::paths::Paths;
use secchat_proto::crypto::kem::{Suite, Suites};

/// A home with files and an environment of its own.
struct Home {
    top: tempfile::TempDir,
    variables: BTreeMap<&'static str, OsString>,
    flags: Flags,
}

impl Home {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("config/secchat")).unwrap();
        Self { top, variables: BTreeMap::new(), flags: Flags::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn user_file(self, text: &str) -> Self {
        std::fs::write(self.path("config/secchat/config.toml"), text).unwrap();
        self
    }

    fn system_file(self, text: &str) -> Self {
        std::fs::write(self.path("system.toml"), text).unwrap();
        self
    }

    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    fn load(&self) -> Result<Config, ConfigError> {
        let folder = |name: &str| match name {
            "HOME" => Some(self.path("home").into()),
            "XDG_CONFIG_HOME" => Some(self.path("config").into()),
            "XDG_STATE_HOME" => Some(self.path("state").into()),
            "XDG_RUNTIME_DIR" => Some(self.path("run").into()),
            other => self.variables.get(other).cloned(),
        };
        let paths = Paths::resolve(self.flags.profile.as_deref(), folder)?;
        Config::resolve(paths, &self.flags, &self.path("system.toml"), folder)
    }

    fn error(&self) -> String {
        self.load().map(|_| ()).unwrap_err().to_string()
    }
}

const FULL: &str = r#"
user = "alice"
relay = "relay.example.org:4711"
relay_name = "secchat.example.org"
key = "keys/id.pem"
ca = "/etc/ssl/ca.pem"
crl = "crl.pem"
available = false
link_suites = ["rsa3072"]
peer_suites = ["x25519mlkem768", "rsa3072"]
askpass = "/usr/bin/ssh-askpass"
quiet_hours = "22:00-07:30"

[limits]
inbox_messages = 7
inbox_bytes = 8
incoming_requests = 9
cool_down_seconds = 0
frontends = 11
"#;

#[test]
fn every_key_is_read() {
    let home = Home::new().user_file(FULL);
    let config = home.load().unwrap();
    assert_eq!(config.user.map(|user| user.to_string()).as_deref(), Some("alice"));
    assert_eq!(config.relay.map(|relay| relay.to_string()).as_deref(), Some("relay.example.org:4711"));
    assert_eq!(config.relay_name, "secchat.example.org");
    assert_eq!(config.key, home.path("config/secchat/keys/id.pem"));
    assert_eq!(config.ca, Path::new("/etc/ssl/ca.pem"));
    assert_eq!(config.crl, Some(home.path("config/secchat/crl.pem")));
    assert!(!config.available);
    assert_eq!(Some(config.link_suites), Suites::new(vec![Suite::Rsa3072]));
    assert_eq!(config.peer_suites, Suites::for_link());
    assert_eq!(config.askpass.as_deref(), Some(Path::new("/usr/bin/ssh-askpass")));
    assert_eq!(config.quiet_hours.map(|hours| (hours.from, hours.to)), Some((1_320, 450)));
    let limits = config.limits;
    assert_eq!((limits.inbox_messages, limits.inbox_bytes, limits.incoming_requests), (7, 8, 9));
    assert_eq!((limits.cool_down, limits.frontends), (Duration::ZERO, 11));
}

#[test]
fn without_any_file_there_are_defaults() {
    let config = Home::new().load().unwrap();
    assert!(config.user.is_none() && config.relay.is_none() && config.crl.is_none());
    assert!(config.available);
    assert!(config.key.ends_with("config/secchat/identity.pem"));
    assert_eq!(config.link_suites, Suites::for_link());
    assert_eq!(config.peer_suites, Suites::for_peers());
}

#[test]
fn the_relays_name_is_its_host_by_default() {
    let config = Home::new().user_file("relay = \"[::1]:4711\"").load().unwrap();
    assert_eq!(config.relay_name, "::1");
}

#[test]
fn environment_beats_user_beats_system() {
    let home = Home::new().system_file("user = \"s\"\nrelay = \"s:1\"\nca = \"s.pem\"");
    let config = home.load().unwrap();
    assert_eq!(config.user.map(|user| user.to_string()).as_deref(), Some("s"));
    assert_eq!(config.ca, home.path("s.pem"), "paths are relative to the file that names them");

    let home = home.user_file("user = \"u\"\nrelay = \"u:1\"");
    let config = home.load().unwrap();
    assert_eq!(config.user.map(|user| user.to_string()).as_deref(), Some("u"));
    assert_eq!(config.ca, home.path("s.pem"));

    let home = home.variable("SECCHAT_USER", "e").variable("SECCHAT_LINK_SUITES", "rsa3072, x25519mlkem768");
    let home = home.variable("SECCHAT_AVAILABLE", "no").variable("SECCHAT_RELAY", "");
    let config = home.load().unwrap();
    assert_eq!(config.user.map(|user| user.to_string()).as_deref(), Some("e"));
    assert_eq!(config.relay.map(|relay| relay.to_string()).as_deref(), Some("u:1"), "empty is unset");
    assert_eq!(Some(config.link_suites), Suites::new(vec![Suite::Rsa3072, Suite::X25519MlKem768]));
    assert!(!config.available);
}

#[test]
fn a_flag_names_another_file_and_beats_the_variable() {
    let mut home = Home::new().user_file("user = \"u\"").variable("SECCHAT_CONFIG", "/nowhere/config.toml");
    assert!(home.error().contains("/nowhere/config.toml"), "{}", home.error());
    std::fs::write(home.path("other.toml"), "user = \"o\"\nkey = \"id.pem\"").unwrap();
    home.flags.config = Some(home.path("other.toml"));
    let config = home.load().unwrap();
    assert_eq!(config.user.map(|user| user.to_string()).as_deref(), Some("o"));
    assert_eq!(config.key, home.path("id.pem"));
}

#[test]
fn a_named_file_must_be_there() {
    let mut home = Home::new();
    home.flags.config = Some(home.path("none.toml"));
    let error = home.load().map(|_| ()).unwrap_err();
    assert!(matches!(error, ConfigError::Missing { .. }), "{error}");
    assert!(
        error.to_string().contains("none.toml") && error.to_string().contains("secchatctl init"),
        "{error}"
    );
}

#[test]
fn a_mistake_in_a_file_has_its_line() {
    // (text, line, what the sentence must hold)
    let mistakes = [
        ("user = \"alice\"\nport = 4711\n", 2, "unknown field `port`"),
        ("\n\nuser = 7\n", 3, "expected a string"),
        ("available = \"yes\"\n", 1, "expected a boolean"),
        ("user = \"a\"\nuser = \"b\"\n", 2, "duplicate"),
        ("user = \"alice\"\nrelay = \n", 2, ""),
        ("user = \"Alice\"\n", 1, "a-z 0-9"),
        ("# x\nuser = \"../alice\"\n", 2, "a-z 0-9"),
        ("user = \"alice\"\n\nrelay = \"example.org\"\n", 3, "HOST:PORT"),
        ("relay = \"example.org:0\"\n", 1, "HOST:PORT"),
        ("relay_name = \"*.example.org\"\n", 1, "DNS name"),
        ("user = \"a\"\nlink_suites = [\"rsa1024\"]\n", 2, "\"rsa1024\" is no suite"),
        ("# x\nquiet_hours = \"22:00\"\n", 2, "HH:MM-HH:MM"),
        ("peer_suites = []\n", 1, "not empty"),
        ("peer_suites = [\"rsa3072\",\n \"rsa3072\"]\n", 1, "none twice"),
        ("[limits]\ninbox_messages = 0\n", 2, "1 to 50000"),
        ("[limits]\ncool_down_seconds = 10000000\n", 2, "0 to 604800"),
        ("[limits]\ninbox_messages = -1\n", 2, ""),
        ("[limits]\nfrontend = 1\n", 2, "unknown field `frontend`"),
        ("[limit]\n", 1, "unknown field `limit`"),
    ];
    for (text, line, expected) in mistakes {
        let home = Home::new().user_file(text);
        let error = home.error();
        let place = format!("{}:{line}: ", home.path("config/secchat/config.toml").display());
        assert!(error.starts_with(&place), "{text:?}: {error}");
        assert!(error.contains(expected), "{text:?}: {error}");
        assert!(!error.contains('\n'), "one line: {error}");
        let kept = std::fs::read_to_string(home.path("config/secchat/config.toml")).unwrap();
        assert_eq!(kept, text, "nothing is changed");
    }
}

#[test]
fn a_mistake_in_the_system_file_names_that_file() {
    let home = Home::new().user_file("user = \"alice\"").system_file("user = \"s\"\nrealy = \"x:1\"");
    assert!(
        home.error().starts_with(&format!("{}:2: ", home.path("system.toml").display())),
        "{}",
        home.error()
    );
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    use std::os::unix::ffi::OsStringExt as _;
    for (name, value) in
        [("SECCHAT_USER", "Alice"), ("SECCHAT_AVAILABLE", "maybe"), ("SECCHAT_PEER_SUITES", ",")]
    {
        let error = Home::new().variable(name, value).error();
        assert!(error.contains(name), "{error}");
    }
    let mut home = Home::new();
    home.variables.insert("SECCHAT_KEY", OsString::from_vec(vec![0xff]));
    assert!(home.error().contains("SECCHAT_KEY"), "{}", home.error());
}

#[test]
fn what_is_no_readable_file_is_told() {
    let home = Home::new();
    std::fs::create_dir(home.path("config/secchat/config.toml")).unwrap();
    assert!(matches!(home.load(), Err(ConfigError::Unreadable { .. })));
    let home = Home::new();
    std::fs::write(home.path("config/secchat/config.toml"), [0xff, 0xfe]).unwrap();
    assert!(matches!(home.load(), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn a_profile_is_a_set_of_its_own() {
    let mut home = Home::new().user_file("user = \"u\"");
    home.flags.profile = Some("work".to_owned());
    assert!(home.load().unwrap().user.is_none());
    let folder = home.path("config/secchat/profiles/work");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "user = \"w\"").unwrap();
    let config = home.load().unwrap();
    assert_eq!(config.user.map(|user| user.to_string()).as_deref(), Some("w"));
    assert_eq!(config.key, folder.join("identity.pem"));
    home.flags.profile = Some("../x".to_owned());
    assert!(matches!(home.load(), Err(ConfigError::Paths(_))));
}
