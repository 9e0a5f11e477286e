//! The names by which the journal knows what the relay tells (`MESSAGE_ID`); what each means is in
//! `dist/systemd/secchat-relay.catalog`. An id never changes its meaning, and is never used again.

/// The relay serves.
pub(crate) const LISTENING: &str = "ed09bd4e431992b7cd708fbc8e23ed8c";
/// The relay listens elsewhere.
pub(crate) const MOVED: &str = "2c044dcc9ad31f2baa2e266e80161afc";
/// The relay stops.
pub(crate) const STOPPING: &str = "5c163a93861e59ac8aa8e68c06a343e6";
/// A user has logged in.
pub(crate) const LOGGED_IN: &str = "fd574a39b84912ca72517c1dfd05dd21";
/// Somebody could not prove to be a user.
pub(crate) const LOGIN_REFUSED: &str = "df7fb05bfe020d2b44d2cdd3af677210";
/// The relay has closed a link.
pub(crate) const LINK_CLOSED: &str = "2a8ae506bc634477826ea020f50e341f";
/// A link has ended by a fault.
pub(crate) const LINK_ENDED: &str = "c0d05ef4d72fb470b84896e090a8571b";
/// A queue was full beyond its bound.
pub(crate) const QUEUE_FULL: &str = "641af67afb18077f6f79b6ddeed9028d";
/// As many connections as there may be.
pub(crate) const CONNECTIONS_FULL: &str = "e0c88cd6a9be101146a2b8e1406a50ce";
/// Connections cannot be accepted.
pub(crate) const CANNOT_ACCEPT: &str = "fc267e0d0c0ccf62d831038e435a1782";
/// Connections are accepted again.
pub(crate) const ACCEPTS_AGAIN: &str = "743010c5a797c5cceeddfcbc0e76803c";
/// A connection failed by a bug in the relay.
pub(crate) const CONNECTION_BUG: &str = "da2b1e5b34d7f3bdfe6a0d5296d43c0a";
/// Something with certificate or CRL.
pub(crate) const CREDENTIALS_WARNING: &str = "7deba1269ff5450387c1c272e8fac898";
/// Nobody is on the list.
pub(crate) const NO_USERS: &str = "02b0e616f6c6bd2836ff97f21f088329";
/// Certificate or CRL end soon.
pub(crate) const ENDS_SOON: &str = "5d3a8241be8f6d385774863e21bda95a";
/// Certificate or CRL have ended.
pub(crate) const HAS_ENDED: &str = "5f0d5c4edfc3d448bc43174f987b92c7";
/// The clock was set.
pub(crate) const CLOCK_JUMPED: &str = "cbdf60d644aa15f93f836b4b22b55cb2";
/// The files were read again.
pub(crate) const RELOADED: &str = "1a7c28ad4917a23ca77ca93797cbefe4";
/// The files have errors.
pub(crate) const NOT_RELOADED: &str = "cc9f32e26046ff05d3303e773b870829";
/// An error in a file.
pub(crate) const FILE_ERROR: &str = "b2e6f9b1693d4fd800b5861bad9faf46";
/// New limits hold.
pub(crate) const NEW_LIMITS: &str = "527acb4d33f486cbd2de28f7a1d66f38";
/// A folder cannot be watched.
pub(crate) const FOLDER_UNWATCHED: &str = "d3e6e1444a7a065c3a65b36c0b82453e";
/// A folder can be watched again.
pub(crate) const FOLDER_WATCHED: &str = "7d81a45acbfd0f8f947f9def7bb2150c";
/// Metrics can be read.
pub(crate) const METRICS_AT: &str = "ad514c76c4a201f487e95ea484f9cae7";
/// Metrics cannot be read.
pub(crate) const METRICS_FAILED: &str = "f7278fcf96fa3f6d179ee149dd4c6bf2";
/// Lines of the log were lost.
pub(crate) const LINES_LOST: &str = "7489bf8649a68132c68ac0ea8cc292c7";
/// Another user was refused on the admin socket.
pub(crate) const ADMIN_REFUSED: &str = "755f129d8292d4bbec5e553d392e10c3";
/// The relay cannot be asked.
pub(crate) const NO_ADMIN: &str = "f58a7047ce856e16d41f20c3e0d7accf";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The ids in a text, each with what stands before it.
    fn ids(text: &str, before: &str) -> Vec<String> {
        let found = text.lines().filter_map(|line| line.split_once(before)).map(|(_, rest)| rest);
        found.map(|rest| rest.trim_end_matches("\";").to_owned()).collect()
    }

    #[test]
    fn every_id_is_in_the_catalog_once_and_nothing_else_is() {
        let in_code = ids(include_str!("events.rs"), ": &str = \"");
        let in_catalog = ids(include_str!("../../../dist/systemd/secchat-relay.catalog"), "-- ");
        let unique: BTreeSet<_> = in_code.iter().collect();
        assert_eq!(unique.len(), in_code.len(), "an id is used twice");
        assert!(
            unique.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b"0123456789abcdef".contains(&b)))
        );
        assert_eq!(in_catalog, in_code, "in the same order");
    }
}
