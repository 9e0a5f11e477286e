//! Connecting and logging in: S1–S3 (PROTOCOL.md §3), each failure with its own sentence.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use secchat_proto::Error;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::{ReadyRsaKey, Suite};
use secchat_proto::error::{Rule, Untrusted};
use secchat_proto::handshake::client::{self, RelayVerified};
use secchat_proto::limits::{LOGIN_TIMEOUT, MAX_FRAME_BYTES, MAX_LOGIN_BYTES, MAX_S1_BYTES};
use secchat_proto::record::Session;
use secchat_proto::wire::frame::{FrameDecoder, write_frame};
use secchat_proto::wire::login::OrReject;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinError;
use tokio::time::timeout;

use super::{Attempt, EventSink, LinkEvent, LinkSettings, trust};
use crate::clock;
use crate::core::io::{LinkFailure, LoginKey};
use crate::state_folder::StateFolder;

/// A link that stands.
pub(super) struct LoggedIn {
    pub(super) stream: TcpStream,
    /// With what came behind S3.
    pub(super) decoder: FrameDecoder,
    pub(super) session: Session,
    pub(super) warnings: Vec<String>,
}

/// Connects and logs in.
pub(super) async fn log_in(
    settings: &LinkSettings,
    state: Arc<StateFolder>,
    attempt: Attempt,
    events: &EventSink,
) -> Result<LoggedIn, LinkFailure> {
    let files = trust::Files::of(settings);
    let newest_crl_seen = attempt.newest_crl_seen;
    let reading = Arc::clone(&state);
    let anchors = off_loop(move || files.read(reading.kept_crl(), newest_crl_seen))
        .await?
        .map_err(LinkFailure::Failed)?;
    // Known from the start to be needed: made before the relay's clock runs.
    let favourite = settings.suites.as_slice().first();
    let ready = if favourite == Some(&Suite::Rsa3072) { Some(rsa_key().await?) } else { None };
    let stream = connect(settings).await?;
    let login = async {
        let (mut stream, mut decoder) = (stream, FrameDecoder::new(MAX_S1_BYTES));
        let s1 = read_frame(settings, &mut stream, &mut decoder).await?;
        let unkept = keep_newest_crl(&s1, &anchors, state, events).await?;
        let mut logged_in = shake_hands(settings, (&anchors, s1), attempt, ready, (stream, decoder)).await?;
        logged_in.warnings.extend(unkept);
        Ok(logged_in)
    };
    timeout(LOGIN_TIMEOUT, login).await.unwrap_or_else(|_| {
        Err(failed(settings, "did not complete the login within 10 s: is that a secchat relay?"))
    })
}

/// Connects and reads what the relay says of itself, up to the point where a user would log in. A sentence when that is
/// not good, and why the relay is not trusted where it is that.
pub(super) async fn look(
    settings: &LinkSettings,
    anchors: &trust::Anchors,
) -> Result<(), (String, Option<Untrusted>)> {
    let sentence = |failure| match failure {
        LinkFailure::Failed(why) => (why, None),
        LinkFailure::Rejected(_) => (format!("{} takes no logins now: try again", settings.relay), None),
        LinkFailure::Closed => (format!("{} closed the connection", settings.relay), None),
    };
    let mut stream = connect(settings).await.map_err(sentence)?;
    let mut decoder = FrameDecoder::new(MAX_S1_BYTES);
    let s1 = match timeout(LOGIN_TIMEOUT, read_frame(settings, &mut stream, &mut decoder)).await {
        Ok(s1) => s1.map_err(sentence)?,
        Err(_) => {
            return Err(sentence(failed(settings, "said nothing within 10 s: is that a secchat relay?")));
        }
    };
    match client::read_s1(&s1, anchors, &settings.suites, clock::unix_now()) {
        Ok(OrReject::Message(_)) => Ok(()),
        Ok(OrReject::Reject(reason)) => Err(sentence(LinkFailure::Rejected(reason))),
        Err(Error::Untrusted(why)) => Err((trust::untrusted(settings, why), Some(why))),
        Err(error) => Err(sentence(refused(settings, error))),
    }
}

/// Keeps the list that counts now, before it is asked about the relay and whatever comes of the login: a relay that
/// it revokes must not be believed again for showing an older one. A warning when the file cannot be written.
async fn keep_newest_crl(
    s1: &[u8],
    anchors: &trust::Anchors,
    state: Arc<StateFolder>,
    events: &EventSink,
) -> Result<Option<String>, LinkFailure> {
    let Some(newest) = client::newest_crl(s1, anchors, clock::unix_now()) else { return Ok(None) };
    events.send(LinkEvent::CrlSeen { this_update: newest.this_update }).await;
    if anchors.crl.as_deref() == Some(newest.der.as_slice()) {
        return Ok(None);
    }
    let kept = off_loop(move || state.keep_crl(&newest.der)).await?;
    Ok(kept.err().map(|error| format!("the relay's newer revocation list is not kept: {error}")))
}

async fn connect(settings: &LinkSettings) -> Result<TcpStream, LinkFailure> {
    let LinkSettings { relay, config_file, .. } = settings;
    let sentence = |what: String| LinkFailure::Failed(what);
    let connecting = TcpStream::connect((relay.host.as_str(), relay.port));
    let stream = match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(sentence(format!(
                "no relay is listening at {relay} (connection refused): check `relay` in {}, or ask its operator",
                config_file.display()
            )));
        }
        Ok(Err(error)) => return Err(sentence(format!("cannot reach {relay}: {error}"))),
        Err(_) => return Err(sentence(format!("{relay} does not answer: nothing came within 10 s"))),
    };
    // Every write is a whole batch already.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    Ok(stream)
}

async fn shake_hands(
    settings: &LinkSettings,
    (anchors, s1): (&trust::Anchors, Vec<u8>),
    attempt: Attempt,
    ready: Option<ReadyRsaKey>,
    (mut stream, mut decoder): (TcpStream, FrameDecoder),
) -> Result<LoggedIn, LinkFailure> {
    let relay = match client::read_s1(&s1, anchors, &settings.suites, clock::unix_now()) {
        Ok(OrReject::Message(relay)) => relay,
        Ok(OrReject::Reject(reason)) => return Err(LinkFailure::Rejected(reason)),
        Err(error) => return Err(refused(settings, error)),
    };
    let verified = relay.certificate().clone();
    let ready = match (relay.suite(), ready) {
        (Suite::Rsa3072, None) => Some(rsa_key().await?),
        (Suite::Rsa3072, ready) => ready,
        (Suite::X25519MlKem768, _) => None,
    };
    let (expect_s3, s2) = answer(settings, relay, attempt, ready)?;
    let mut frame = Vec::new();
    write_frame(&s2, &mut frame).map_err(|error| refused(settings, error))?;
    stream.write_all(&frame).await.map_err(|error| lost(settings, &error))?;
    decoder.set_limit(MAX_LOGIN_BYTES);
    let s3 = read_frame(settings, &mut stream, &mut decoder).await?;
    let session = match expect_s3.read_s3(&s3) {
        Ok(OrReject::Message(session)) => session,
        Ok(OrReject::Reject(reason)) => return Err(LinkFailure::Rejected(reason)),
        Err(error) => return Err(refused(settings, error)),
    };
    decoder.set_limit(MAX_FRAME_BYTES);
    let warnings = verified.warnings.iter().map(|warning| trust::warning(settings, *warning)).collect();
    Ok(LoggedIn { stream, decoder, session, warnings })
}

fn answer(
    settings: &LinkSettings,
    relay: RelayVerified,
    attempt: Attempt,
    ready: Option<ReadyRsaKey>,
) -> Result<(client::ExpectS3, Vec<u8>), LinkFailure> {
    let Attempt { key, role, .. } = attempt;
    let (user, entropy) = (&settings.user, &mut OsEntropy);
    match &key {
        LoginKey::Identity(identity) => relay.send_s2((user, identity), role, ready, entropy),
        LoginKey::Delegated(delegate) => relay.send_delegated_s2((user, delegate), role, ready, entropy),
    }
    .map_err(|error| refused(settings, error))
}

async fn read_frame(
    settings: &LinkSettings,
    stream: &mut TcpStream,
    decoder: &mut FrameDecoder,
) -> Result<Vec<u8>, LinkFailure> {
    let mut chunk = vec![0; READ_BYTES];
    loop {
        if let Some(frame) = decoder.next_frame().map_err(|error| refused(settings, error))? {
            return Ok(frame.to_vec());
        }
        match stream.read(&mut chunk).await {
            Ok(0) => return Err(failed(settings, "closed the connection during the login")),
            Ok(read) => decoder.push(chunk.get(..read).unwrap_or_default()),
            Err(error) => return Err(lost(settings, &error)),
        }
    }
}

/// Makes a key for suite 1: up to seconds of CPU.
async fn rsa_key() -> Result<ReadyRsaKey, LinkFailure> {
    off_loop(ReadyRsaKey::generate)
        .await?
        .map_err(|error| LinkFailure::Failed(format!("cannot make an RSA key for the login: {error}")))
}

/// Runs work that takes its time beside the event loop.
async fn off_loop<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LinkFailure> {
    tokio::task::spawn_blocking(work).await.map_err(|_: JoinError| {
        LinkFailure::Failed("the login was broken off by an internal error".to_owned())
    })
}

/// The sentence for what the relay sent.
fn refused(settings: &LinkSettings, error: Error) -> LinkFailure {
    let config = settings.config_file.display();
    match error {
        Error::Untrusted(why) => LinkFailure::Failed(trust::untrusted(settings, why)),
        Error::PeerMisbehaved(Rule::Version) => {
            failed(settings, "speaks another version of the protocol: update secchat here or there")
        }
        Error::PeerMisbehaved(Rule::Suite) => {
            failed(settings, &format!("offers none of the permitted suites: check `link_suites` in {config}"))
        }
        Error::PeerMisbehaved(Rule::Signature) => failed(
            settings,
            "could not prove that it holds its certificate's key: somebody else may be answering in its place",
        ),
        Error::Malformed(_) | Error::PeerMisbehaved(_) | Error::Decrypt => failed(
            settings,
            &format!("does not answer as a secchat relay does ({error}): check `relay` in {config}"),
        ),
        Error::Exhausted | Error::Crypto(_) => LinkFailure::Failed(format!("the login failed here: {error}")),
    }
}

fn lost(settings: &LinkSettings, error: &io::Error) -> LinkFailure {
    failed(settings, &format!("was lost during the login: {error}"))
}

fn failed(settings: &LinkSettings, what: &str) -> LinkFailure {
    LinkFailure::Failed(format!("{} {what}", settings.relay))
}

/// How long TCP and the name's resolution may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes taken from the socket at once.
const READ_BYTES: usize = 4_096;
