//! What secchat-notify(1) says beyond the command line.

pub(super) const TEXT: &str = r#".SH POPUPS
A request shows who asks, what is known of the key, the terms and the safety number. \fIAccept\fR, \fIRefuse\fR and
\fILater\fR do what \fBsecchatctl\fR does. A click on the popup itself only shows it again; closing it, or its time on the
screen being over, answers nothing. What is chosen within half a second of the popup's appearance, or of another's coming
or going, does not count: the popup comes back. A request that is answered elsewhere, withdrawn or over loses its popup.
.PP
When the relay offers another key for a peer than the pinned one, a popup says so, whatever else is set; a request with
such a key has no \fIAccept\fR. At most three requests and three senders have popups at a time; one more of each kind
stands for the rest, and a click on it shows three more.
.PP
Texts are hidden until a click on their popup, unless \fIshow\fR is \fIfull\fR. Where the server has a field for an answer
(KDE Plasma, SwayNotificationCenter), it can be typed there.
.PP
Servers differ. Where there are no buttons, popups name the \fBsecchatctl\fR command. In \fBdunst\fR(5) the actions are in
the context menu; a rule with \fIappname = secchat\fR and \fIaction_name\fR gives one of them to a click. While the server
says that notifications are inhibited, or \fBsecchatctl dnd\fR is on, only changed keys appear; the rest appears
afterwards.
.SH CONFIGURATION
A flag wins over a variable, that over ~/.config/secchat/notify.toml, that over /etc/secchat/notify.toml. An unknown key
is an error.
.PP
.EX
show = "name"      # "none": that somebody asks or has written; "full": who, and what
messages = true    # false: popups for requests and keys only
.EE
.SH ENVIRONMENT
.TP
\fBSECCHAT_PROFILE\fR, \fBSECCHAT_NOTIFY_CONFIG\fR, \fBSECCHAT_NOTIFY_SHOW\fR, \fBSECCHAT_NOTIFY_MESSAGES\fR
As the flags of these names.
.TP
\fBDBUS_SESSION_BUS_ADDRESS\fR
The session bus that the notification server is on.
.TP
\fBXDG_CONFIG_HOME\fR, \fBXDG_RUNTIME_DIR\fR
Where the files below are.
.SH FILES
A profile NAME has the same files in profiles/NAME/.
.TP
~/.config/secchat/notify.toml
The configuration.
.TP
$XDG_RUNTIME_DIR/secchat/secchatd.sock
The socket of \fBsecchatd\fR(8). Without a daemon it is looked for again after 1 to 10 seconds.
.TP
$XDG_RUNTIME_DIR/secchat/secchat\-notify.lock
Held while it runs: a second one of the same profile ends at once.
.TP
/etc/xdg/autostart/secchat\-notify.desktop
Starts it with the session, where systemd does not.
.SH SIGNALS
SIGTERM, SIGINT and SIGHUP take the popups off and end it, with exit status 0.
.SH EXIT STATUS
0: ended as asked, or one was running. 1: could not start, or its session bus is gone and not back within 3 seconds. 2: the
command line is wrong.
.SH EXAMPLES
With every graphical session:
.PP
.EX
systemctl \-\-user enable \-\-now secchat\-notify.service
.EE
.PP
What people write, too:
.PP
.EX
echo 'show = "full"' >> ~/.config/secchat/notify.toml
systemctl \-\-user restart secchat\-notify.service
.EE
.SH SEE ALSO
\fBsecchatctl\fR(1), \fBsecchatd\fR(8)
"#;
