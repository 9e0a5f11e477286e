//! Successions of keys (PROTOCOL.md §7).

use secchat_proto::UserName;
use secchat_proto::crypto::signature::{PublicKey, SigningKey};
use secchat_proto::succession::{Chain, Succession};
use secchat_proto::transcript::transcript_hash;

use crate::suites::rsa_key_of;
use crate::vector_file::{ListedEntropy, VectorFile, bytes_of, kept};

const ABOUT: &str =
    "PROTOCOL.md §7: successions of keys, what both keys sign, and what a chain of them leads to.
`signed_part` is the one part of TH: name | v16(SPKI_old) | v16(SPKI_new) | issued.
The RSA key is the one of 2048 bits in suites.txt.";
const LABEL: &str = "secchat 1 succession";
const ISSUED: u64 = 1_800_000_000;

#[test]
fn succession() {
    let stored = VectorFile::read("succession");
    let mut file = VectorFile::new("succession", ABOUT);
    let (first, second, third) = (key("alice"), key("alice, the second"), key("alice, the third"));
    let one = write_made(&mut file, "Ed25519 to Ed25519", (&first, &second), &stored);
    let two = write_made(&mut file, "Ed25519 to Ed25519, again", (&second, &third), &stored);
    let suites = VectorFile::read("suites");
    let rsa = SigningKey::from_pkey(rsa_key_of(suites.case("RSA-2048, PSS").unwrap())).unwrap();
    write_made(&mut file, "RSA-2048 to Ed25519", (&rsa, &first), &stored);
    write_chains(
        &mut file,
        [&first, &second, &third].map(SigningKey::public_key),
        &[one.clone(), two.clone()],
    );
    write_refused(&mut file, &one, &two);
    file.check();
}

fn key(of: &str) -> SigningKey {
    let seed = bytes_of(&format!("secchat test key {of}"), 32);
    SigningKey::generate_ed25519(&mut ListedEntropy(seed)).unwrap()
}

fn alice() -> UserName {
    "alice".parse().unwrap()
}

fn write_made(
    file: &mut VectorFile,
    case: &str,
    (old, new): (&SigningKey, &SigningKey),
    stored: &VectorFile,
) -> Succession {
    let mut made = Succession::make(&alice(), old, new, ISSUED).unwrap();
    if case.starts_with("RSA") {
        made.old_signature = kept(stored, case, "old_signature", || made.old_signature.clone());
    }
    let (old, new) = (made.old.as_der(), made.new.as_der());
    let length = |spki: &[u8]| u16::try_from(spki.len()).unwrap().to_be_bytes();
    let signed = [&[5][..], b"alice", &length(old), old, &length(new), new, &ISSUED.to_be_bytes()].concat();
    let hash = transcript_hash(&[&signed]);
    file.begin(case).text("name", "alice").bytes("spki_old", old).bytes("spki_new", new);
    file.number("issued", ISSUED).bytes("signed_part", &signed).text("label", LABEL).bytes("th", hash);
    file.bytes("old_signature", &made.old_signature).bytes("new_signature", &made.new_signature);
    file.bytes("succession", made.encode());
    assert_eq!(made.verify(&alice()), Ok(()));
    assert_eq!(Succession::decode(&made.encode()).as_ref(), Ok(&made));
    made
}

fn write_chains(file: &mut VectorFile, [first, second, third]: [&PublicKey; 3], both: &[Succession; 2]) {
    file.comment("");
    file.comment("Whether the chain leads alice's key `spki_pin` to `spki_offered`; 0: refuse, 1: it does.");
    let chain = Chain::new(both.to_vec()).unwrap();
    let mut forged = both.clone();
    forged[0].old_signature = both[1].old_signature.clone();
    let forged = Chain::new(forged.to_vec()).unwrap();
    for (case, chain, pin, offered, name) in [
        ("from its first key", &chain, first, third, "alice"),
        ("from its second key", &chain, second, third, "alice"),
        ("to a key that is not its last", &chain, first, second, "alice"),
        ("backwards", &chain, third, first, "alice"),
        ("for another user", &chain, first, third, "bob"),
        ("a forged beginning", &forged, first, third, "alice"),
        ("a forged beginning that is not needed", &forged, second, third, "alice"),
    ] {
        let leads = chain.leads(&name.parse().unwrap(), pin, offered);
        file.begin(case).text("name", name).bytes("chain", chain.encode());
        file.bytes("spki_pin", pin.as_der()).bytes("spki_offered", offered.as_der());
        file.number("leads", leads.into());
    }
}

fn write_refused(file: &mut VectorFile, one: &Succession, two: &Succession) {
    file.comment("");
    file.comment("Malformed chains: as if nothing had come.");
    let back = Succession { new: one.old.clone(), ..two.clone() };
    let itself = Succession { new: one.old.clone(), ..one.clone() };
    for (case, bytes) in [
        ("a key that succeeds itself", itself.encode()),
        ("back to the first key", [one.encode(), back.encode()].concat()),
        ("the later one first", [two.encode(), one.encode()].concat()),
        ("the same one twice", [one.encode(), one.encode()].concat()),
        ("a byte too many", [one.encode(), vec![0]].concat()),
        ("cut short", one.encode()[..one.encode().len() - 1].to_vec()),
        ("nothing", Vec::new()),
    ] {
        let error = Chain::decode(&bytes).unwrap_err();
        file.begin(case).bytes("chain", &bytes).text("refused", &error.to_string());
    }
}
