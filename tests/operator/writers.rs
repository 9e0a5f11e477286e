//! Every way that editors and tools write a file: the list is the new one afterwards, at once, and as a whole. Each test
//! has a list of alice and carol become one of alice and bob.

use std::time::{Duration, Instant};

use secchat_proto::wire::link::{BadReason, LinkMessage, LogoutReason};
use secchat_proto::wire::login::RejectReason;

use crate::relay::{Files, LiveRelay};
use secchat_e2e::{LoginOutcome, WireClient};

/// Runs a script that changes the list. `NEW` in it is the new list's file, `LIST` the list's.
async fn changes_the_list_by(script: &str) {
    let relay = LiveRelay::start().await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    relay.write("new", relay.list(&["alice", "bob"]));
    relay.shell(&script.replace("NEW", "new").replace("LIST", "user_list")).await;
    is_changed(&relay, &mut carol).await;
    alice.is_undisturbed().await;
    assert_eq!(relay.text("user_list"), relay.list(&["alice", "bob"]));
}

async fn is_changed(relay: &LiveRelay, carol: &mut WireClient) {
    carol.is_logged_out(LogoutReason::Removed).await;
    relay.login("bob").await;
    let refused = relay.try_login("carol").await.err();
    assert_eq!(refused, Some(LoginOutcome::Rejected(RejectReason::NotAuthenticated)));
}

#[tokio::test]
async fn a_shells_redirection() {
    changes_the_list_by("cat NEW > LIST").await;
}

#[tokio::test]
async fn a_shells_redirection_that_appends() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    relay.shell(&format!("echo '{}' >> user_list", relay.line("bob"))).await;
    relay.logs("reloaded added=1 removed=0 changed=0 ended=0", 1).await;
    relay.login("bob").await;
    carol.is_undisturbed().await;
}

#[tokio::test]
async fn sed() {
    changes_the_list_by("line=$(tail -n 1 NEW); sed -i \"s|^carol .*|$line|\" LIST").await;
}

#[tokio::test]
async fn vim_that_writes_in_place() {
    changes_the_list_by("vim -N -u NONE -es --cmd 'set backupcopy=yes' -c '%!cat NEW' -c 'wq' LIST").await;
}

#[tokio::test]
async fn vim_that_renames_and_keeps_a_backup() {
    changes_the_list_by(
        "vim -N -u NONE -es --cmd 'set backup backupcopy=no backupskip=' -c '%!cat NEW' -c 'wq' LIST; test -e LIST~",
    )
    .await;
}

/// The old file becomes the backup, and a new one takes its name; a careful one is written beside and renamed; one that is
/// careful about links is copied to the backup and written in place.
#[tokio::test]
async fn emacs() {
    for settings in ["make-backup-files t", "file-precious-flag t", "backup-by-copying t"] {
        changes_the_list_by(&format!(
            "emacs -Q --batch LIST --eval '(progn (setq backup-inhibited nil backup-enable-predicate (lambda (_) t) {settings}) (erase-buffer) (insert-file-contents \"NEW\") \
             (save-buffer))'; test -e LIST~"
        ))
        .await;
    }
}

#[tokio::test]
async fn a_rename_to_a_backup_and_a_new_file() {
    changes_the_list_by("mv LIST LIST~; cat NEW > LIST").await;
}

/// As a person types it: Ctrl-K cuts each line, the new file is read in, and saved. Its lock says when nano is there.
#[tokio::test]
async fn nano() {
    changes_the_list_by(
        "keys() { until test -e .LIST.swp; do sleep 0.02; done; printf '\\013\\013\\022NEW\\r\\023\\030'; }; \
         keys | script -qec 'stty -ixon rows 24 cols 80; nano -G -I LIST' /dev/null >&2",
    )
    .await;
}

#[tokio::test]
async fn a_move_over_it() {
    changes_the_list_by("mv NEW LIST").await;
}

#[tokio::test]
async fn a_copy_over_it() {
    changes_the_list_by("cp NEW LIST").await;
}

#[tokio::test]
async fn install() {
    changes_the_list_by("install -m 644 NEW LIST").await;
}

#[tokio::test]
async fn rsync() {
    for how in ["", "--inplace", "--delay-updates"] {
        changes_the_list_by(&format!("rsync --checksum {how} NEW LIST")).await;
    }
}

#[tokio::test]
async fn git_that_checks_out_another_commit() {
    changes_the_list_by(
        "git init -q; git config user.name x; git config user.email x@localhost; \
         git add LIST; git commit -qm old; git branch old; \
         cp NEW LIST; git commit -qam new; git branch new",
    )
    .await;
    let relay = LiveRelay::start().await;
    relay.write("new", relay.list(&["alice", "bob"]));
    relay
        .shell(
            "git init -q; git config user.name x; git config user.email x@localhost; \
             git add user_list; git commit -qm old; git branch old; git checkout -qb new; \
             git rm -q --cached user_list; cp new other; mv other user_list; git add user_list; git commit -qm new",
        )
        .await;
    relay.logs("reloaded", 1).await;
    relay.shell("git checkout -q old").await;
    relay.logs("reloaded", 2).await;
    let mut carol = relay.login("carol").await;
    relay.shell("git checkout -q new").await;
    is_changed(&relay, &mut carol).await;
}

#[tokio::test]
async fn the_relays_own_commands() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    let line = relay.line("bob");
    let key = line.split(' ').nth(1).expect("a key");
    let said = relay.run(["user", "add", "bob", key]).await.ok();
    assert!(said.stdout.contains("takes it in by itself"), "{said:?}");
    relay.run(["user", "remove", "carol"]).await.ok();
    is_changed(&relay, &mut carol).await;
}

#[tokio::test]
async fn a_hundred_writes_in_a_second() {
    let relay = LiveRelay::start().await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    let mut every = tokio::time::interval(Duration::from_millis(10));
    for turn in 0..100 {
        every.tick().await;
        relay.write("user_list", format!("# turn {turn}\n{}", relay.list(&["alice", "carol"])));
    }
    relay.write("user_list", relay.list(&["alice", "bob"]));
    is_changed(&relay, &mut carol).await;
    alice.is_undisturbed().await;
    // On a busy machine a writer can be held up after it has emptied the file: that is told, and not believed.
    let log = relay.process.log().text();
    let odd: Vec<_> =
        log.lines().filter(|line| line.contains("ERROR") && !line.contains("is empty")).collect();
    assert!(odd.is_empty(), "no half of a file was taken for a whole: {odd:?}");
    assert!(!log.contains("removed=2"), "{log}");
}

/// Of a few times once: what else this machine does can only make it later.
#[tokio::test]
async fn a_removed_user_is_gone_within_a_second() {
    let relay = LiveRelay::start().await;
    let mut alice = relay.login("alice").await;
    let mut times = Vec::new();
    for round in 1..=5 {
        let mut carol = relay.login("carol").await;
        let chat_id = alice.pair_with(&mut carol).await;
        let began = Instant::now();
        relay.write("user_list", relay.list(&["alice"]));
        carol.is_logged_out(LogoutReason::Removed).await;
        let name = carol.name.clone();
        alice.expect(LinkMessage::BadResponse { reason: BadReason::NotAvailable, name, chat_id }).await;
        let took = began.elapsed();
        if took < Duration::from_secs(1) {
            return;
        }
        times.push(took);
        relay.write("user_list", relay.list(&["alice", "carol"]));
        relay.logs("reloaded added=1", round).await;
    }
    panic!("{times:?}");
}

#[tokio::test]
async fn what_is_written_but_not_changed_does_nothing() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    let same = relay.text("user_list");
    relay.write("user_list", &same);
    relay.shell("touch user_list relay.pem; cp user_list new; mv new user_list").await;
    // The next reload is the first that says anything; but on a busy machine a file can be seen while it is empty.
    relay.write("user_list", relay.list(&["alice", "bob", "carol"]));
    let log = relay.logs("reloaded added=1 removed=0", 1).await;
    let reloads = log.lines().filter(|line| line.contains(" reloaded ") && !line.contains("is_mended=true"));
    assert_eq!(reloads.count(), 1, "{log}");
    carol.is_undisturbed().await;
}

/// Two seconds between the halves of a line: the first half is an error that is told once, and mends itself.
#[tokio::test]
async fn a_slow_writer_of_half_a_line() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    let line = relay.line("bob");
    let (half, rest) = line.split_at(line.len() - 9);
    let script = format!("{{ printf '%s' '{half}'; sleep 2; printf '%s\\n' '{rest}'; }} >> user_list");
    let writing = relay.shell(&script);
    let watching = async {
        relay.logs("user_list:3: ", 1).await;
        let status = relay.run(["status"]).await.ok();
        assert!(status.stdout.contains("FAILED") && status.stdout.contains("user_list:3: "), "{status:?}");
        carol.is_undisturbed().await;
        relay.logs("reloaded added=1 removed=0 changed=0 ended=0", 1).await;
    };
    tokio::join!(writing, watching);
    relay.login("bob").await;
    let status = relay.run(["status"]).await.ok();
    assert!(!status.stdout.contains("FAILED"), "{status:?}");
    assert_eq!(relay.process.log().text().matches("user_list:3: ").count(), 1, "told once");
}

/// The list is a link to a file elsewhere.
fn linked(files: &Files) {
    std::fs::create_dir(files.path("lists")).expect("a folder");
    std::fs::rename(files.path("user_list"), files.path("lists/one")).expect("the list");
    std::os::unix::fs::symlink("lists/one", files.path("user_list")).expect("a link");
}

#[tokio::test]
async fn the_file_behind_a_link() {
    let relay = LiveRelay::start_with(linked).await;
    let mut carol = relay.login("carol").await;
    relay.write("new", relay.list(&["alice", "bob"]));
    relay.shell("cat new > lists/one").await;
    is_changed(&relay, &mut carol).await;
}
