//! Links between daemons and relay: ordered each way, delayed, cut, or silently lost.

use std::time::Duration;

use secchat_proto::wire::login::Role;
use secchat_relay::switchboard::SessionId;

/// Where the daemon's end of a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// The login is under way.
    Connecting,
    /// In use.
    Up,
    /// The core let go of it, or it is broken; its last word is on the way.
    Leaving,
    /// The core knows that it is down.
    Down,
}

/// Where the relay's end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// Logged in, its first record not come.
    Proven,
    /// Known to the switchboard.
    Online,
    /// Gone, or the login never succeeded.
    Gone,
}

/// One link.
#[derive(Debug)]
pub struct Link {
    pub node: usize,
    pub session: SessionId,
    pub role: Role,
    /// Until when a delegated key holds it.
    pub delegated_until: Option<u64>,
    pub near: Near,
    pub far: Far,
    /// Nothing passes any more, and nobody is told.
    pub is_dead: bool,
    /// When the last message each way arrives: none overtakes another.
    pub last_up: Duration,
    pub last_down: Duration,
    /// Messages on their way to the daemon.
    pub on_the_way: usize,
}

impl Link {
    pub fn new(node: usize, session: SessionId, role: Role, delegated_until: Option<u64>) -> Self {
        Self {
            delegated_until,
            node,
            session,
            role,
            near: Near::Connecting,
            far: Far::Gone,
            is_dead: false,
            last_up: Duration::ZERO,
            last_down: Duration::ZERO,
            on_the_way: 0,
        }
    }
}
