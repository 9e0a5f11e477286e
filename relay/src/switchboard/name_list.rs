//! Names on their way to a link. Thousands may be sent the same list, so it is not copied for each: the set is shared,
//! as it was at one moment, and cut into records only when they are written.

use std::ops::Bound;

use imbl::OrdSet;
use secchat_proto::UserName;
use secchat_proto::limits::MAX_LINK_PLAINTEXT_BYTES;
use secchat_proto::wire::link::{LinkMessage, ListPart};

/// Names for one reader, who is left out; an iterator over the records (PROTOCOL.md §5, Available users).
#[derive(Clone, Debug)]
pub struct NameList {
    names: OrdSet<UserName>,
    reader: UserName,
    part: ListPart,
    last_part: ListPart,
    /// The last name that was given.
    after: Option<UserName>,
    is_done: bool,
}

impl NameList {
    /// The whole list: at least one record, if only to say that nobody is on it.
    #[must_use]
    pub fn whole(names: OrdSet<UserName>, reader: UserName) -> Self {
        Self::new(names, reader, (ListPart::More, ListPart::Last))
    }

    /// Names that came or went; none if that was only the reader itself.
    #[must_use]
    pub fn changes(names: &OrdSet<UserName>, reader: UserName, part: ListPart) -> Option<Self> {
        let has_others = names.iter().any(|name| *name != reader);
        has_others.then(|| Self::new(names.clone(), reader, (part, part)))
    }

    fn new(names: OrdSet<UserName>, reader: UserName, (part, last_part): (ListPart, ListPart)) -> Self {
        Self { names, reader, part, last_part, after: None, is_done: false }
    }
}

impl Iterator for NameList {
    type Item = LinkMessage;

    fn next(&mut self) -> Option<LinkMessage> {
        if self.is_done {
            return None;
        }
        let after = self.after.take().map_or(Bound::Unbounded, Bound::Excluded);
        let others = self.names.range((after, Bound::Unbounded)).filter(|name| **name != self.reader);
        let mut others = others.peekable();
        let mut free_bytes = MAX_LINK_PLAINTEXT_BYTES.saturating_sub(HEADER_BYTES);
        let mut names = Vec::new();
        while let Some(name) = others.next_if(|name| encoded_bytes(name) <= free_bytes) {
            free_bytes = free_bytes.saturating_sub(encoded_bytes(name));
            names.push(name.clone());
        }
        self.is_done = others.peek().is_none();
        self.after = names.last().cloned();
        Some(LinkMessage::AvailableUsers {
            part: if self.is_done { self.last_part } else { self.part },
            names,
        })
    }
}

/// A name and its length.
fn encoded_bytes(name: &UserName) -> usize {
    name.as_bytes().len().saturating_add(1)
}

/// Type, part and count.
const HEADER_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use imbl::OrdSet;
    use proptest::prelude::*;
    use secchat_proto::UserName;
    use secchat_proto::limits::MAX_LINK_PLAINTEXT_BYTES;
    use secchat_proto::wire::link::{LinkMessage, ListPart};

    use super::NameList;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn lists_fit_into_records_and_lose_nobody(count in 0_usize..6_000, width in 5_usize..33, own in 0_usize..6_000) {
            let name = |n| format!("{n:0width$}").parse::<UserName>().unwrap();
            let mut names: OrdSet<UserName> = (0..count).map(name).collect();
            let mut records: Vec<_> = NameList::whole(names.clone(), name(own))
                .map(|record| {
                    let mut bytes = Vec::new();
                    record.encode(&mut bytes);
                    assert!(bytes.len() <= MAX_LINK_PLAINTEXT_BYTES);
                    let LinkMessage::AvailableUsers { part, names } = record else { panic!("{record:?}") };
                    (part, names)
                })
                .collect();
            names.remove(&name(own));
            let all: OrdSet<UserName> = records.iter().flat_map(|(_, names)| names).cloned().collect();
            prop_assert_eq!(all, names);
            prop_assert_eq!(records.pop().map(|(part, _)| part), Some(ListPart::Last));
            prop_assert!(records.iter().all(|(part, names)| *part == ListPart::More && !names.is_empty()));
        }
    }

    #[test]
    fn changes_of_nobody_else_are_none() {
        let own: UserName = "alice".parse().unwrap();
        let only = OrdSet::unit(own.clone());
        assert!(NameList::changes(&only, own.clone(), ListPart::Came).is_none());
        assert!(NameList::changes(&OrdSet::new(), own, ListPart::Went).is_none());
        let other = "bob".parse().unwrap();
        assert_eq!(NameList::changes(&only, other, ListPart::Went).map(Iterator::count), Some(1));
    }
}
