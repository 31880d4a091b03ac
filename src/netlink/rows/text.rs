// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The JSON text of a result. It is written member by member while a message is read, because a listing of many objects
//! should not need a tree of values.
#![forbid(unsafe_code)]

use std::fmt::Write as _;

use super::super::answer::escape;

/// An object that is being written. A member name with a dot is a member of an inner object, which the part before the
/// dot names. All members of one inner object must be written one after the other; a test checks that for the tables.
#[derive(Debug)]
pub(in crate::netlink) struct Members<'t> {
    text: &'t mut String,
    /// The name of the inner object that is open, or empty.
    inside: &'static str,
    last: &'static str,
}

impl<'t> Members<'t> {
    /// Begins an object at the end of the text.
    pub(in crate::netlink) fn begin(text: &'t mut String) -> Self {
        text.push('{');
        Self { text, inside: "", last: "" }
    }

    /// Writes the next member. If the last one has the same name, that one is kept; two lists are joined into one.
    pub(in crate::netlink) fn write(&mut self, name: &'static str, value: impl FnOnce(&mut String)) {
        if self.begin_member(name) {
            return value(self.text);
        }
        let mut other = String::new();
        value(&mut other);
        if let (true, Some(more)) = (self.text.ends_with(']'), other.strip_prefix('[')) {
            self.text.pop();
            if more != "]" {
                separate(self.text);
            }
            self.text.push_str(more);
        }
    }

    /// Writes a member that is a list of objects.
    ///
    /// # Errors
    /// What `write` fails with.
    pub(in crate::netlink) fn list<T, E>(
        &mut self,
        name: &'static str,
        elements: &[T],
        mut write: impl FnMut(&T, &mut Members<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.begin_member(name) {
            return Ok(());
        }
        self.text.push('[');
        for element in elements {
            separate(self.text);
            let mut members = Members::begin(self.text);
            write(element, &mut members)?;
            members.end();
        }
        self.text.push(']');
        Ok(())
    }

    /// Writes a member up to its value; `false` where the last member has the same name.
    fn begin_member(&mut self, name: &'static str) -> bool {
        if name == self.last {
            return false;
        }
        self.last = name;
        let (inside, key) = name.split_once('.').unwrap_or(("", name));
        if inside != self.inside {
            self.leave();
            if !inside.is_empty() {
                self.key(inside);
                self.text.push('{');
                self.inside = inside;
            }
        }
        self.key(key);
        true
    }

    /// Ends the object.
    pub(in crate::netlink) fn end(mut self) {
        self.leave();
        self.text.push('}');
    }

    fn leave(&mut self) {
        if !self.inside.is_empty() {
            self.text.push('}');
            self.inside = "";
        }
    }

    /// Writes a key. Names of members are identifiers, which need no escaping.
    fn key(&mut self, key: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
    }
}

/// Writes a comma between the elements of a list.
pub(super) fn separate(text: &mut String) {
    if !text.ends_with('[') {
        text.push(',');
    }
}

/// Writes a string from the kernel, escaped and in quotation marks.
pub(in crate::netlink) fn put_string(text: &mut String, bytes: &[u8]) {
    let is_plain = |b: &u8| (b' '..=b'~').contains(b) && !matches!(b, b'"' | b'\\');
    match std::str::from_utf8(bytes) {
        Ok(plain) if bytes.iter().all(is_plain) => {
            text.push('"');
            text.push_str(plain);
            text.push('"');
        }
        _ => put(text, serde_json::Value::from(escape(bytes))),
    }
}

/// Writes a string that needs no escaping, in quotation marks.
pub(in crate::netlink) fn put_quoted(text: &mut String, plain: impl std::fmt::Display) {
    text.push('"');
    put(text, plain);
    text.push('"');
}

/// Writes a value whose display form is JSON.
pub(in crate::netlink) fn put(text: &mut String, value: impl std::fmt::Display) {
    let _never_fails = write!(text, "{value}"); // a `String` takes everything
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_with_a_dot_are_an_object_and_the_first_of_two_stays() {
        let mut text = "[".to_owned();
        let mut members = Members::begin(&mut text);
        for (name, value) in [("a", 1), ("b.c", 2), ("b.d", 3), ("e.f", 4), ("e.f", 5), ("g", 6)] {
            members.write(name, |text| put(text, value));
        }
        members.end();
        Members::begin(&mut text).end();
        assert_eq!(text, r#"[{"a":1,"b":{"c":2,"d":3},"e":{"f":4},"g":6}{}"#);
    }

    #[test]
    fn two_lists_of_one_name_are_one() {
        let mut text = String::new();
        let mut members = Members::begin(&mut text);
        for (name, list) in [
            ("a", "[]"),
            ("a", "[]"),
            ("b", "[1]"),
            ("b", "[]"),
            ("c", "[]"),
            ("c", "[2]"),
            ("d", "[3]"),
            ("d", "[4,5]"),
        ] {
            members.write(name, |text| text.push_str(list));
        }
        members.end();
        assert_eq!(text, r#"{"a":[],"b":[1],"c":[2],"d":[3,4,5]}"#);
    }

    #[test]
    fn a_list_of_objects_is_a_member() {
        let mut text = String::new();
        let mut members = Members::begin(&mut text);
        let written = |number: &i32, members: &mut Members<'_>| {
            members.write("n", |text| put(text, number));
            Ok::<(), ()>(())
        };
        members.list("two", &[1, 2], written).unwrap();
        members.list("none", &[], written).unwrap();
        members.end();
        assert_eq!(text, r#"{"two":[{"n":1},{"n":2}],"none":[]}"#);
    }

    #[test]
    fn a_string_is_written_as_serde_json_would() {
        let every: Vec<u8> = (1..=255).collect();
        for bytes in [&b""[..], b"eth0", b"a b~", b"a\"b", b"a\\b", b"a\nb\x7f", "\u{e4}\u{202e}".as_bytes(), &every] {
            let mut text = String::new();
            put_string(&mut text, bytes);
            assert_eq!(text, serde_json::Value::from(escape(bytes)).to_string(), "{bytes:?}");
        }
    }
}
