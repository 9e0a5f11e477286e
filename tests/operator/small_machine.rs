//! A machine of 64 MiB with a hundred users: the relay has half of it, and the kernel and the rest of the system the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secchat_e2e::within;

use crate::relay::{Files, LiveRelay, under};
use crate::storm::{chat, list, meet, users};

const USERS: usize = 100;
const MEMORY_BYTES: usize = 32 << 20;
const TIME: Duration = Duration::from_secs(4);

/// A control group with so much memory: whoever is in it and needs more is killed.
struct Group {
    folder: PathBuf,
    members: &'static str,
}

impl Group {
    /// `None` where this machine gives us none.
    fn with_memory(bytes: usize) -> Option<Self> {
        let kinds = [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];
        kinds.into_iter().find_map(|(root, limit)| {
            let folder = Path::new(root).join(format!("secchat-test-{}", std::process::id()));
            std::fs::create_dir(&folder).ok()?;
            let group = Self { folder, members: "cgroup.procs" };
            std::fs::write(group.folder.join(limit), bytes.to_string()).ok()?;
            Some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.folder);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_users_chat_through_reloads() {
    let keys = users(USERS / 2);
    let base = list(&keys);
    let prepare = |files: &Files| {
        std::fs::write(files.path("user_list"), &base).expect("the list");
        files.configure(
            "[limits]\nconnections = 512\nqueued_bytes = 16777216\nlogins_per_second_per_address = 1000\n",
        );
    };
    let group = Group::with_memory(MEMORY_BYTES);
    let relay = LiveRelay::start_command(prepare, |command| match &group {
        Some(Group { folder, members }) => {
            let enter = format!("echo $$ > {}; exec \"$@\"", folder.join(members).display());
            under(command, &["sh", "-euc", &enter, "sh"]);
        }
        None => {
            println!(
                "no control group: the relay's data alone is bounded, with the room that its threads ask for"
            );
            under(command, &["prlimit", &format!("--data={}", 2 * MEMORY_BYTES)]);
        }
    })
    .await;
    let mut pairs = Vec::new();
    for pair in keys.chunks(2) {
        pairs.push(meet(&relay, pair).await);
    }
    let status = relay.run(["status", "--json"]).await.ok().json();
    assert_eq!((&status["sessions"], &status["chats"]), (&USERS.into(), &(USERS / 2).into()), "{status}");
    let chats: Vec<_> = pairs
        .into_iter()
        .map(|(one, other, chat_id)| tokio::spawn(chat(one, other, (chat_id, TIME))))
        .collect();
    for turn in 1..=3 {
        let stranger = relay.line("bob").replace("bob", &format!("bob{turn}"));
        relay.write("user_list", format!("{base}{stranger}\n"));
        relay.logs("reloaded", turn).await;
    }
    for chat in chats {
        within("a chat", chat).await.expect("nothing was lost");
    }
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", relay.process.pid())).expect("a running relay");
    let sizes: Vec<&str> =
        status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS")).collect();
    println!("the relay with {USERS} users: {sizes:?}");
}
