//! The places where a chat can stand, and how it gets there.

use super::*;
use crate::limits::REKEY_AFTER;

/// Where the chat under test stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Either side, no pair.
    Unpaired(usize),
    /// B, a pair stands.
    AwaitingM1,
    /// A, M1 sent.
    AwaitingM2,
    /// B, M2 sent.
    AwaitingM3,
    /// Either side, its State sent.
    AwaitingState(usize),
    Open(usize),
    /// A, M1 of a rekey sent.
    Asked,
    /// B, M2 of a rekey sent.
    RekeyAnswered,
    /// Its End sent.
    Ending(usize),
    /// The peer's End answered.
    EndAnswered(usize),
    Over(usize),
}

pub(super) const PLACES: [Place; 17] = [
    Place::Unpaired(A),
    Place::Unpaired(B),
    Place::AwaitingM1,
    Place::AwaitingM2,
    Place::AwaitingM3,
    Place::AwaitingState(A),
    Place::AwaitingState(B),
    Place::Open(A),
    Place::Open(B),
    Place::Asked,
    Place::RekeyAnswered,
    Place::Ending(A),
    Place::Ending(B),
    Place::EndAnswered(A),
    Place::EndAnswered(B),
    Place::Over(A),
    Place::Over(B),
];

impl Place {
    pub(super) fn side(self) -> usize {
        match self {
            Self::AwaitingM2 | Self::Asked => A,
            Self::AwaitingM1 | Self::AwaitingM3 | Self::RekeyAnswered => B,
            Self::Unpaired(side)
            | Self::AwaitingState(side)
            | Self::Open(side)
            | Self::Ending(side)
            | Self::EndAnswered(side)
            | Self::Over(side) => side,
        }
    }

    pub(super) fn phase(self) -> Phase {
        match self {
            Self::Unpaired(_) => Phase::Unpaired,
            Self::AwaitingM1 | Self::AwaitingM2 | Self::AwaitingM3 | Self::AwaitingState(_) => {
                Phase::Establishing
            }
            Self::Open(_) | Self::Asked | Self::RekeyAnswered => Phase::Open,
            Self::Ending(_) => Phase::Ending,
            Self::EndAnswered(_) => Phase::Answered,
            Self::Over(_) => Phase::Over,
        }
    }

    pub(super) fn build(self) -> Net {
        let mut net = match self {
            Self::Unpaired(_) => Setup::default().build(),
            Self::AwaitingM1 => paired(&[B]),
            Self::AwaitingM2 => paired(&[A, B]),
            Self::AwaitingM3 => paired(&[A, B, A, B]),
            Self::AwaitingState(side) => {
                let mut net = Setup::default().build();
                while !net.ends[side].chat.is_established() {
                    for side in [A, B] {
                        net.relay(side);
                        net.deliver(side);
                    }
                }
                net
            }
            Self::Open(_) => used(),
            Self::Asked | Self::RekeyAnswered => {
                let mut net = used();
                net.set_clock(net.now + REKEY_AFTER);
                net.tick();
                if self == Self::RekeyAnswered {
                    net.relay(A);
                    net.deliver(B);
                }
                net
            }
            Self::Ending(side) => {
                let mut net = used();
                net.call(side, |chat, env| chat.end(EndReason::Person, env));
                net
            }
            Self::EndAnswered(side) => {
                let mut net = used();
                net.call(1 - side, |chat, env| chat.end(EndReason::Person, env));
                net.relay(1 - side);
                net.deliver(side);
                net
            }
            Self::Over(side) => {
                let mut net = used();
                net.call(side, Chat::drop_pair);
                net
            }
        };
        let side = self.side();
        assert_eq!(net.ends[side].chat.phase(), self.phase(), "{self:?}");
        net.events(side);
        // M3 still has to reach the peer.
        if self != Self::AwaitingState(A) {
            net.ends[side].up.clear();
        }
        net
    }
}

/// Both offers met; then these take the next message in turn.
pub(super) fn paired(sides: &[usize]) -> Net {
    let mut net = Setup::default().build();
    for side in [A, B] {
        net.relay(side);
    }
    for side in sides {
        net.deliver(*side);
        net.relay(*side);
    }
    net
}

/// Open, with a text taken by each.
fn used() -> Net {
    let mut net = Setup::default().open();
    for side in [A, B] {
        net.say(side, "x").unwrap();
    }
    net.settle();
    net.advance(Duration::from_millis(10));
    net
}
