//! The first bytes in each direction: fixed layout, outside postcard, so that any two versions understand them.
//!
//! Both sides send a [`Hello`] at once, without waiting. Having read the frontend's, the daemon sends one byte more,
//! its [`Verdict`]; after any but [`Verdict::Served`] it closes. A frontend may send its first request behind its
//! hello. This layout never changes.

/// Who is at the other end, and which version of the contract it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender's [`VERSION`](crate::VERSION).
    pub version: u16,
    /// The sender's program: at most 32 bytes of printable ASCII.
    pub program: String,
    /// The sender's build, for people: at most 32 bytes of printable ASCII.
    pub build: String,
}

impl Hello {
    /// The hello of this build of the contract; what does not fit its fields is cut or shown as `?`.
    #[must_use]
    pub fn new(program: &str, build: &str) -> Self {
        Self { version: crate::VERSION, program: printable(program), build: printable(build) }
    }

    /// The bytes on the socket.
    #[must_use]
    pub fn encode(&self) -> [u8; HELLO_BYTES] {
        let fields = MAGIC
            .iter()
            .copied()
            .chain(self.version.to_be_bytes())
            .chain(padded(&self.program))
            .chain(padded(&self.build));
        let mut bytes = [0; HELLO_BYTES];
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        bytes
    }

    /// Reads the bytes on the socket.
    ///
    /// # Errors
    /// [`NotAHello`] when they are none.
    pub fn parse(bytes: &[u8; HELLO_BYTES]) -> Result<Self, NotAHello> {
        let (magic, rest) = bytes.split_first_chunk::<{ MAGIC.len() }>().ok_or(NotAHello)?;
        let (version, rest) = rest.split_first_chunk::<2>().ok_or(NotAHello)?;
        let (program, build) = rest.split_at_checked(FIELD_BYTES).ok_or(NotAHello)?;
        if magic != MAGIC {
            return Err(NotAHello);
        }
        Ok(Self {
            version: u16::from_be_bytes(*version),
            program: unpadded(program)?,
            build: unpadded(build)?,
        })
    }
}

/// What the daemon says to a frontend's hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Requests are welcome.
    Served,
    /// The frontend is newer than the daemon: the daemon must be restarted.
    FrontendNewer,
    /// The daemon has as many frontends as it serves.
    TooMany,
    /// The frontend runs as another user.
    OtherUser,
    /// The daemon is stopping.
    Stopping,
    /// The hello was none, or came too late.
    NoHello,
}

impl Verdict {
    /// The byte on the socket.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Served => 0,
            Self::FrontendNewer => 1,
            Self::TooMany => 2,
            Self::OtherUser => 3,
            Self::Stopping => 4,
            Self::NoHello => 5,
        }
    }

    /// Reads the byte on the socket; `None` for one that this version does not know.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Served, Self::FrontendNewer, Self::TooMany, Self::OtherUser, Self::Stopping, Self::NoHello]
            .into_iter()
            .find(|verdict| verdict.byte() == byte)
    }
}

/// The bytes are no [`Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other end does not speak secchat's local protocol")]
pub struct NotAHello;

/// Bytes of a hello.
pub const HELLO_BYTES: usize = MAGIC.len() + 2 + 2 * FIELD_BYTES;

const MAGIC: &[u8; 11] = b"secchat-ipc";
/// Bytes of a name, zero-padded.
const FIELD_BYTES: usize = 32;

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(FIELD_BYTES).collect()
}

fn padded(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().chain(std::iter::repeat(0)).take(FIELD_BYTES)
}

fn unpadded(field: &[u8]) -> Result<String, NotAHello> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (text, padding) = field.split_at_checked(end).ok_or(NotAHello)?;
    // Peers' programs name themselves: nothing that a terminal or a log would act on.
    let fits = text.iter().all(|b| b.is_ascii_graphic() || *b == b' ') && padding.iter().all(|b| *b == 0);
    if fits { String::from_utf8(text.to_vec()).map_err(|_| NotAHello) } else { Err(NotAHello) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let bytes = Hello { version: 0x0102, program: "secchatctl".into(), build: "0.1.0".into() }.encode();
        let mut expected = b"secchat-ipc\x01\x02secchatctl".to_vec();
        expected.resize(13 + 32, 0);
        expected.extend(b"0.1.0");
        expected.resize(HELLO_BYTES, 0);
        assert_eq!(bytes.as_slice(), expected);
        assert_eq!(HELLO_BYTES, 77);
        let verdicts: Vec<u8> = (0..=255).filter(|byte| Verdict::from_byte(*byte).is_some()).collect();
        assert_eq!(verdicts, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_is_sent_is_read() {
        for (program, build) in [("secchat-notify", "1.2.3"), ("", ""), (&"p".repeat(40), "b")] {
            let hello = Hello::new(program, build);
            assert!(hello.program.len() <= 32);
            assert_eq!(Hello::parse(&hello.encode()), Ok(hello));
        }
        assert_eq!(Hello::new("a\u{1b}[2Jé", "x").program, "a?[2J?");
    }

    #[test]
    fn anything_else_is_no_hello() {
        let good = Hello::new("p", "b").encode();
        for place in 0..11 {
            let mut bad = good;
            bad[place] ^= 1;
            assert_eq!(Hello::parse(&bad), Err(NotAHello));
        }
        for (place, byte) in [(13, 0x1b), (13, 0xff), (20, b'x'), (76, b'x')] {
            let mut bad = good;
            bad[place] = byte;
            assert_eq!(Hello::parse(&bad), Err(NotAHello), "byte {place}");
        }
    }
}
