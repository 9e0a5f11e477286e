//! Between the wire's vocabulary and the frontends'.

use secchat_ipc::types as ipc;
use secchat_proto::UserName;
use secchat_proto::wire::link::ChatId;
use secchat_proto::wire::login::Role;
use secchat_proto::wire::request::Terms;

/// A wire name as frontends see it.
#[must_use]
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "both crates take the same names: a test compares them"
)]
pub fn user_to_ipc(name: &UserName) -> secchat_ipc::UserName {
    secchat_ipc::UserName::parse(name.as_str()).expect("a name on the wire is a name for frontends")
}

/// A frontend's name on the wire.
#[must_use]
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "both crates take the same names: a test compares them"
)]
pub fn user_from_ipc(name: &secchat_ipc::UserName) -> UserName {
    UserName::parse(name.as_str().as_bytes()).expect("a name of a frontend is a name on the wire")
}

/// A chat's id as frontends see it.
#[must_use]
pub fn chat_id_to_ipc(id: ChatId) -> ipc::ChatId {
    ipc::ChatId(*id.as_bytes())
}

/// A frontend's chat id on the wire; `None` for zeros, which no chat has.
#[must_use]
pub fn chat_id_from_ipc(id: ipc::ChatId) -> Option<ChatId> {
    ChatId::from_bytes(id.0).ok()
}

/// Terms as frontends see them: all ones is `None`.
#[must_use]
pub fn terms_to_ipc(terms: Terms) -> ipc::Terms {
    ipc::Terms {
        until: (terms.until != u64::MAX).then_some(terms.until),
        history_days: (terms.history_days != u16::MAX).then_some(terms.history_days),
    }
}

/// Terms on the wire.
#[must_use]
pub fn terms_from_ipc(terms: ipc::Terms) -> Terms {
    Terms { until: terms.until.unwrap_or(u64::MAX), history_days: terms.history_days.unwrap_or(u16::MAX) }
}

/// A role as frontends see it.
#[must_use]
pub fn role_to_ipc(role: Role) -> ipc::Reachability {
    match role {
        Role::Receiver => ipc::Reachability::Available,
        Role::Sender => ipc::Reachability::Hidden,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secchat_proto::UserName;

    proptest! {
        #[test]
        fn both_crates_take_the_same_names(text in "[a-c0-1A.\u{e9}/_\0-]{0,34}") {
            let wire = UserName::parse(text.as_bytes());
            let ipc = secchat_ipc::UserName::parse(&text);
            prop_assert_eq!(wire.is_ok(), ipc.is_ok());
            if let (Ok(wire), Ok(ipc)) = (wire, ipc) {
                prop_assert!(super::user_from_ipc(&ipc) == wire && super::user_to_ipc(&wire) == ipc);
            }
        }
    }
}
