//! What was said to whom, what its sender was told of it, and what arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use secchat_ipc::UserName;

/// What the sender of a text knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Delivered, or kept until it is: it arrives.
    Promised,
    /// The sender was told nothing: it may arrive.
    Unknown,
    /// The daemon did not take it: it does not arrive.
    Refused,
}

/// From whom to whom.
pub type Way = (UserName, UserName);

/// All texts of one company.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<Way, Texts>);

/// Texts of one person to another; the first has the number 1.
#[derive(Debug, Default)]
struct Texts {
    fates: Vec<Fate>,
    arrived: Vec<u64>,
}

/// How many there were, and how many of them broke a promise.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Count {
    sent: u64,
    lost: u64,
    twice: u64,
    reordered: u64,
    refused_and_arrived: u64,
}

impl Ledger {
    /// Numbers for so many more texts: the first of them.
    pub fn number(&mut self, way: &Way, texts: u64) -> u64 {
        let fates = &mut self.0.entry(way.clone()).or_default().fates;
        let first = fates.len() as u64 + 1;
        fates.extend((0..texts).map(|_| Fate::Unknown));
        first
    }

    pub fn learn(&mut self, way: &Way, number: u64, fate: Fate) {
        let texts = self.0.get_mut(way).expect("numbered texts");
        texts.fates[usize::try_from(number).expect("a number") - 1] = fate;
    }

    pub fn arrived(&mut self, way: &Way, number: u64) {
        self.0.entry(way.clone()).or_default().arrived.push(number);
    }

    pub fn count(&self) -> Count {
        let mut count = Count::default();
        self.0.values().for_each(|texts| count.add(&texts.count()));
        count
    }
}

impl Texts {
    fn count(&self) -> Count {
        let once: BTreeSet<u64> = self.arrived.iter().copied().collect();
        let of = |fate: Fate| {
            let numbers = 1_u64..;
            numbers.zip(&self.fates).filter(move |(_, it)| **it == fate).map(|(number, _)| number)
        };
        Count {
            sent: self.fates.len() as u64,
            lost: of(Fate::Promised).filter(|number| !once.contains(number)).count() as u64,
            twice: (self.arrived.len() - once.len()) as u64,
            reordered: self.arrived.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64,
            refused_and_arrived: of(Fate::Refused).filter(|number| once.contains(number)).count() as u64,
        }
    }
}

impl Count {
    pub fn add(&mut self, other: &Self) {
        let Self { sent, lost, twice, reordered, refused_and_arrived } = other;
        self.sent += sent;
        self.lost += lost;
        self.twice += twice;
        self.reordered += reordered;
        self.refused_and_arrived += refused_and_arrived;
    }

    pub fn is_clean(&self) -> bool {
        *self == Self { sent: self.sent, ..Self::default() }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, lost, twice, reordered, refused_and_arrived } = self;
        write!(f, "sent={sent} lost={lost} twice={twice} reordered={reordered}")?;
        if *refused_and_arrived > 0 {
            write!(f, " refused_and_arrived={refused_and_arrived}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((from, to), texts) in &self.0 {
            let count = texts.count();
            writeln!(f, "{from} to {to}: {count}")?;
            if !count.is_clean() {
                writeln!(f, "  told: {:?}\n  arrived: {:?}", texts.fates, texts.arrived)?;
            }
        }
        Ok(())
    }
}

#[test]
fn what_is_lost_comes_twice_or_out_of_order_is_counted() {
    use Fate::{Promised, Refused, Unknown};
    let count = |fates: &[Fate], arrived: &[u64]| {
        let texts = Texts { fates: fates.to_vec(), arrived: arrived.to_vec() };
        texts.count().to_string()
    };
    assert_eq!(count(&[Promised, Unknown, Refused], &[1]), "sent=3 lost=0 twice=0 reordered=0");
    assert_eq!(count(&[Promised, Unknown, Promised], &[1, 2, 3]), "sent=3 lost=0 twice=0 reordered=0");
    assert_eq!(count(&[Promised, Unknown], &[2]), "sent=2 lost=1 twice=0 reordered=0");
    assert_eq!(count(&[Promised], &[1, 1]), "sent=1 lost=0 twice=1 reordered=0");
    assert_eq!(count(&[Promised, Unknown], &[2, 1]), "sent=2 lost=0 twice=0 reordered=1");
    assert_eq!(count(&[Refused], &[1]), "sent=1 lost=0 twice=0 reordered=0 refused_and_arrived=1");
}
