//! Signatures with every label, and both suites (PROTOCOL.md §1, §2).

use openssl::bn::BigNum;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Rsa, RsaPrivateKeyBuilder};
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::{EphemeralKey, ReadyRsaKey, Suite, encapsulate};
use secchat_proto::crypto::signature::SigningKey;

use crate::people::Person;
use crate::vector_file::{Block, ListedEntropy, VectorFile, bytes_of, kept};

const ABOUT: &str = "PROTOCOL.md §1: signatures over `label | 0x00 | th`; §2: both suites.
RSA keys are given as numbers (rsa_n … rsa_q, big-endian): test values, for nothing else. RSA signatures and
envelopes are randomised: verify and open them.";

#[test]
fn suites() {
    let stored = VectorFile::read("suites");
    let mut file = VectorFile::new("suites", ABOUT);
    let alice = Person::new("alice");
    let th: [u8; 32] = bytes_of("secchat test th", 32).try_into().unwrap();
    for label in ["S2", "S3", "RTT", "M2", "M3", "delegate"].map(|message| format!("secchat 1 {message}")) {
        let signature = alice.key.sign(&label, &th).unwrap();
        file.begin(&format!("Ed25519, {label}")).bytes("seed", &alice.seed);
        file.bytes("spki", alice.key.public_key().as_der()).text("label", &label).bytes("th", th);
        file.bytes("signed", [label.as_bytes(), &[0], &th].concat()).bytes("signature", signature);
    }
    for bits in [2048, 4096] {
        write_rsa_signature(&mut file, &stored, bits, &th);
    }
    write_hybrid(&mut file);
    write_envelope(&mut file, &stored);
    file.check();
}

fn write_rsa_signature(file: &mut VectorFile, stored: &VectorFile, bits: u32, th: &[u8; 32]) {
    let case = format!("RSA-{bits}, PSS");
    let label = "secchat 1 S2";
    file.begin(&case);
    let key = SigningKey::from_pkey(write_rsa_key(file, stored.case(&case), bits)).unwrap();
    let signature = kept(stored, &case, "signature", || key.sign(label, th).unwrap());
    assert!(key.public_key().verifies(label, th, &signature));
    file.bytes("spki", key.public_key().as_der()).text("label", label).bytes("th", th);
    file.bytes("signed", [label.as_bytes(), &[0], th].concat()).bytes("signature", &signature);
}

fn write_hybrid(file: &mut VectorFile) {
    let (for_key, for_seal) =
        (bytes_of("secchat test key entropy", 96), bytes_of("secchat test seal entropy", 64));
    let key = EphemeralKey::make(Suite::X25519MlKem768, None, &mut ListedEntropy(for_key.clone())).unwrap();
    let e = key.public_key().to_vec();
    let (c, k) = encapsulate(Suite::X25519MlKem768, &e, &mut ListedEntropy(for_seal.clone())).unwrap();
    assert_eq!(key.open(&c).unwrap().expose(), k.expose());
    let (ss_mlkem, ss_x25519) = k.expose().split_at(32);
    file.comment("");
    file.comment(
        "entropy_key: ML-KEM's d | z, then the X25519 scalar; entropy_seal: ML-KEM's m, then a scalar.",
    );
    file.begin("suite 2").bytes("entropy_key", &for_key).bytes("e", &e).bytes("entropy_seal", &for_seal);
    file.bytes("c", &c).bytes("ss_mlkem", ss_mlkem).bytes("ss_x25519", ss_x25519).bytes("k", k.expose());
}

fn write_envelope(file: &mut VectorFile, stored: &VectorFile) {
    let case = "suite 1";
    file.begin(case);
    let ready = ReadyRsaKey::from_pkey(write_rsa_key(file, stored.case(case), 3072)).unwrap();
    let key = EphemeralKey::make(Suite::Rsa3072, Some(ready), &mut OsEntropy).unwrap();
    let e = key.public_key().to_vec();
    let (k, ek, iv) =
        (bytes_of("secchat test k", 32), bytes_of("secchat test ek", 32), bytes_of("secchat test iv", 16));
    let c = kept(stored, case, "c", || {
        let mut entropy = ListedEntropy([k.as_slice(), &ek, &iv].concat());
        encapsulate(Suite::Rsa3072, &e, &mut entropy).unwrap().0
    });
    assert_eq!(key.open(&c).unwrap().expose(), k);
    assert_eq!(c[48..64], iv);
    file.bytes("e", &e).bytes("k", &k).bytes("ek", &ek).bytes("iv", &iv);
    file.bytes("aes_256_cbc", &c[..48]).bytes("c", &c);
}

/// Writes the numbers of the RSA key that the file holds, or of a new one.
fn write_rsa_key(file: &mut VectorFile, stored: Option<&Block>, bits: u32) -> PKey<Private> {
    let numbers = match stored {
        Some(block) => NUMBERS.map(|name| block.bytes(name)),
        None => {
            assert!(crate::vector_file::blessing(), "suites.txt lacks an RSA key; SECCHAT_BLESS=1 makes it");
            let rsa = Rsa::generate(bits).unwrap();
            [rsa.n(), rsa.e(), rsa.d(), rsa.p().unwrap(), rsa.q().unwrap()].map(|number| number.to_vec())
        }
    };
    for (name, number) in NUMBERS.into_iter().zip(&numbers) {
        file.bytes(name, number);
    }
    rsa_key(numbers)
}

/// The RSA key of a block that holds its numbers.
pub(crate) fn rsa_key_of(block: &Block) -> PKey<Private> {
    rsa_key(NUMBERS.map(|name| block.bytes(name)))
}

fn rsa_key(numbers: [Vec<u8>; 5]) -> PKey<Private> {
    let [n, e, d, _, _] = numbers.map(|number| BigNum::from_slice(&number).unwrap());
    PKey::from_rsa(RsaPrivateKeyBuilder::new(n, e, d).unwrap().build()).unwrap()
}

const NUMBERS: [&str; 5] = ["rsa_n", "rsa_e", "rsa_d", "rsa_p", "rsa_q"];
