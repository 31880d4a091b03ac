// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every way in which a call can end without being done. Each variant is something that a person can act on, with its
//! name and fields on the wire and its exit status.
#![forbid(unsafe_code)]

use std::fmt;
use std::process::ExitCode;

use nix::errno::Errno;
use serde_json::{Map, Value};

use crate::call::field::Field;
use crate::call::request::Invalid;

/// The exit statuses of the broker (`sysexits.h`, where that has one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, and answered.
    Done = 0,
    /// The kernel refused, or the object does not exist.
    Kernel = 1,
    /// The command line of `netbrokerd` is wrong.
    Usage = 64,
    /// The request is wrong.
    Request = 65,
    /// The caller closed the connection without a request.
    NoRequest = 66,
    /// The process lacks a privilege.
    NotPrivileged = 69,
    /// The process could not confine itself, or a system call failed.
    System = 71,
    /// The reply could not be written, so the caller does not know the outcome.
    Unanswered = 74,
    /// Nothing was done; the caller may try again.
    Again = 75,
    /// What arrived on the connection is not a request of its caller, and was not answered.
    Protocol = 76,
    /// The policy does not permit the request.
    Denied = 77,
    /// The policy cannot be used.
    Policy = 78,
    /// Only between `netbrokerd` and a process that it gave a connection to: no complete message has arrived, and nothing
    /// was taken.
    Unready = 100,
    /// Only between the same two: nothing was taken, because a rule of this caller needs what this process gave up.
    Wider = 101,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

impl Exit {
    /// The status as a number.
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Kernel => 1,
            Self::Usage => 64,
            Self::Request => 65,
            Self::NoRequest => 66,
            Self::NotPrivileged => 69,
            Self::System => 71,
            Self::Unanswered => 74,
            Self::Again => 75,
            Self::Protocol => 76,
            Self::Denied => 77,
            Self::Policy => 78,
            Self::Unready => 100,
            Self::Wider => 101,
        }
    }
}

/// The outcome of a call.
#[derive(Debug)]
pub struct Executed {
    /// The result, or the refusal.
    pub result: Result<Map<String, Value>, Refusal>,
    /// The fields whose link another process renamed, replaced or removed while the change was made.
    pub lost: Vec<&'static str>,
}

impl From<Refusal> for Executed {
    fn from(refusal: Refusal) -> Self {
        Self { result: Err(refusal), lost: Vec::new() }
    }
}

/// Why a call was not carried out, or not completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The policy does not permit it.
    Denied {
        /// The call.
        call: &'static str,
        /// The field that a deny forbids, or that keeps the nearest allow from permitting the request.
        field: Option<String>,
        /// The deny, or the nearest allow; `None` where no rule is near, or `[refusals] show_rule` is off.
        rule: Option<String>,
        /// Which of the two it is.
        reason: &'static str,
    },
    /// The request is wrong.
    InvalidRequest {
        /// The field; empty for the request as a whole.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The namespace does not exist.
    NoSuchNetns {
        /// The field that names it.
        field: &'static str,
        /// Its name.
        name: String,
        /// `absent`, `not_a_namespace` or `symbolic_link`.
        reason: &'static str,
        /// The kernel's error number.
        errno: Errno,
    },
    /// The link does not exist.
    NoSuchLink {
        /// The field that names it.
        field: &'static str,
        /// Its name or index.
        name: String,
        /// `absent`, or `alternative_name` where the name is only an alternative name of a link.
        reason: &'static str,
        /// The kernel's error number.
        errno: Errno,
    },
    /// The kernel refused.
    Kernel(KernelRefusal),
    /// The kernel made the change, and took another value than the requested one.
    NotApplied {
        /// The field.
        field: &'static str,
        /// The requested value.
        given: String,
        /// The value that the kernel reports; none where it reports none.
        effective: Option<String>,
    },
    /// Nothing was done: another process holds what is needed, or the trail takes no record.
    Busy {
        /// What was waited for.
        reason: String,
    },
    /// Nothing was done: too many requests are being served.
    Overloaded {
        /// Which limit was reached.
        reason: String,
    },
    /// A listing was inconsistent.
    Interrupted,
    /// The compiled policy cannot be used.
    PolicyInvalid {
        /// What is wrong and what to do.
        hint: String,
    },
    /// The process lacks a privilege that it needs.
    NotPrivileged {
        /// What is missing.
        missing: String,
        /// The ways to reach the broker.
        hint: String,
    },
    /// The process could not confine itself; it did nothing.
    NotConfined {
        /// The step that failed.
        step: &'static str,
        /// The kernel's error number, if a system call failed.
        errno: Option<Errno>,
    },
    /// A system call failed, and nothing was done.
    SystemError {
        /// The step that failed.
        step: String,
        /// The kernel's error number, if a system call failed.
        errno: Option<Errno>,
    },
}

/// A refusal by the kernel, with everything that it reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelRefusal {
    /// The error that it is on the wire.
    pub class: Class,
    /// The kernel's error number.
    pub errno: Errno,
    /// The text of its extended acknowledgement, or one of the broker's own.
    pub message: String,
    /// The field that its extended acknowledgement points at.
    pub field: Option<&'static str>,
    /// Whether a part of the change may have been made.
    pub may_have_changed: bool,
}

/// The errors that a refusal by the kernel can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The object exists.
    AlreadyExists,
    /// The object does not exist.
    NotFound,
    /// This kernel, this kind of link or this way of reaching the broker does not support it.
    NotSupported,
    /// Anything else.
    KernelRefused,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::AlreadyExists => "AlreadyExists",
            Self::NotFound => "NotFound",
            Self::NotSupported => "NotSupported",
            Self::KernelRefused => "KernelRefused",
        }
    }
}

impl From<Invalid> for Refusal {
    fn from(Invalid { field, reason }: Invalid) -> Self {
        Self::InvalidRequest { field, reason }
    }
}

/// The exit status of a process that answers with the error of this name.
#[must_use]
pub fn exit(name: &str) -> Exit {
    match name {
        "Denied" => Exit::Denied,
        "InvalidRequest" => Exit::Request,
        "Busy" | "Overloaded" | "Interrupted" => Exit::Again,
        "PolicyInvalid" => Exit::Policy,
        "NotPrivileged" => Exit::NotPrivileged,
        "NotConfined" | "SystemError" => Exit::System,
        _ => Exit::Kernel,
    }
}

impl Refusal {
    /// The last part of its name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "Denied",
            Self::InvalidRequest { .. } => "InvalidRequest",
            Self::NoSuchNetns { .. } => "NoSuchNetns",
            Self::NoSuchLink { .. } => "NoSuchLink",
            Self::Kernel(refusal) => refusal.class.name(),
            Self::NotApplied { .. } => "NotApplied",
            Self::Busy { .. } => "Busy",
            Self::Overloaded { .. } => "Overloaded",
            Self::Interrupted => "Interrupted",
            Self::PolicyInvalid { .. } => "PolicyInvalid",
            Self::NotPrivileged { .. } => "NotPrivileged",
            Self::NotConfined { .. } => "NotConfined",
            Self::SystemError { .. } => "SystemError",
        }
    }

    /// Whether a part of the change may have been made.
    #[must_use]
    pub fn may_have_changed(&self) -> bool {
        matches!(self, Self::Kernel(KernelRefusal { may_have_changed: true, .. }) | Self::NotApplied { .. })
    }

    /// The same refusal after a change. `SystemError`, `Busy` and `NoSuchLink` would mean that nothing was done.
    #[must_use]
    pub fn after_a_change(self) -> Self {
        match self {
            Self::Kernel(refusal) => Self::Kernel(KernelRefusal { may_have_changed: true, ..refusal }),
            Self::SystemError { step, errno } => Self::Kernel(KernelRefusal {
                class: Class::KernelRefused,
                errno: errno.unwrap_or(Errno::EIO),
                message: format!("cannot {step}"),
                field: None,
                may_have_changed: true,
            }),
            Self::Busy { reason } => Self::Kernel(KernelRefusal {
                class: Class::KernelRefused,
                errno: Errno::EBUSY,
                message: reason,
                field: None,
                may_have_changed: true,
            }),
            Self::Interrupted => Self::Kernel(KernelRefusal {
                class: Class::KernelRefused,
                errno: Errno::EAGAIN,
                message: "the change was made, but could not be checked: the objects changed all the time while they were listed".to_owned(),
                field: None,
                may_have_changed: true,
            }),
            Self::NoSuchLink { errno, .. } => Self::Kernel(KernelRefusal {
                class: Class::KernelRefused,
                errno,
                message: "another process renamed or removed the link before the change was complete".to_owned(),
                field: None,
                may_have_changed: true,
            }),
            other => other,
        }
    }

    /// The same refusal. Where it is about whether an object exists, and names no field, it names this one.
    #[must_use]
    pub fn about_object(mut self, field: &'static Field) -> Self {
        if let Self::Kernel(KernelRefusal { class: Class::AlreadyExists | Class::NotFound, field: of @ None, .. }) =
            &mut self
        {
            *of = Some(field.name);
        }
        self
    }

    /// The same refusal. Where it is the kernel's and names no field, it names this one, if there is one.
    #[must_use]
    pub fn about(mut self, field: Option<&'static Field>) -> Self {
        if let Self::Kernel(KernelRefusal { field: of @ None, .. }) = &mut self {
            *of = field.map(|field| field.name);
        }
        self
    }

    /// The exit status of the process that answers with it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        exit(self.name())
    }

    /// Its fields on the wire.
    #[must_use]
    pub fn parameters(&self) -> Map<String, Value> {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| {
            out.insert(name.to_owned(), value);
        };
        match self {
            Self::Denied { call, field, rule, reason } => {
                put("call", (*call).into());
                for (name, value) in [("field", field), ("rule", rule)] {
                    if let Some(value) = value {
                        put(name, value.as_str().into());
                    }
                }
                put("reason", (*reason).into());
            }
            Self::InvalidRequest { field, reason } => {
                put("field", field.as_str().into());
                put("reason", reason.as_str().into());
            }
            Self::NoSuchNetns { field, name, reason, .. } | Self::NoSuchLink { field, name, reason, .. } => {
                put("field", (*field).into());
                put("name", name.as_str().into());
                put("reason", (*reason).into());
            }
            Self::Kernel(refusal) => {
                put("message", refusal.message.as_str().into());
                if let Some(field) = refusal.field {
                    put("field", field.into());
                }
                put("may_have_changed", refusal.may_have_changed.into());
            }
            Self::NotApplied { field, given, effective } => {
                put("field", (*field).into());
                put("given", given.as_str().into());
                if let Some(effective) = effective {
                    put("effective", effective.as_str().into());
                }
                put("may_have_changed", true.into());
            }
            Self::Busy { reason } | Self::Overloaded { reason } => put("reason", reason.as_str().into()),
            Self::Interrupted => {}
            Self::PolicyInvalid { hint } => put("hint", hint.as_str().into()),
            Self::NotPrivileged { missing, hint } => {
                put("missing", missing.as_str().into());
                put("hint", hint.as_str().into());
            }
            Self::NotConfined { step, .. } => put("step", (*step).into()),
            Self::SystemError { step, .. } => put("step", step.as_str().into()),
        }
        if let Some(errno) = self.errno() {
            put("errno", number(errno).into());
            put("errno_name", format!("{errno:?}").into());
        }
        out
    }

    /// The kernel's error number, if it has one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::NoSuchNetns { errno, .. } | Self::NoSuchLink { errno, .. } => Some(*errno),
            Self::Kernel(refusal) => Some(refusal.errno),
            Self::NotConfined { errno, .. } | Self::SystemError { errno, .. } => *errno,
            _ => None,
        }
    }
}

/// An error number in words (strerror(3)).
#[must_use]
pub fn describe(errno: Errno) -> &'static str {
    match errno {
        Errno::EOPNOTSUPP => "Operation not supported", // glibc's words speak of transport endpoints
        other => other.desc(),
    }
}

/// An errno's number.
#[allow(clippy::as_conversions, reason = "the only way from a field-less enum to its number")]
fn number(errno: Errno) -> i32 {
    errno as i32
}

impl fmt::Display for Refusal {
    /// One line: the error, then its fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(self.name(), &self.parameters()))
    }
}

/// An error as one line for a person: `Denied: call=Link.Set field=link …`.
#[must_use]
pub fn line(name: &str, parameters: &Map<String, Value>) -> String {
    line_of(name, parameters.iter().map(|(name, value)| (name.as_str(), value)))
}

/// The same with the members in this order.
pub(crate) fn line_of<'m>(name: &str, members: impl Iterator<Item = (&'m str, &'m Value)>) -> String {
    let fields: Vec<String> = members
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value {
            Value::String(text) if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                format!("{name}={text:?}")
            }
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect();
    if fields.is_empty() { name.to_owned() } else { format!("{name}: {}", fields.join(" ")) }
}

/// Names the step at which the system failed.
pub fn system(step: &'static str) -> impl Fn(Errno) -> Refusal {
    move |errno| Refusal::SystemError { step: step.to_owned(), errno: Some(errno) }
}

/// Names the step at which confinement failed.
pub fn unconfined(step: &'static str) -> impl Fn(Errno) -> Refusal {
    move |errno| Refusal::NotConfined { step, errno: Some(errno) }
}

/// A request that is wrong in one field.
#[must_use]
pub fn invalid(field: &str, reason: impl Into<String>) -> Refusal {
    Invalid::new(field, reason).into()
}

/// The refusal where the kernel would delete another object than the one that was meant. Nothing is deleted.
pub(crate) fn another_goes(field: &'static Field, message: &str) -> Refusal {
    Refusal::Kernel(KernelRefusal {
        class: Class::NotSupported,
        errno: Errno::EOPNOTSUPP,
        message: message.to_owned(),
        field: Some(field.name),
        may_have_changed: false,
    })
}

/// The refusal where a look-up shows that the value of a field does not suit the object. Nothing is sent. What the
/// request alone shows is [`Refusal::InvalidRequest`], before anything is judged.
pub(crate) fn unsuitable(field: &'static Field, message: impl Into<String>) -> Refusal {
    Refusal::Kernel(KernelRefusal {
        class: Class::KernelRefused,
        errno: Errno::EINVAL,
        message: message.into(),
        field: Some(field.name),
        may_have_changed: false,
    })
}

/// The refusal where the object that a request would make exists already.
#[must_use]
pub fn already(field: &'static Field, message: impl Into<String>) -> Refusal {
    let (class, errno, message) = (Class::AlreadyExists, Errno::EEXIST, message.into());
    Refusal::Kernel(KernelRefusal { class, errno, message, field: Some(field.name), may_have_changed: false })
}

/// The refusal where the object that a request would delete does not exist.
pub(crate) fn absent(field: &'static Field, message: impl Into<String>) -> Refusal {
    let (class, errno, message) = (Class::NotFound, Errno::ENOENT, message.into());
    Refusal::Kernel(KernelRefusal { class, errno, message, field: Some(field.name), may_have_changed: false })
}

/// The refusal where the object exists already, and differs in this field.
#[must_use]
pub fn differs(field: &'static Field) -> Refusal {
    already(field, format!("one already exists, and its {} differs", field.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::error::ERRORS;

    #[test]
    fn what_is_not_supported_is_not_described_by_transport_endpoints() {
        assert_eq!(describe(Errno::EOPNOTSUPP), "Operation not supported");
        assert_eq!(describe(Errno::EBUSY), Errno::EBUSY.desc());
    }

    #[test]
    fn every_refusal_is_declared_with_its_fields() {
        let kernel = |class| {
            Refusal::Kernel(KernelRefusal {
                class,
                errno: Errno::EBUSY,
                message: "busy".to_owned(),
                field: Some("link"),
                may_have_changed: false,
            })
        };
        let text = || "x".to_owned();
        let all = [
            Refusal::Denied {
                call: "Link.Set",
                field: Some(text()),
                rule: Some(text()),
                reason: "no allow permits it",
            },
            invalid("link", "is empty"),
            Refusal::NoSuchNetns { field: "netns", name: text(), reason: "absent", errno: Errno::ENOENT },
            Refusal::NoSuchLink { field: "link", name: text(), reason: "absent", errno: Errno::ENODEV },
            kernel(Class::AlreadyExists),
            kernel(Class::NotFound),
            kernel(Class::NotSupported),
            kernel(Class::KernelRefused),
            Refusal::NotApplied { field: "mtu", given: text(), effective: Some(text()) },
            Refusal::Busy { reason: text() },
            Refusal::Overloaded { reason: text() },
            Refusal::Interrupted,
            Refusal::PolicyInvalid { hint: text() },
            Refusal::NotPrivileged { missing: text(), hint: text() },
            unconfined("landlock")(Errno::ENOSYS),
            system("socket")(Errno::EMFILE),
        ];
        assert_eq!(all.len(), ERRORS.len());
        for refusal in all {
            let declared = ERRORS.iter().find(|declared| declared.name == refusal.name()).unwrap();
            for name in refusal.parameters().keys() {
                assert!(declared.parts.iter().any(|part| part.name == name), "{}.{name}", declared.name);
            }
            for part in declared.parts.iter().filter(|part| part.always) {
                assert!(refusal.parameters().contains_key(part.name), "{}.{}", declared.name, part.name);
            }
        }
    }
}
