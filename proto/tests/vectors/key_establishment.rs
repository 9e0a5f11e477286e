//! M1–M3 and the first records under their keys (PROTOCOL.md §7, §8).

use secchat_proto::crypto::kdf::{expand, extract};
use secchat_proto::crypto::kem::{EphemeralKey, Suite, Suites};
use secchat_proto::crypto::secret::Secret;
use secchat_proto::handshake::ChatContext;
use secchat_proto::handshake::initiator::{Established, Held, send_m1};
use secchat_proto::handshake::responder::read_m1;
use secchat_proto::record::{DirectionKeys, Session, Speaker};
use secchat_proto::request::Proposal;
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::chat_record::{ChatMessage, EndReason};
use secchat_proto::wire::key_establishment::{M2, M3};
use secchat_proto::wire::request::{RequestToTalk, Terms};

use crate::people::Person;
use crate::vector_file::{ListedEntropy, VectorFile, bytes_of};

const ABOUT: &str = "PROTOCOL.md §7: M1-M3 between alice (A, who asked) and bob (B), suite 2, with every intermediate value;
first a chat's first handshake (fresh = 1), then another one of the same chat (fresh = 0, root mixed in).
entropy_A is nonce_sender[16]; entropy_B nonce_receiver[16], ML-KEM d | z [64], X25519 scalar [32];
entropy_A_seal ML-KEM m [32], X25519 scalar [32]. `th_m2` and `th_m3` are what M2 and M3 sign (after the
label and a zero byte), `salt` is TH(CTX, M1, M2, M3), `k` the secret of the suite, `root_in` what is mixed in.
The records are alice's and bob's first ones under the keys, in the order in which they are sent, as in §8.";

pub(crate) const GRANTED: Terms = Terms { until: 1_850_000_000, history_days: 7 };

struct Run {
    context: Vec<u8>,
    messages: [Vec<u8>; 3],
    entropy_b: Vec<u8>,
    alice: Established,
    bob: Established,
}

#[test]
fn key_establishment() {
    let mut file = VectorFile::new("key_establishment", ABOUT);
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    file.begin("context");
    alice.write(&mut file, "A");
    bob.write(&mut file, "B");
    file.bytes("rtt", context().request.encode()).bytes("ctx", context().encode());

    let first = run("first", None);
    let root = first.alice.new_root.clone().unwrap();
    write_run(&mut file, "first handshake", "first", &first, None);
    write_conversation(&mut file, "first", first.alice.session, first.bob.session);

    let again = run("again", Some(&root));
    assert!(again.alice.new_root.is_none() && again.bob.new_root.is_none());
    write_run(&mut file, "handshake of a chat that has its root", "again", &again, Some(&root));
    write_refused(&mut file, &first.messages);
    write_judged_m2(&mut file, &first.messages);
    write_judged_m3(&mut file, &first.messages);
    file.check();
}

/// Well-formed messages that their reader refuses for what they say.
fn write_judged_m2(file: &mut VectorFile, [m1, m2, _]: &[Vec<u8>; 3]) {
    file.comment("");
    file.comment("Well-formed, in the place of those of the first handshake, and refused for what they say (`judged`):");
    file.comment(
        "a stray is dropped, anything else drops the handshake. `now` and `until_before` as A has them.",
    );
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let good = M2::decode(m2).unwrap();
    let signed = |m2: M2| {
        let hash = transcript_hash(&[&context().encode(), m1, &m2.encode_unsigned()]);
        M2 { signature: bob.key.sign("secchat 1 M2", &hash).unwrap(), ..m2 }
    };
    let with = |terms: Terms| signed(M2 { terms, ..good.clone() });
    let asked = context().request.terms;
    let held = |unix_now| Held { unix_now, ..Held::default() };
    let m2_cases = [
        ("M2 whose signature is another's", M2 { signature: with(asked).signature, ..good.clone() }, held(0)),
        ("M2 for another M1", signed(M2 { nonce_sender: [7; 16], ..good.clone() }), held(0)),
        ("M2 with a later until than asked", with(Terms { until: asked.until + 1, ..GRANTED }), held(0)),
        (
            "M2 with more history than asked",
            with(Terms { history_days: asked.history_days + 1, ..GRANTED }),
            held(0),
        ),
        ("M2 with an until that has come", good.clone(), held(GRANTED.until)),
        ("M2 with another grant than before", good.clone(), Held { granted: Some(asked), ..held(0) }),
        ("M2 that goes on where A holds no root", signed(M2 { fresh: false, ..good.clone() }), held(0)),
        ("M2 that is fresh where the chat was open", good.clone(), Held { has_opened: true, ..held(0) }),
        (
            "M2 with a key of no suite's length",
            signed(M2 { ephemeral_key: vec![1; 31], ..good.clone() }),
            held(0),
        ),
    ];
    for (case, m2, held) in m2_cases {
        let mut listed = ListedEntropy(entropy("first", "entropy_A", 16));
        let (expect_m2, _) = send_m1(&context(), &Suites::for_peers(), &mut listed).unwrap();
        let mut listed = ListedEntropy(entropy("first", "entropy_A_seal", 64));
        let (now, granted, opened) = (held.unix_now, held.granted, held.has_opened);
        let error = expect_m2.read_m2(&m2.encode(), &alice.key, held, &mut listed).err();
        let error = error.unwrap_or_else(|| panic!("{case} is taken"));
        file.begin(case).text("message", "M2").bytes("bytes", m2.encode()).number("now", now);
        file.number("until_before", granted.map_or(0, |granted| granted.until));
        file.number("was_open", opened.into()).text("judged", &error.to_string());
    }
}

fn write_judged_m3(file: &mut VectorFile, [m1, m2, m3]: &[Vec<u8>; 3]) {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let good = M3::decode(m3).unwrap();
    let signed = |m3: M3| {
        let hash = transcript_hash(&[&context().encode(), m1, m2, &m3.encode_unsigned()]);
        M3 { signature: alice.key.sign("secchat 1 M3", &hash).unwrap(), ..m3 }
    };
    let mut sealed = good.sealed.clone();
    sealed[..1088].rotate_left(1);
    sealed[1088..].fill(0);
    let m3_cases = [
        ("M3 whose signature is another's", M3 { sealed: sealed.clone(), ..good.clone() }),
        ("M3 for another M2", signed(M3 { nonce_receiver: [7; 16], ..good.clone() })),
        ("M3 whose X25519 part gives zeros", signed(M3 { sealed, ..good.clone() })),
        ("M3 with an envelope of no suite's length", signed(M3 { sealed: vec![1; 31], ..good })),
    ];
    for (case, m3) in m3_cases {
        let m1_read = read_m1(&context(), m1, &Suites::for_peers()).unwrap();
        let mut listed = ListedEntropy(entropy("first", "entropy_B", 16 + 64 + 32));
        let (expect_m3, _) = m1_read.send_m2(&bob.key, (GRANTED, None), None, &mut listed).unwrap();
        let error = expect_m3.read_m3(&m3.encode()).err().unwrap_or_else(|| panic!("{case} is taken"));
        file.begin(case).text("message", "M3").bytes("bytes", m3.encode()).text("judged", &error.to_string());
    }
}

/// Bytes that are refused wherever they come; a signature is not even looked at.
fn write_refused(file: &mut VectorFile, [m1, m2, m3]: &[Vec<u8>; 3]) {
    file.comment("");
    file.comment("What ends the handshake. `message` says which one it would be.");
    let mut refuse = |case: &str, message: &str, bytes: Vec<u8>| {
        let error = match message {
            "M1" => read_m1(&context(), &bytes, &Suites::for_peers()).err(),
            "M2" => {
                let mut listed = ListedEntropy(entropy("first", "entropy_A", 16));
                let (expect_m2, _) = send_m1(&context(), &Suites::for_peers(), &mut listed).unwrap();
                let alice = Person::new("alice");
                let mut listed = ListedEntropy(entropy("first", "entropy_A_seal", 64));
                expect_m2.read_m2(&bytes, &alice.key, Held::default(), &mut listed).err()
            }
            _ => M3::decode(&bytes).err(),
        };
        let error = error.unwrap_or_else(|| panic!("{case} is taken"));
        file.begin(case).text("message", message).bytes("bytes", &bytes).text("refused", &error.to_string());
    };
    let changed = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        bytes
    };
    for (message, bytes) in [("M1", m1), ("M2", m2), ("M3", m3)] {
        refuse(&format!("{message} without its last byte"), message, bytes[..bytes.len() - 1].to_vec());
        refuse(&format!("{message} cut within its first field"), message, bytes[..15].to_vec());
        refuse(&format!("{message} with a byte too many"), message, [&bytes[..], &[0]].concat());
    }
    let suites_at = m1.len() - 1;
    refuse("M1 with suite 3 only", "M1", changed(m1, suites_at, 3));
    refuse("M1 with suite 1 where it is not permitted", "M1", changed(m1, suites_at, 1));
    refuse("M1 with no suite", "M1", changed(&m1[..suites_at], suites_at - 1, 0));
    refuse("M1 with a suite twice", "M1", [&changed(m1, suites_at - 1, 2)[..], &[2]].concat());
    refuse("M2 with suite 3", "M2", changed(m2, 16, 3));
    refuse("M2 with suite 1, which M1 did not offer", "M2", changed(m2, 16, 1));
}

pub(crate) fn context() -> ChatContext {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let terms = Terms { until: 1_900_000_000, history_days: 30 };
    let proposal = Proposal { issued: 1_800_000_000, expires: 1_800_003_600, terms };
    let mut entropy = ListedEntropy(bytes_of("secchat test chat id", 16));
    let request = RequestToTalk::make(&alice.name, &alice.key, &bob.name, proposal, &mut entropy).unwrap();
    ChatContext {
        initiator: (alice.name, alice.key.public_key().clone()),
        responder: (bob.name, bob.key.public_key().clone()),
        request,
    }
}

fn entropy(run: &str, whose: &str, length: usize) -> Vec<u8> {
    bytes_of(&format!("secchat test {whose} {run}"), length)
}

fn run(run: &str, root: Option<&Secret<32>>) -> Run {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let entropy_b = entropy(run, "entropy_B", 16 + 64 + 32);
    let mut listed_a = ListedEntropy(entropy(run, "entropy_A", 16));
    let (expect_m2, m1) = send_m1(&context(), &Suites::for_peers(), &mut listed_a).unwrap();
    let m1_read = read_m1(&context(), &m1, &Suites::for_peers()).unwrap();
    let mut listed_b = ListedEntropy(entropy_b.clone());
    let (expect_m3, m2) = m1_read.send_m2(&bob.key, (GRANTED, root), None, &mut listed_b).unwrap();
    let granted = root.map(|_| GRANTED);
    let held = Held { root, granted, has_opened: root.is_some(), unix_now: 0 };
    let mut listed_seal = ListedEntropy(entropy(run, "entropy_A_seal", 64));
    let (alice, m3) = expect_m2.read_m2(&m2, &alice.key, held, &mut listed_seal).unwrap();
    let bob = expect_m3.read_m3(&m3).unwrap();
    Run { context: context().encode(), messages: [m1, m2, m3], entropy_b, alice, bob }
}

fn write_run(file: &mut VectorFile, case: &str, seeds: &str, run: &Run, root: Option<&Secret<32>>) {
    let [m1, m2, m3] = &run.messages;
    let (m2_read, m3_read) = (M2::decode(m2).unwrap(), M3::decode(m3).unwrap());
    let m2_hash = transcript_hash(&[&run.context, m1, &m2_read.encode_unsigned()]);
    let m3_hash = transcript_hash(&[&run.context, m1, m2, &m3_read.encode_unsigned()]);
    file.begin(case).bytes("entropy_A", entropy(seeds, "entropy_A", 16)).bytes("m1", m1);
    file.bytes("entropy_B", &run.entropy_b).bytes("e", &m2_read.ephemeral_key);
    file.number("until", GRANTED.until).number("history", GRANTED.history_days.into());
    file.number("fresh", m2_read.fresh.into()).bytes("m2_without_signature", m2_read.encode_unsigned());
    file.text("m2_label", "secchat 1 M2").bytes("th_m2", m2_hash);
    file.bytes("m2_signature", &m2_read.signature).bytes("m2", m2);
    file.bytes("entropy_A_seal", entropy(seeds, "entropy_A_seal", 64)).bytes("c", &m3_read.sealed);
    file.bytes("m3_without_signature", m3_read.encode_unsigned());
    file.text("m3_label", "secchat 1 M3").bytes("th_m3", m3_hash);
    file.bytes("m3_signature", &m3_read.signature).bytes("m3", m3);
    write_keys(file, run, &m3_read, root);
}

/// What both derive, from public functions only; the sessions themselves are compared by their records.
fn write_keys(file: &mut VectorFile, run: &Run, m3: &M3, root: Option<&Secret<32>>) {
    let mut listed = ListedEntropy(run.entropy_b[16..].to_vec());
    let ephemeral = EphemeralKey::make(Suite::X25519MlKem768, None, &mut listed).unwrap();
    let shared = ephemeral.open(&m3.sealed).unwrap();
    let [m1, m2, m3] = &run.messages;
    let salt = transcript_hash(&[&run.context, m1, m2, m3]);
    let root_in = root.map_or([0; 32], |root| *root.expose());
    let prk = extract(&salt, &[&root_in, shared.expose()]).unwrap();
    file.bytes("k", shared.expose()).bytes("salt", salt).bytes("root_in", root_in).bytes("prk", prk.expose());
    if let Some(new_root) = &run.alice.new_root {
        let derived: Secret<32> = expand(&prk, "secchat 1 chat root").unwrap();
        assert_eq!(derived.expose(), new_root.expose());
        file.bytes("new_root", new_root.expose());
    }
    for (whose, speaker) in [("sender", Speaker::Initiator), ("receiver", Speaker::Responder)] {
        let keys = DirectionKeys::derive(&prk, speaker).unwrap();
        file.bytes(&format!("{whose}_chain"), keys.chain.expose());
        file.bytes(&format!("{whose}_start"), keys.start);
    }
}

fn write_conversation(file: &mut VectorFile, run: &str, mut alice: Session, mut bob: Session) {
    let text = |id, text: &str| ChatMessage::Text { id, text: text.to_owned() };
    let conversation = [
        ("alice", "State", ChatMessage::State { sent: 0, held: 0 }),
        ("bob", "State", ChatMessage::State { sent: 0, held: 0 }),
        ("alice", "Text", text(1, "Hello, Bob!")),
        ("bob", "Delivered", ChatMessage::Delivered { id: 1 }),
        ("bob", "Text", text(1, "Hello, Alice. A text of more than 53 bytes takes 256 of them.")),
        ("alice", "Delivered", ChatMessage::Delivered { id: 1 }),
        ("bob", "End, the person", ChatMessage::End { id: 1, reason: EndReason::Person }),
        ("alice", "End, the answer", ChatMessage::End { id: 1, reason: EndReason::Answer }),
    ];
    for (number, (whose, what, message)) in conversation.into_iter().enumerate() {
        let plaintext = message.encode().unwrap();
        let (from, to) = if whose == "alice" { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        let (mut record, mut opened) = (Vec::new(), Vec::new());
        from.sealer.seal(&plaintext, &mut record).unwrap();
        to.opener.open(&record, &mut opened).unwrap();
        assert_eq!(opened, *plaintext);
        file.begin(&format!("{run} handshake, record {}: {what}", number + 1)).text("from", whose);
        file.bytes("plaintext", &*plaintext).bytes("record", &record);
    }
}
