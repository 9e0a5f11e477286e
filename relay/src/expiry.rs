//! The task that looks at the clock: it tells when certificate and CRL end ([`crate::dates`]), and when the clock was set.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, warn};

use crate::clock::{Clock, Look};
use crate::dates::{Dates, Reminder, Reminders, span};
use crate::logging::events;
use crate::reload::snapshot::Snapshot;

/// Logs each reminder and each jump once, until the files' sender is gone.
pub(crate) async fn run(mut in_force: watch::Receiver<Arc<Snapshot>>) {
    let mut reminders = Reminders::default();
    let mut clock = Clock::new(Look::now());
    let mut dates = dates(&mut in_force);
    loop {
        let look = Look::now();
        if let Some(seconds) = clock.note(look) {
            tell_jump(seconds);
        }
        reminders.due(&dates, look.unix).iter().for_each(tell);
        tokio::select! {
            changed = in_force.changed() => match changed {
                Ok(()) => dates = self::dates(&mut in_force),
                Err(_) => return,
            },
            () = tokio::time::sleep(BETWEEN_LOOKS) => {}
        }
    }
}

fn dates(in_force: &mut watch::Receiver<Arc<Snapshot>>) -> Dates {
    let credentials = Arc::clone(&in_force.borrow_and_update().credentials);
    Dates::of(&credentials.certificate, &credentials.crl)
}

fn tell(reminder: &Reminder) {
    let until = crate::dates::day(reminder.until);
    if reminder.left_seconds == 0 {
        error!(message_id = events::HAS_ENDED, subject = %reminder.subject, %until, "{reminder}");
    } else {
        warn!(message_id = events::ENDS_SOON, subject = %reminder.subject, %until, "{reminder}");
    }
}

fn tell_jump(seconds: i64) {
    let (by, direction) = (span(seconds.unsigned_abs()), if seconds < 0 { "back" } else { "ahead" });
    warn!(
        message_id = events::CLOCK_JUMPED,
        seconds,
        "this machine's clock was set {direction} by {by}: sessions and chats go on, but requests to talk are dropped \
         while it is wrong"
    );
}

/// Looking costs nothing; nobody should wonder for long why requests do not arrive.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
