//! Whole numbers as JSON has them: it knows one kind of number, so `65.0` is `65`, as it is in the API's document.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A whole number that is not negative, however it was written. What else it has to be is the route's business.
struct Whole(u64);

/// 2^50. Floats are read with an error of one in the last place at times, which below this is a fraction: such a number
/// is refused, and never taken for another.
const EXACT: f64 = 1_125_899_906_842_624.0;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number that is not negative")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
                if number.fract() == 0.0 && (0.0..EXACT).contains(&number) {
                    // Whole and in range: nothing is lost.
                    Ok(Whole(number as u64))
                } else {
                    Err(E::invalid_type(serde::de::Unexpected::Float(number), &self))
                }
            }
        }
        from.deserialize_any(Number)
    }
}

/// For `#[serde(deserialize_with)]`.
///
/// # Errors
///
/// It is no such number.
pub fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Whole::deserialize(from).map(|Whole(number)| number)
}

/// For `#[serde(deserialize_with)]`.
///
/// # Errors
///
/// It is neither such a number nor `null`.
pub fn whole_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<Whole>::deserialize(from)?;
    Ok(number.map(|Whole(number)| number))
}

/// For `#[serde(deserialize_with)]`.
///
/// # Errors
///
/// It is no list, or something in it is no such number.
pub fn wholes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
    let numbers = Vec::<Whole>::deserialize(from)?;
    Ok(numbers.into_iter().map(|Whole(number)| number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_one_however_it_was_written() {
        for (json, expected) in [
            ("0", Some(0)),
            ("65", Some(65)),
            ("65.0", Some(65)),
            ("6.5e1", Some(65)),
            ("-0.0", Some(0)),
            ("1125899906842623.0", Some(1_125_899_906_842_623)),
            ("18446744073709551615", Some(u64::MAX)),
            ("1125899906842624.0", None),
            ("18446744073709551616", None),
            ("1e300", None),
            ("65.5", None),
            ("-1", None),
            ("-1.0", None),
            ("\"65\"", None),
            ("true", None),
            ("null", None),
            ("[65]", None),
        ] {
            let read = serde_json::from_str::<Whole>(json).ok();
            assert_eq!(read.map(|Whole(number)| number), expected, "{json}");
        }
    }
}
