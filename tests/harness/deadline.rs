//! How long anything may take before a test gives up.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Far above what anything here takes on a busy machine; only a failing test waits for it.
pub const DEADLINE: Duration = Duration::from_secs(40);

/// Awaits `future`.
///
/// # Panics
/// When it has not come within [`DEADLINE`]: `what` says what was awaited.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} in vain: {what}"),
    }
}

/// Awaits the wall clock's next second: of two requests made in the same one, neither is the newer (PROTOCOL.md §8).
///
/// # Panics
/// When the clock is before 1970.
pub async fn next_second() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("clock");
    let past = Duration::from_nanos(u64::from(since.subsec_nanos()));
    tokio::time::sleep(Duration::from_secs(1) - past).await;
}
