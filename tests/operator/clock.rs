//! The clock of the relay's machine is set: what goes on goes on, and the operator is told.

use secchat_proto::wire::link::LinkMessage;

use crate::relay::{Files, LiveRelay};

/// A relay whose wall clock is what its folder's file `clock` makes of the real one.
async fn with_a_clock() -> LiveRelay {
    let prepare = |files: &Files| {
        std::fs::write(files.path("clock"), "+0\n").expect("a file");
        std::fs::write(files.path("user_list"), files.list(&["alice", "bob", "carol", "dora"]))
            .expect("the list");
    };
    LiveRelay::start_command(prepare, |command| {
        // The loader knows where libraries are on this machine: $LIB.
        command.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1");
        command.env("FAKETIME_TIMESTAMP_FILE", "clock").env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    })
    .await
}

/// Of a hundred runs, a few freeze: libfaketime's own lock, under a busy machine. The clock's decisions are tested without
/// it (`relay/src/clock.rs`, `a_clock_that_jumps_touches_requests_only_and_only_while_it_is_wrong`); this is run by hand.
#[tokio::test]
#[ignore = "libfaketime sometimes freezes the program: cargo test --workspace --test operator clock -- --ignored"]
async fn a_clock_that_jumps_back_an_hour_or_ahead_a_year_ends_nothing_and_is_told() {
    let relay = with_a_clock().await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    let chat_id = alice.pair_with(&mut carol).await;
    let jumps = [
        ("-3600", "the clock was set back by 1 hour", "bob"),
        ("+31536000", "the clock was set ahead by 366 days", "dora"),
        ("+0", "the clock was set back by 365 days", "bob"),
    ];
    for (clock, told, newcomer) in jumps {
        // At once: the library has no use for half of a file.
        relay.write("next", format!("{clock}\n"));
        std::fs::rename(relay.path("next"), relay.path("clock")).expect("a file");
        relay.logs(&told.replace("the clock", "this machine's clock"), 1).await;
        for (from, to) in [(&mut alice, &mut carol)] {
            let record = LinkMessage::Chat { chat_id, record: clock.as_bytes().to_vec() };
            from.says.say(&record).await;
            to.expect(record).await;
            to.is_undisturbed().await;
        }
        relay.login(newcomer).await;
        if clock == "-3600" {
            let log = relay.process.log().text();
            assert!(!log.contains("the CRL has ended"), "{log}");
        } else {
            relay.logs("the CRL has ended", 1).await;
        }
    }
    // A request's times are right again.
    let mut bob = relay.login("bob").await;
    bob.pair_with(&mut alice).await;
}
