//! Requests to talk (PROTOCOL.md §6).

use secchat_proto::request::Proposal;
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::request::{RequestToTalk, Terms};

use crate::people::Person;
use crate::vector_file::{ListedEntropy, VectorFile, bytes_of};

const ABOUT: &str = "PROTOCOL.md §6: a request to talk, what is signed, and when it is refused.
`signed_part` is the one part of TH: name_A | v16(SPKI_A) | name_B | RTT without signature.
`label` is followed by a zero byte and `th` in what Ed25519 signs.";

#[test]
fn request() {
    let mut file = VectorFile::new("request", ABOUT);
    let limited = Terms { until: 1_900_000_000, history_days: 30 };
    for (case, terms) in [("with terms", limited), ("without limit", Terms::UNLIMITED)] {
        let request = make(terms);
        let unsigned = request.encode_unsigned();
        let (alice, bob) = (Person::new("alice"), Person::new("bob"));
        file.begin(case);
        alice.write(&mut file, "A");
        file.text("name_B", bob.name.as_str()).bytes("entropy_chat_id", request.chat_id.as_bytes());
        file.number("issued", request.issued).number("expires", request.expires);
        file.number("until", terms.until).number("history", terms.history_days.into());
        file.bytes("rtt_without_signature", &unsigned);
        let spki = alice.key.public_key().as_der();
        let spki_length = u16::try_from(spki.len()).unwrap().to_be_bytes();
        let signed = [&[5][..], b"alice", &spki_length, spki, &[3], b"bob", &unsigned].concat();
        let hash = transcript_hash(&[&signed]);
        file.bytes("signed_part", &signed).text("label", "secchat 1 RTT").bytes("th", hash);
        file.bytes("signature", &request.signature).bytes("rtt", request.encode());
        assert!(alice.key.public_key().verifies("secchat 1 RTT", &hash, &request.signature));
        assert_eq!(RequestToTalk::decode(&request.encode()), Ok(request));
    }
    write_times(&mut file);
    write_refused(&mut file);
    file.check();
}

fn make(terms: Terms) -> RequestToTalk {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let proposal = Proposal { issued: 1_800_000_000, expires: 1_800_003_600, terms };
    let mut entropy = ListedEntropy(bytes_of("secchat test chat id", 16));
    RequestToTalk::make(&alice.name, &alice.key, &bob.name, proposal, &mut entropy).unwrap()
}

fn write_times(file: &mut VectorFile) {
    file.comment("");
    file.comment("The first request above, when bob's clock shows `now`; 0: drop it, 1: show it.");
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let request = make(Terms { until: 1_900_000_000, history_days: 30 });
    for (case, now) in [
        ("issued 301 s ahead", 1_799_999_699),
        ("issued 300 s ahead", 1_799_999_700),
        ("the last second", 1_800_003_599),
        ("expired", 1_800_003_600),
    ] {
        let taken = request.verify(&alice.name, alice.key.public_key(), &bob.name, now).is_ok();
        file.begin(case).number("now", now).number("shown", taken.into());
    }
}

fn write_refused(file: &mut VectorFile) {
    file.comment("");
    file.comment("Malformed requests: dropped, whatever their signature.");
    let good = make(Terms::UNLIMITED);
    let zeros = [&[0; 16][..], &good.encode()[16..]].concat();
    let with = |issued, expires, until| {
        RequestToTalk { issued, expires, terms: Terms { until, history_days: 1 }, ..good.clone() }.encode()
    };
    for (case, bytes) in [
        ("a chat_id of zeros", zeros),
        ("expires before it is issued", with(100, 99, 200)),
        ("lives 7 days and a second", with(100, 604_901, 1_000_000)),
        ("until is not after issued", with(100, 200, 100)),
        ("a signature of 513 bytes", RequestToTalk { signature: vec![0; 513], ..good.clone() }.encode()),
        ("a byte too many", [good.encode(), vec![0]].concat()),
        ("cut short", good.encode()[..107].to_vec()),
    ] {
        let error = RequestToTalk::decode(&bytes).unwrap_err();
        file.begin(case).bytes("rtt", &bytes).text("refused", &error.to_string());
    }
}
