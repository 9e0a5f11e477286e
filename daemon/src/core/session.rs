//! The link to the relay: login, logout, retries. (`locking` has the key that it needs, `liveness` when it is dead.)

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use secchat_ipc::{CommandError, Reply};
use secchat_proto::chat::Env;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::kem::{ReadyRsaKey, Suite};
use secchat_proto::crypto::signature::{PublicKey, SigningKey};
use secchat_proto::handshake::delegation::DelegatedKey;
use secchat_proto::limits::{PING_AFTER, PONG_TIMEOUT};
use secchat_proto::wire::link::{LinkMessage, LogoutReason};
use secchat_proto::wire::login::{RejectReason, Role};

use super::Core;
use super::backoff::Backoff;
use super::commands::{Caller, Outcome};
use super::io::{LinkFailure, Output, Time};
use super::link::WaitingKeys;
use super::locking::Load;
use super::pending::{Ticket, Wait};
use crate::limits::{GOOD_LINK, MAX_READY_RSA_KEYS};

/// The link to the relay.
#[derive(Debug)]
pub(super) enum Link {
    /// None.
    Down,
    /// [`Output::Connect`] was asked, in this role.
    Connecting(Role),
    /// Logged in.
    Online(Online),
    /// [`Output::Disconnect`] was asked; `Some`: because of a fault, so that the next login waits.
    Closing(Option<String>),
}

/// A link that is up.
#[derive(Debug)]
pub(super) struct Online {
    since: Instant,
    /// When anything last came.
    pub(super) heard: Instant,
    /// The Ping that waits for its Pong.
    pub(super) ping: Option<(Instant, [u8; 8])>,
    /// Peer Keys whose message has not come yet.
    pub(super) peer_keys: WaitingKeys,
}

/// What the person wants of the link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Be logged in whenever unlocked.
    Online,
    /// Stay away until asked.
    Away,
    /// The relay ended the session for good; stay away until asked.
    Replaced(String),
}

/// When the next login starts.
#[derive(Debug)]
pub(super) struct Retry {
    /// Why the last one failed, for people.
    pub(super) why: String,
    /// When.
    pub(super) at: Instant,
    /// The same in Unix seconds.
    pub(super) at_unix: u64,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Session {
    /// The identity key; `None` while locked.
    pub(super) identity: Option<SigningKey>,
    /// Its public half, known since the first unlock.
    pub(super) public_key: Option<PublicKey>,
    /// The key that keeps requests coming while the identity key is locked: never both.
    pub(super) delegate: Option<DelegatedKey>,
    /// When the identity key is wiped.
    pub(super) lock_at: Option<Instant>,
    /// The unlock under way, and for how long it unlocks.
    pub(super) loading: Option<(Ticket, Option<Duration>)>,
    /// Unlocks in line.
    pub(super) loads: VecDeque<Load>,
    pub(super) link: Link,
    pub(super) wish: Wish,
    pub(super) retry: Option<Retry>,
    backoff: Backoff,
    pub(super) role: Role,
    pub(super) ready_rsa: Vec<ReadyRsaKey>,
    making_rsa: bool,
    /// What the last login had to say about certificate and CRL.
    pub(super) warnings: Vec<String>,
    /// Why the key file cannot be used, since nobody waited for the answer.
    pub(super) key_problem: Option<String>,
}

impl Session {
    pub(super) fn new(role: Role) -> Self {
        Self {
            identity: None,
            public_key: None,
            delegate: None,
            lock_at: None,
            loading: None,
            loads: VecDeque::new(),
            link: Link::Down,
            wish: Wish::Online,
            retry: None,
            backoff: Backoff::default(),
            role,
            ready_rsa: Vec::new(),
            making_rsa: false,
            warnings: Vec::new(),
            key_problem: None,
        }
    }

    /// What chats need from outside.
    pub(super) fn env<'a>(&'a mut self, time: Time, entropy: &'a mut dyn Entropy) -> Env<'a> {
        Env {
            now: time.now,
            unix_now: time.unix,
            identity: self.identity.as_ref(),
            ready_rsa: &mut self.ready_rsa,
            entropy,
        }
    }

    pub(super) fn identity(&self) -> Option<&SigningKey> {
        self.identity.as_ref()
    }

    /// This user's public key: known since the first unlock.
    pub(super) fn public_key(&self) -> Option<&PublicKey> {
        self.public_key.as_ref()
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self.link, Link::Online(_))
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.link, Link::Connecting(_))
    }

    pub(super) fn online_mut(&mut self) -> Option<&mut Online> {
        match &mut self.link {
            Link::Online(online) => Some(online),
            Link::Down | Link::Connecting(_) | Link::Closing(_) => None,
        }
    }

    pub(super) fn keep_rsa_key(&mut self, key: ReadyRsaKey) {
        self.making_rsa = false;
        if self.identity.is_some() && self.ready_rsa.len() < MAX_READY_RSA_KEYS {
            self.ready_rsa.push(key);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let silence = match &self.link {
            Link::Online(Online { ping: Some((sent, _)), .. }) => Some(*sent + PONG_TIMEOUT),
            Link::Online(Online { heard, .. }) => Some(*heard + PING_AFTER),
            Link::Down | Link::Connecting(_) | Link::Closing(_) => None,
        };
        let retry = self.retry.as_ref().map(|retry| retry.at);
        [self.lock_at, retry, silence].into_iter().flatten().min()
    }
}

impl<E: Entropy> Core<E> {
    /// A person, or an unlock, wants the link: the next login starts at once.
    pub(super) fn want_online(&mut self) {
        self.session.wish = Wish::Online;
        self.session.retry = None;
        self.session.backoff.reset();
    }

    pub(super) fn login(&mut self, caller: &Caller) -> Result<Outcome, CommandError> {
        self.may_log_in()?;
        if self.session.is_online() {
            return Ok(Outcome::Now(Reply::Done));
        }
        self.want_online();
        Ok(self.wait(caller, Wait::Online))
    }

    pub(super) fn logout(&mut self) -> Outcome {
        let error = CommandError::NotConnected { why: "logged out; run `secchatctl login`".into() };
        self.session.wish = Wish::Away;
        self.session.retry = None;
        self.give_up_asking(&error);
        self.answer_all(|wait| matches!(wait, Wait::Link(_) | Wait::Online), &Err(error));
        self.end_link(LogoutReason::User);
        Outcome::Now(Reply::Done)
    }

    pub(super) fn set_reachability(&mut self, available: bool) -> Outcome {
        self.session.role = if available { Role::Receiver } else { Role::Sender };
        self.tell_role();
        Outcome::Now(Reply::Done)
    }

    /// Ends the session, authenticated, and the link after it.
    pub(super) fn end_link(&mut self, reason: LogoutReason) {
        self.send(LinkMessage::Logout(reason));
        self.close_link(None);
    }

    /// Closes the link; `fault`: why it is of no use.
    pub(super) fn close_link(&mut self, fault: Option<String>) {
        match std::mem::replace(&mut self.session.link, Link::Down) {
            Link::Online(online) => {
                self.output(Output::Disconnect);
                self.session.link = Link::Closing(fault);
                self.lose_link(&online);
            }
            Link::Connecting(_) => {
                self.output(Output::Disconnect);
                self.session.link = Link::Closing(fault);
            }
            closing @ Link::Closing(_) => self.session.link = closing,
            Link::Down => {}
        }
    }

    pub(super) fn handle_link_up(&mut self, warnings: Vec<String>) {
        let Link::Connecting(role) = self.session.link else { return };
        let now = self.time.now;
        let online = Online { since: now, heard: now, ping: None, peer_keys: WaitingKeys::default() };
        self.session.link = Link::Online(online);
        self.session.warnings = warnings;
        self.log("online", None, "");
        self.refresh_watch();
        if role != self.session.role {
            self.tell_role();
        }
        if !self.session.is_online() {
            return;
        }
        if self.session.identity.is_some() {
            self.renew_offers();
        }
        self.answer_all(|wait| matches!(wait, Wait::Online), &Ok(Reply::Done));
        for waiting in self.pending.take_all(|wait| matches!(wait, Wait::Link(_))) {
            if let Wait::Link(parked) = waiting.wait {
                let (caller, command) = *parked;
                self.run(&caller, command);
            }
        }
    }

    pub(super) fn handle_link_down(&mut self, failure: &LinkFailure) {
        let why = describe(failure);
        match std::mem::replace(&mut self.session.link, Link::Down) {
            Link::Down => return,
            Link::Connecting(_) => self.retry_later(why),
            Link::Online(online) => {
                self.lose_link(&online);
                self.retry_later(why);
            }
            Link::Closing(Some(fault)) => self.retry_later(fault),
            Link::Closing(None) => {}
        }
        self.log("offline", None, describe(failure));
    }

    /// Every chat waits for the next link; what needs this one is answered.
    fn lose_link(&mut self, online: &Online) {
        if self.time.now.duration_since(online.since) >= GOOD_LINK {
            self.session.backoff.reset();
        }
        self.drop_what_waits_for_disk();
        self.lose_chats_pairs();
        self.users.lose_link();
        let error = Err(self.not_connected());
        self.answer_all(|wait| matches!(wait, Wait::List { .. }), &error);
    }

    fn retry_later(&mut self, why: String) {
        if !self.session.can_log_in() || self.session.wish != Wish::Online {
            return;
        }
        let random = self.random_u16();
        let delay = self.session.backoff.next_delay(random);
        let at_unix = self.time.unix.saturating_add(delay.as_secs());
        self.session.retry = Some(Retry { why, at: self.time.now + delay, at_unix });
        let error = Err(self.not_connected());
        self.answer_all(|wait| matches!(wait, Wait::Link(_) | Wait::Online), &error);
    }

    fn random_u16(&mut self) -> u16 {
        let mut bytes = [0; 2];
        // Without randomness the jitter alone is missing.
        if self.entropy.fill(&mut bytes).is_err() {
            return u16::MAX;
        }
        u16::from_be_bytes(bytes)
    }

    /// The relay ended the session.
    pub(super) fn handle_logout(&mut self, reason: LogoutReason) {
        let fault = match reason {
            LogoutReason::User => "the relay ended the session",
            LogoutReason::Closing => "the relay is stopping",
            LogoutReason::TooSlow => "the relay found this daemon too slow",
            LogoutReason::Replaced => "another daemon logged in as this user",
            LogoutReason::Removed => "the relay's operator removed this user or changed the key on the list",
        };
        self.warn("logged_out_by_relay", None, fault);
        match reason {
            LogoutReason::Replaced | LogoutReason::Removed => {
                self.session.wish = Wish::Replaced(fault.into());
                self.session.retry = None;
                let error = self.not_connected();
                self.give_up_asking(&error);
            }
            LogoutReason::User | LogoutReason::Closing | LogoutReason::TooSlow => {}
        }
        self.close_link(Some(fault.into()));
    }

    /// Connects when a link is wanted and none is there, and keeps RSA keys ready.
    pub(super) fn drive_session(&mut self) {
        let Some(key) = self.session.login_key().filter(|_| !self.stopping) else { return };
        let suite1 =
            self.session.identity.is_some() && self.settings.peer_suites.as_slice().contains(&Suite::Rsa3072);
        if suite1 && !self.session.making_rsa && self.session.ready_rsa.len() < MAX_READY_RSA_KEYS {
            self.session.making_rsa = true;
            self.output(Output::MakeRsaKey);
        }
        let wanted = self.session.wish == Wish::Online && self.session.retry.is_none();
        if wanted && matches!(self.session.link, Link::Down) {
            let role = self.session.role;
            self.session.link = Link::Connecting(role);
            let newest_crl_seen = self.known.settings.newest_crl_seen;
            self.output(Output::Connect { key, role, newest_crl_seen });
        }
    }
}

/// Why there is no link, for people. A Reject is unproven: anybody in between can send one.
fn describe(failure: &LinkFailure) -> String {
    let reject = match failure {
        LinkFailure::Failed(why) => return why.clone(),
        LinkFailure::Closed => return "the link was closed".into(),
        LinkFailure::Rejected(reason) => reason,
    };
    let why = match reject {
        RejectReason::Version => "it speaks another version of the protocol",
        RejectReason::Malformed => "it cannot read what this daemon sends",
        RejectReason::NotAuthenticated => {
            "it does not know this user with this key: is the user_list up to date?"
        }
        RejectReason::Busy => "it is busy, or keeps another session of this user",
        RejectReason::Closing => "it is stopping",
    };
    format!("the relay rejected the login: {why}")
}
