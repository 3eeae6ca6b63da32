//! One pass over a whole message: syntax, duplicate keys, depth and number range.
//!
//! serde's derived structs take an array for an object and the last of two equal keys, so a message is first read into a
//! tree here, strictly, and only then into types.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{
    error::{ErrorKind, Failure},
    limits,
};

/// Reads a JSON text into a tree.
///
/// # Errors
/// `invalid_json` for anything that is not one JSON value: bad syntax, trailing text, a key twice in one object, nesting
/// deeper than [`limits::JSON_DEPTH`], a number outside the range of a double, a lone surrogate.
pub fn parse(text: &str) -> Result<Value, Failure> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Node { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| Failure::new(ErrorKind::InvalidJson, format!("the message is not valid JSON: {error}")))
}

/// A value that stands inside `depth` objects and arrays.
#[derive(Clone, Copy)]
struct Node {
    depth: usize,
}

impl Node {
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.depth == limits::JSON_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {} levels", limits::JSON_DEPTH)));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(inside)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{}` stands twice in one object", clipped(&key))));
            }
            let value = access.next_value_seed(inside)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// The first characters of a foreign string, escaped, for an error message: a hostile value must not fill the answer.
pub fn clipped(text: &str) -> String {
    /// Long enough to recognise the value, short enough for one line.
    const SHOWN: usize = 64;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(text: &str) -> Option<ErrorKind> {
        parse(text).err().map(|failure| failure.kind)
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"a":2}}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert_eq!(kind(text), Some(ErrorKind::InvalidJson), "{text}");
        }
        assert!(parse(r#"{"a":{"a":{"a":1}}}"#).is_ok());
    }

    #[test]
    fn nesting_is_allowed_to_the_limit_and_not_past_it() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(limits::JSON_DEPTH)).is_ok());
        assert_eq!(kind(&nested(limits::JSON_DEPTH + 1)), Some(ErrorKind::InvalidJson));
        assert_eq!(kind(&"[".repeat(100_000)), Some(ErrorKind::InvalidJson));
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for text in ["", " ", "{", "{} x", "{}{}", "[1,]", "NaN", "1e400", "-1e400", "\u{feff}{}", r#""\ud800""#, "'a'"]
        {
            assert_eq!(kind(text), Some(ErrorKind::InvalidJson), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn valid_trees_are_read_as_serde_json_reads_them(depth in 0_u32..5, seed in any::<u64>()) {
            let value = sample(depth, seed);
            prop_assert_eq!(parse(&value.to_string()).expect("valid"), value);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let outcome = parse(&text);
            prop_assert_eq!(outcome.is_ok(), serde_json::from_str::<Value>(&text).is_ok());
        }
    }

    /// A small tree that depends on the seed alone.
    fn sample(depth: u32, seed: u64) -> Value {
        match (depth, seed % 6) {
            (0, 0) => Value::Null,
            (0, 1) => Value::Bool(seed.is_multiple_of(4)),
            (0, 2) => Value::from(seed),
            (0, 3) => Value::from(-1.5),
            (0, _) => Value::from(format!("é\"\n{seed}")),
            (_, even) if even % 2 == 0 => (0..seed % 4).map(|index| sample(depth - 1, seed / 7 + index)).collect(),
            _ => Value::Object((0..seed % 4).map(|i| (format!("k{i}"), sample(depth - 1, seed / 5 + i))).collect()),
        }
    }
}
