//! Programs that are not ours, on the bridge: the examples of `dist/examples/`, with real people behind them.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secchat_e2e::{CtlOutput, Process, TestUser, World, binary, flood};

/// An example of `dist/examples/`, with secchatctl in its path and one user's environment.
fn example(user: &TestUser, program: &str, arguments: &[&str]) -> Command {
    let secchatctl = user.home.command("secchatctl");
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    for (name, value) in secchatctl.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let folder = binary("secchatctl").parent().expect("a folder").to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.display())).env("LANG", "C.UTF-8");
    command
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/examples").join(name)
}

#[tokio::test]
async fn a_bot_accepts_who_is_on_its_list_and_answers() {
    let (_world, [bot, alice, mallory]) = World::start(["bot", "alice", "mallory"]).await;
    // One has asked, and one has written, before there is a bot.
    alice.ctl(["rtt", "bot", "--no-wait"]).await.ok();
    bot.frontend().await.until_asked_by(&alice.name).await;
    let script = file("bot.py");
    let text = std::fs::read_to_string(&script).expect("bot.py");
    assert!(text.lines().count() <= 60, "an example is short");
    let running =
        Process::start("the bot", example(&bot, "python3", &[script.to_str().expect("UTF-8"), "alice"]));
    let mut alices = alice.frontend().await;
    alices.until_open_with(&bot.name).await;
    mallory.ctl(["rtt", "bot", "--no-wait"]).await.ok();
    bot.frontend().await.until_asked_by(&mallory.name).await;

    alice.ctl(["send", "bot", "what's up?\n\"żółw\" \u{1b}[2J"]).await.ok();
    let answer = "You wrote: what's up?\n\"żółw\" \u{1b}[2J";
    alices.until("the answer", |state| state.unread.iter().any(|it| it.text == answer)).await;
    bot.frontend().await.until("the text is read", |state| state.unread.is_empty()).await;
    let state = bot.frontend().await;
    assert!(state.state().chats.iter().all(|chat| chat.peer == alice.name), "mallory is not on the list");
    drop(running);

    // What is written while no bot runs is answered by the next.
    alice.ctl(["send", "bot", "anybody?"]).await.ok();
    let _running =
        Process::start("the next bot", example(&bot, "python3", &[script.to_str().expect("UTF-8"), "alice"]));
    alices.until("an answer", |state| state.unread.iter().any(|it| it.text.ends_with("anybody?"))).await;
}

#[tokio::test]
async fn a_line_of_shell_pages() {
    let (_world, [mut alice, bob, carol]) = World::start(["alice", "bob", "carol"]).await;
    alice.chat_with(&bob).await;
    let script = file("page-me");
    let pager = example(&alice, script.to_str().expect("UTF-8"), &["echo", "page:"]);
    let pager = Process::start("the pager", pager);
    // Subscribed or not yet, one of them is seen.
    carol.ctl(["rtt", "alice", "--no-wait"]).await.ok();
    while !pager.stdout().text().contains("page: bob wrote") {
        bob.ctl(["send", "alice", "$(touch pwned); `id`"]).await.ok();
    }
    assert!(!pager.stdout().text().contains("touch"));
    alice.stop().await;
    assert!(!pager.exit().await.success(), "it ends with the daemon");
}

#[tokio::test]
async fn neovim_sends_and_shows() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    bob.ctl(["send", "alice", "hello \u{1b}[2J"]).await.ok();
    let script = r"
        local said = {}
        vim.notify = function(text) table.insert(said, text) end
        local function wait(what) assert(vim.wait(30000, function()
            for _, text in ipairs(said) do if text:find(what, 1, true) then return true end end
        end), what .. ' never came: ' .. table.concat(said, ' | ')) end
        vim.cmd('luafile ' .. vim.env.SNIPPET)
        vim.fn.setline(1, { 'one', 'two żółw', 'three' })
        vim.cmd('1,2SecchatSend bob')
        wait('delivered to bob')
        vim.cmd('SecchatSend carol')
        wait('no chat is open with carol')
        vim.fn.writefile(said, vim.env.SAID)
    ";
    let path = alice.home.path("test.lua");
    std::fs::write(&path, script).expect("script");
    let path = path.to_str().expect("UTF-8");
    let run =
        format!("lua local ok, why = pcall(dofile, '{path}') if not ok then print(why) vim.cmd('cquit') end");
    let mut nvim =
        example(&alice, "nvim", &["--headless", "-u", "NONE", "-i", "NONE", "-c", &run, "-c", "qa!"]);
    nvim.env("SNIPPET", file("secchat.lua")).env("SAID", alice.home.path("said"));
    CtlOutput::of(nvim, None).await.ok();
    let mut bobs = bob.frontend().await;
    bobs.until("two lines", |state| state.unread.iter().any(|it| it.text == "one\ntwo żółw")).await;
}

#[tokio::test]
async fn a_program_that_does_not_read_is_cut_off_and_costs_nobody_else() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut bridge = bob.home.command("secchatctl");
    let mut bridge =
        bridge.arg("bridge").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bridge");
    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"subscribe"}"#;
    let mut stdin = bridge.stdin.take().expect("piped");
    writeln!(stdin, "{subscribe}").expect("bridge reads");
    let mut stdout = bridge.stdout.take().expect("piped");
    let mut first = [0; 1];
    stdout.read_exact(&mut first).expect("it has subscribed");
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    flood(&mut alices, &mut bobs, &bob.name, (1, 3_000)).await;
    bob.daemon().log().wait_for("is cut off").await;
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("what it had");
    assert!(rest.lines().count() < 3_000, "it did not keep everything");
    assert_eq!(bridge.wait().expect("exit").code(), Some(3));
}
