//! People and their relay, for some rounds.

use std::collections::BTreeSet;

use openssl::pkey::PKey;
use secchat_e2e::{CtlOutput, Pki, Random, TestRelay};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::faults::Fault;
use crate::ledger::{Count, Ledger, Way};
use crate::person::Person;
use crate::talk::Burst;

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dora", "emil"];

/// People and their relay.
pub struct Company {
    pub pki: Pki,
    pub relay: Option<TestRelay>,
    pub people: Vec<Person>,
    pub random: Random,
    pub kills: watch::Sender<u64>,
    /// Who may ask whom without a question, by their places.
    consents: BTreeSet<(usize, usize)>,
    ledger: Ledger,
    /// What goes on, for who reads of a failure.
    now: String,
}

impl Drop for Company {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let past: String = self.people.iter().map(Person::past).collect();
            eprintln!("FAILED: {}\n{}{past}", self.now, self.ledger);
        }
    }
}

impl Company {
    /// Two to five people, of whom everybody talks to everybody.
    pub async fn gather(random: &mut Random) -> Self {
        let mut random = random.fork();
        let pki = Pki::new();
        pki.write_config("[limits]\nrtts_per_pair_per_minute = 600\nlogins_per_second_per_address = 1000\n");
        let names = &NAMES[..2 + random.index(4)];
        let keys: Vec<_> = names.iter().map(|_| PKey::generate_ed25519().expect("key")).collect();
        pki.write_user_list(names.iter().copied().zip(&keys));
        let relay = TestRelay::start(&pki).await;
        let mut people = Vec::new();
        for (name, key) in names.iter().zip(&keys) {
            people.push(Person::arrive(name, key, &pki, relay.address).await);
        }
        let (kills, consents, ledger) = (watch::Sender::new(0), BTreeSet::new(), Ledger::default());
        let (relay, now) = (Some(relay), "people gather".to_owned());
        let mut company = Self { pki, relay, people, random, kills, consents, ledger, now };
        for (asker, asked) in company.pairs() {
            company.open(asker, asked).await;
        }
        company
    }

    /// Some talk, something breaks and is mended; then everything that was promised is there.
    pub async fn round(&mut self, round: &str) {
        round.clone_into(&mut self.now);
        if self.random.chance(15) {
            let pairs = self.pairs();
            let (asker, asked) = self.random.pick(&pairs);
            self.talk_anew(asker, asked).await;
        }
        let fault = Fault::draw(&mut self.random, self.people.len());
        self.now = format!("{round}, {fault:?}");
        self.people.iter_mut().for_each(Person::hear);
        let mut talking = JoinSet::new();
        for burst in self.bursts() {
            talking.spawn(burst.say(self.kills.subscribe()));
        }
        let (silence, mut is_silent) = watch::channel(false);
        let told = tokio::spawn(async move {
            let told = talking.join_all().await;
            silence.send_replace(true);
            told
        });
        fault.happen(self, &mut is_silent).await;
        for person in &self.people {
            person.mend().await;
        }
        for (way, fates) in told.await.expect("people who talk") {
            for (number, fate) in fates {
                self.ledger.learn(&way, number, fate);
            }
        }
        self.settle().await;
    }

    /// Awaits that nothing is on its way, reads everything, and compares.
    async fn settle(&mut self) {
        for person in &self.people {
            person.is_quiet(self.people.len() - 1).await;
        }
        for person in &mut self.people {
            let read = person.read().await;
            for (from, text) in &read {
                let number = text.split(' ').next().and_then(|number| number.parse().ok());
                self.ledger.arrived(&(from.clone(), person.name().clone()), number.expect("a numbered text"));
            }
            person.has_heard(&read).await;
        }
        let count = self.ledger.count();
        assert!(count.is_clean(), "{count}");
    }

    pub fn count(&self) -> Count {
        self.ledger.count()
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let people = 0..self.people.len();
        people.flat_map(|one| (0..one).map(move |other| (other, one))).collect()
    }

    /// Some texts of some people to some others.
    fn bursts(&mut self) -> Vec<Burst> {
        let mut ways = BTreeSet::new();
        for _ in 0..=self.random.index(2 * self.people.len()) {
            let from = self.random.index(self.people.len());
            let to = (from + 1 + self.random.index(self.people.len() - 1)) % self.people.len();
            ways.insert((from, to));
        }
        ways.into_iter().map(|(from, to)| self.burst(from, to)).collect()
    }

    fn burst(&mut self, from: usize, to: usize) -> Burst {
        let (from, to) = (&self.people[from], &self.people[to]);
        let way: Way = (from.name().clone(), to.name().clone());
        let (piped, programs) = (1 + self.random.below(12), self.random.below(3));
        let first = self.ledger.number(&way, piped + programs);
        let mut words = |number: u64| {
            let length = if self.random.chance(10) { 20_000 } else { 100 };
            format!("{number} {}", "x".repeat(self.random.index(length)))
        };
        let piped: Vec<_> = (first..first + piped).map(|number| (number, words(number))).collect();
        let programs = (first + piped.len() as u64..).take(usize::try_from(programs).expect("a few"));
        let programs: Vec<_> = programs.map(|number| (number, words(number))).collect();
        let piped = piped.into_iter().map(|(number, text)| (number, text, self.random.chance(30))).collect();
        let command = |text: String, is_left: bool| {
            let mut command = from.user.home.command("secchatctl");
            command.arg("send").args(is_left.then_some("--queue")).arg(to.name().as_str()).arg(text);
            command
        };
        let programs = programs.into_iter();
        let programs =
            programs.map(|(number, text)| (number, command(text, self.random.chance(50)))).collect();
        Burst { way, socket: from.user.home.socket(), piped, programs }
    }

    /// Closes a chat and opens another one.
    async fn talk_anew(&mut self, asker: usize, asked: usize) {
        if self.people[asker].clock != 0 || self.people[asked].clock != 0 {
            // A request of another time is dropped, as PROTOCOL.md §6 has it.
            return;
        }
        let (asker_, asked_) = (&self.people[asker].user, &self.people[asked].user);
        asker_.ctl(["close", asked_.name.as_str()]).await.ok();
        asked_.frontend().await.until_over_with(&asker_.name).await;
        self.open(asker, asked).await;
    }

    /// Opens a chat: with a question, unless there is a consent.
    async fn open(&mut self, asker: usize, asked: usize) {
        let (asker_, asked_) = (&self.people[asker].user, &self.people[asked].user);
        let mut theirs = asked_.frontend().await;
        let asking = tokio::spawn(asker_.ctl(["rtt", asked_.name.as_str()]));
        if !self.consents.contains(&(asker, asked)) {
            theirs.until_asked_by(&asker_.name).await;
            let mut command = asked_.home.command("secchatctl");
            command.args(["accept", asker_.name.as_str()]);
            if self.random.chance(50) {
                command.args(["--for", "30d"]);
                self.consents.insert((asker, asked));
            }
            CtlOutput::of(command, None).await.ok();
        }
        asking.await.expect("rtt").ok();
        theirs.until_open_with(&asker_.name).await;
    }
}
