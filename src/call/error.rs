// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The errors of every interface, declared once: names and fields.
#![forbid(unsafe_code)]

use super::{Part, Shape, part, perhaps};

/// An error: its name, its fields other than `request`, and its meaning.
#[derive(Debug)]
pub struct Declared {
    /// The last part of its name on the wire.
    pub name: &'static str,
    /// Its fields.
    pub parts: &'static [Part],
    /// What it means.
    pub doc: &'static str,
}

const ERRNO: Part = perhaps("errno", Shape::Int, "The error number (errno(3)) from the kernel.");
const ERRNO_NAME: Part = perhaps("errno_name", Shape::String, "The name of that number, such as `EBUSY`.");
const STEP: Part = part("step", Shape::String, "The step that failed.");
const FIELD: Part = perhaps("field", Shape::String, "The field that the error is about.");
const REASON: Part = part("reason", Shape::String, "The reason.");
const NAME: Part = part("name", Shape::String, "The name or index that the request gives.");
const HINT: Part = part("hint", Shape::String, "What to do about it.");

const CHANGED: Part = part("may_have_changed", Shape::Bool, "Whether the change, or a part of it, may have been made.");

static KERNEL: &[Part] = &[
    part("message", Shape::String, "The message of the kernel, or one of the broker."),
    FIELD,
    CHANGED,
    ERRNO,
    ERRNO_NAME,
];

const fn declared(name: &'static str, parts: &'static [Part], doc: &'static str) -> Declared {
    Declared { name, parts, doc }
}

/// The errors of every interface. Each also has `request`, the id of its record in the trail.
pub static ERRORS: &[Declared] = &[
    declared(
        "Denied",
        &[
            part("call", Shape::String, "The call that was refused."),
            FIELD,
            perhaps("rule", Shape::String, "The id of the deny that forbids the request, or of the nearest allow."),
            part("reason", Shape::String, "`a deny forbids it`, or `no allow permits it`."),
        ],
        "The policy does not permit the request. Nothing was done.",
    ),
    declared(
        "InvalidRequest",
        &[part("field", Shape::String, "The field. Empty if the reason applies to the whole request."), REASON],
        "The request is invalid. Nothing was done.",
    ),
    declared(
        "NoSuchNetns",
        &[
            FIELD,
            NAME,
            part("reason", Shape::String, "`absent`, `not_a_namespace` or `symbolic_link`."),
            ERRNO,
            ERRNO_NAME,
        ],
        "No network namespace has this name.",
    ),
    declared(
        "NoSuchLink",
        &[
            FIELD,
            NAME,
            part("reason", Shape::String, "`absent`, or `alternative_name`: it is not the own name of a link."),
            ERRNO,
            ERRNO_NAME,
        ],
        "No link has this name or index.",
    ),
    declared("AlreadyExists", KERNEL, "The object already exists. With `exists_ok`: it differs from the request."),
    declared("NotFound", KERNEL, "The object does not exist."),
    declared("NotSupported", KERNEL, "The kernel, the kind of link or the way to the broker does not support this."),
    declared("KernelRefused", KERNEL, "The kernel refused the request, or would have done something else."),
    declared(
        "NotApplied",
        &[
            FIELD,
            part("given", Shape::String, "The requested value."),
            perhaps("effective", Shape::String, "The value that the kernel reports. Absent if it reports none."),
            CHANGED,
        ],
        "The change was made, but the kernel set the field to another value than the requested one.",
    ),
    declared(
        "Busy",
        &[REASON],
        "Nothing was done. Repeat the request. Another process holds what it needs, the trail does not accept a \
         record, or another link took a name in the request while it was carried out.",
    ),
    declared(
        "Overloaded",
        &[REASON],
        "Nothing was done. Repeat the request. More requests of this user or in all were waiting at the socket than \
         could be served in time.",
    ),
    declared(
        "Interrupted",
        &[],
        "The listing changed while it was read, or its link was renamed. Repeat the request. With `more`, elements \
         that were sent before are not the complete listing.",
    ),
    declared("PolicyInvalid", &[HINT], "The compiled policy cannot be used. Every call is refused."),
    declared(
        "NotPrivileged",
        &[part("missing", Shape::String, "The missing privilege."), HINT],
        "The broker lacks a privilege that it needs. Nothing was done.",
    ),
    declared("NotConfined", &[STEP, ERRNO, ERRNO_NAME], "The broker could not confine itself. Nothing was done."),
    declared("SystemError", &[STEP, ERRNO, ERRNO_NAME], "A system call of the broker failed. Nothing was done."),
];
