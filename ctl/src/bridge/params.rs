//! The parameters of the bridge's methods, by name. An unknown one is a mistake, not an extension.

use jiff::Timestamp;
use secchat_ipc::types::{ChatId, HistoryPlace, HistoryQuery, Keep, Policy, QueuedTexts, QuietHours, Terms};
use secchat_ipc::{Command, UserName};
use serde::Deserialize;
use serde::de::Error as _;

/// No parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Whom it is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whom {
    pub(super) peer: UserName,
}

/// `lock`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    #[serde(default)]
    pub(super) keep_session: bool,
}

/// `rtt`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rtt {
    pub(super) peer: UserName,
    #[serde(default = "no_history")]
    pub(super) terms: TermsParam,
    #[serde(default = "a_day")]
    pub(super) lifetime_seconds: u32,
    #[serde(default)]
    pub(super) wait: bool,
}

/// `accept`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accept {
    pub(super) peer: UserName,
    pub(super) terms: Option<TermsParam>,
    #[serde(default)]
    pub(super) standing: bool,
    #[serde(default)]
    pub(super) wait: bool,
}

/// `refuse`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refuse {
    pub(super) peer: UserName,
    #[serde(default)]
    pub(super) quietly: bool,
}

/// `send`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    pub(super) peer: UserName,
    pub(super) text: String,
}

/// `read`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    pub(super) peer: Option<UserName>,
    #[serde(default)]
    pub(super) peek: bool,
}

/// `mark_read`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkRead {
    #[serde(deserialize_with = "chat_id")]
    pub(super) chat: ChatId,
    #[serde(deserialize_with = "number")]
    pub(super) up_to: u64,
}

/// `set_do_not_disturb`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoNotDisturb {
    pub(super) on: bool,
    #[serde(default)]
    pub(super) seconds: u32,
}

/// `set_quiet_hours`: not given, those of the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hours {
    #[serde(default, deserialize_with = "hours")]
    pub(super) hours: Option<Option<QuietHours>>,
}

/// `set_reachability`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Available {
    pub(super) available: bool,
}

/// `set_policy`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPolicy {
    pub(super) peer: Option<UserName>,
    pub(super) policy: Option<PolicyParam>,
}

/// `set_blocked`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Blocked {
    pub(super) peer: UserName,
    pub(super) blocked: bool,
}

/// `add_peer`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) peer: UserName,
    pub(super) public_key: String,
}

/// `confirm_safety_number`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Number {
    pub(super) peer: UserName,
    pub(super) number: String,
}

/// `queue`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Queue {
    pub(super) peer: UserName,
    pub(super) text: String,
    #[serde(default = "a_week")]
    pub(super) lifetime_seconds: u32,
}

/// `cancel_queued`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum CancelQueued {
    One(QueuedText),
    To(Whom),
}

/// A text of the outbox.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueuedText {
    #[serde(deserialize_with = "number")]
    id: u64,
}

/// `consume`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Consume {
    pub(super) consumer: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) acknowledged: u64,
    #[serde(default = "one")]
    pub(super) most: u16,
}

/// `forget_consumer`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Consumer {
    pub(super) consumer: String,
}

/// `history`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    peer: Option<UserName>,
    search: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    since: Option<u64>,
    #[serde(default, deserialize_with = "moment")]
    before: Option<u64>,
    #[serde(default)]
    newest_first: bool,
    after: Option<Place>,
    #[serde(default = "a_page")]
    most: u16,
}

/// Where a page of the history ended.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    peer: UserName,
    #[serde(deserialize_with = "number")]
    number: u64,
}

/// `set_history`: days not given are the default, null are for ever.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetHistory {
    peer: Option<UserName>,
    #[serde(default, deserialize_with = "days")]
    history_days: Option<Keep>,
}

/// `erase_history`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EraseHistory {
    pub(super) peer: Option<UserName>,
    #[serde(default, deserialize_with = "moment")]
    pub(super) before: Option<u64>,
}

/// Terms: what is not given is no limit.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TermsParam {
    #[serde(default, deserialize_with = "moment")]
    pub(super) until: Option<u64>,
    pub(super) history_days: Option<u16>,
}

/// A policy, by its word.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PolicyParam {
    Ask,
    Accept,
    Refuse,
    RefuseQuietly,
}

impl From<Rtt> for Command {
    fn from(params: Rtt) -> Self {
        let Rtt { peer, terms, lifetime_seconds, wait } = params;
        Self::Rtt { peer, terms: terms.into(), lifetime_seconds, wait }
    }
}

impl From<Accept> for Command {
    fn from(params: Accept) -> Self {
        let Accept { peer, terms, standing, wait } = params;
        let terms = terms.map(Terms::from);
        if standing { Self::AcceptStanding { peer, terms, wait } } else { Self::Accept { peer, terms, wait } }
    }
}

impl From<CancelQueued> for QueuedTexts {
    fn from(params: CancelQueued) -> Self {
        match params {
            CancelQueued::One(QueuedText { id }) => Self::One(id),
            CancelQueued::To(Whom { peer }) => Self::To(peer),
        }
    }
}

impl From<History> for HistoryQuery {
    fn from(params: History) -> Self {
        let History { peer, search, since, before, newest_first, after, most } = params;
        let after = after.map(|Place { peer, number }| HistoryPlace { peer, number });
        Self { peer, search, since, before, newest_first, after, most }
    }
}

impl From<SetHistory> for Command {
    fn from(SetHistory { peer, history_days }: SetHistory) -> Self {
        Self::SetHistory { peer, keep: history_days }
    }
}

impl From<TermsParam> for Terms {
    fn from(TermsParam { until, history_days }: TermsParam) -> Self {
        Self { until, history_days }
    }
}

impl From<PolicyParam> for Policy {
    fn from(policy: PolicyParam) -> Self {
        match policy {
            PolicyParam::Ask => Self::Ask,
            PolicyParam::Accept => Self::Accept,
            PolicyParam::Refuse => Self::Refuse,
            PolicyParam::RefuseQuietly => Self::RefuseQuietly,
        }
    }
}

/// As with `secchatctl rtt`: keeping texts needs consent, who says nothing asks for none.
fn no_history() -> TermsParam {
    TermsParam { until: None, history_days: Some(0) }
}

fn a_day() -> u32 {
    86_400
}

fn one() -> u16 {
    1
}

fn a_page() -> u16 {
    100
}

fn a_week() -> u32 {
    7 * a_day()
}

fn moment<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(value)? else { return Ok(None) };
    let moment: Timestamp = text.parse().map_err(|_| D::Error::custom("it is a time in RFC 3339"))?;
    u64::try_from(moment.as_second()).map(Some).map_err(|_| D::Error::custom("it is before 1970"))
}

fn hours<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<QuietHours>>, D::Error> {
    let text = Option::<String>::deserialize(value)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose().map(Some)
}

fn days<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Keep>, D::Error> {
    Ok(Some(Option::<u16>::deserialize(value)?.map_or(Keep::All, Keep::Days)))
}

fn chat_id<'de, D: serde::Deserializer<'de>>(value: D) -> Result<ChatId, D::Error> {
    let text = String::deserialize(value)?;
    let is_hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(&text, 16).ok().filter(|_| is_hex);
    number.map(|number| ChatId(number.to_be_bytes())).ok_or_else(|| D::Error::custom("chat is 32 hex digits"))
}

fn number<'de, D: serde::Deserializer<'de>>(value: D) -> Result<u64, D::Error> {
    let text = String::deserialize(value)?;
    let is_decimal = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal).ok_or_else(|| D::Error::custom("it is a number in a string"))
}
