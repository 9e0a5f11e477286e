//! A login at the relay (PROTOCOL.md §3): S1, S2, S3 and the first record, as one straight line. Whoever calls it
//! sets the deadline, and answers a failure.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::signature::{PublicKey, SigningKey};
use secchat_proto::error::{Error, Malformed};
use secchat_proto::handshake::relay::{Claim, send_s1};
use secchat_proto::limits::{DELEGATION_PONG_TIMEOUT, MAX_FRAME_BYTES, MAX_LOGIN_BYTES};
use secchat_proto::record::Session;
use secchat_proto::wire::frame::{FrameDecoder, write_frame};
use secchat_proto::wire::link::{Direction, LinkMessage};
use secchat_proto::wire::login::RejectReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::admission::Slot;
use crate::bucket::Pace;
use crate::limits::IDLE_BUFFER_BYTES;
use crate::listener::Shared;
use crate::router::{Contested, Input, moment};
use crate::switchboard::{Delegated, Login, SessionId};
use crate::user_list::rotation::Registered;

/// A login that has succeeded.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) login: Login,
    pub(crate) session: Session,
    /// It may hold bytes of the next records already.
    pub(crate) decoder: FrameDecoder,
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The connection ended, or failed.
    #[error("the connection ended: {0}")]
    Lost(#[from] io::Error),
    /// Another login took its slot.
    #[error("gave way to another login")]
    GaveWay,
    /// The client broke the protocol before or after its proof.
    #[error("{0}")]
    Broken(#[from] Error),
    /// S2 does not stand; the client is told.
    #[error("{cause}")]
    Refused {
        /// What the client is told.
        reason: RejectReason,
        /// When S2 came.
        s2_came: Instant,
        /// Who it said to be.
        name: Option<UserName>,
        /// The real cause, for the log.
        cause: Error,
    },
    /// The first record was something else.
    #[error("the first record was no Refresh")]
    NoRefresh,
    /// It took too long.
    #[error("took too long")]
    TimedOut,
    /// Too many logins a second.
    #[error("more logins a second than limits.logins_per_second")]
    Busy,
    /// A delegated key may not replace a session that is alive.
    #[error("a delegated key, while another session of the user answers")]
    Taken(UserName),
    /// The relay stops.
    #[error("the relay stops")]
    Closing,
    /// The proof could not be checked.
    #[error("checking the proof failed")]
    Internal,
}

/// Logs a client in. From `has_answered` on, when S3 leaves, nothing may be said in clear (PROTOCOL.md 3.15): whatever
/// goes wrong then, the connection just ends.
pub(crate) async fn login(
    stream: &mut TcpStream,
    id: SessionId,
    slot: &Slot,
    shared: &Shared,
    has_answered: &mut bool,
) -> Result<Proven, LoginError> {
    let mut decoder = FrameDecoder::new(MAX_LOGIN_BYTES);
    // One key for S1 and S3, though the operator may change it between them.
    let (credentials, (expect, s1)) = {
        let in_force = shared.in_force.borrow();
        let credentials = Arc::clone(&in_force.credentials);
        let (certificate, crl) = (&credentials.certificate, &credentials.crl);
        let s1 = send_s1(&in_force.config.suites, certificate, crl, &mut OsEntropy)?;
        (credentials, s1)
    };
    send(stream, &s1).await?;
    drop(s1);

    let s2 = receive(stream, &mut decoder).await?;
    if !slot.note_s2() {
        return Err(LoginError::GaveWay);
    }
    let s2_came = Instant::now();
    let limits = shared.limits();
    let pace = Pace::per_second(limits.logins_per_second, limits.login_burst);
    if !shared.proofs.take(pace, s2_came) {
        shared.metrics.note_over_limit("logins_per_second", 1);
        return Err(LoginError::Busy);
    }
    let refused = |name, cause| LoginError::Refused { reason: reason_for(cause), s2_came, name, cause };
    let claim = expect.read_s2(&s2, moment().unix).map_err(|cause| refused(None, cause))?;
    let (name, role, delegated) = (claim.user_name().clone(), claim.role(), claim.delegated_until());
    let listed = shared.in_force.borrow().users.registered(&name, moment().unix);
    let proof = prove(claim, listed, (&credentials.key, shared)).await?;
    let (session, s3, public_key) = proof.map_err(|cause| refused(Some(name.clone()), cause))?;
    let delegated = match delegated {
        Some(until) => Some(Delegated { until, replaces: find_dead(&name, shared).await? }),
        None => None,
    };
    *has_answered = true;
    send(stream, &s3).await?;

    decoder.set_limit(MAX_FRAME_BYTES);
    let (watch, session) = first_record(stream, &mut decoder, session).await?;
    let login = Login { session: id, name, public_key, chain: None, role, watch, delegated };
    Ok(Proven { login, session, decoder })
}

/// The user's session that a delegated key may replace: it has not answered a Ping in time (PROTOCOL.md 3.22).
async fn find_dead(name: &UserName, shared: &Shared) -> Result<Option<SessionId>, LoginError> {
    let (sender, answer) = oneshot::channel();
    shared.router.send(Input::Contest(name.clone(), sender)).await.map_err(|_| LoginError::Internal)?;
    let Some(Contested { session, pong }) = answer.await.map_err(|_| LoginError::Internal)? else {
        return Ok(None);
    };
    match tokio::time::timeout(DELEGATION_PONG_TIMEOUT, pong).await {
        Ok(()) => Err(LoginError::Taken(name.clone())),
        Err(_) => Ok(Some(session)),
    }
}

/// What a client is told of `cause`: nothing of name and key but that they do not fit.
fn reason_for(cause: Error) -> RejectReason {
    match cause {
        Error::Malformed(_) => RejectReason::Malformed,
        Error::PeerMisbehaved(_)
        | Error::Untrusted(_)
        | Error::Decrypt
        | Error::Exhausted
        | Error::Crypto(_) => RejectReason::NotAuthenticated,
    }
}

/// Checks the signature and makes S3. It is some hundred microseconds of work, which the event loop does itself:
/// handing it to another thread costs a quarter as much again. Half of the loop's threads at most do so at once, so
/// that messages are forwarded on the others.
async fn prove(
    claim: Claim,
    listed: Option<Registered>,
    (own_key, shared): (&SigningKey, &Shared),
) -> Result<Result<(Session, Vec<u8>, PublicKey), Error>, LoginError> {
    let _permit = shared.proving.acquire().await.map_err(|_| LoginError::Internal)?;
    let key = listed.map(|Registered { key, old_key, chain: _ }| {
        old_key.filter(|old| claim.is_signed_by(old)).unwrap_or(key)
    });
    let proof = claim.authenticate(key.as_ref(), own_key, &shared.throw_away, &mut OsEntropy);
    let (session, s3) = match proof {
        Ok(proven) => proven,
        Err(cause) => return Ok(Err(cause)),
    };
    // An unknown name never passes `authenticate`; this only unwraps.
    Ok(Ok((session, s3, key.ok_or(LoginError::Internal)?)))
}

/// The client's first record: a Refresh, which confirms the keys.
async fn first_record(
    stream: &mut TcpStream,
    decoder: &mut FrameDecoder,
    mut session: Session,
) -> Result<(bool, Session), LoginError> {
    let record = receive(stream, decoder).await?;
    let mut plaintext = Vec::new();
    session.opener.open(&record, &mut plaintext)?;
    let LinkMessage::Refresh { watch } = LinkMessage::decode(&plaintext, Direction::FromClient)? else {
        return Err(LoginError::NoRefresh);
    };
    Ok((watch, session))
}

/// Writes one frame.
pub(crate) async fn send(stream: &mut TcpStream, body: &[u8]) -> Result<(), LoginError> {
    let mut frame = Vec::new();
    write_frame(body, &mut frame)?;
    Ok(stream.write_all(&frame).await?)
}

/// Reads one frame.
async fn receive(stream: &mut TcpStream, decoder: &mut FrameDecoder) -> Result<Vec<u8>, LoginError> {
    let mut chunk = [0; IDLE_BUFFER_BYTES];
    loop {
        if let Some(body) = decoder.next_frame()? {
            return Ok(body.to_vec());
        }
        let count = stream.read(&mut chunk).await?;
        let bytes = chunk.get(..count).filter(|bytes| !bytes.is_empty());
        decoder.push(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
    }
}

impl LoginError {
    /// How the login ended, as it is counted.
    pub(crate) fn result(&self) -> &'static str {
        match self {
            Self::Refused { reason: RejectReason::NotAuthenticated, .. } | Self::Internal => {
                "not_authenticated"
            }
            Self::Refused { .. } | Self::Broken(_) | Self::NoRefresh => "malformed",
            Self::Lost(_) => "lost",
            Self::GaveWay => "gave_way",
            Self::TimedOut => "timed_out",
            Self::Busy => "busy",
            Self::Taken(_) => "taken",
            Self::Closing => "closing",
        }
    }

    /// What is told to the client, and when at the earliest.
    pub(crate) fn reject(&self) -> Option<(RejectReason, Option<Instant>)> {
        match self {
            Self::Refused { reason, s2_came, .. } => {
                let delay = secchat_proto::limits::REJECT_DELAY;
                let at = (*reason == RejectReason::NotAuthenticated).then(|| *s2_came + delay);
                Some((*reason, at))
            }
            Self::Broken(Error::Malformed(Malformed::EmptyFrame | Malformed::TooLong)) => {
                Some((RejectReason::Malformed, None))
            }
            Self::Busy | Self::Taken(_) => Some((RejectReason::Busy, None)),
            Self::Closing => Some((RejectReason::Closing, None)),
            Self::Lost(_)
            | Self::GaveWay
            | Self::Broken(_)
            | Self::NoRefresh
            | Self::TimedOut
            | Self::Internal => None,
        }
    }

    /// Whether somebody claimed to be somebody: worth an operator's notice.
    pub(crate) fn claimed(&self) -> Option<(&UserName, &dyn std::fmt::Display)> {
        match self {
            Self::Refused { name: Some(name), cause, .. } => Some((name, cause)),
            Self::Taken(name) => Some((name, self)),
            Self::Refused { name: None, .. }
            | Self::Lost(_)
            | Self::GaveWay
            | Self::Broken(_)
            | Self::NoRefresh
            | Self::TimedOut
            | Self::Busy
            | Self::Closing
            | Self::Internal => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use secchat_proto::error::{Error, Malformed, Rule};
    use secchat_proto::wire::login::RejectReason;

    use super::reason_for;

    #[test]
    fn a_stranger_learns_one_thing() {
        assert_eq!(reason_for(Error::PeerMisbehaved(Rule::Signature)), RejectReason::NotAuthenticated);
        assert_eq!(reason_for(Error::PeerMisbehaved(Rule::HandshakeNonce)), RejectReason::NotAuthenticated);
        assert_eq!(reason_for(Error::Malformed(Malformed::UserName)), RejectReason::Malformed);
    }
}
