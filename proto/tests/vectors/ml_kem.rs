//! ML-KEM-768 against NIST's vectors, and against OpenSSL where there is one that knows it.

use std::path::Path;
use std::process::Command;

use libcrux_ml_kem::mlkem768;
use openssl::pkey::PKey;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::{EphemeralKey, Suite, encapsulate};

use crate::vector_file::{Block, ListedEntropy, VectorFile, bytes_of, hex};

const MLKEM_KEY_BYTES: usize = 1184;
const MLKEM_CIPHERTEXT_BYTES: usize = 1088;

#[test]
fn agrees_with_nist() {
    let file = VectorFile::read("ml-kem-768");
    let cases =
        |kind: &str| file.blocks().iter().filter(|block| block.case().starts_with(kind)).collect::<Vec<_>>();
    let (keys, seals, opens) = (cases("keygen"), cases("encapsulation"), cases("decapsulation"));
    assert!(keys.len() >= 3 && seals.len() >= 3 && opens.len() >= 4, "the file is not whole");
    keys.into_iter().for_each(check_key);
    seals.into_iter().for_each(check_encapsulation);
    opens.into_iter().for_each(check_decapsulation);
}

fn check_key(case: &Block) {
    let seed = [case.bytes("d"), case.bytes("z")].concat();
    let mut entropy = ListedEntropy([seed.clone(), vec![7; 32]].concat());
    let key = EphemeralKey::make(Suite::X25519MlKem768, None, &mut entropy).unwrap();
    assert_eq!(key.public_key()[..MLKEM_KEY_BYTES], case.bytes("ek"));
    let pair = mlkem768::generate_key_pair(seed.try_into().unwrap());
    assert_eq!(pair.sk().as_slice(), case.bytes("dk"));
}

fn check_encapsulation(case: &Block) {
    let x25519 = PKey::generate_x25519().unwrap().raw_public_key().unwrap();
    let key = [case.bytes("ek"), x25519].concat();
    let mut entropy = ListedEntropy([case.bytes("m"), vec![7; 32]].concat());
    let (sealed, secret) = encapsulate(Suite::X25519MlKem768, &key, &mut entropy).unwrap();
    assert_eq!(sealed[..MLKEM_CIPHERTEXT_BYTES], case.bytes("c"));
    assert_eq!(secret.expose()[..32], case.bytes("k"));
}

fn check_decapsulation(case: &Block) {
    let key: [u8; 2400] = case.bytes("dk").try_into().unwrap();
    let ciphertext: [u8; MLKEM_CIPHERTEXT_BYTES] = case.bytes("c").try_into().unwrap();
    let secret = mlkem768::decapsulate(&key.into(), &ciphertext.into());
    assert_eq!(secret.as_slice(), case.bytes("k"));
}

/// OpenSSL's command line opens what we seal to its key, made from the same seed as ours.
#[test]
fn agrees_with_openssl() {
    if !openssl_knows_ml_kem() {
        println!("skipped: the machine's openssl is older than 3.5");
        return;
    }
    let folder = std::env::temp_dir().join(format!("secchat-ml-kem-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for round in 0..4 {
        let seed = bytes_of(&format!("secchat test OpenSSL {round}"), 64);
        let mut entropy = ListedEntropy([seed.clone(), vec![7; 32]].concat());
        let key = EphemeralKey::make(Suite::X25519MlKem768, None, &mut entropy).unwrap();
        let (sealed, secret) = encapsulate(Suite::X25519MlKem768, key.public_key(), &mut OsEntropy).unwrap();
        let opened = openssl_opens(&folder, &seed, &sealed[..MLKEM_CIPHERTEXT_BYTES]);
        assert_eq!(opened, secret.expose()[..32]);
        // A changed ciphertext: both reject it alike, implicitly.
        let mut changed = sealed;
        changed[round] ^= 1;
        let opened = openssl_opens(&folder, &seed, &changed[..MLKEM_CIPHERTEXT_BYTES]);
        assert_eq!(opened, key.open(&changed).unwrap().expose()[..32]);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn openssl_knows_ml_kem() -> bool {
    let listed = Command::new("openssl").args(["list", "-kem-algorithms"]).output();
    listed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("ML-KEM-768"))
}

fn openssl_opens(folder: &Path, seed: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    std::fs::write(folder.join("ciphertext"), ciphertext).unwrap();
    let seed = format!("hexseed:{}", hex(seed));
    for arguments in [
        &["genpkey", "-algorithm", "ML-KEM-768", "-pkeyopt", &seed, "-out", "key"][..],
        &["pkeyutl", "-decap", "-inkey", "key", "-in", "ciphertext", "-secret", "secret"],
    ] {
        let output = Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::read(folder.join("secret")).unwrap()
}
