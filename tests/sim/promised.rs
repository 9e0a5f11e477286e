//! Settings that a daemon said it has kept: they hold after every crash.

use secchat_ipc::types::{LockState, Policy, QuietChange};
use secchat_ipc::{Command, CommandError, Reply, Snapshot};

/// What was promised, as far as it is known; `None` from the command on until it is answered.
#[derive(Debug, Default)]
pub struct Promised {
    policy: Option<Policy>,
    quiet: Option<bool>,
    /// The last commands that changed them.
    last: [u64; 2],
}

impl Promised {
    pub fn note_command(&mut self, id: u64, command: &Command) {
        match command {
            Command::SetPolicy { peer: None, .. } => (self.policy, self.last[0]) = (None, id),
            Command::SetDoNotDisturb(_) => (self.quiet, self.last[1]) = (None, id),
            _ => {}
        }
    }

    pub fn note_answer(&mut self, id: u64, command: &Command, result: &Result<Reply, CommandError>) {
        match (command, result) {
            (Command::SetPolicy { peer: None, policy }, Ok(Reply::Done)) if id == self.last[0] => {
                self.policy = Some(policy.unwrap_or(Policy::Ask));
            }
            (Command::SetDoNotDisturb(change), Ok(Reply::Done)) if id == self.last[1] => {
                self.quiet = match change {
                    QuietChange::On { seconds: 0 } => Some(true),
                    QuietChange::Off => Some(false),
                    _ => None,
                };
            }
            _ => {}
        }
    }

    /// What everybody sees of a daemon that knows what it has kept.
    pub fn check(&self, state: &Snapshot) {
        if state.status.lock == LockState::Unlocked {
            assert!(self.policy.is_none_or(|policy| policy == state.status.policy), "{self:?}: {state:?}");
            assert!(self.quiet.is_none_or(|on| on == state.do_not_disturb.on), "{self:?}: {state:?}");
        }
    }
}
