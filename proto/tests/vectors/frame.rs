//! Frames (PROTOCOL.md §1).

use secchat_proto::limits::{MAX_FRAME_BYTES, MAX_LOGIN_BYTES, MAX_S1_BYTES};
use secchat_proto::wire::frame::{FrameDecoder, write_frame};

use crate::vector_file::{VectorFile, bytes_of};

const ABOUT: &str = "PROTOCOL.md §1: a body and its frame; frames in a stream; what is refused under a limit.
`refused` is the reason in words; it is shown to no one, only that it is refused counts.";

#[test]
fn frame() {
    let mut file = VectorFile::new("frame", ABOUT);
    for (case, body) in [
        ("one byte", vec![0xff]),
        ("a Reject", vec![0xff, 3]),
        ("300 bytes", bytes_of("secchat test body", 300)),
    ] {
        let mut frame = Vec::new();
        write_frame(&body, &mut frame).unwrap();
        file.begin(case).bytes("body", &body).bytes("frame", &frame);
    }

    let mut stream = Vec::new();
    file.begin("three frames and the beginning of a fourth");
    for (at, body) in [&b"first"[..], b"2", b"third one"].into_iter().enumerate() {
        write_frame(body, &mut stream).unwrap();
        file.bytes(&format!("body_{}", at + 1), body);
    }
    stream.extend([0, 9, b'c', b'u', b't']);
    file.bytes("stream", &stream).number("bytes_left", 5);
    let mut decoder = FrameDecoder::new(MAX_FRAME_BYTES);
    decoder.push(&stream);
    for body in [&b"first"[..], b"2", b"third one"] {
        assert_eq!(decoder.next_frame().unwrap().unwrap(), body);
    }
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.is_mid_frame());

    for (case, limit, stream) in [
        ("empty, at any time", MAX_FRAME_BYTES, [0, 0]),
        ("S1 above its limit", MAX_S1_BYTES, [0x40, 0x01]),
        ("S2 or S3 above its limit", MAX_LOGIN_BYTES, [0x10, 0x01]),
    ] {
        let mut decoder = FrameDecoder::new(limit);
        decoder.push(&stream);
        let error = decoder.next_frame().unwrap_err();
        file.begin(case).number("limit", limit.try_into().unwrap()).bytes("stream", stream);
        file.text("refused", &error.to_string());
    }
    file.check();
}
