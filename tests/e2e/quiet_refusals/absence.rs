//! Hidden, offline and unknown, on a real relay: what comes back for a request, and how long it takes on loopback.

use std::time::{Duration, Instant};

use openssl::pkey::PKey;
use secchat_e2e::{Pki, TestRelay, WireClient, unix_now, within};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::{Entropy, OsEntropy};
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::request::Proposal;
use secchat_proto::wire::link::{BadReason, LinkMessage};
use secchat_proto::wire::login::Role;
use secchat_proto::wire::request::{RequestToTalk, Terms};

use super::{TRIALS, bound, distance};

const KINDS: [&str; 3] = ["hidden", "absent", "nobody"];

/// Three of each kind, so that none has its place in an ordered map to itself.
const NAMES: [[&str; 3]; 3] = [["a1", "b2", "c3"], ["a2", "b3", "c1"], ["a3", "b1", "c2"]];

/// No limit of the relay's is in the way.
const NO_LIMITS: &str = "[limits]\nlogins_per_second_per_address = 100\ncontrol_per_second = 1000000\n\
    control_burst = 1000000\nrtts_per_minute = 10000000\nrtt_burst = 1000000\n\
    rtts_per_pair_per_minute = 10000000\nrtt_pair_burst = 1000000\nrtts_per_minute_in_all = 10000000\n";

#[tokio::test]
async fn hidden_offline_and_unknown_look_alike_in_messages_sizes_and_times() {
    let pki = Pki::new();
    pki.write_config(NO_LIMITS);
    let names = NAMES[0].iter().chain(&NAMES[1]).chain(&["asking"]);
    let keys: Vec<_> = names.map(|name| (*name, PKey::generate_ed25519().unwrap())).collect();
    pki.write_user_list(keys.iter().map(|(name, key)| (*name, key)));
    let relay = TestRelay::start(&pki).await;
    let ca = pki.ca.pem();
    let login = |at: usize| WireClient::login(relay.address, &ca, (keys[at].0, &keys[at].1));
    let mut hidden = Vec::new();
    for at in 0..3 {
        let mut client = login(at).await.unwrap();
        client.says.say(&LinkMessage::Presence { role: Role::Sender }).await;
        client.is_undisturbed().await;
        hidden.push(client);
    }
    let key = SigningKey::from_pkey(keys[6].1.clone()).unwrap();
    let mut asker = Asker { client: login(6).await.unwrap(), key, slow: None };

    for _ in 0..200 {
        asker.ask_each().await;
    }
    let times = asker.sample(TRIALS).await;
    let typical = median(&times[0]);
    let bound_of_all = bound(TRIALS, TRIALS);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let (found, kinds) = (distance(&times[a], &times[b]), (KINDS[a], KINDS[b]));
        let medians = [a, b].map(|at| median(&times[at]) * 1e6);
        println!("{kinds:?}: {medians:.1?} µs, distance {found:.4}, bound {bound_of_all:.4}");
        assert!(found < bound_of_all, "{kinds:?} differ by {found}");
    }
    for client in &mut hidden {
        client.is_undisturbed().await;
    }

    // A relay that takes longer for a name that it does not know: found.
    asker.slow = Some((2, Duration::from_secs_f64(typical)));
    let times = asker.sample(TRIALS / 5).await;
    let found = distance(&times[0], &times[2]);
    let bound = bound(times[0].len(), times[2].len());
    println!("a leak of {:.0} µs: distance {found:.4}, bound {bound:.4}", typical * 1e6);
    assert!(found > bound, "a leak is not found: {found}");
}

struct Asker {
    client: WireClient,
    key: SigningKey,
    /// Whose answer is held up, and for how long: the leak.
    slow: Option<(usize, Duration)>,
}

impl Asker {
    /// Seconds from request to answer, for each name. The order is another one each time.
    async fn sample(&mut self, trials: usize) -> [Vec<f64>; 3] {
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..trials {
            for (at, seconds) in self.ask_each().await {
                times[at].push(seconds);
            }
        }
        times
    }

    async fn ask_each(&mut self) -> Vec<(usize, f64)> {
        let mut bytes = [0; 2];
        OsEntropy.fill(&mut bytes).unwrap();
        let [order, row] = bytes.map(usize::from);
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let mut answers = Vec::new();
        for at in orders[order % 6] {
            answers.push((at, self.ask(at, NAMES[at][row % 3]).await));
        }
        answers
    }

    /// Asks, and insists on the one message that comes back: of which kind, for what, and nothing behind it.
    async fn ask(&mut self, at: usize, name: &str) -> f64 {
        let name: UserName = name.parse().unwrap();
        let proposal = Proposal { issued: unix_now(), expires: unix_now() + 60, terms: Terms::UNLIMITED };
        let request =
            RequestToTalk::make(&self.client.name, &self.key, &name, proposal, &mut OsEntropy).unwrap();
        let chat_id = request.chat_id;
        let message = LinkMessage::Rtt { name: name.clone(), request: request.encode() };
        let asked = Instant::now();
        self.client.says.say(&message).await;
        let answer = within("an answer", self.client.hears.next()).await.unwrap();
        if let Some((_, time)) = self.slow.filter(|(slow, _)| *slow == at) {
            while asked.elapsed() < time * 2 {}
        }
        let seconds = asked.elapsed().as_secs_f64();
        let LinkMessage::BadResponse { reason, name: about, chat_id: of } = &answer else {
            panic!("{answer:?}")
        };
        let expected = BadReason::NotAvailable;
        assert_eq!((*reason, about, *of), (expected, &name, chat_id));
        self.client.says.say(&LinkMessage::Acknowledgment { name, chat_id }).await;
        self.client.is_undisturbed().await;
        seconds
    }
}

fn median(sample: &[f64]) -> f64 {
    let mut sample = sample.to_vec();
    sample.sort_unstable_by(f64::total_cmp);
    sample[sample.len() / 2]
}
