//! What metrics cost: the relay's processor time for each record that it forwards, with metrics that are read every
//! second, and without, in turn.

use std::time::{Duration, Instant};

use openssl::pkey::PKey;
use secchat_e2e::forwarding::Gauge;
use secchat_e2e::{Pki, Process, TestRelay, WireClient, public_key_base64};
use secchat_proto::wire::link::{ChatId, LinkMessage};

const ROUNDS: usize = 9;
const TIME: Duration = Duration::from_secs(4);
/// Records that each end sends before it reads the other's: they fit into the pair's queue.
const AT_ONCE: usize = 32;
/// A short text's record.
const RECORD_BYTES: usize = 300;

/// A relay and a pair on it.
struct Setting {
    relay: TestRelay,
    _pki: Pki,
    gauge: Option<Gauge>,
    ends: [WireClient; 2],
    chat_id: ChatId,
}

/// Measures it.
pub async fn run() {
    let (mut with, mut without) = (setting(true).await, setting(false).await);
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Each is first as often as the other.
        if round % 2 == 0 {
            on.push(with.round().await);
            off.push(without.round().await);
        } else {
            off.push(without.round().await);
            on.push(with.round().await);
        }
    }
    let mut ratios: Vec<f64> = on.iter().zip(&off).map(|(on, off)| 100.0 * (on / off - 1.0)).collect();
    let [on, off, ratio] = [&mut on, &mut off, &mut ratios].map(|values| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    });
    println!("| what | measured |\n|---|---|");
    println!(
        "| a record forwarded, relay's processor time: metrics off; on and read every second | {off:.2}; {on:.2} µs |"
    );
    println!(
        "| on against off, median of {ROUNDS} rounds in turn (all of them) | {ratio:+.1} % ({:+.1} to {:+.1} %) |",
        ratios[0],
        ratios[ROUNDS - 1]
    );
    println!("| reading them once, relay's processor time | {:.0} µs |", with.reading().await);
}

async fn setting(has_metrics: bool) -> Setting {
    let (pki, gauge) = (Pki::new(), has_metrics.then(Gauge::new));
    pki.write_config(&format!("{}log = \"warn\"\n", gauge.map(|gauge| gauge.config()).unwrap_or_default()));
    let key = PKey::generate_ed25519().expect("a key");
    let line = public_key_base64(&key);
    std::fs::write(pki.path("user_list"), format!("alice {line}\nbob {line}\n")).expect("the list");
    let relay = TestRelay::start(&pki).await;
    let login =
        async |name| WireClient::login(relay.address, &pki.ca.pem(), (name, &key)).await.expect("a login");
    let (mut alice, mut bob) = (login("alice").await, login("bob").await);
    let chat_id = alice.pair_with(&mut bob).await;
    Setting { relay, _pki: pki, gauge, ends: [alice, bob], chat_id }
}

impl Setting {
    /// Microseconds for a record.
    async fn round(&mut self) -> f64 {
        let gauge = self.gauge;
        let reading = tokio::spawn(async move {
            let mut every = tokio::time::interval(Duration::from_secs(1));
            while let Some(gauge) = gauge {
                every.tick().await;
                gauge.read().await;
            }
        });
        let (began, before) = (Instant::now(), microseconds(self.relay.process()));
        let mut records = 0;
        while began.elapsed() < TIME {
            records += self.exchange().await;
        }
        let spent = microseconds(self.relay.process()) - before;
        reading.abort();
        spent / f64::from(u32::try_from(records).expect("few"))
    }

    async fn exchange(&mut self) -> usize {
        let message = LinkMessage::Chat { chat_id: self.chat_id, record: vec![7; RECORD_BYTES] };
        for end in &mut self.ends {
            for _ in 0..AT_ONCE {
                end.says.say(&message).await;
            }
        }
        for end in &mut self.ends {
            for _ in 0..AT_ONCE {
                let heard = end.hears.next().await;
                assert_eq!(heard.as_ref(), Some(&message));
            }
        }
        2 * AT_ONCE
    }

    /// Microseconds for an answer to Prometheus.
    async fn reading(&self) -> f64 {
        const READINGS: u16 = 200;
        let gauge = self.gauge.expect("metrics");
        let before = microseconds(self.relay.process());
        for _ in 0..READINGS {
            gauge.read().await;
        }
        (microseconds(self.relay.process()) - before) / f64::from(READINGS)
    }
}

/// The processor time of all threads so far.
fn microseconds(process: &Process) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{}/task", process.pid())).expect("a running process");
    let nanoseconds = threads.filter_map(|thread| {
        let spent = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        spent.split(' ').next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1_000.0
}
