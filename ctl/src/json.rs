//! JSON that is as harmless on a terminal as the human output: `serde_json` escapes below U+0020 only.

use std::io;

use serde_json::Value;
use serde_json::ser::Formatter;

use crate::harmless;

/// One value in one line, without the newline.
///
/// # Errors
/// What `output` says.
pub(crate) fn write(output: &mut impl io::Write, value: &Value) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(output, Harmless);
    serde::Serialize::serialize(value, &mut serializer).map_err(io::Error::from)
}

/// Compact, with every treacherous character as `\uXXXX`: a reader gets the exact text, a terminal nothing to act on.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, output: &mut W, part: &str) -> io::Result<()> {
        let mut rest = part;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| harmless::is_treacherous(*c)) {
            let (plain, tail) = rest.split_at(at);
            output.write_all(plain.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(output, "\\u{unit:04x}")?;
            }
            rest = tail.strip_prefix(c).unwrap_or_default();
        }
        output.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes, value).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn treacherous_text_is_escaped_and_exact() {
        let text = "a\u{1b}[2J\u{9b}\u{202e}\u{7f}\n\"\\ ż 👩\u{200d}💻 \u{e0041} \u{10ffff}";
        let json = written(&serde_json::json!({ "text": text }));
        assert!(json.contains(r"a\u001b[2J\u009b\u202e\u007f\n"), "{json}");
        assert!(json.contains(r"\udb40\udc41"), "surrogate pairs: {json}");
        assert!(json.contains('ż') && json.contains('👩'), "what people write stays: {json}");
        assert!(!json.chars().any(harmless::is_treacherous), "{json}");
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["text"], text);
    }

    #[test]
    fn one_value_is_one_line() {
        let json = written(&serde_json::json!({ "a\nb": ["x", null, 1, true], "é": {} }));
        assert_eq!(json, r#"{"a\nb":["x",null,1,true],"é":{}}"#);
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives(text: String) {
            let json = written(&Value::String(text.clone()));
            proptest::prop_assert!(!json.chars().any(harmless::is_treacherous));
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
