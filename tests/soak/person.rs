//! One of those who talk: a daemon behind a proxy, and a program that hears along.

use std::collections::BTreeMap;
use std::path::PathBuf;

use openssl::pkey::{PKey, Private};
use secchat_e2e::{Pki, Process, Proxy, TestUser, binary, within};
use secchat_ipc::types::{ChatState, LinkState, LockState};
use secchat_ipc::{Command, Reply, Snapshot, UserName};

/// Somebody who talks.
pub struct Person {
    pub user: TestUser,
    pub proxy: Proxy,
    /// The daemon's build.
    program: PathBuf,
    /// By how many seconds the daemon's clock is wrong.
    pub clock: i64,
    hearing: Option<Process>,
    heard: Heard,
    /// The ends of the logs of daemons that are no more.
    past: Vec<String>,
}

/// What `watch --consumer` printed, by the events' numbers: each may come again, and is the same then.
#[derive(Default)]
struct Heard(BTreeMap<u64, (UserName, String)>);

/// The name of the consumer.
const CONSUMER: &str = "soak";
/// Lines of a log that are kept.
const KEPT_LINES: usize = 15;

impl Person {
    /// Online, and heard along from now on.
    pub async fn arrive(name: &str, key: &PKey<Private>, pki: &Pki, relay: std::net::SocketAddr) -> Self {
        let proxy = Proxy::to(relay).await;
        let user = TestUser::new(name, key, pki, proxy.address);
        let program = std::env::var_os("SECCHAT_OLDER").map_or_else(|| binary("secchatd"), PathBuf::from);
        let mut person =
            Self { user, proxy, program, clock: 0, hearing: None, heard: Heard::default(), past: Vec::new() };
        person.start().await;
        person.user.is_online().await;
        let consumer = Command::Consume { consumer: CONSUMER.to_owned(), acknowledged: 0, most: 1 };
        person.user.frontend().await.call(consumer).await.expect("a consumer");
        person
    }

    pub fn name(&self) -> &UserName {
        &self.user.name
    }

    pub async fn start(&mut self) {
        let clock = format!("{:+}", self.clock);
        let variables = [
            // The loader knows where libraries are on this machine: $LIB.
            ("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1"),
            ("FAKETIME", &clock),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        let variables = if self.clock == 0 { &[][..] } else { &variables };
        self.user.start_program_to_fill_disk(&self.program, variables).await;
        let is_unlocked = |state: &Snapshot| state.status.lock == LockState::Unlocked;
        self.user.frontend().await.until("the daemon is unlocked", is_unlocked).await;
    }

    /// Kills the daemon, as a crash would.
    pub fn kill(&mut self) {
        self.remember("killed");
        self.user.kill();
    }

    /// Stops the daemon, as an upgrade does.
    pub async fn stop(&mut self) {
        self.remember("stopped");
        self.user.stop().await;
    }

    /// The next daemon is this workspace's.
    pub fn upgrade(&mut self) {
        self.program = binary("secchatd");
    }

    fn remember(&mut self, end: &str) {
        let log = self.user.daemon().log().text();
        let lines: Vec<_> = log.lines().collect();
        let kept = lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n");
        self.past.push(format!("{}'s daemon, which was {end} after:\n{kept}\n", self.name()));
        if self.past.len() > 2 {
            self.past.remove(0);
        }
    }

    /// The ends of the logs of daemons that are no more.
    pub fn past(&self) -> String {
        self.past.concat()
    }

    /// Does what a person does who sees that something is wrong: logs in, and changes something that is saved.
    pub async fn mend(&self) {
        let mut frontend = self.user.frontend().await;
        frontend.call(Command::SetPolicy { peer: None, policy: None }).await.expect("room on the disk");
        if frontend.state().status.link != LinkState::Online {
            // It may fail, while the relay comes up: it goes on by itself then.
            let _ = frontend.call(Command::Login).await;
        }
    }

    /// Awaits that there are so many chats, all open, and that nothing is on its way.
    pub async fn is_quiet(&self, chats: usize) {
        let is_quiet = |state: &Snapshot| {
            state.status.link == LinkState::Online
                && state.chats.len() == chats
                && state.chats.iter().all(|chat| chat.state == ChatState::Open && chat.undelivered == 0)
        };
        let what = format!("{}: nothing is on its way", self.name());
        let mut frontend = self.user.frontend().await;
        loop {
            frontend.until(&what, is_quiet).await;
            let outbox = frontend.call(Command::Outbox).await.expect("the outbox");
            if outbox == Reply::Outbox(Vec::new()) {
                return;
            }
            frontend.next_event().await;
        }
    }

    /// Reads what nobody has read: who wrote, and what.
    pub async fn read(&self) -> Vec<(UserName, String)> {
        let said = self.user.ctl(["read", "--json"]).await.ok();
        let text = |line: &str| {
            let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let peer = UserName::parse(message["peer"].as_str().expect("a name")).expect("a name");
            (peer, message["text"].as_str().expect("a text").to_owned())
        };
        said.stdout.lines().map(text).collect()
    }

    /// A program hears along, if none does.
    pub fn hear(&mut self) {
        if self.hearing.is_none() {
            let mut command = self.user.home.command("secchatctl");
            command.args(["watch", "--consumer", CONSUMER, "--only", "message_received", "--json"]);
            self.hearing = Some(Process::start(&format!("{}'s watch", self.name()), command));
        }
    }

    /// The program that hears along is killed, if it has not ended; what it printed counts.
    pub async fn hush(&mut self) {
        let Some(hearing) = self.hearing.take() else { return };
        let mut printed = hearing.stdout().clone();
        drop(hearing);
        printed.ended().await;
        self.heard.note(&printed.text());
    }

    /// Awaits that everything that was read has been heard by the program, too, in the same order.
    pub async fn has_heard(&mut self, read: &[(UserName, String)]) {
        let what = format!("{} hears {read:?}", self.name());
        within(&what, self.hear_all(read)).await;
        let mut heard: Vec<_> = self.heard.0.values().rev().take(read.len()).cloned().rev().collect();
        let mut read = read.to_vec();
        // Whose text came first, of two people's, nobody promised.
        heard.sort_by(|a, b| a.0.cmp(&b.0));
        read.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(heard, read, "{} heard something else than was read", self.name());
    }

    async fn hear_all(&mut self, read: &[(UserName, String)]) {
        self.hush().await;
        while let Some(last) = read.iter().rfind(|it| !self.heard.has(it)) {
            self.hear();
            let mut printed = self.hearing.as_ref().expect("a program").stdout().clone();
            // It ends at once while the daemon has not noticed yet that the one before is gone.
            printed.until(|text| text.lines().filter_map(event).any(|(_, it)| it == *last)).await;
            self.hush().await;
        }
        self.hear();
    }
}

impl Heard {
    fn note(&mut self, printed: &str) {
        for (number, text) in printed.lines().filter_map(event) {
            let first = self.0.entry(number).or_insert_with(|| text.clone());
            assert_eq!(*first, text, "event {number} is another one than before");
        }
    }

    fn has(&self, read: &(UserName, String)) -> bool {
        self.0.values().rev().any(|heard| heard == read)
    }
}

/// An event's number, its text and who wrote it, if the line is whole.
fn event(line: &str) -> Option<(u64, (UserName, String))> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let peer = UserName::parse(event["peer"].as_str()?).ok()?;
    Some((event["sequence"].as_u64()?, (peer, event["text"].as_str()?.to_owned())))
}
