//! When to read after a change: when whoever writes has been quiet for a moment, but no later than a bound after the
//! first change.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// Waits for a change and the quiet after it, or for `at_the_latest`; whether it is quiet. Cancel-safe but for the
/// changes seen: who cancels it has to read.
pub(crate) async fn settled(changes: &mut mpsc::Receiver<()>, at_the_latest: Duration) -> bool {
    if timeout(at_the_latest, changes.recv()).await.is_err() {
        return true;
    }
    let bound = Instant::now() + LONGEST;
    loop {
        let quiet = (Instant::now() + QUIET).min(bound);
        tokio::select! {
            biased;
            () = sleep_until(quiet) => return quiet < bound,
            changed = changes.recv() => if changed.is_none() { return true },
        }
    }
}

/// Between two writes of one program.
const QUIET: Duration = Duration::from_millis(100);
/// A removed user must be gone within a second although somebody writes all the time.
const LONGEST: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_quiet_but_not_for_ever() {
        let (changed, mut changes) = mpsc::channel(1);
        let began = Instant::now();
        assert!(settled(&mut changes, Duration::from_secs(30)).await);
        assert_eq!(began.elapsed(), Duration::from_secs(30), "nothing changed");

        changed.try_send(()).unwrap();
        let began = Instant::now();
        assert!(settled(&mut changes, Duration::from_secs(30)).await);
        assert_eq!(began.elapsed(), QUIET);

        let began = Instant::now();
        let writing = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(60)).await;
                let _ = changed.try_send(());
            }
        };
        tokio::join!(writing, settled(&mut changes, Duration::from_secs(30)));
        assert_eq!(began.elapsed(), Duration::from_millis(3 * 60) + QUIET);

        let writing = async {
            loop {
                let _ = changed.try_send(());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let began = Instant::now();
        tokio::select! {
            () = writing => {}
            is_quiet = settled(&mut changes, Duration::from_secs(30)) => assert!(!is_quiet),
        }
        assert_eq!(began.elapsed(), LONGEST);
    }
}
