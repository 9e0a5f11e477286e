//! What the system refuses the relay: it goes on, and says so. `strace` makes the real relay's calls fail.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustix::process::Signal;
use secchat_e2e::{WireClient, within};
use secchat_proto::wire::link::{ChatId, LinkMessage};

use crate::relay::{LiveRelay, under};

/// A relay of whose calls some fail, as strace(1) takes it, and which logs everything.
async fn relay_under(fault: &str) -> LiveRelay {
    let start = |command: &mut std::process::Command| {
        command.args(["--log", "debug"]);
        let wrapper = ["strace", "-D", "-f", "-qq", "-o", "strace.log", "-e", "signal=none", "-e", fault];
        under(command, &wrapper);
    };
    LiveRelay::start_command(|_| {}, start).await
}

/// Says something, which arrives.
async fn talks(from: &mut WireClient, to: &mut WireClient, chat_id: ChatId) {
    let record = LinkMessage::Chat { chat_id, record: vec![7; 90] };
    from.says.say(&record).await;
    to.expect(record).await;
}

/// Accepts fail for both of some threads' calls, then work again.
async fn accepts_fail_with(error: &str) -> (LiveRelay, String) {
    let relay = relay_under(&format!("inject=accept4:error={error}:when=7..9")).await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    let chat_id = alice.pair_with(&mut carol).await;
    // Whichever of the relay's threads takes them.
    for _ in 0..12 {
        let mut newcomer = TcpStream::connect(relay.address).expect("the kernel's queue");
        newcomer.set_read_timeout(Some(secchat_e2e::DEADLINE)).expect("a socket");
        let mut s1 = [0; 9];
        newcomer.read_exact(&mut s1).expect("S1");
        assert_eq!(&s1[2..], b"secchat");
    }
    talks(&mut alice, &mut carol, chat_id).await;
    relay.run(["status"]).await.ok();
    let traced = relay.text("strace.log");
    assert!(traced.contains(&format!("{error} ")) && traced.contains("(INJECTED)"), "{traced}");
    // What was logged before this has been read.
    relay.write("user_list", relay.list(&["alice", "bob", "carol"]));
    let log = relay.logs("reloaded added=1", 1).await;
    (relay, log)
}

#[tokio::test]
async fn files_or_memory_for_sockets_that_are_used_up_are_told_and_waited_for() {
    for (error, remedy) in [
        ("ENFILE", "fs.file-max"),
        ("EMFILE", "LimitNOFILE"),
        ("ENOMEM", "no memory left for sockets"),
        ("ENOBUFS", "no memory left for sockets"),
    ] {
        let (relay, log) = accepts_fail_with(error).await;
        let (told, again) = ("cannot accept connections; trying again", "connections are accepted again");
        assert!(log.contains(told) && log.contains(remedy), "{error}: {log}");
        // One more, should it have been the last one that failed.
        let _newcomer = TcpStream::connect(relay.address).expect("the kernel's queue");
        let log = relay.logs(again, log.matches(told).count()).await;
        assert_eq!(log.matches(told).count(), log.matches(again).count(), "{error}, each once: {log}");
    }
}

#[tokio::test]
async fn connections_that_went_before_they_were_accepted_are_no_trouble() {
    for error in ["ECONNABORTED", "EPROTO"] {
        let (_relay, log) = accepts_fail_with(error).await;
        assert!(log.contains("a connection has gone before it was accepted"), "{log}");
        // The admin socket's own may be among those that fail.
        assert!(!log.contains("cannot accept connections"), "{log}");
    }
}

/// Clients that come and reset their connection while the relay cannot look.
#[tokio::test]
async fn clients_that_reset_before_the_relay_accepts_hold_up_nobody() {
    let relay = LiveRelay::start().await;
    let mut alice = relay.login("alice").await;
    relay.process.signal(Signal::STOP);
    for n in 0..100 {
        let stream = TcpStream::connect(relay.address).expect("the kernel's queue");
        if n % 3 == 0 {
            stream.shutdown(Shutdown::Both).expect("a socket");
        } else {
            // Closed with a reset, not an end.
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("a socket");
        }
    }
    relay.process.signal(Signal::CONT);
    let mut carol = relay.login("carol").await;
    let chat_id = alice.pair_with(&mut carol).await;
    talks(&mut alice, &mut carol, chat_id).await;
    let log = relay.process.log().text();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

/// The kernel has no memory for a link's next read or write: that link ends.
#[tokio::test]
async fn no_memory_for_a_links_bytes_ends_that_link_and_no_other() {
    for call in ["recvfrom", "sendto"] {
        let relay = relay_under(&format!("inject={call}:error=ENOMEM:when=25+25")).await;
        let alice = relay.raw_user("alice");
        let ping = LinkMessage::Ping([7; 8]);
        for _ in 0..3 {
            let mut link = within("a login", async {
                loop {
                    if let Some(link) = alice.login().await {
                        return link;
                    }
                }
            })
            .await;
            let talking =
                async { while link.0.say(&ping).await.is_some() && link.1.hear().await.is_some() {} };
            within("a link without memory ends", talking).await;
        }
        let log = relay.logs("Cannot allocate memory", 1).await;
        assert!(!log.contains("ERROR"), "{call}: {log}");
    }
}

/// A list that does not fit into the memory that the relay may have.
#[tokio::test]
async fn a_list_too_large_for_the_memory_is_an_error_and_the_old_one_stays() {
    let start = |command: &mut std::process::Command| under(command, &["prlimit", "--data=268435456"]);
    let relay = LiveRelay::start_command(|_| {}, start).await;
    let mut carol = relay.login("carol").await;
    relay.shell("cp user_list kept; truncate -s 900M huge; mv huge user_list").await;
    relay.logs("user_list: the list of users cannot be read: ", 1).await;
    carol.is_undisturbed().await;
    relay.login("alice").await;
    let status = relay.run(["status"]).await.ok();
    assert!(status.stdout.contains("FAILED"), "{status:?}");
    relay.shell("mv kept user_list").await;
    relay.logs("is_mended=true", 1).await;
    carol.is_undisturbed().await;
}
