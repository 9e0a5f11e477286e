//! Records of both kinds of session (PROTOCOL.md §4).

use secchat_proto::crypto::kdf::expand;
use secchat_proto::crypto::secret::Secret;
use secchat_proto::limits::LINK_RECORDS_PER_CHAIN;
use secchat_proto::record::{ChainPace, DirectionKeys, Opener, Sealer};

use crate::vector_file::{VectorFile, bytes_of};

const ABOUT: &str =
    "PROTOCOL.md §4: records of the link (a chain for 65,536 records) and of a chat (a chain for each).
`n` counts a direction's records from 1.";

#[test]
fn record() {
    let mut file = VectorFile::new("record", ABOUT);
    let start: [u8; 12] = bytes_of("secchat test start", 12).try_into().unwrap();
    write(
        &mut file,
        "link",
        ChainPace::Link,
        start,
        &[1, 2, LINK_RECORDS_PER_CHAIN, LINK_RECORDS_PER_CHAIN + 1],
    );
    write(&mut file, "chat", ChainPace::Chat, start, &[1, 2, 3]);
    let mut wraps = [0xff; 12];
    wraps[11] = 0xfe;
    write(&mut file, "counter that wraps", ChainPace::Chat, wraps, &[1, 2, 3]);
    file.check();
}

/// A block for each record whose number is listed.
fn write(file: &mut VectorFile, case: &str, pace: ChainPace, start: [u8; 12], listed: &[u64]) {
    let keys = || DirectionKeys { chain: chain(), start };
    let (mut sealer, mut opener) = (Sealer::new(keys(), pace), Opener::new(keys(), pace));
    let (mut current, mut opened) = (chain(), Vec::new());
    for n in 1..=*listed.last().unwrap() {
        let steps = pace == ChainPace::Chat || (n - 1).is_multiple_of(LINK_RECORDS_PER_CHAIN);
        if n > 1 && steps {
            current = expand(&current, "secchat 1 next").unwrap();
        }
        let plaintext = format!("{case}, record {n}");
        let mut record = Vec::new();
        sealer.seal(plaintext.as_bytes(), &mut record).unwrap();
        opener.open(&record, &mut opened).unwrap();
        assert_eq!(opened, plaintext.as_bytes());
        if listed.contains(&n) {
            let key: Secret<32> = expand(&current, "secchat 1 key").unwrap();
            file.begin(&format!("{case}, record {n}"));
            file.bytes("first_chain", chain().expose()).bytes("start", start).number("n", n);
            file.bytes("chain", current.expose()).bytes("key", key.expose()).bytes("counter", &record[..12]);
            file.text("plaintext", &plaintext).bytes("record", &record);
        }
    }
}

fn chain() -> Secret<32> {
    let mut chain = Secret::zeros();
    chain.expose_mut().copy_from_slice(&bytes_of("secchat test chain", 32));
    chain
}
