//! Plaintexts of chat records (PROTOCOL.md §8).

use secchat_proto::wire::chat_record::{ChatMessage, EndReason};
use secchat_proto::wire::link::Step;

use crate::vector_file::{VectorFile, bytes_of};

const ABOUT: &str =
    "PROTOCOL.md §8: the plaintext of each kind of chat record, filled with zeros, and what is malformed.
Sealed ones are in key_establishment.txt.";

#[test]
fn chat_record() {
    let mut file = VectorFile::new("chat_record", ABOUT);
    for (case, message) in messages() {
        let plaintext = message.encode().unwrap();
        file.begin(case);
        write_fields(&mut file, &message);
        file.number("length", plaintext.len().try_into().unwrap()).bytes("plaintext", &*plaintext);
        assert_eq!(ChatMessage::decode(&plaintext), Ok(message));
    }
    write_sizes(&mut file);
    file.comment("");
    file.comment("Malformed plaintexts: the chat is interrupted.");
    for (case, plaintext) in refused() {
        let error = ChatMessage::decode(&plaintext).unwrap_err();
        file.begin(case).bytes("plaintext", &plaintext).text("refused", &error.to_string());
    }
    file.check();
}

fn messages() -> Vec<(&'static str, ChatMessage)> {
    let text = |id, text: &str| ChatMessage::Text { id, text: text.to_owned() };
    let end = |reason| ChatMessage::End { id: 7, reason };
    let step =
        |step, text: &str, length| ChatMessage::KeyEstablishment { step, body: bytes_of(text, length) };
    vec![
        ("Nothing", ChatMessage::Nothing),
        ("Text", text(1, "Hello, Bob!")),
        ("Text, empty", text(2, "")),
        ("Text, not ASCII", text(u64::MAX, "Grüße, 世界 👋")),
        ("Text of 53 bytes, the longest in 64", text(3, &"x".repeat(53))),
        ("Text of 54 bytes", text(4, &"x".repeat(54))),
        ("Delivered", ChatMessage::Delivered { id: 7 }),
        ("Delivered, none", ChatMessage::Delivered { id: 0 }),
        ("End, the person", end(EndReason::Person)),
        ("End, until", end(EndReason::Until)),
        ("End, restored copy", end(EndReason::RestoredCopy)),
        ("End, answer", end(EndReason::Answer)),
        ("Key Establishment, M1", step(Step::M1, "secchat test M1", 34)),
        ("Key Establishment, M2", step(Step::M2, "secchat test M2", 400)),
        ("Key Establishment, M3", step(Step::M3, "secchat test M3", 60)),
        ("State", ChatMessage::State { sent: 3, held: 258 }),
    ]
}

fn write_fields(file: &mut VectorFile, message: &ChatMessage) {
    match message {
        ChatMessage::Nothing => _ = file.number("kind", 0),
        ChatMessage::Text { id, text } => _ = file.number("kind", 1).number("id", *id).bytes("text", text),
        ChatMessage::Delivered { id } => _ = file.number("kind", 2).number("id", *id),
        ChatMessage::End { id, .. } => _ = file.number("kind", 3).number("id", *id),
        ChatMessage::KeyEstablishment { body, .. } => _ = file.number("kind", 4).bytes("body", body),
        ChatMessage::State { sent, held } => {
            file.number("kind", 5).number("sent", *sent).number("held", *held);
        }
    }
}

/// Only lengths: the plaintexts would be long and say no more.
fn write_sizes(file: &mut VectorFile) {
    file.comment("");
    file.comment("How long a plaintext is, for a Text of so many bytes.");
    for text_bytes in [245, 246, 1_013, 1_014, 4_085, 4_086, 16_373, 16_374, 32_768] {
        let message = ChatMessage::Text { id: 1, text: "x".repeat(text_bytes) };
        let length = message.encode().unwrap().len();
        file.begin(&format!("size for {text_bytes} bytes"));
        file.number("text_bytes", text_bytes.try_into().unwrap());
        file.number("length", length.try_into().unwrap());
    }
}

fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let filled = |content: &[u8], size| {
        let mut plaintext = content.to_vec();
        plaintext.resize(size, 0);
        plaintext
    };
    vec![
        ("no bytes", vec![]),
        ("kind 6", filled(&[6], 64)),
        ("63 bytes", filled(&[0], 63)),
        ("65 bytes", filled(&[0], 65)),
        ("256 bytes where 64 hold it", filled(&[0], 256)),
        ("filler that is not zero", [filled(&[0], 63), vec![1]].concat()),
        ("Text with id 0", filled(&[1], 64)),
        ("Text that is not UTF-8", filled(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0xff], 64)),
        ("Text longer than its plaintext", filled(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 54], 64)),
        ("End, reason 4", filled(&[3, 0, 0, 0, 0, 0, 0, 0, 1, 4], 64)),
        ("Key Establishment, step 0", filled(&[4, 0], 64)),
    ]
}
