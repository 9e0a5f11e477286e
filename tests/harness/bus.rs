//! A D-Bus of a test's own, that starts nothing by itself, and logind as it is seen there.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

use tempfile::TempDir;
use zbus::fdo;
use zbus::{Connection, OwnedFd, OwnedObjectPath, Variant};

use crate::deadline::within;
use crate::pki::temp_dir;
use crate::process::Process;

/// A running bus; the next one at the same place has the same address.
#[derive(Debug)]
pub struct Bus {
    dir: TempDir,
    process: Option<Process>,
}

impl Bus {
    /// Starts an empty one.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start() -> Self {
        let mut bus = Self { dir: temp_dir(), process: None };
        let config = CONFIG.replace("SOCKET", &bus.socket().display().to_string());
        std::fs::write(bus.dir.path().join("bus.conf"), config).expect("bus.conf");
        bus.restart().await;
        bus
    }

    /// Ends it, and starts it anew.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn restart(&mut self) {
        self.stop().await;
        let mut command = Command::new("dbus-daemon");
        command
            .args(["--nofork", "--print-address=1"])
            .arg("--config-file")
            .arg(self.dir.path().join("bus.conf"));
        let process = Process::start("the bus", command);
        process.stdout().wait_for("\n").await;
        self.process = Some(process);
    }

    /// Ends it.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
    }

    /// For `DBUS_SESSION_BUS_ADDRESS` or `DBUS_SYSTEM_BUS_ADDRESS`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("bus")
    }

    /// A connection of the test's own.
    ///
    /// # Panics
    /// When there is none.
    pub async fn connect(&self) -> Connection {
        zbus::connection::Builder::address(self.address().as_str()).build().await.expect("the bus")
    }
}

/// logind, as far as a locker sees it.
#[derive(Debug)]
pub struct Logind {
    bus: Connection,
    delays: Receiver<std::io::PipeReader>,
}

/// The path of this user's session.
pub const OWN_SESSION: &str = "/org/freedesktop/login1/session/_31";
/// The path of somebody else's.
pub const FOREIGN_SESSION: &str = "/org/freedesktop/login1/session/_32";

impl Logind {
    /// Appears on `bus`.
    ///
    /// # Panics
    /// When the bus refuses.
    pub async fn start(bus: &Bus) -> Self {
        let (sender, delays) = channel();
        let connection = zbus::connection::Builder::address(bus.address().as_str())
            .serve_at(MANAGER_PATH, Manager { delays: sender })
            .name("org.freedesktop.login1")
            .build()
            .await
            .expect("logind");
        Self { bus: connection, delays }
    }

    /// Says that the machine goes to sleep, and returns when nobody delays that any more: as a kernel would fall asleep.
    ///
    /// # Panics
    /// When nobody asked for a delay, or it is not given up.
    pub async fn suspend(&self) {
        let mut delay = self.delays.try_recv().expect("somebody who delays sleep");
        self.prepare_for_sleep(true).await;
        let released = tokio::task::spawn_blocking(move || delay.read(&mut [0]));
        within("the end of the delay", released).await.expect("a thread").expect("a pipe");
    }

    /// Says that it woke up.
    pub async fn resume(&self) {
        self.prepare_for_sleep(false).await;
    }

    /// Says `PrepareForSleep`.
    ///
    /// # Panics
    /// When the bus fails.
    pub async fn prepare_for_sleep(&self, asleep: bool) {
        let signal = self.bus.emit_signal(None::<&str>, MANAGER_PATH, MANAGER, "PrepareForSleep", &(asleep));
        signal.await.expect("a signal");
    }

    /// Asks a session to lock its screen.
    ///
    /// # Panics
    /// When the bus fails.
    pub async fn lock_session(&self, path: &str) {
        self.bus.emit_signal(None::<&str>, path, SESSION, "Lock", &()).await.expect("a signal");
    }

    /// Says that a session's screen is locked.
    ///
    /// # Panics
    /// When the bus fails.
    pub async fn hint_locked(&self, path: &str) {
        let changed = std::collections::HashMap::from([("LockedHint", Variant::from(true))]);
        let body = (SESSION, changed, Vec::<String>::new());
        let interface = "org.freedesktop.DBus.Properties";
        let signal = self.bus.emit_signal(None::<&str>, path, interface, "PropertiesChanged", &body);
        signal.await.expect("a signal");
    }

    /// How many delays of sleep are asked for and not yet looked at.
    #[must_use]
    pub fn delays(&self) -> usize {
        self.delays.try_iter().count()
    }
}

struct Manager {
    delays: Sender<std::io::PipeReader>,
}

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn inhibit(&self, what: &str, _who: &str, _why: &str, mode: &str) -> fdo::Result<OwnedFd> {
        if (what, mode) != ("sleep", "delay") {
            return Err(fdo::Error::InvalidArgs(format!("{what} {mode}")));
        }
        let (reader, writer) = std::io::pipe().map_err(|error| fdo::Error::Failed(error.to_string()))?;
        let _ = self.delays.send(reader);
        Ok(std::os::fd::OwnedFd::from(writer).into())
    }

    fn list_sessions(&self) -> Vec<(String, u32, String, String, OwnedObjectPath)> {
        let me = rustix::process::geteuid().as_raw();
        let session = |id: &str, user: u32, path: &str| {
            let path = OwnedObjectPath::try_from(path).expect("a path");
            (id.to_owned(), user, "somebody".to_owned(), "seat0".to_owned(), path)
        };
        vec![session("1", me, OWN_SESSION), session("2", me + 1, FOREIGN_SESSION)]
    }
}

const MANAGER: &str = "org.freedesktop.login1.Manager";
const MANAGER_PATH: &str = "/org/freedesktop/login1";
const SESSION: &str = "org.freedesktop.login1.Session";

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;
