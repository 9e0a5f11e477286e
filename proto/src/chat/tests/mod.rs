//! Two chats over a relay that is honest, lossy or worse, on a virtual clock.

mod attempts;
mod ending;
mod forging;
mod matrix;
mod net;
mod places;
mod rekey;
mod rekey_steps;
mod resume;
mod schedules;
mod setup;
mod tampering;
mod texts;

use net::{A, B, Net, UNIX_START, Wire, is_end, step_of};
use setup::{GRANTED, Setup};

use std::time::Duration;

use crate::Error;
use crate::chat::{Chat, Output, PairLoss, Phase, SendError};
use crate::crypto::kem::{ReadyRsaKey, Suites};
use crate::wire::chat_record::{ChatMessage, EndReason};
use crate::wire::link::{LinkMessage, Step};
use crate::wire::request::Terms;
