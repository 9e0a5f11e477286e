//! What a login over suite 2 costs the relay, against the sum of its primitives, in one run on one thread.
//!
//! `cargo run --release -p secchat-proto --example login_cost`. The bound is 1.5 (docs/PERFORMANCE.md). The certificate
//! here is 600 bytes of nothing and the CRL 300: the relay reads neither.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use libcrux_ml_kem::mlkem768;
use openssl::derive::Deriver;
use openssl::pkey::{Id, PKey};
use openssl::sha::sha256;
use openssl::sign::{Signer, Verifier};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::{Entropy, OsEntropy};
use secchat_proto::crypto::kdf::{expand, extract};
use secchat_proto::crypto::kem::{EphemeralKey, Suite, Suites};
use secchat_proto::crypto::secret::Secret;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::relay::{ExpectS2, send_s1};
use secchat_proto::handshake::throw_away::ThrowAwayKeys;
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::login::{Role, S2};

/// Rounds of every part in turn, so that a change of clock speed meets all alike. The least disturbed one counts.
const ROUNDS: usize = 400;
/// Repetitions of a part in a round: some milliseconds, which a busy machine too now and then leaves alone.
const REPETITIONS: u32 = 10;
const MESSAGE_BYTES: usize = 45;
/// What the transcript hashes hash: S1 once, S2 and S3 twice each.
const HASHED_BYTES: usize = 930 + 2 * 1_360 + 2 * 1_210;

type Part = (&'static str, Box<dyn FnMut() -> Result<(), Box<dyn Error>>>);

fn main() -> Result<(), Box<dyn Error>> {
    let mut parts = primitives()?;
    let relay = Relay::new()?;
    let mut costs = vec![Vec::new(); parts.len()];
    let mut logins = Vec::new();
    for _ in 0..ROUNDS {
        for ((_, part), costs) in parts.iter_mut().zip(&mut costs) {
            let begin = now();
            for _ in 0..REPETITIONS {
                part()?;
            }
            costs.push(begin.elapsed() / REPETITIONS);
        }
        logins.push(relay.log_in()?);
    }
    let mut sum = Duration::ZERO;
    for ((name, _), costs) in parts.iter().zip(costs) {
        let cost = least(&costs);
        sum += cost;
        report(name, cost);
    }
    let login = least(&logins);
    report("sum of the primitives", sum);
    report("read_s2 and authenticate", login);
    say(&format!("ratio: {:.2}", login.as_secs_f64() / sum.as_secs_f64()));
    Ok(())
}

/// The primitives, through OpenSSL and libcrux themselves where we do not pass them on as they are.
fn primitives() -> Result<Vec<Part>, Box<dyn Error>> {
    let mut parts = signatures()?;
    parts.extend(key_agreement()?);
    let prk = extract(&[1; 32], &[&[2; 64]])?;
    parts.push(part("HKDF: one Extract, four Expands", move || {
        black_box(extract(&[1; 32], &[&[2; 64]])?);
        for label in ["client chain", "client counter", "relay chain", "relay counter"] {
            black_box::<Secret<32>>(expand(&prk, label)?);
        }
        Ok(())
    }));
    parts.push(part("SHA-256 of what is hashed", || {
        black_box(sha256(&[5; HASHED_BYTES]));
        Ok(())
    }));
    parts.push(part("entropy, 64 bytes", || Ok(OsEntropy.fill(black_box(&mut [0; 64]))?)));
    Ok(parts)
}

fn signatures() -> Result<Vec<Part>, Box<dyn Error>> {
    let key = PKey::generate_ed25519()?;
    let public = PKey::public_key_from_raw_bytes(&key.raw_public_key()?, Id::ED25519)?;
    let signature = Signer::new_without_digest(&key)?.sign_oneshot_to_vec(&[1; MESSAGE_BYTES])?;
    Ok(vec![
        part("Ed25519 verification", move || {
            black_box(
                Verifier::new_without_digest(&public)?.verify_oneshot(&signature, &[1; MESSAGE_BYTES])?,
            );
            Ok(())
        }),
        part("Ed25519 signature", move || {
            black_box(Signer::new_without_digest(&key)?.sign_oneshot_to_vec(&[1; MESSAGE_BYTES])?);
            Ok(())
        }),
    ])
}

fn key_agreement() -> Result<Vec<Part>, Box<dyn Error>> {
    let (_, mlkem_public) = mlkem768::generate_key_pair([1; 64]).into_parts();
    let validated = mlkem_public.clone();
    let (own, peer) = (PKey::generate_x25519()?, PKey::generate_x25519()?.raw_public_key()?);
    Ok(vec![
        part("ML-KEM-768 modulus check", move || {
            black_box(mlkem768::validate_public_key(&validated));
            Ok(())
        }),
        part("ML-KEM-768 encapsulation", move || {
            black_box(mlkem768::encapsulate(&mlkem_public, [3; 32]));
            Ok(())
        }),
        part("X25519 key", || {
            black_box(PKey::private_key_from_raw_bytes(&[4; 32], Id::X25519)?.raw_public_key()?);
            Ok(())
        }),
        part("X25519 derivation", move || {
            let peer = PKey::public_key_from_raw_bytes(&peer, Id::X25519)?;
            let mut deriver = Deriver::new(&own)?;
            deriver.set_peer_ex(&peer, false)?;
            black_box(deriver.derive_to_vec()?);
            Ok(())
        }),
    ])
}

fn part(name: &'static str, run: impl FnMut() -> Result<(), Box<dyn Error>> + 'static) -> Part {
    (name, Box::new(run))
}

/// A relay with one user, and a client that answers it.
struct Relay {
    certificate_key: SigningKey,
    alice: SigningKey,
    name: UserName,
    throw_away: ThrowAwayKeys,
}

impl Relay {
    fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            certificate_key: SigningKey::generate_ed25519(&mut OsEntropy)?,
            alice: SigningKey::generate_ed25519(&mut OsEntropy)?,
            name: "alice".parse()?,
            throw_away: ThrowAwayKeys::make(&mut OsEntropy)?,
        })
    }

    /// The time that the relay's part takes of one login.
    fn log_in(&self) -> Result<Duration, Box<dyn Error>> {
        let claims = (0..REPETITIONS).map(|_| self.s2()).collect::<Result<Vec<_>, _>>()?;
        let begin = now();
        for (expect_s2, s2) in claims {
            let claim = expect_s2.read_s2(&s2, 0)?;
            let alice = Some(self.alice.public_key());
            black_box(claim.authenticate(alice, &self.certificate_key, &self.throw_away, &mut OsEntropy)?);
        }
        Ok(begin.elapsed() / REPETITIONS)
    }

    fn s2(&self) -> Result<(ExpectS2, Vec<u8>), Box<dyn Error>> {
        let (expect_s2, s1) = send_s1(&Suites::for_link(), &[0; 600], &[0; 300], &mut OsEntropy)?;
        let ephemeral = EphemeralKey::make(Suite::X25519MlKem768, None, &mut OsEntropy)?;
        let nonce_relay = *s1.get(8..).and_then(|rest| rest.first_chunk()).ok_or("S1 is too short")?;
        let mut s2 = S2 {
            role: Role::Receiver,
            nonce_relay,
            suite: Suite::X25519MlKem768,
            ephemeral_key: ephemeral.public_key().to_vec(),
            nonce_user: [6; 16],
            user_name: self.name.clone(),
            delegation: None,
            signature: Vec::new(),
        };
        let signed = transcript_hash(&[&s1, &s2.encode_unsigned()]);
        s2.signature = self.alice.sign("secchat 1 S2", &signed)?;
        Ok((expect_s2, s2.encode()))
    }
}

/// Of the round that other programs disturbed least: the nearest to processor time that a clock shows.
fn least(costs: &[Duration]) -> Duration {
    costs.iter().min().copied().unwrap_or_default()
}

fn report(what: &str, cost: Duration) {
    say(&format!("{what:<34}{:>9.1} µs", cost.as_secs_f64() * 1e6));
}

#[expect(clippy::print_stdout, reason = "the program's only purpose")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}
