//! TH, HKDF and what is derived with them.

use secchat_proto::crypto::kdf::{expand, extract};
use secchat_proto::crypto::secret::Secret;
use secchat_proto::record::{DirectionKeys, Speaker};
use secchat_proto::transcript::transcript_hash;

use crate::vector_file::{VectorFile, bytes_of};

#[test]
fn kdf() {
    let mut file = VectorFile::new(
        "kdf",
        "PROTOCOL.md §1: TH and HKDF; §3, §7: chains and counters of both kinds of session; §4: a chain's keys.",
    );
    let parts: [&[u8]; 3] = [b"first part", b"", &bytes_of("secchat test part", 300)];
    file.begin("TH").bytes("part_1", parts[0]).bytes("part_2", parts[1]).bytes("part_3", parts[2]);
    let salt = transcript_hash(&parts);
    file.bytes("th", salt);

    let (root, k) = (bytes_of("secchat test root", 32), bytes_of("secchat test K", 64));
    let prk = extract(&salt, &[&root, &k]).unwrap();
    file.begin("HKDF-Extract").bytes("salt", salt).bytes("root", &root).bytes("k", &k);
    file.bytes("prk", prk.expose());

    for (case, speaker) in [
        ("login client", Speaker::Client),
        ("login relay", Speaker::Relay),
        ("chat sender", Speaker::Initiator),
        ("chat receiver", Speaker::Responder),
    ] {
        let keys = DirectionKeys::derive(&prk, speaker).unwrap();
        file.begin(case).bytes("prk", prk.expose());
        file.text("chain_label", &format!("secchat 1 {case} chain")).bytes("chain", keys.chain.expose());
        file.text("start_label", &format!("secchat 1 {case} counter")).bytes("start", keys.start);
        let key: Secret<32> = expand(&keys.chain, "secchat 1 key").unwrap();
        let next: Secret<32> = expand(&keys.chain, "secchat 1 next").unwrap();
        file.text("key_label", "secchat 1 key").bytes("key", key.expose());
        file.text("next_label", "secchat 1 next").bytes("next", next.expose());
    }

    let new_root: Secret<32> = expand(&prk, "secchat 1 chat root").unwrap();
    file.begin("chat root").bytes("prk", prk.expose()).text("label", "secchat 1 chat root");
    file.bytes("root", new_root.expose());
    file.check();
}
