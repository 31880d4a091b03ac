// SPDX-License-Identifier: Apache-2.0 OR MIT
//! JSON in lines of limited length: as many members on a line as fit, aligned below each other.

use crate::call::json::Json;

/// The text of a value. Each line has at most this many columns, unless a single member is longer.
pub(super) fn lines(json: &Json, columns: usize) -> String {
    let mut page = Page { text: String::new(), column: 0, columns };
    page.value(json, 0);
    page.text
}

struct Page {
    text: String,
    /// Where the next character goes.
    column: usize,
    columns: usize,
}

impl Page {
    fn write(&mut self, text: &str) {
        self.text += text;
        self.column += text.chars().count();
    }

    fn begin_line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// Writes a value, which at least this many characters follow on the same line.
    fn value(&mut self, json: &Json, behind: usize) {
        let one_line = flat(json);
        let members: Vec<(String, &Json)> = match json {
            _ if self.column + one_line.chars().count() + behind <= self.columns => return self.write(&one_line),
            Json::Object(pairs) => pairs.iter().map(|(name, value)| (format!("\"{name}\": "), value)).collect(),
            Json::List(values) => values.iter().map(|value| (String::new(), value)).collect(),
            _ => return self.write(&one_line),
        };
        let (open, close) = if matches!(json, Json::List(_)) { ("[", "]") } else { ("{", "}") };
        self.write(open);
        let indent = self.column;
        for (at, (name, value)) in members.iter().enumerate() {
            let is_last = at + 1 == members.len();
            let behind = if is_last { behind + 1 } else { 1 };
            let length = name.chars().count() + flat(value).chars().count() + behind;
            if at > 0 && self.column + 1 + length > self.columns {
                self.begin_line(indent);
            } else if at > 0 {
                self.write(" ");
            }
            self.write(name);
            self.value(value, behind);
            self.write(if is_last { close } else { "," });
        }
    }
}

/// The value on one line.
fn flat(json: &Json) -> String {
    let list = |values: Vec<String>| values.join(", ");
    match json {
        Json::Object(pairs) => {
            format!("{{{}}}", list(pairs.iter().map(|(name, value)| format!("\"{name}\": {}", flat(value))).collect()))
        }
        Json::List(values) => format!("[{}]", list(values.iter().map(flat).collect())),
        Json::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        Json::Integer(number) => number.to_string(),
        Json::Bool(truth) => truth.to_string(),
        Json::Null | Json::Unfit(_) => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_aligned_and_no_line_is_too_long() {
        let text = r#"{"one": 1, "two": {"three": "3", "four": [5, 6]}, "seven": true}"#;
        let json = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(lines(&json, 100), text);
        let expected = "{\"one\": 1,\n \"two\": {\"three\": \"3\",\n         \"four\": [5, 6]},\n \"seven\": true}";
        assert_eq!(lines(&json, 25), expected);
        assert_eq!(Json::parse(expected.as_bytes()).unwrap(), json);
    }
}
