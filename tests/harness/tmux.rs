//! A terminal: a tmux of the test's own, followed in control mode, so that the test waits for what a program draws and
//! never for time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::deadline::{DEADLINE, within};
use crate::home::Home;

/// A terminal with an interactive bash in it, in one user's environment.
#[derive(Debug)]
pub struct Tmux {
    socket: PathBuf,
    child: Child,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// All that was written to the terminal, as tmux tells it: backslash and what is no printable ASCII in octal.
    written: String,
}

impl Tmux {
    /// A terminal of this size, whose bash shows `$ ` and has secchatctl in its path.
    ///
    /// # Panics
    /// When tmux or bash does not start.
    pub async fn start(home: &Home, (columns, rows): (u16, u16)) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let socket = home.path(&format!("tmux-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let mut command = environment(home);
        command.arg("-S").arg(&socket).args(["-u", "-f", "/dev/null", "-C", "new-session"]);
        command.args(["-x", &columns.to_string(), "-y", &rows.to_string(), "--"]);
        std::fs::write(home.path("bashrc"), "PS1='$ '\n").expect("bashrc");
        command.arg("bash --noprofile --rcfile bashrc -i");
        let mut child = tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("tmux starts");
        let commands = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut tmux = Self { socket, child, commands, lines, written: String::new() };
        tmux.answer().await;
        tmux.resize(columns, rows).await;
        tmux.until_prompt().await;
        tmux
    }

    /// Makes the terminal this large.
    pub async fn resize(&mut self, columns: u16, rows: u16) {
        self.command(&format!("refresh-client -C {columns}x{rows}")).await;
    }

    /// Presses keys by tmux's names for them: `Enter`, `C-z`, `F2`.
    pub async fn press(&mut self, keys: &str) {
        self.command(&format!("send-keys {keys}")).await;
    }

    /// Types text.
    pub async fn type_text(&mut self, text: &str) {
        self.command(&format!("send-keys -l -- {}", quoted(text))).await;
    }

    /// Types a line.
    pub async fn enter(&mut self, line: &str) {
        self.type_text(line).await;
        self.press("Enter").await;
    }

    /// Pastes text, bracketed where the program wants that.
    pub async fn paste(&mut self, text: &str) {
        self.command(&format!("set-buffer -- {}", quoted(text))).await;
        self.command("paste-buffer -p").await;
    }

    /// What the terminal shows.
    pub async fn screen(&mut self) -> String {
        self.command("capture-pane -p").await
    }

    /// What tmux knows by this name.
    pub async fn value(&mut self, name: &str) -> String {
        self.command(&format!("display-message -p {}", quoted(&format!("#{{{name}}}"))))
            .await
            .trim()
            .to_owned()
    }

    /// All that programs wrote to the terminal so far, escape sequences in octal.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Awaits a screen, and returns it.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn until(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                let seen = self.written.len();
                last = self.screen().await;
                if is_it(&last) {
                    return;
                }
                while self.written.len() == seen {
                    self.line().await;
                }
            }
        })
        .await;
        assert!(waited.is_ok(), "waited in vain for {what} on\n{last}");
        last
    }

    /// Awaits a text somewhere on the screen.
    pub async fn until_shown(&mut self, text: &str) -> String {
        self.until(&format!("“{text}”"), |screen| screen.contains(text)).await
    }

    /// Awaits the shell, which may still be setting the terminal up for itself before.
    pub async fn until_prompt(&mut self) {
        self.until("a prompt", |screen| screen.trim_end().ends_with('$')).await;
    }

    /// Awaits the screen stored in `screens/NAME.txt`; times and days are masked. `SECCHAT_BLESS=1` stores the screen
    /// that has `sign` on it.
    ///
    /// # Panics
    /// When another screen comes.
    pub async fn until_as_stored(&mut self, name: &str, sign: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/screens").join(format!("{name}.txt"));
        if std::env::var_os("SECCHAT_BLESS").is_some() {
            let screen = self.until_shown(sign).await;
            std::fs::write(&path, masked(&screen)).expect("screen");
        }
        let stored = std::fs::read_to_string(&path).expect("a stored screen");
        assert!(stored.contains(sign), "{} does not show “{sign}”", path.display());
        self.until(&format!("the screen\n{stored}"), |screen| masked(screen) == stored).await;
    }

    async fn command(&mut self, command: &str) -> String {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.expect("tmux takes commands");
        self.answer().await
    }

    /// Reads up to the end of a command's answer.
    async fn answer(&mut self) -> String {
        while !self.line().await.starts_with("%begin ") {}
        let mut answer = String::new();
        loop {
            let line = self.line().await;
            assert!(!line.starts_with("%error "), "tmux: {answer}");
            if line.starts_with("%end ") {
                return answer;
            }
            answer += &line;
            answer.push('\n');
        }
    }

    /// The next line from tmux, which is taken notice of.
    async fn line(&mut self) -> String {
        let line = within("a line from tmux", self.lines.next_line()).await;
        let line = line.expect("readable").expect("tmux runs");
        self.notice(&line);
        line
    }

    fn notice(&mut self, line: &str) {
        if let Some((_, written)) = line.strip_prefix("%output ").and_then(|output| output.split_once(' ')) {
            self.written += written;
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let kill = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
        let _ = self.child.start_kill();
        if std::thread::panicking() {
            eprintln!("---- tmux {:?}: {kill:?}", self.socket);
        }
    }
}

fn environment(home: &Home) -> Command {
    let secchatctl = home.command("secchatctl");
    let mut command = Command::new("tmux");
    command.env_clear();
    for (name, value) in secchatctl.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let folder = Path::new(secchatctl.get_program()).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.display()));
    command.env("TERM", "xterm-256color").env("TZ", "UTC").env("LANG", "C.UTF-8");
    if let Some(folder) = secchatctl.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// A word of tmux's command language.
fn quoted(text: &str) -> String {
    let mut word = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' | '~' => word.extend(['\\', c]),
            '\n' => word += "\\n",
            '\r' => word += "\\r",
            _ => word.push(c),
        }
    }
    word + "\""
}

/// Hours, days and process ids as letters.
fn masked(screen: &str) -> String {
    let pieces: Vec<&str> = screen.split("(pid ").collect();
    let without_pids = pieces.iter().map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    let mut shown: Vec<char> = without_pids.collect::<Vec<_>>().join("(pid ").chars().collect();
    for (pattern, mask) in [("dd:dd ", "HH:MM "), ("dddd-dd-dd", "YYYY-MM-DD")] {
        let pattern: Vec<char> = pattern.chars().collect();
        for at in 0..shown.len().saturating_sub(pattern.len()) {
            let fits = pattern.iter().zip(&shown[at..]).all(|(p, c)| match p {
                'd' => c.is_ascii_digit(),
                p => p == c,
            });
            if fits {
                shown.splice(at..at + pattern.len(), mask.chars());
            }
        }
    }
    shown.into_iter().collect()
}
