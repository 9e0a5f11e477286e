//! The book of offers (PROTOCOL.md §5): requests to talk, Response 1 and Resume that wait for their counterpart.
//! It knows no links and no pairs; an offer's life is the switchboard's business.

use std::collections::{BTreeMap, BTreeSet};

use secchat_proto::UserName;
use secchat_proto::wire::link::ChatId;

use super::SessionId;
use super::holdings::{OfferHeld, OfferKind};

/// A request to talk that was let through.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) chat_id: ChatId,
    /// The encoded request: passed on untouched.
    pub(super) request: Vec<u8>,
    /// Unix seconds.
    pub(super) expires: u64,
    /// The link that has had it: each has it once.
    pub(super) delivered_to: Option<SessionId>,
}

/// An offer that stays as long as the link that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Response 1.
    Accept,
    /// Resume.
    Resume,
}

/// An offer taken from the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Rtt,
    Standing(Standing),
}

/// All offers.
#[derive(Debug, Default)]
pub(super) struct Offers {
    made: BTreeMap<UserName, Made>,
    /// By addressee: who has a request to it.
    askers: Index,
    /// By addressee: who has a Response 1 or Resume to it.
    offerers: Index,
}

/// Makers by addressee.
#[derive(Debug, Default)]
struct Index(BTreeMap<UserName, BTreeSet<UserName>>);

impl Index {
    fn add(&mut self, maker: &UserName, addressee: &UserName) {
        self.0.entry(addressee.clone()).or_default().insert(maker.clone());
    }

    fn remove(&mut self, maker: &UserName, addressee: &UserName) {
        if let Some(makers) = self.0.get_mut(addressee) {
            makers.remove(maker);
            if makers.is_empty() {
                self.0.remove(addressee);
            }
        }
    }

    fn makers(&self, addressee: &UserName) -> Vec<UserName> {
        self.0.get(addressee).map(|makers| makers.iter().cloned().collect()).unwrap_or_default()
    }
}

/// One maker's offers, by addressee.
#[derive(Debug, Default)]
struct Made {
    rtts: BTreeMap<UserName, Asked>,
    standing: BTreeMap<(UserName, ChatId), Standing>,
}

impl Offers {
    /// Enters a request; gives the one of another chat that it replaces. The same chat's is renewed, and stays
    /// delivered to whom it was.
    pub(super) fn put_rtt(
        &mut self,
        maker: &UserName,
        addressee: &UserName,
        mut rtt: Asked,
    ) -> Option<Asked> {
        self.remove_standing(maker, addressee, rtt.chat_id);
        self.askers.add(maker, addressee);
        let made = self.made.entry(maker.clone()).or_default();
        let old = made.rtts.remove(addressee);
        let old = match old {
            Some(old) if old.chat_id == rtt.chat_id => {
                rtt.delivered_to = old.delivered_to;
                None
            }
            other => other,
        };
        made.rtts.insert(addressee.clone(), rtt);
        old
    }

    /// Enters a Response 1 or Resume; it takes the place of the same maker's request for that chat.
    pub(super) fn put_standing(
        &mut self,
        maker: &UserName,
        addressee: &UserName,
        chat_id: ChatId,
        offer: Standing,
    ) {
        self.remove_rtt(maker, addressee, &chat_id);
        self.offerers.add(maker, addressee);
        let made = self.made.entry(maker.clone()).or_default();
        made.standing.insert((addressee.clone(), chat_id), offer);
    }

    /// Whether the maker has a Response 1 or Resume to the addressee for that chat.
    pub(super) fn has_standing(&self, maker: &UserName, addressee: &UserName, chat_id: ChatId) -> bool {
        self.made.get(maker).is_some_and(|made| made.standing.contains_key(&(addressee.clone(), chat_id)))
    }

    /// The maker's living request to the addressee.
    pub(super) fn rtt(&self, maker: &UserName, addressee: &UserName, unix_now: u64) -> Option<&Asked> {
        self.made.get(maker)?.rtts.get(addressee).filter(|rtt| rtt.expires > unix_now)
    }

    /// Notes which link has had the request.
    pub(super) fn note_delivery(&mut self, maker: &UserName, addressee: &UserName, link: SessionId) {
        if let Some(rtt) = self.made.get_mut(maker).and_then(|made| made.rtts.get_mut(addressee)) {
            rtt.delivered_to = Some(link);
        }
    }

    /// The maker's living offer to the addressee for that chat, whatever it is.
    pub(super) fn offer(
        &self,
        (maker, addressee): (&UserName, &UserName),
        chat_id: ChatId,
        unix_now: u64,
    ) -> Option<Offer> {
        if self.rtt(maker, addressee, unix_now).is_some_and(|rtt| rtt.chat_id == chat_id) {
            return Some(Offer::Rtt);
        }
        let standing = self.made.get(maker)?.standing.get(&(addressee.clone(), chat_id))?;
        Some(Offer::Standing(*standing))
    }

    /// Takes the maker's offers to the addressee for that chat out of the book.
    pub(super) fn remove(&mut self, maker: &UserName, addressee: &UserName, chat_id: ChatId) {
        self.remove_rtt(maker, addressee, &chat_id);
        self.remove_standing(maker, addressee, chat_id);
    }

    /// Takes a request out of the book, if it is there.
    pub(super) fn remove_rtt(
        &mut self,
        maker: &UserName,
        addressee: &UserName,
        chat_id: &ChatId,
    ) -> Option<Asked> {
        let made = self.made.get_mut(maker)?;
        if made.rtts.get(addressee)?.chat_id != *chat_id {
            return None;
        }
        let removed = made.rtts.remove(addressee);
        self.forget_if_nothing(maker);
        self.askers.remove(maker, addressee);
        removed
    }

    /// Takes a Response 1 or Resume out of the book.
    pub(super) fn remove_standing(&mut self, maker: &UserName, addressee: &UserName, chat_id: ChatId) {
        let Some(made) = self.made.get_mut(maker) else { return };
        if made.standing.remove(&(addressee.clone(), chat_id)).is_some()
            && made.standing_to(addressee).next().is_none()
        {
            self.offerers.remove(maker, addressee);
        }
        self.forget_if_nothing(maker);
    }

    /// Everybody who has a request to the addressee, expired ones included.
    pub(super) fn askers_of(&self, addressee: &UserName) -> Vec<UserName> {
        self.askers.makers(addressee)
    }

    /// How many requests of the maker wait; expired ones are dropped first.
    pub(super) fn count_rtts(&mut self, maker: &UserName, unix_now: u64) -> usize {
        let Some(made) = self.made.get_mut(maker) else { return 0 };
        let expired: Vec<_> = made
            .rtts
            .extract_if(.., |_, rtt| rtt.expires <= unix_now)
            .map(|(addressee, _)| addressee)
            .collect();
        let count = made.rtts.len();
        for addressee in expired {
            self.askers.remove(maker, &addressee);
        }
        self.forget_if_nothing(maker);
        count
    }

    /// How many Response 1 and Resume of the maker wait.
    pub(super) fn count_standing(&self, maker: &UserName) -> usize {
        self.made.get(maker).map_or(0, |made| made.standing.len())
    }

    /// Ends all offers of the maker: its link is gone.
    pub(super) fn forget_maker(&mut self, maker: &UserName) {
        let Some(made) = self.made.remove(maker) else { return };
        for addressee in made.rtts.keys() {
            self.askers.remove(maker, addressee);
        }
        for (addressee, _) in made.standing.keys() {
            self.offerers.remove(maker, addressee);
        }
    }

    /// Ends all offers of a user and to it: it is a user no longer.
    pub(super) fn forget(&mut self, name: &UserName) {
        self.forget_maker(name);
        for maker in self.askers.makers(name) {
            if let Some(made) = self.made.get_mut(&maker) {
                made.rtts.remove(name);
            }
            self.askers.remove(&maker, name);
            self.forget_if_nothing(&maker);
        }
        for maker in self.offerers.makers(name) {
            if let Some(made) = self.made.get_mut(&maker) {
                made.standing.retain(|(addressee, _), _| addressee != name);
            }
            self.offerers.remove(&maker, name);
            self.forget_if_nothing(&maker);
        }
    }

    /// How many requests wait, of all makers; those that have expired unseen among them.
    pub(super) fn count_all_rtts(&self) -> usize {
        self.made.values().map(|made| made.rtts.len()).sum()
    }

    /// What a user has offered to whom, and who has offered what to it.
    pub(super) fn of(&self, name: &UserName) -> (Vec<OfferHeld>, Vec<OfferHeld>) {
        let Self { made, askers, offerers } = self;
        let of_maker = made.get(name).map(|made| {
            let Made { rtts, standing } = made;
            let rtts = rtts.iter().map(|(to, rtt)| rtt.held(to));
            let standing = standing.iter().map(|((to, _), offer)| offer.held(to));
            rtts.chain(standing).collect()
        });
        let asked = askers.makers(name).into_iter().filter_map(|maker| {
            made.get(&maker).and_then(|made| made.rtts.get(name)).map(|rtt| rtt.held(&maker))
        });
        let offered = offerers.makers(name).into_iter().flat_map(|maker| {
            let offers = made.get(&maker).into_iter().flat_map(|made| made.standing_to(name));
            offers.map(|offer| offer.held(&maker)).collect::<Vec<_>>()
        });
        (of_maker.unwrap_or_default(), asked.chain(offered).collect())
    }

    /// Every maker in the book.
    #[cfg(test)]
    pub(super) fn makers(&self) -> impl Iterator<Item = &UserName> {
        let indexed = self.askers.0.values().chain(self.offerers.0.values());
        self.made.keys().chain(indexed.flatten())
    }

    /// A maker without offers is not in the book.
    fn forget_if_nothing(&mut self, maker: &UserName) {
        if self.made.get(maker).is_some_and(|made| made.rtts.is_empty() && made.standing.is_empty()) {
            self.made.remove(maker);
        }
    }
}

impl Made {
    fn standing_to(&self, addressee: &UserName) -> impl Iterator<Item = &Standing> {
        self.standing.iter().filter(move |((to, _), _)| to == addressee).map(|(_, offer)| offer)
    }
}

impl Asked {
    fn held(&self, with: &UserName) -> OfferHeld {
        let Self { chat_id: _, request: _, expires, delivered_to } = self;
        let (expires, delivered) = (Some(*expires), delivered_to.is_some());
        OfferHeld { with: with.clone(), kind: OfferKind::Request, expires, delivered }
    }
}

impl Standing {
    fn held(self, with: &UserName) -> OfferHeld {
        let kind = match self {
            Self::Accept => OfferKind::Acceptance,
            Self::Resume => OfferKind::Resumption,
        };
        OfferHeld { with: with.clone(), kind, expires: None, delivered: false }
    }
}
