//! The names by which the journal knows what the daemon tells (`MESSAGE_ID`); what each means is in
//! `dist/systemd/secchatd.catalog`. An id never changes its meaning, and is never used again.

/// The id of an event of the core.
pub(crate) fn id(event: &str) -> Option<&'static str> {
    EVENTS.iter().find(|(name, _)| *name == event).map(|(_, id)| *id)
}

const EVENTS: [(&str, &str); 40] = [
    ("unlocked", "17a46cf9da28ed2a368a8dda02f17102"),
    ("locked", "4f15ac27f1c45bd959ca16bf78676dd5"),
    ("online", "a1d9437adee861a845c473c23549a887"),
    ("offline", "4af019bd2d775ecc8540e33c8e4e2aa5"),
    ("logged_out_by_relay", "e4c9425cccaefe5fdc02c14baa906439"),
    ("rtt_received", "384861ca0b702ba4622119f3c37e4fd0"),
    ("rtt_accepted", "cf2355e7634e97e36c94e7ded02fef0d"),
    ("rtt_refused", "1405013c64bcf85e2e624f192070afaf"),
    ("rtt_later", "91b93907468d28de62f9b0bf7a41440f"),
    ("rtt_expired", "ee20e46b341793d22cdf02464d746b6e"),
    ("rtt_withdrawn", "7c76d494ebb9909c1510004c4d7098ae"),
    ("rtt_sent", "8bc3f066695f5d3c4d09a4d1fe0ed880"),
    ("rtt_was_refused", "f8b919990a76d08719ce8b8f2f669e54"),
    ("consent_given", "46c6f3ad0d33df22727b20304f508952"),
    ("consent_over", "17d0a2c3c00519c6545483be7487cb30"),
    ("consent_revoked", "5924021872ad9cf8f40b862a0f054716"),
    ("policy_changed", "e8b26ffdda326285ef22c8821157907e"),
    ("peer_blocked", "624241d48a71bd125cec484ac2306a3a"),
    ("peer_unblocked", "438de1fe903ded13a65ce4faefb1d24b"),
    ("chat_opened", "aac746800dfbcf56bc3c6d70a3874f19"),
    ("chat_ended", "661a8cc5140d03ee6f62ceaf7493f6ca"),
    ("chat_interrupted", "ab18529985229d3beecfa4f557da7fdb"),
    ("chat_troubled", "85a5cfa5a2e9f84d90bf2136a5251e74"),
    ("peer_pinned", "f24de475f153b017ae0ce41978b77f9d"),
    ("peer_verified", "9743ef145ebcfcb6e0e876d65000032e"),
    ("peer_forgotten", "d63a0d2b3c18906429987cff637c9db8"),
    ("peer_key_changed", "ab4a55c1c3971ea6ef71b82f5fb8e7d8"),
    ("accept_failed", "ea1d7f1df0fa3f7252698c1f80fa3297"),
    ("rtt_dropped", "1da83628d4b10c1e96f4341aa60c6ba5"),
    ("response_dropped", "bc42c590d429603313213bbf3e9464e6"),
    ("inbox_full", "e3b6b1822a67f77abe6b8df5cedcd9b2"),
    ("queued_texts_ended", "fd4eb3221977e5978d02d86244bc7b5c"),
    ("save_failed", "bd454d2b3197bc3db4fade87e6ce1554"),
    ("state_notice", "ccd10d6b9246f663e5a3da6f2e1bc18e"),
    ("history_set", "f29afeca4e7e2bd1c3d8f9e3075d876c"),
    ("history_erased", "a5fb8d4bac0c81fa182f395d16c8725c"),
    ("history_failed", "8681627a011b776331f8d009e5159bd0"),
    ("peer_key_followed", "c078d82bdcaeeff09319bf791d23293f"),
    ("own_key_followed", "4bc11a26cc548bd91eb3f6f00273950d"),
    ("reachable_over", "324c96bf3bd84e458d2d59ea12549f0a"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_id_is_in_the_catalog_once_and_nothing_else_is() {
        let catalog = include_str!("../../../dist/systemd/secchatd.catalog");
        let in_catalog: Vec<&str> = catalog.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        let in_code: Vec<&str> = EVENTS.iter().map(|(_, id)| *id).collect();
        assert_eq!(in_catalog, in_code, "in the same order");
        let unique: BTreeSet<_> = in_code.iter().collect();
        assert_eq!(unique.len(), in_code.len(), "an id is used twice");
        assert!(
            unique.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b"0123456789abcdef".contains(&b)))
        );
    }

    /// The events that the core's sources name.
    fn named() -> BTreeSet<String> {
        let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core");
        let mut named = BTreeSet::new();
        for entry in std::fs::read_dir(core).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text: String = std::fs::read_to_string(path).unwrap().split_whitespace().collect();
            for call in ["self.log(\"", "self.warn(\"", "letevent=\""] {
                let names = text.split(call).skip(1).filter_map(|rest| rest.split('"').next());
                named.extend(names.map(str::to_owned));
            }
        }
        named
    }

    #[test]
    fn every_event_of_the_core_has_an_id() {
        let known: BTreeSet<String> = EVENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(named(), known);
    }
}
