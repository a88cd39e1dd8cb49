//! Conditions and updates, as far as the feed uses them: comparisons of an attribute with a value, whether it is there, AND, OR and
//! parentheses; SET and ADD of values, REMOVE. Anything else is refused by name.

use crate::items::Attributes;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// The names and values that an expression refers to.
pub(crate) struct Terms<'t> {
    pub(crate) names: Option<&'t Map<String, Value>>,
    pub(crate) values: Option<&'t Map<String, Value>>,
}

/// An expression that is not known here.
pub(crate) struct Unknown(pub(crate) String);

impl Terms<'_> {
    fn name(&self, token: &str) -> Result<String, Unknown> {
        if !token.starts_with('#') {
            return Ok(token.to_owned());
        }
        let name = self.names.and_then(|names| names.get(token)?.as_str());
        name.map(str::to_owned)
            .ok_or_else(|| Unknown(token.to_owned()))
    }

    fn value(&self, token: &str) -> Result<&Value, Unknown> {
        let value = self.values.and_then(|values| values.get(token));
        value.ok_or_else(|| Unknown(token.to_owned()))
    }
}

/// Whether a condition holds for an item. One that is not there has no attributes.
pub(crate) fn holds(
    condition: &str,
    terms: &Terms<'_>,
    item: Option<&Attributes>,
) -> Result<bool, Unknown> {
    let tokens = tokens(condition);
    let mut reading = Reading {
        tokens: &tokens,
        terms,
        item,
    };
    let holds = reading.any()?;
    match reading.tokens {
        [] => Ok(holds),
        _ => Err(Unknown(condition.to_owned())),
    }
}

struct Reading<'r> {
    tokens: &'r [&'r str],
    terms: &'r Terms<'r>,
    item: Option<&'r Attributes>,
}

impl Reading<'_> {
    fn any(&mut self) -> Result<bool, Unknown> {
        let mut holds = self.all()?;
        while self.takes("OR") {
            // Read in any case: what follows begins behind it.
            holds |= self.all()?;
        }
        Ok(holds)
    }

    fn all(&mut self) -> Result<bool, Unknown> {
        let mut holds = self.one()?;
        while self.takes("AND") {
            holds &= self.one()?;
        }
        Ok(holds)
    }

    fn one(&mut self) -> Result<bool, Unknown> {
        let attribute = |name: &str| self.item.and_then(|item| item.get(name));
        let (holds, read) = match *self.tokens {
            ["(", ..] => {
                self.tokens = &self.tokens[1..];
                let holds = self.any()?;
                return match self.takes(")") {
                    true => Ok(holds),
                    false => Err(Unknown("an open parenthesis".to_owned())),
                };
            }
            ["attribute_exists", "(", name, ")", ..] => {
                (attribute(&self.terms.name(name)?).is_some(), 4)
            }
            ["attribute_not_exists", "(", name, ")", ..] => {
                (attribute(&self.terms.name(name)?).is_none(), 4)
            }
            [name, comparison @ ("=" | "<" | "<="), value, ..] => {
                let found = attribute(&self.terms.name(name)?);
                let wanted = self.terms.value(value)?;
                let holds = match (found, comparison) {
                    (None, _) => false,
                    (Some(found), "=") => found == wanted,
                    (Some(found), _) => match order(found, wanted)? {
                        Ordering::Less => true,
                        Ordering::Equal => comparison == "<=",
                        Ordering::Greater => false,
                    },
                };
                (holds, 3)
            }
            _ => return Err(Unknown(self.tokens.join(" "))),
        };
        self.tokens = &self.tokens[read..];
        Ok(holds)
    }

    fn takes(&mut self, wanted: &str) -> bool {
        match self.tokens {
            [token, rest @ ..] if *token == wanted => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }
}

fn order(left: &Value, right: &Value) -> Result<Ordering, Unknown> {
    let typed = |value: &Value| {
        let (kind, value) = value.as_object()?.iter().next()?;
        Some((kind.clone(), value.as_str()?.to_owned()))
    };
    let unknown = || Unknown("a comparison of other things than texts and numbers".to_owned());
    match (typed(left), typed(right)) {
        (Some((l, left)), Some((r, right))) if l == "N" && r == "N" => {
            let number = |text: String| text.parse::<f64>().ok();
            let compared = number(left).zip(number(right));
            let compared = compared.and_then(|(left, right)| left.partial_cmp(&right));
            compared.ok_or_else(unknown)
        }
        (Some((l, left)), Some((r, right))) if l == "S" && r == "S" => Ok(left.cmp(&right)),
        _ => Err(unknown()),
    }
}

/// Changes an item as an update says.
pub(crate) fn apply(update: &str, terms: &Terms<'_>, item: &mut Attributes) -> Result<(), Unknown> {
    let tokens = tokens(update);
    let mut tokens = &tokens[..];
    let mut clause = "";
    while !tokens.is_empty() {
        if let [keyword @ ("SET" | "ADD" | "REMOVE"), rest @ ..] = tokens {
            (clause, tokens) = (keyword, rest);
        }
        let read = match (clause, tokens) {
            ("SET", [name, "=", value, ..]) => {
                item.insert(terms.name(name)?, terms.value(value)?.clone());
                3
            }
            ("ADD", [name, value, ..]) => {
                let number = |value: Option<&Value>| -> Option<i64> {
                    value?.get("N")?.as_str()?.parse().ok()
                };
                let name = terms.name(name)?;
                let more = number(Some(terms.value(value)?));
                let sum = more.ok_or_else(|| Unknown(update.to_owned()))?
                    + number(item.get(&name)).unwrap_or(0);
                item.insert(name, serde_json::json!({"N": sum.to_string()}));
                2
            }
            ("REMOVE", [name, ..]) => {
                item.remove(&terms.name(name)?);
                1
            }
            _ => return Err(Unknown(update.to_owned())),
        };
        tokens = &tokens[read..];
        match tokens {
            [",", rest @ ..] => tokens = rest,
            [] | ["SET" | "ADD" | "REMOVE", ..] => {}
            // A path, a function, a sum.
            _ => return Err(Unknown(update.to_owned())),
        }
    }
    Ok(())
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || "_#:.".contains(c);
        let length = match (is_part(first), rest.get(..2)) {
            (true, _) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            (false, Some("<=" | ">=" | "<>")) => 2,
            (false, _) => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn conditions_hold_as_in_dynamodb_and_unknown_ones_are_refused() {
        let item = map(&json!({"pk": {"S": "1"}, "fence": {"N": "9"}, "due_at": {"S": "2026"}}));
        let names = map(&json!({"#fence": "fence"}));
        let values =
            map(&json!({":ten": {"N": "10"}, ":nine": {"N": "9"}, ":later": {"S": "2027"}}));
        let terms = Terms {
            names: Some(&names),
            values: Some(&values),
        };
        for (condition, expected) in [
            (
                "attribute_exists(pk) AND attribute_not_exists(gone)",
                Some(true),
            ),
            // As numbers, not as texts.
            ("#fence < :ten", Some(true)),
            ("fence < :nine", Some(false)),
            ("fence <= :nine AND due_at < :later", Some(true)),
            ("gone = :nine OR fence = :nine", Some(true)),
            ("gone < :nine", Some(false)),
            (
                "attribute_exists(gone) AND (fence = :nine OR fence = :ten)",
                Some(false),
            ),
            ("fence < :later", None),
            ("fence = :nothing", None),
            ("size(pk) < :ten", None),
            ("NOT fence = :nine", None),
        ] {
            let holds = holds(condition, &terms, Some(&item));
            assert_eq!(holds.ok(), expected, "{condition}");
        }
        assert!(matches!(
            holds("attribute_not_exists(pk)", &terms, None),
            Ok(true)
        ));
    }

    #[test]
    fn updates_set_add_and_remove_and_unknown_ones_are_refused() {
        let values = map(&json!({":a": {"S": "x"}, ":one": {"N": "1"}}));
        let terms = Terms {
            names: None,
            values: Some(&values),
        };
        let mut item = map(&json!({"a": {"S": "y"}, "n": {"N": "4"}, "gone": {"S": "z"}}));
        let update = "SET a = :a, b = :a ADD n :one, m :one REMOVE gone";
        assert!(apply(update, &terms, &mut item).is_ok());
        let expected = json!({"a": {"S": "x"}, "b": {"S": "x"}, "n": {"N": "5"}, "m": {"N": "1"}});
        assert_eq!(Value::Object(item.clone()), expected);
        for unknown in [
            "SET a = b + :one",
            "DELETE a :a",
            "SET a = if_not_exists(a, :a)",
        ] {
            assert!(apply(unknown, &terms, &mut item).is_err(), "{unknown}");
        }
    }
}
