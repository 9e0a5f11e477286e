//! A desktop of one's own: an X server without a screen, a session bus that starts nothing by itself, notification
//! servers, and a pointer.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use futures_util::StreamExt as _;
use tempfile::TempDir;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

use crate::bus::Bus;
use crate::deadline::within;
use crate::pki::temp_dir;
use crate::process::Process;
use crate::user::TestUser;

/// An X server and a session bus.
#[derive(Debug)]
pub struct Desktop {
    dir: TempDir,
    _screen: Process,
    bus: Bus,
    display: String,
}

/// A real notification server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notifier {
    /// For window managers: drawn by itself, no buttons; a left click does the action that a rule names.
    Dunst,
    /// For desktops: drawn by GTK, with buttons.
    Xfce,
}

impl Notifier {
    fn window_class(self) -> &'static str {
        match self {
            Self::Dunst => "Dunst",
            Self::Xfce => "xfce4-notifyd",
        }
    }
}

impl Desktop {
    /// Starts both, empty.
    pub async fn start() -> Self {
        let dir = temp_dir();
        let bus = Bus::start().await;
        let mut screen = Command::new("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]);
        let screen = Process::start("the X server", screen);
        let display = format!(":{}", screen.stdout().wait_for("\n").await.trim());
        Self { dir, _screen: screen, bus, display }
    }

    /// The session bus.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The session bus, to end it.
    pub fn bus_mut(&mut self) -> &mut Bus {
        &mut self.bus
    }

    /// Starts the popup program of this user, with these flags.
    #[must_use]
    pub fn popups(&self, user: &TestUser, flags: &[&str]) -> Process {
        let mut command = user.home.command("secchat-notify");
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address()).args(flags);
        Process::start(&format!("{}'s popups", user.name), command)
    }

    /// Starts a notification server and awaits its name on the bus.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn notifier(&self, notifier: Notifier) -> Process {
        let mut command = match notifier {
            Notifier::Dunst => {
                let config = self.dir.path().join("dunstrc");
                std::fs::write(&config, DUNST).expect("dunstrc");
                let mut command = Command::new("dunst");
                command.arg("-config").arg(config);
                command
            }
            Notifier::Xfce => Command::new(activated(
                "/usr/share/dbus-1/services/org.xfce.xfce4-notifyd.Notifications.service",
            )),
        };
        self.enter(&mut command);
        let server = Process::start(&format!("{notifier:?}"), command);
        self.has_notifier().await;
        server
    }

    /// Awaits that somebody owns the notification servers' name.
    ///
    /// # Panics
    /// When the bus fails.
    pub async fn has_notifier(&self) {
        let bus = self.bus.connect().await;
        let proxy = DBusProxy::new(&bus).await.expect("the bus itself");
        let mut owners = proxy.receive_name_owner_changed_with_args(&[(0, NAME)]).await.expect("a signal");
        let name = BusName::try_from(NAME).expect("a name");
        within("a notification server", async {
            while !proxy.name_has_owner(name.clone()).await.expect("an answer") {
                owners.next().await.expect("the bus stays");
            }
        })
        .await;
    }

    /// Awaits a popup's window and returns its place: x, y, width, height.
    ///
    /// # Panics
    /// When there is none.
    pub async fn window(&self, of: Notifier) -> [i32; 4] {
        self.place_of(of.window_class()).await
    }

    async fn place_of(&self, class: &str) -> [i32; 4] {
        let id = self.xdotool(&["search", "--sync", "--onlyvisible", "--class", class]).await;
        let id = id.lines().last().expect("a window").to_owned();
        let shell = self.xdotool(&["getwindowgeometry", "--shell", &id]).await;
        let field = |name: &str| {
            let line = shell.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {shell}"))
        };
        ["X", "Y", "WIDTH", "HEIGHT"].map(field)
    }

    /// Awaits that this many windows of popups are there.
    ///
    /// # Panics
    /// When there are never so many.
    pub async fn windows(&self, of: Notifier, count: usize) {
        within(&format!("{count} windows"), async {
            loop {
                let found = self.run(&["search", "--onlyvisible", "--class", of.window_class()]).await;
                if String::from_utf8_lossy(&found.stdout).lines().count() == count {
                    return;
                }
            }
        })
        .await;
    }

    /// A window of this user's, as large as a terminal has it, with secchatctl in it, which has the keyboard; and its place.
    pub async fn terminal(&self, user: &TestUser, size: &str, arguments: &[&str]) -> (Process, [i32; 4]) {
        let secchatctl = user.home.command("secchatctl");
        let mut command = Command::new("xterm");
        for (name, value) in secchatctl.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("DISPLAY", &self.display).env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.args(["-u8", "-geometry", size, "-fa", "DejaVu Sans Mono", "-fs", "10", "-b", "6"]);
        command.args(["-bg", "#1c1c22", "-fg", "#e4e4e4", "+sb", "-e"]).arg(secchatctl.get_program());
        command.args(arguments);
        let terminal = Process::start("the terminal", command);
        let place = self.place_of("XTerm").await;
        self.xdotool(&["search", "--sync", "--onlyvisible", "--class", "XTerm", "windowfocus", "--sync"])
            .await;
        (terminal, place)
    }

    /// Types with the keyboard.
    pub async fn type_text(&self, text: &str) {
        self.xdotool(&["type", "--delay", "20", text]).await;
    }

    /// Presses a key of the keyboard, by X's name for it.
    pub async fn press(&self, key: &str) {
        self.xdotool(&["key", key]).await;
    }

    /// Awaits that no popup's window is left.
    pub async fn no_window(&self, of: Notifier) {
        within("the popup's window goes", async {
            // Finding none is an error of xdotool's.
            while self.run(&["search", "--onlyvisible", "--class", of.window_class()]).await.status.success()
            {
            }
        })
        .await;
    }

    /// Moves the pointer there and presses a button: 1 is the left one.
    pub async fn click(&self, x: i32, y: i32, button: &str) {
        self.xdotool(&["mousemove", "--sync", &x.to_string(), &y.to_string(), "click", button]).await;
    }

    async fn xdotool(&self, args: &[&str]) -> String {
        let output = within(&format!("xdotool {args:?}"), self.run(args)).await;
        assert!(output.status.success(), "xdotool {args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new("xdotool");
        command.args(args);
        self.enter(&mut command);
        let mut command = tokio::process::Command::from(command);
        let output = command.kill_on_drop(true).output().await;
        output.expect("xdotool: `dist/install-needs --test` installs it")
    }

    /// A picture of this place on the screen, as NAME.png in the folder that `SECCHAT_PICTURES` names; without it, none.
    ///
    /// # Panics
    /// When it cannot be taken.
    pub fn picture(&self, name: &str, [x, y, width, height]: [i32; 4]) {
        let Some(folder) = std::env::var_os("SECCHAT_PICTURES") else { return };
        let mut command = Command::new("import");
        command.args(["-window", "root", "-crop", &format!("{width}x{height}+{x}+{y}"), "+repage"]);
        command.arg(Path::new(&folder).join(format!("{name}.png")));
        self.enter(&mut command);
        assert!(command.status().expect("import, of imagemagick").success());
    }

    fn enter(&self, command: &mut Command) {
        command
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus.address())
            .env("HOME", self.dir.path())
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .env("XDG_CONFIG_HOME", self.dir.path())
            .env("XDG_CACHE_HOME", self.dir.path())
            .env("NO_AT_BRIDGE", "1")
            .env_remove("WAYLAND_DISPLAY");
    }
}

/// Lets the time pass in which an answer counts as a reflex.
pub async fn reading_time() {
    tokio::time::sleep(Duration::from_millis(600)).await;
}

/// The program that D-Bus would start by this file: where it is depends on the machine's architecture.
fn activated(service: &str) -> String {
    let text = std::fs::read_to_string(service).expect("`dist/install-needs --test` installs it");
    text.lines().find_map(|line| line.strip_prefix("Exec=")).expect("a program").to_owned()
}

const NAME: &str = "org.freedesktop.Notifications";

/// What somebody who accepts with a click would have; the rule is dunst's way to say which action that is.
const DUNST: &str = r#"[global]
    follow = none
    width = 420
    height = 300
    origin = top-right
    offset = 10x10
    font = Sans 10
    markup = full
    format = "<b>%s</b>\n%b"
    mouse_left_click = do_action
    mouse_right_click = close_current
[secchat]
    appname = secchat
    action_name = accept
"#;
