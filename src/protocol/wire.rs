//! Building blocks of parameters: objects that are objects, whole numbers, and the limits around them.

use std::{borrow::Cow, marker::PhantomData, ops::RangeInclusive, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use super::{
    error::{ErrorKind, Failure},
    limits,
    units::{Coordinate, Region},
};

/// Reads a value and says, when it is wrong, which part of it is.
///
/// # Errors
/// `invalid_params`: the path of the part, then what was found and what was expected.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let message = if path == "." { error.inner().to_string() } else { format!("{path}: {}", error.inner()) };
        Failure::new(ErrorKind::InvalidParams, message)
    })
}

/// A `T` that must come as a JSON object. serde's derived structs take an array as well, field by field; the contract does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(access))
            }
        }

        deserializer.deserialize_any(Fields(PhantomData)).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Object<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Keeps `null` apart from absent, with `#[serde(default)]` beside it.
#[allow(
    clippy::option_option,
    reason = "the outer one is whether the member is there, the inner one whether it is null"
)]
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A whole number of any size, `10.0` included. What lies outside 64 bits keeps its sign, so that the range check that
/// follows names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_i64<E>(self, value: i64) -> Result<Whole, E> {
                Ok(Whole(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Whole, E> {
                Ok(Whole(i64::try_from(value).unwrap_or(i64::MAX)))
            }

            #[allow(clippy::cast_possible_truncation, reason = "saturates, which is what the range check wants")]
            fn visit_f64<E: Error>(self, value: f64) -> Result<Whole, E> {
                if value.fract() == 0.0 {
                    return Ok(Whole(value as i64));
                }
                Err(E::custom(format_args!("{value} is not a whole number")))
            }
        }

        deserializer.deserialize_any(Number)
    }
}

impl JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

/// `[x, y]` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Point(pub [Whole; 2]);

impl From<Point> for Coordinate {
    fn from(Point([x, y]): Point) -> Self {
        Self { x: x.0, y: y.0 }
    }
}

/// `[x0, y0, x1, y1]` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Corners(pub [Whole; 4]);

impl From<Corners> for Region {
    fn from(Corners([x0, y0, x1, y1]): Corners) -> Self {
        Self { x0: x0.0, y0: y0.0, x1: x1.0, y1: y1.0 }
    }
}

/// A count inside `1..=most`.
///
/// # Errors
/// `out_of_range`, naming the parameter, the value and the range.
pub fn count(name: &str, value: Whole, most: u8) -> Result<u8, Failure> {
    u8::try_from(value.0)
        .ok()
        .filter(|count| (1..=most).contains(count))
        .ok_or_else(|| out_of_range(name, value.0, &format!("1..={most}")))
}

/// A duration inside `0..=`[`limits::DURATION_SECONDS_MAX`] seconds.
///
/// # Errors
/// `out_of_range`, naming the value and the range.
pub fn seconds(value: f64) -> Result<Duration, Failure> {
    if (0.0..=limits::DURATION_SECONDS_MAX).contains(&value) {
        return Ok(Duration::from_secs_f64(value));
    }
    Err(out_of_range("duration", value, &format!("0..={} seconds", limits::DURATION_SECONDS_MAX)))
}

/// Whole milliseconds inside `1..=most`.
///
/// # Errors
/// `out_of_range`, naming the parameter, the value and the range.
pub fn milliseconds(name: &str, value: Whole, most: u32) -> Result<Duration, Failure> {
    milliseconds_in(name, value, 1..=most)
}

/// Whole milliseconds inside a range.
///
/// # Errors
/// `out_of_range`, naming the parameter, the value and the range.
pub fn milliseconds_in(name: &str, value: Whole, range: RangeInclusive<u32>) -> Result<Duration, Failure> {
    u32::try_from(value.0)
        .ok()
        .filter(|milliseconds| range.contains(milliseconds))
        .map(|milliseconds| Duration::from_millis(u64::from(milliseconds)))
        .ok_or_else(|| out_of_range(name, value.0, &format!("{}..={}", range.start(), range.end())))
}

/// The failure of a number outside its range.
pub fn out_of_range(name: &str, value: impl std::fmt::Display, range: &str) -> Failure {
    Failure::new(ErrorKind::OutOfRange, format!("{name} = {value} is outside {range}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        a: u8,
        b: u8,
    }

    #[test]
    fn an_array_is_not_taken_for_an_object() {
        assert_eq!(from_value::<Object<Pair>>(json!({"a": 1, "b": 2})).expect("object"), Object(Pair { a: 1, b: 2 }));
        assert_eq!(from_value::<Pair>(json!([1, 2])).expect("serde alone takes it"), Pair { a: 1, b: 2 });
        for wrong in [json!([1, 2]), json!({"a": 1, "b": 2, "c": 3}), json!("ab"), json!(null)] {
            assert!(from_value::<Object<Pair>>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_point_but_not_with_a_fraction() {
        for (text, number) in
            [("10", 10), ("10.0", 10), ("-3", -3), ("1e3", 1000), ("1e300", i64::MAX), ("-1e300", i64::MIN)]
        {
            assert_eq!(serde_json::from_str::<Whole>(text).expect(text), Whole(number));
        }
        for wrong in ["1.5", "\"1\"", "true", "null", "[1]"] {
            assert!(serde_json::from_str::<Whole>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_and_durations_are_checked_at_their_edges() {
        assert_eq!(count("repeat", Whole(1), 100), Ok(1));
        assert_eq!(count("repeat", Whole(100), 100), Ok(100));
        for wrong in [0, 101, -1, i64::MAX] {
            assert_eq!(count("repeat", Whole(wrong), 100).expect_err("range").kind, ErrorKind::OutOfRange);
        }
        assert_eq!(seconds(0.0), Ok(Duration::ZERO));
        assert_eq!(seconds(300.0), Ok(Duration::from_secs(300)));
        for wrong in [-0.1, 300.000_001, f64::INFINITY, f64::NAN] {
            assert_eq!(seconds(wrong).expect_err("range").kind, ErrorKind::OutOfRange);
        }
    }
}
