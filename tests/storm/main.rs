//! A storm of hostile connections on the real relay: honest people notice nothing. The whole of it is `secchat-bench
//! storm`; this is a small one.

use std::time::Duration;

use secchat_e2e::storm::{Size, storm};

#[tokio::test(flavor = "multi_thread")]
async fn honest_pairs_lose_nothing_in_a_storm() {
    let size = Size {
        strangers: 800,
        users: 200,
        pairs: 10,
        time: Duration::from_secs(3),
        pause: Duration::from_millis(50),
        beginning: Duration::from_secs(60),
    };
    // Lost links, lost messages and messages out of order fail inside.
    let outcome = storm(size, "log = \"warn\"\n").await;
    assert!(outcome.deeds.iter().all(|(_, times)| *times > 0), "a part of the storm is missing: {outcome:?}");
    let a_second = 2 * 10 * 20;
    assert!(outcome.storm.count() >= 3 * a_second && outcome.storm.count() % a_second == 0, "{outcome:?}");
}
