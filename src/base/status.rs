//! The statuses: all outcomes and errors. They are listed in `status_table.rs`; constants, names, messages and the C header are generated
//! from this list.

/// An outcome or an error: 0 ok, above 0 an outcome that a program expects, below 0 an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Status(pub i32);

/// One row of the table.
pub struct StatusRow {
    /// The status.
    pub status: Status,
    /// The C name, NUL-terminated.
    pub name: &'static std::ffi::CStr,
    /// What happened and what helps, NUL-terminated.
    pub message: &'static std::ffi::CStr,
    /// Whether the same request may succeed when it is tried again.
    pub retriable: bool,
}

const fn text(bytes: &'static str) -> &'static std::ffi::CStr {
    match std::ffi::CStr::from_bytes_with_nul(bytes.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a text of the status table contains a NUL"),
    }
}

macro_rules! statuses {
    (@retriable final) => { false };
    (@retriable retriable) => { true };
    ($($name:ident = $number:literal, $retry:ident, $message:literal;)*) => {
        impl Status {
            $(#[doc = $message] pub const $name: Status = Status($number);)*
        }
        /// Every status, in the order of the header.
        pub static TABLE: &[StatusRow] = &[$(StatusRow {
            status: Status($number),
            name: text(concat!("KVL_", stringify!($name), "\0")),
            message: text(concat!($message, "\0")),
            retriable: statuses!(@retriable $retry),
        },)*];
    };
}
include!("status_table.rs");

impl Status {
    /// Whether this is an error rather than an outcome.
    pub fn is_error(self) -> bool {
        self.0 < 0
    }

    /// Whether a retry policy tries again after this status, unless the error is marked as permanent.
    pub fn is_retriable(self) -> bool {
        self.row().is_some_and(|row| row.retriable)
    }

    /// Its row of the table; `None` for a number that is no status.
    pub fn row(self) -> Option<&'static StatusRow> {
        TABLE.iter().find(|row| row.status == self)
    }
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.row() {
            Some(row) => f.write_str(row.name.to_str().unwrap_or("KVL_?")),
            None => write!(f, "Status({})", self.0),
        }
    }
}
