//! The socket that systemd opened for this daemon, if it did.

use std::os::unix::net::UnixListener;

/// Takes the socket from the environment: to be called before anything that starts a thread, because it changes the
/// environment.
///
/// # Errors
/// A sentence, when sockets were passed that are not this daemon's one.
pub fn take() -> Result<Option<UnixListener>, String> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    // listenfd also takes sockets that name no process; those may be meant for a parent.
    if std::env::var("LISTEN_PID").ok().and_then(|pid| pid.parse().ok()) != Some(std::process::id()) {
        return Ok(None);
    }
    let mut passed = listenfd::ListenFd::from_env();
    if passed.len() == 0 {
        return Ok(None);
    }
    check(passed.len(), &names)?;
    passed.take_unix_listener(0).map_err(|error| {
        format!(
            "the socket that was passed is no listening Unix stream socket ({error}): check secchatd.socket"
        )
    })
}

/// Exactly one socket, of any name: a unit may call it by its default name, `secchatd.socket`, or another.
fn check(count: usize, names: &str) -> Result<(), String> {
    if count == 1 {
        return Ok(());
    }
    Err(format!("{count} sockets were passed ({names}), where one is served: check secchatd.socket"))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn one_socket_is_served() {
        assert!(check(1, "secchatd.socket").is_ok());
        assert!(check(2, "a:b").unwrap_err().contains("(a:b)"));
    }
}
