//! What breaks.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use secchat_e2e::{Random, TestRelay};
use tokio::sync::watch;

use crate::company::Company;

/// What breaks in a round. People are named by their places.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// `kill -9` of the relay.
    RelayDies,
    /// It is stopped and started.
    RelayRestarts,
    /// SIGSTOP and, after a while, SIGCONT.
    RelayFreezes,
    /// `kill -9` of somebody's daemon.
    DaemonDies(usize),
    DaemonFreezes(usize),
    /// Somebody's daemon is stopped, and another build of it started.
    DaemonIsUpgraded(usize),
    /// `kill -9` of every `secchatctl`.
    FrontendsDie,
    /// Somebody's link ends after so many bytes, be that in the middle of a frame.
    LinkIsCut(usize, u64),
    /// No write of somebody's daemon succeeds, for a while.
    DiskIsFull(usize),
    /// Somebody's machine crashes and comes up with a clock that is wrong by so many seconds.
    ClockJumps(usize, i64),
}

/// When: after so many bytes on somebody's link. Some texts are on their way then.
const MOST_BYTES: u64 = 12_000;

impl Fault {
    pub fn draw(random: &mut Random, people: usize) -> Self {
        let who = random.index(people);
        match random.below(if has_faketime() { 10 } else { 9 }) {
            0 => Self::RelayDies,
            1 => Self::RelayRestarts,
            2 => Self::RelayFreezes,
            3 => Self::DaemonDies(who),
            4 => Self::DaemonFreezes(who),
            5 => Self::DaemonIsUpgraded(who),
            6 => Self::FrontendsDie,
            7 => Self::LinkIsCut(who, random.below(MOST_BYTES)),
            8 => Self::DiskIsFull(who),
            _ => Self::ClockJumps(who, random.pick(&[-72_000, -3_600, -60, 0, 0, 0, 60, 3_600, 604_700])),
        }
    }

    fn whose(self) -> Option<usize> {
        match self {
            Self::DaemonDies(who)
            | Self::DaemonFreezes(who)
            | Self::DaemonIsUpgraded(who)
            | Self::LinkIsCut(who, _)
            | Self::DiskIsFull(who)
            | Self::ClockJumps(who, _) => Some(who),
            Self::RelayDies | Self::RelayRestarts | Self::RelayFreezes | Self::FrontendsDie => None,
        }
    }

    /// Breaks it while people talk, or when they are done, and mends it.
    pub async fn happen(self, company: &mut Company, is_silent: &mut watch::Receiver<bool>) {
        let whose = self.whose().unwrap_or_else(|| company.random.index(company.people.len()));
        let link = &company.people[whose].proxy;
        if let Self::LinkIsCut(_, bytes) = self {
            tokio::select! {
                () = link.cut_after(bytes) => {}
                _ = is_silent.wait_for(|is_silent| *is_silent) => link.cut(),
            }
            return;
        }
        let bytes = company.random.below(MOST_BYTES);
        tokio::select! {
            () = link.passes(bytes) => {}
            _ = is_silent.wait_for(|is_silent| *is_silent) => {}
        }
        // How long the fault lasts: nobody waits for the end of it.
        let length = company.random.millis(1, 500);
        self.strike(company, length).await;
    }

    async fn strike(self, company: &mut Company, length: Duration) {
        match self {
            Self::RelayDies => {
                let port = company.relay.take().expect("a relay").kill();
                company.relay = Some(TestRelay::start_at(&company.pki, port).await);
            }
            Self::RelayRestarts => {
                let port = company.relay.take().expect("a relay").stop().await;
                company.relay = Some(TestRelay::start_at(&company.pki, port).await);
            }
            Self::RelayFreezes => {
                let relay = company.relay.as_ref().expect("a relay").process();
                relay.signal(Signal::STOP);
                tokio::time::sleep(length).await;
                relay.signal(Signal::CONT);
            }
            Self::DaemonDies(who) => {
                company.people[who].kill();
                company.people[who].start().await;
            }
            Self::DaemonFreezes(who) => {
                let daemon = company.people[who].user.daemon();
                daemon.signal(Signal::STOP);
                tokio::time::sleep(length).await;
                daemon.signal(Signal::CONT);
            }
            Self::DaemonIsUpgraded(who) => {
                company.people[who].stop().await;
                company.people[who].upgrade();
                company.people[who].start().await;
            }
            Self::FrontendsDie => {
                company.kills.send_modify(|kills| *kills += 1);
                for person in &mut company.people {
                    person.hush().await;
                }
            }
            Self::LinkIsCut(who, _) => company.people[who].proxy.cut(),
            Self::DiskIsFull(who) => {
                let user = &company.people[who].user;
                user.fill_disk(true);
                tokio::time::sleep(length).await;
                user.fill_disk(false);
            }
            Self::ClockJumps(who, seconds) => {
                let person = &mut company.people[who];
                person.kill();
                person.clock = seconds;
                person.start().await;
            }
        }
    }
}

/// Whether this machine has the library that makes a clock wrong.
pub fn has_faketime() -> bool {
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]
        .iter()
        .any(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1").exists())
}
