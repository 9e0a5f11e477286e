//! Real relays, real daemons and real command lines in temporary folders, and relays that misbehave.
//!
//! [`Pki`] makes the certificates, [`TestRelay`] and [`TestUser`] run the binaries that lie beside the test's own,
//! [`Frontend`] awaits what a daemon shows, [`EvilRelay`] speaks the protocol and breaks it where a test says so.
//! Nothing here sleeps: everything awaits an event, [`within`] a deadline. Whatever was started ends with the value
//! that stands for it, in a panic too.

mod bus;
mod ctl;
mod deadline;
mod desktop;
mod evil_relay;
mod flood;
pub mod forwarding;
mod frontend;
mod home;
mod impostor;
mod memory;
mod notifier;
mod operator;
mod pki;
mod process;
mod proxy;
mod random;
pub mod raw_link;
mod relay;
pub mod storm;
mod terminal;
mod tmux;
mod user;
mod wire_client;

pub use bus::{Bus, FOREIGN_SESSION, Logind, OWN_SESSION};
pub use ctl::CtlOutput;
pub use deadline::{DEADLINE, next_second, within};
pub use desktop::{Desktop, Notifier, reading_time};
pub use evil_relay::{EvilRelay, proto_name, public_key};
pub use flood::flood;
pub use frontend::Frontend;
pub use home::{Home, PASSPHRASE};
pub use impostor::Impostor;
pub use memory::Memory;
pub use notifier::{FakeNotifier, Popups, ShownPopup};
pub use operator::Operator;
pub use pki::{Ca, CertificateSpec, CrlSpec, Pki, public_key_base64, unix_now};
pub use process::{Log, Process, binary};
pub use proxy::Proxy;
pub use random::Random;
pub use relay::TestRelay;
pub use terminal::Terminal;
pub use tmux::Tmux;
pub use user::{TestUser, World};
pub use wire_client::{Hearing, LoginOutcome, Saying, WireClient};
