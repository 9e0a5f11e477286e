//! One popup, and what a notification server can do with it: values only, no D-Bus.

/// What a person can choose in a popup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Look at it: all that a click on the popup itself ever does.
    Show,
    /// Accept the request.
    Accept,
    /// Refuse the request; the asker is told.
    Refuse,
    /// Keep the request; nobody is told.
    Later,
    /// The shown texts are read.
    Read,
    /// Type an answer in the popup; only where the server has a field for it.
    Reply,
}

impl Action {
    /// The action's key on the bus.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Show => "default",
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Later => "later",
            Self::Read => "read",
            Self::Reply => "inline-reply",
        }
    }

    /// What its button says.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Show => "Show",
            Self::Accept => "Accept",
            Self::Refuse => "Refuse",
            Self::Later => "Later",
            Self::Read => "Mark as read",
            Self::Reply => "Reply",
        }
    }

    /// The action with this key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        [Self::Show, Self::Accept, Self::Refuse, Self::Later, Self::Read, Self::Reply]
            .into_iter()
            .find(|action| action.key() == key)
    }

    /// Whether it answers a request, and so must not be chosen by reflex.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Accept | Self::Refuse | Self::Later)
    }
}

/// How much a popup insists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// For information.
    Low,
    /// As other messengers' messages.
    Normal,
    /// Stays until a person closes it, and passes do-not-disturb.
    Critical,
}

/// One popup, made for what the server can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Popup {
    /// One line, never markup.
    pub summary: String,
    /// Lines; markup where the server reads it, so peers' text in it is escaped.
    pub body: String,
    /// Its buttons; [`Action::Show`] is the popup itself.
    pub actions: Vec<Action>,
    /// How much it insists.
    pub urgency: Urgency,
    /// Its kind, of the specification's list.
    pub category: &'static str,
    /// When it is over: Unix seconds.
    pub expires: Option<u64>,
    /// Not worth keeping in a list of what was missed.
    pub is_transient: bool,
}

/// What a notification server can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Buttons.
    pub actions: bool,
    /// More than the summary.
    pub body: bool,
    /// The body is markup: `&`, `<` and `>` mean something.
    pub markup: bool,
    /// A field for an answer.
    pub inline_reply: bool,
    /// It says when a person wants no popups.
    pub inhibitions: bool,
}

impl Capabilities {
    /// From the server's own list.
    #[must_use]
    pub fn from_names(names: &[String]) -> Self {
        let has = |name: &str| names.iter().any(|found| found == name);
        Self {
            actions: has("actions"),
            body: has("body"),
            markup: has("body-markup"),
            inline_reply: has("actions") && has("inline-reply"),
            inhibitions: has("inhibitions"),
        }
    }

    /// Text as this server shows it letter by letter. Servers that claim no markup may read it all the same: there is
    /// nothing left to be read in it.
    #[must_use]
    pub fn literal(&self, text: &str) -> String {
        if self.markup {
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
        } else {
            text.replace('<', "‹").replace('>', "›")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_what_the_server_says() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let plasma =
            names(&["body", "body-hyperlinks", "body-markup", "actions", "inline-reply", "inhibitions"]);
        let all =
            Capabilities { actions: true, body: true, markup: true, inline_reply: true, inhibitions: true };
        assert_eq!(Capabilities::from_names(&plasma), all);
        assert_eq!(Capabilities::from_names(&names(&["inline-reply"])), Capabilities::default());
    }

    #[test]
    fn actions_have_their_own_keys() {
        for key in ["default", "accept", "refuse", "later", "read", "inline-reply"] {
            assert_eq!(Action::from_key(key).map(Action::key), Some(key));
        }
        assert_eq!(Action::from_key("Accept"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_markup(text: String) {
            for markup in [true, false] {
                let shown = Capabilities { markup, ..Capabilities::default() }.literal(&text);
                proptest::prop_assert!(!shown.contains(['<', '>']));
                if markup {
                    let back = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
                    proptest::prop_assert_eq!(back, text.clone());
                }
            }
        }
    }
}
