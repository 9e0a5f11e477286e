//! The numbers that stand for the small enumerations on the wire; any other number is malformed.

use crate::Error;
use crate::error::Malformed;
use crate::wire::chat_record::EndReason;
use crate::wire::link::{Answer, BadReason, ListPart, LogoutReason, Step};
use crate::wire::login::{RejectReason, Role};

macro_rules! codes {
    ($($type:ident { $($code:literal => $variant:ident,)+ })+) => {$(
        impl $type {
            /// The number on the wire.
            pub(crate) fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value of a number.
            pub(crate) fn from_code(code: u8) -> Result<Self, Error> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(Error::Malformed(Malformed::UnknownValue)),
                }
            }
        }
    )+};
}

codes! {
    Role { 0 => Receiver, 1 => Sender, }
    RejectReason { 1 => Version, 2 => Malformed, 3 => NotAuthenticated, 4 => Busy, 5 => Closing, }
    ListPart { 0 => More, 1 => Last, 2 => Came, 3 => Went, }
    Answer { 0 => Refuse, 1 => Accept, 2 => Withdraw, }
    Step { 1 => M1, 2 => M2, 3 => M3, }
    BadReason { 0 => NotAvailable, 1 => Limit, }
    LogoutReason { 0 => User, 1 => Closing, 2 => Replaced, 3 => Removed, 4 => TooSlow, }
    EndReason { 0 => Person, 1 => Until, 2 => RestoredCopy, 3 => Answer, }
}
