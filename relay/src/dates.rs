//! Until when the certificate and the CRL are good, and when their ends are to be told: 30, 7 and 1 day before, and
//! when they have come; each once. Pure: whoever asks says what time it is.

use std::fmt;

use openssl::x509::{X509, X509Crl};

use crate::pki::{SECONDS_PER_DAY, unix_seconds};

/// From when until when something is good, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: u64,
    /// The last second.
    pub until: u64,
}

/// What can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The relay's certificate.
    Certificate,
    /// The CA's revocation list.
    Crl,
}

/// The dates of a relay's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// The certificate's; `None` if they cannot be read.
    pub certificate: Option<Validity>,
    /// The CRL's, from thisUpdate until nextUpdate; `None` without CRL or nextUpdate.
    pub crl: Option<Validity>,
}

/// Something ends soon, or has ended: to be told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// What.
    pub subject: Subject,
    /// Its end, in Unix seconds.
    pub until: u64,
    /// The time that is left, in seconds; 0: it has ended.
    pub left_seconds: u64,
}

/// What has been told already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reminders {
    certificate: Option<Told>,
    crl: Option<Told>,
}

/// How near an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    ThirtyDays,
    SevenDays,
    OneDay,
    Over,
}

/// The last that was told of one end.
#[derive(Clone, Copy, Debug)]
struct Told {
    until: u64,
    nearness: Nearness,
}

impl Dates {
    /// Reads them from DER; an empty CRL is none.
    #[must_use]
    pub fn of(certificate: &[u8], crl: &[u8]) -> Self {
        let certificate = X509::from_der(certificate).ok().and_then(|certificate| {
            let (from, until) = (certificate.not_before(), certificate.not_after());
            Some(Validity { from: unix_seconds(from)?, until: unix_seconds(until)? })
        });
        let crl = X509Crl::from_der(crl).ok().and_then(|crl| {
            let (from, until) = (crl.last_update(), crl.next_update()?);
            Some(Validity { from: unix_seconds(from)?, until: unix_seconds(until)? })
        });
        // What is no CRL leaves its reasons behind in OpenSSL's queue.
        drop(openssl::error::ErrorStack::get());
        Self { certificate, crl }
    }
}

impl Validity {
    /// Whole days until the end; negative after it.
    #[must_use]
    pub fn days_left(self, now: u64) -> i64 {
        let day = i64::try_from(SECONDS_PER_DAY).unwrap_or(i64::MAX);
        let left = i128::from(self.until).saturating_sub(now.into());
        i64::try_from(left).unwrap_or(i64::MAX).div_euclid(day)
    }

    /// Whether the end has come.
    #[must_use]
    pub fn is_over(self, now: u64) -> bool {
        now > self.until
    }

    /// The most pressing of the times that have come. One that lies in the first half of the life is none: a list
    /// that is made anew every month would be pressing from its first day.
    fn nearness(self, now: u64) -> Option<Nearness> {
        const BEFORE_THE_END: [(u64, Nearness); 3] =
            [(1, Nearness::OneDay), (7, Nearness::SevenDays), (30, Nearness::ThirtyDays)];
        if self.is_over(now) {
            return Some(Nearness::Over);
        }
        let (life, left) = (self.until.saturating_sub(self.from), self.until.saturating_sub(now));
        let has_come = |days: u64| {
            let seconds = days.saturating_mul(SECONDS_PER_DAY);
            left <= seconds && seconds <= life / 2
        };
        BEFORE_THE_END.into_iter().find(|(days, _)| has_come(*days)).map(|(_, nearness)| nearness)
    }
}

impl Reminders {
    /// What is to be told now, and has not been.
    pub fn due(&mut self, dates: &Dates, now: u64) -> Vec<Reminder> {
        let certificate = due(&mut self.certificate, dates.certificate, now);
        let crl = due(&mut self.crl, dates.crl, now);
        let told = [(Subject::Certificate, certificate), (Subject::Crl, crl)];
        told.into_iter()
            .filter_map(|(subject, validity)| {
                let until = validity?.until;
                Some(Reminder { subject, until, left_seconds: until.saturating_sub(now) })
            })
            .collect()
    }
}

/// The validity, if it has come nearer to its end than was told.
fn due(told: &mut Option<Told>, validity: Option<Validity>, now: u64) -> Option<Validity> {
    let validity = validity?;
    let nearness = validity.nearness(now)?;
    // A clock that was put back does not tell all again.
    if told.is_some_and(|told| told.until == validity.until && told.nearness >= nearness) {
        return None;
    }
    *told = Some(Told { until: validity.until, nearness });
    Some(validity)
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Crl => "CRL",
        })
    }
}

impl fmt::Display for Reminder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = match self.subject {
            Subject::Certificate => "secchat-relay cert renew",
            Subject::Crl => "secchat-relay crl refresh",
        };
        let (subject, day) = (self.subject, day(self.until));
        if self.left_seconds == 0 {
            write!(f, "the {subject} has ended on {day}: clients refuse it; make a new one with `{command}`")
        } else {
            let left = span(self.left_seconds);
            write!(f, "the {subject} ends in {left}, on {day}: make a new one with `{command}`")
        }
    }
}

/// A span of time in days, or in hours or minutes when it is short.
pub(crate) fn span(seconds: u64) -> String {
    const SECONDS_PER_MINUTE: u64 = 60;
    const SECONDS_PER_HOUR: u64 = 3_600;
    const TWO_DAYS: u64 = 2 * SECONDS_PER_DAY;
    let (count, unit) = match seconds {
        0..SECONDS_PER_HOUR => (seconds.div_ceil(SECONDS_PER_MINUTE), "minute"),
        SECONDS_PER_HOUR..TWO_DAYS => (seconds.div_ceil(SECONDS_PER_HOUR), "hour"),
        _ => (seconds.div_ceil(SECONDS_PER_DAY), "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The day of a time, in UTC: `2026-11-25`. (Civil dates from days, after Howard Hinnant.)
#[must_use]
pub fn day(unix: u64) -> String {
    /// Days from 0000-03-01 to 1970-01-01.
    const EPOCH: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;
    let days = (unix / SECONDS_PER_DAY).saturating_add(EPOCH);
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let leap = |day: u64| day / 1_460 + day / 146_096;
    let year_of_era = (day_of_era.saturating_sub(leap(day_of_era)) + day_of_era / 36_524) / 365;
    let before_year = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    let day_of_year = day_of_era.saturating_sub(before_year);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year.saturating_sub((153 * month_from_march + 2) / 5) + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era.saturating_mul(400) + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = SECONDS_PER_DAY;
    const START: u64 = 1_800_000_000;

    fn dates(certificate_days: u64, crl_days: u64) -> Dates {
        let validity = |days| Some(Validity { from: START, until: START + days * DAY });
        Dates { certificate: validity(certificate_days), crl: validity(crl_days) }
    }

    /// On which days what is told, when it is asked every hour.
    fn told(dates: &Dates, days: u64) -> Vec<(u64, Subject)> {
        let mut reminders = Reminders::default();
        let hours = (0..days * 24).map(|hour| START + hour * 3_600);
        let told = hours.flat_map(|now| {
            reminders.due(dates, now).into_iter().map(move |told| ((now - START) / DAY, told.subject))
        });
        told.collect()
    }

    #[test]
    fn each_end_is_told_thirty_seven_and_one_day_before_and_when_it_has_come() {
        let (certificate, crl) = (Subject::Certificate, Subject::Crl);
        let expected = [
            (23, crl),
            (29, crl),
            (30, crl),
            (70, certificate),
            (93, certificate),
            (99, certificate),
            (100, certificate),
        ];
        assert_eq!(told(&dates(100, 30), 200), expected);
        // Of a life of two months both halves count.
        assert_eq!(
            told(&dates(60, 2), 61).iter().map(|(day, _)| *day).collect::<Vec<_>>(),
            [1, 2, 30, 53, 59, 60]
        );
    }

    #[test]
    fn a_start_in_the_last_days_tells_once_how_many_there_are() {
        let mut reminders = Reminders::default();
        let now = START + 95 * DAY + 1;
        let told = reminders.due(&dates(100, 200), now);
        let said = told.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            said,
            [format!(
                "the certificate ends in 5 days, on {}: make a new one with `secchat-relay cert renew`",
                day(START + 100 * DAY)
            )]
        );
        assert!(reminders.due(&dates(100, 200), now + 1).is_empty());
        assert!(reminders.due(&dates(100, 200), now - 20 * DAY).is_empty(), "the clock went back");
        // A new certificate, then the old one again: both are new to us.
        assert!(reminders.due(&dates(400, 200), now).is_empty());
        assert_eq!(reminders.due(&dates(96, 200), now).len(), 1);
        let over = reminders.due(&dates(96, 200), START + 97 * DAY);
        assert!(over[0].to_string().starts_with("the certificate has ended on "), "{over:?}");
    }

    #[test]
    fn days_left_are_whole() {
        let validity = Validity { from: 0, until: 10 * DAY };
        for (now, left) in
            [(0, 10), (1, 9), (9 * DAY, 1), (10 * DAY, 0), (10 * DAY + 1, -1), (11 * DAY + 1, -2)]
        {
            assert_eq!(validity.days_left(now), left, "{now}");
        }
        assert!(!validity.is_over(10 * DAY) && validity.is_over(10 * DAY + 1));
    }

    #[test]
    fn days_have_names() {
        for (unix, name) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_799, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_798_761_599, "2026-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(unix), name);
        }
    }

    proptest! {
        #[test]
        fn a_day_is_the_one_that_openssl_names(unix in 0_u64..20_000_000_000) {
            let time = openssl::asn1::Asn1Time::from_unix(unix.try_into().unwrap()).unwrap().to_string();
            let words: Vec<&str> = time.split_whitespace().collect();
            let name = day(unix);
            let mut parts = name.split('-');
            prop_assert_eq!(parts.next().unwrap(), words[3]);
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            prop_assert_eq!(months[parts.next().unwrap().parse::<usize>().unwrap() - 1], words[0]);
            prop_assert_eq!(parts.next().unwrap().parse::<u8>().unwrap(), words[1].parse::<u8>().unwrap());
        }

        #[test]
        fn nothing_is_told_twice(certificate in 0_u64..1_000, crl in 0_u64..400, steps in prop::collection::vec(0_u64..2_000, 1..60)) {
            let (dates, mut reminders) = (dates(certificate, crl), Reminders::default());
            let mut count = 0;
            for hours in steps {
                count += reminders.due(&dates, START + hours * 3_600).len();
            }
            prop_assert!(count <= 8, "four times two");
        }
    }
}
