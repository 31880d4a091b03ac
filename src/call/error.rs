// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The errors of every interface, declared once: names and fields.
#![forbid(unsafe_code)]

use super::{Part, Shape, part, perhaps};

/// An error: its name, its fields beside `request`, and what it means.
#[derive(Debug)]
pub struct Declared {
    /// The last word of its name.
    pub name: &'static str,
    /// Its fields.
    pub parts: &'static [Part],
    /// What it means.
    pub doc: &'static str,
}

const ERRNO: Part = perhaps("errno", Shape::Int, "The kernel's error number.");
const ERRNO_NAME: Part = perhaps("errno_name", Shape::String, "Its name, like `EBUSY`.");
const STEP: Part = part("step", Shape::String, "The step that failed.");
const FIELD: Part = perhaps("field", Shape::String, "The field that is meant.");
const REASON: Part = part("reason", Shape::String, "Why.");
const NAME: Part = part("name", Shape::String, "The name that was looked for.");
const HINT: Part = part("hint", Shape::String, "What to do.");

static KERNEL: &[Part] = &[
    part("message", Shape::String, "The kernel's own words, or the name of the error."),
    FIELD,
    part("may_have_changed", Shape::Bool, "Whether the change, or a part of it, may have been made."),
    ERRNO,
    ERRNO_NAME,
];

const fn declared(name: &'static str, parts: &'static [Part], doc: &'static str) -> Declared {
    Declared { name, parts, doc }
}

/// The errors of every interface. Each has `request` besides, the id of its record in the trail.
pub static ERRORS: &[Declared] = &[
    declared(
        "Denied",
        &[
            part("call", Shape::String, "The call."),
            FIELD,
            perhaps("rule", Shape::String, "The deny that forbids it, or the allow that came nearest."),
            part("reason", Shape::String, "`a deny forbids it`, or `no allow permits it`."),
        ],
        "The policy does not permit it.",
    ),
    declared(
        "InvalidRequest",
        &[part("field", Shape::String, "The field, or nothing where the whole is meant."), REASON],
        "The request is wrong; nothing was done.",
    ),
    declared(
        "NoSuchNetns",
        &[FIELD, NAME, part("reason", Shape::String, "`absent`, or `not_a_namespace`."), ERRNO, ERRNO_NAME],
        "There is no such namespace.",
    ),
    declared(
        "NoSuchLink",
        &[
            FIELD,
            NAME,
            part("reason", Shape::String, "`absent`, or `alternative_name`: the link is called otherwise."),
            ERRNO,
            ERRNO_NAME,
        ],
        "There is no such link.",
    ),
    declared("AlreadyExists", KERNEL, "The object exists, or one that differs from what was asked for."),
    declared("NotFound", KERNEL, "There is no such object."),
    declared("NotSupported", KERNEL, "This kernel, this kind of link or this way in cannot do it."),
    declared("KernelRefused", KERNEL, "The kernel refused."),
    declared(
        "Busy",
        &[REASON],
        "Nothing was done; repeat. Somebody else holds what is needed, the trail takes no record, or another link took a \
         name of the request while it ran.",
    ),
    declared(
        "Interrupted",
        &[],
        "A listing changed while it was read, or its link was renamed; repeat. With `more`, elements may have been sent \
         before; they are not the whole listing.",
    ),
    declared("PolicyInvalid", &[HINT], "The compiled policy cannot be used; every call is refused."),
    declared(
        "NotPrivileged",
        &[part("missing", Shape::String, "What is missing."), HINT],
        "The broker was not given what it needs; nothing was done.",
    ),
    declared("NotConfined", &[STEP, ERRNO, ERRNO_NAME], "The broker could not confine itself; nothing was done."),
    declared("SystemError", &[STEP, ERRNO, ERRNO_NAME], "The system failed the broker; nothing was done."),
];
