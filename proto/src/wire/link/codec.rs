//! The bytes of link messages. Refuses what has no meaning, comes from the wrong side, or is longer than it says.

use std::collections::HashSet;

use crate::error::Malformed;
use crate::wire::link::{Answer, BadReason, Direction, LinkMessage, ListPart, LogoutReason, Step};
use crate::wire::login::Role;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use crate::{Error, UserName};

impl LinkMessage {
    /// Appends the message to `out`: `type | fields`, at most
    /// [`MAX_LINK_PLAINTEXT_BYTES`](crate::limits::MAX_LINK_PLAINTEXT_BYTES) long.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.u8(self.type_code());
        match self {
            Self::AvailableUsers { part, names } => write_names(&mut writer, *part, names),
            Self::Refresh { watch } => _ = writer.u8(u8::from(*watch)),
            Self::Presence { role } => _ = writer.u8(role.code()),
            Self::Rtt { name, request } => _ = writer.user_name(name).bytes(request),
            Self::PeerKey { name, public_key } => _ = writer.user_name(name).v16(public_key),
            Self::Response { answer, name, chat_id } => {
                _ = writer.u8(answer.code()).user_name(name).chat_id(chat_id);
            }
            Self::Resume { name, chat_id } | Self::Acknowledgment { name, chat_id } => {
                _ = writer.user_name(name).chat_id(chat_id);
            }
            Self::KeyEstablishment { chat_id, step, body } => {
                _ = writer.chat_id(chat_id).u8(step.code()).bytes(body);
            }
            Self::Chat { chat_id, record } => _ = writer.chat_id(chat_id).bytes(record),
            Self::ReturnToLobby { chat_id } => _ = writer.chat_id(chat_id),
            Self::BadResponse { reason, name, chat_id } => {
                _ = writer.u8(reason.code()).user_name(name).chat_id(chat_id);
            }
            Self::Ping(token) | Self::Pong(token) => _ = writer.bytes(token),
            Self::Logout(reason) => _ = writer.u8(reason.code()),
        }
    }

    /// Decodes a record's plaintext sent by `sender`.
    ///
    /// # Errors
    /// [`Error::Malformed`]: the link ends.
    pub fn decode(bytes: &[u8], sender: Direction) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let code = reader.u8()?;
        let message = if FORWARDED_TYPES.contains(&code) {
            Self::decode_forwarded(code, &mut reader)?
        } else {
            Self::decode_own(code, &mut reader)?
        };
        reader.finish()?;
        match message.only_sender() {
            Some(only) if only != sender => Err(Error::Malformed(Malformed::Direction)),
            Some(_) | None => Ok(message),
        }
    }

    /// The types that the relay forwards in one form or another.
    fn decode_forwarded(code: u8, reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(match code {
            3 => Self::Rtt { name: reader.user_name()?, request: reader.rest().to_vec() },
            4 => Self::Response {
                answer: Answer::from_code(reader.u8()?)?,
                name: reader.user_name()?,
                chat_id: reader.chat_id()?,
            },
            6 => Self::KeyEstablishment {
                chat_id: reader.chat_id()?,
                step: Step::from_code(reader.u8()?)?,
                body: reader.rest().to_vec(),
            },
            9 => Self::Chat { chat_id: reader.chat_id()?, record: reader.rest().to_vec() },
            12 => Self::ReturnToLobby { chat_id: reader.chat_id()? },
            16 => Self::Resume { name: reader.user_name()?, chat_id: reader.chat_id()? },
            _ => return Err(UNKNOWN_VALUE),
        })
    }

    /// The types that only the relay and one client see.
    fn decode_own(code: u8, reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(match code {
            2 => read_names(reader)?,
            5 => Self::PeerKey { name: reader.user_name()?, public_key: reader.v16()?.to_vec() },
            7 => Self::BadResponse {
                reason: BadReason::from_code(reader.u8()?)?,
                name: reader.user_name()?,
                chat_id: reader.chat_id()?,
            },
            8 => Self::Logout(LogoutReason::from_code(reader.u8()?)?),
            10 => Self::Refresh { watch: reader.flag()? },
            11 => Self::Acknowledgment { name: reader.user_name()?, chat_id: reader.chat_id()? },
            13 => Self::Presence { role: Role::from_code(reader.u8()?)? },
            14 => Self::Ping(reader.array()?),
            15 => Self::Pong(reader.array()?),
            _ => return Err(UNKNOWN_VALUE),
        })
    }

    fn type_code(&self) -> u8 {
        match self {
            Self::AvailableUsers { .. } => 2,
            Self::Rtt { .. } => 3,
            Self::Response { .. } => 4,
            Self::PeerKey { .. } => 5,
            Self::KeyEstablishment { .. } => 6,
            Self::BadResponse { .. } => 7,
            Self::Logout(_) => 8,
            Self::Chat { .. } => 9,
            Self::Refresh { .. } => 10,
            Self::Acknowledgment { .. } => 11,
            Self::ReturnToLobby { .. } => 12,
            Self::Presence { .. } => 13,
            Self::Ping(_) => 14,
            Self::Pong(_) => 15,
            Self::Resume { .. } => 16,
        }
    }

    /// Who alone may send this type; `None`: either.
    fn only_sender(&self) -> Option<Direction> {
        match self {
            Self::AvailableUsers { .. } | Self::PeerKey { .. } | Self::BadResponse { .. } => {
                Some(Direction::FromRelay)
            }
            Self::Refresh { .. } | Self::Presence { .. } | Self::Acknowledgment { .. } => {
                Some(Direction::FromClient)
            }
            Self::Rtt { .. }
            | Self::Response { .. }
            | Self::Resume { .. }
            | Self::KeyEstablishment { .. }
            | Self::Chat { .. }
            | Self::ReturnToLobby { .. }
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Logout(_) => None,
        }
    }
}

fn write_names(writer: &mut Writer<'_>, part: ListPart, names: &[UserName]) {
    writer.u8(part.code()).u16(u16::try_from(names.len()).unwrap_or(u16::MAX));
    for name in names {
        writer.user_name(name);
    }
}

fn read_names(reader: &mut Reader<'_>) -> Result<LinkMessage, Error> {
    let part = ListPart::from_code(reader.u8()?)?;
    let count = reader.u16()?;
    // Grows with the bytes that are there, not with a count that may lie.
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    for _ in 0..count {
        let name = reader.user_name()?;
        if !seen.insert(name.clone()) {
            return Err(Error::Malformed(Malformed::Repeated));
        }
        names.push(name);
    }
    Ok(LinkMessage::AvailableUsers { part, names })
}

/// Types that pass from one client to another, changed in their name at most.
const FORWARDED_TYPES: [u8; 6] = [3, 4, 6, 9, 12, 16];
const UNKNOWN_VALUE: Error = Error::Malformed(Malformed::UnknownValue);

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::error::Malformed;
    use crate::wire::link::{Direction, LinkMessage};

    const ID: &[u8; 16] = &[7; 16];

    fn decode(parts: &[&[u8]], sender: Direction) -> Result<LinkMessage, Error> {
        LinkMessage::decode(&parts.concat(), sender)
    }

    #[test]
    fn malformed_messages_by_rule() {
        use Direction::{FromClient, FromRelay};
        let rules: &[(&[&[u8]], Direction, Malformed)] = &[
            (&[], FromClient, Malformed::Truncated),
            (&[&[0]], FromClient, Malformed::UnknownValue),
            (&[&[1]], FromClient, Malformed::UnknownValue),
            (&[&[17]], FromRelay, Malformed::UnknownValue),
            (&[&[0xff]], FromRelay, Malformed::UnknownValue),
            // Available Users
            (&[&[2, 4, 0, 0]], FromRelay, Malformed::UnknownValue),
            (&[&[2, 1, 0, 2, 1], b"a", &[1], b"a"], FromRelay, Malformed::Repeated),
            (&[&[2, 1, 0, 2, 1], b"a"], FromRelay, Malformed::Truncated),
            (&[&[2, 1, 0, 1, 1], b"a", &[1], b"b"], FromRelay, Malformed::TrailingBytes),
            (&[&[2, 1, 0, 1, 1], b"A"], FromRelay, Malformed::UserName),
            (&[&[2, 1, 0, 1, 0]], FromRelay, Malformed::UserName),
            (&[&[2, 1, 0, 1, 33], &[b'a'; 33]], FromRelay, Malformed::UserName),
            (&[&[2, 1, 0xff, 0xff]], FromRelay, Malformed::Truncated),
            (&[&[2, 1, 0, 1, 1], b"a"], FromClient, Malformed::Direction),
            // Refresh, Presence
            (&[&[10, 2]], FromClient, Malformed::UnknownValue),
            (&[&[10, 0]], FromRelay, Malformed::Direction),
            (&[&[10, 0, 0]], FromClient, Malformed::TrailingBytes),
            (&[&[13, 2]], FromClient, Malformed::UnknownValue),
            (&[&[13, 0]], FromRelay, Malformed::Direction),
            // RTT, Peer Key
            (&[&[3, 1], b"/"], FromClient, Malformed::UserName),
            (&[&[5, 1], b"a", &[0, 2, 0]], FromRelay, Malformed::Truncated),
            (&[&[5, 1], b"a", &[0, 0]], FromClient, Malformed::Direction),
            // Response, Resume
            (&[&[4, 3, 1], b"a", ID], FromClient, Malformed::UnknownValue),
            (&[&[4, 1, 1], b"a", &[0; 16]], FromClient, Malformed::ChatId),
            (&[&[16, 1], b"a", &[0; 16]], FromClient, Malformed::ChatId),
            (&[&[16, 1], b"a", ID, &[0]], FromRelay, Malformed::TrailingBytes),
            // Key Establishment, Chat, Return to Lobby
            (&[&[6], ID, &[0]], FromClient, Malformed::UnknownValue),
            (&[&[6], ID, &[4]], FromClient, Malformed::UnknownValue),
            (&[&[6], &[0; 16], &[1]], FromRelay, Malformed::ChatId),
            (&[&[9], &[0; 16]], FromRelay, Malformed::ChatId),
            (&[&[12], &[0; 16]], FromRelay, Malformed::ChatId),
            (&[&[12], ID, &[0]], FromClient, Malformed::TrailingBytes),
            // Bad Response, Acknowledgment
            (&[&[7, 2, 1], b"a", ID], FromRelay, Malformed::UnknownValue),
            (&[&[7, 0, 1], b"a", ID], FromClient, Malformed::Direction),
            (&[&[11, 1], b"a", ID], FromRelay, Malformed::Direction),
            // Ping, Pong, Logout
            (&[&[14], &[0; 7]], FromRelay, Malformed::Truncated),
            (&[&[15], &[0; 9]], FromRelay, Malformed::TrailingBytes),
            (&[&[8, 5]], FromRelay, Malformed::UnknownValue),
            (&[&[8]], FromRelay, Malformed::Truncated),
        ];
        for (parts, sender, expected) in rules {
            assert_eq!(decode(parts, *sender), Err(Error::Malformed(*expected)), "{parts:?}");
        }
    }

    #[test]
    fn a_peers_bytes_are_opaque() {
        for sender in [Direction::FromClient, Direction::FromRelay] {
            for body in [&[][..], &[0xff; 300]] {
                assert!(decode(&[&[3, 1], b"a", body], sender).is_ok());
                assert!(decode(&[&[6], ID, &[2], body], sender).is_ok());
                assert!(decode(&[&[9], ID, body], sender).is_ok());
            }
        }
    }
}
