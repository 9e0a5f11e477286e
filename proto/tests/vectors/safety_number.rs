//! Safety numbers (PROTOCOL.md §7).

use openssl::sha::sha512;
use secchat_proto::safety_number::safety_number;

use crate::people::Person;
use crate::vector_file::VectorFile;

const ABOUT: &str = "PROTOCOL.md §7: the safety number of two users, the same whoever shows it.
`h_1` is the hash after the first of 5,200 rounds, `h_5200` after the last.";

#[test]
fn safety_number_of_two() {
    let mut file = VectorFile::new("safety_number", ABOUT);
    for name in ["alice", "bob", "b"] {
        let person = Person::new(name);
        let (first, last, digits) = half(&person);
        file.begin(&format!("half of {name}"));
        person.write(&mut file, "X");
        file.bytes("h_1", first).bytes("h_5200", last).text("digits", &digits);
    }
    for (one, other) in [("alice", "bob"), ("bob", "alice"), ("bob", "b")] {
        let (one, other) = (Person::new(one), Person::new(other));
        let number = safety_number((&one.name, one.key.public_key()), (&other.name, other.key.public_key()));
        file.begin(&format!("{} and {}", one.name, other.name));
        file.text("smaller", one.name.as_str().min(other.name.as_str())).text("number", &number);
        let (mut first, mut second) = (half(&one).2, half(&other).2);
        if one.name > other.name {
            std::mem::swap(&mut first, &mut second);
        }
        assert_eq!(number, format!("{first} {second}"));
    }
    file.check();
}

/// Computed here once more, step by step.
fn half(person: &Person) -> ([u8; 64], [u8; 64], String) {
    let spki = person.key.public_key().as_der();
    let spki = [&u16::try_from(spki.len()).unwrap().to_be_bytes()[..], spki].concat();
    let name = person.name.as_bytes();
    let begin = [b"secchat 1 safety", &[u8::try_from(name.len()).unwrap()][..], name, &spki].concat();
    let first = sha512(&[&begin[..], &spki].concat());
    let last = (1..5_200).fold(first, |hash, _| sha512(&[&hash[..], &spki].concat()));
    let groups = last[..30].chunks(5).map(|five| {
        let number = five.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{:05}", number % 100_000)
    });
    (first, last, groups.collect::<Vec<_>>().join(" "))
}
