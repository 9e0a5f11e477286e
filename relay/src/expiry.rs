//! The task that tells when certificate and CRL end: it asks [`crate::dates`] every hour, and when they are replaced.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{error, warn};

use crate::dates::{Dates, Reminder, Reminders};
use crate::logging::events;
use crate::reload::snapshot::Snapshot;
use crate::router::moment;

/// Logs each reminder once, until the files' sender is gone.
pub(crate) async fn run(mut in_force: watch::Receiver<Arc<Snapshot>>) {
    let mut reminders = Reminders::default();
    loop {
        let dates = {
            let credentials = Arc::clone(&in_force.borrow_and_update().credentials);
            Dates::of(&credentials.certificate, &credentials.crl)
        };
        reminders.due(&dates, moment().unix).iter().for_each(tell);
        tokio::select! {
            changed = in_force.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(BETWEEN_LOOKS) => {}
        }
    }
}

fn tell(reminder: &Reminder) {
    let until = crate::dates::day(reminder.until);
    if reminder.left_seconds == 0 {
        error!(message_id = events::HAS_ENDED, subject = %reminder.subject, %until, "{reminder}");
    } else {
        warn!(message_id = events::ENDS_SOON, subject = %reminder.subject, %until, "{reminder}");
    }
}

/// Not until the next date: the wall clock may be set meanwhile.
const BETWEEN_LOOKS: Duration = Duration::from_secs(3_600);
