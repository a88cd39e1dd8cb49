//! What DynamoDB and S3 would bill: requests by operation, and capacity units by the sizes of items. Nothing is kept
//! here but numbers.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What was asked and consumed since the counts were read last.
#[derive(Default)]
pub(crate) struct Counts {
    requests: BTreeMap<String, u64>,
    tables: BTreeMap<String, Consumed>,
}

/// Of one table and its indexes.
#[derive(Default)]
struct Consumed {
    read_units: f64,
    write_units: f64,
    index_write_units: f64,
    written: u64,
}

impl Counts {
    pub(crate) fn request(&mut self, operation: &str) {
        *self.requests.entry(operation.to_owned()).or_default() += 1;
    }

    /// Items of these sizes were read together: by one query, or one of them by its key. Half the price if not
    /// consistently.
    pub(crate) fn read(&mut self, table: &str, bytes: usize, consistent: bool) {
        let units = bytes.div_ceil(4096).max(1) as f64;
        self.of(table).read_units += if consistent { units } else { units / 2.0 };
    }

    /// An item was written that had, before or after, this size at most, and so many index entries changed with it. In a transaction all
    /// that costs twice.
    pub(crate) fn write(&mut self, table: &str, bytes: usize, entries: u64, transaction: bool) {
        let times = if transaction { 2.0 } else { 1.0 };
        let consumed = self.of(table);
        consumed.write_units += times * bytes.div_ceil(1024).max(1) as f64;
        // Index entries here are keys only, and under 1 KB.
        consumed.index_write_units += times * entries as f64;
        consumed.written += 1;
    }

    pub(crate) fn told(self) -> Value {
        let tables = self.tables.into_iter().map(|(name, consumed)| {
            let told = json!({
                "read_units": consumed.read_units,
                "write_units": consumed.write_units,
                "index_write_units": consumed.index_write_units,
                "written": consumed.written,
            });
            (name, told)
        });
        json!({"requests": self.requests, "tables": tables.collect::<Map<_, _>>()})
    }

    fn of(&mut self, table: &str) -> &mut Consumed {
        // Not `entry`, which would want a name of its own each time.
        if !self.tables.contains_key(table) {
            self.tables.insert(table.to_owned(), Consumed::default());
        }
        self.tables.entry(table.to_owned()).or_default()
    }
}

/// The size of an item: names and values, by the rules of
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>.
pub(crate) fn item_bytes(item: &Map<String, Value>) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value_bytes(value))
        .sum()
}

fn value_bytes(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else {
        return 0;
    };
    let binary = |text: &str| BASE64_STANDARD.decode(text).map_or(0, |bytes| bytes.len());
    let each = |value: &Value, size: &dyn Fn(&str) -> usize| -> usize {
        let list = value.as_array().map_or(&[][..], Vec::as_slice);
        list.iter().map(|part| part.as_str().map_or(0, size)).sum()
    };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(text)) => number_bytes(text),
        ("B", Value::String(text)) => binary(text),
        ("SS", list) => each(list, &str::len),
        ("NS", list) => each(list, &number_bytes),
        ("BS", list) => each(list, &binary),
        ("M", Value::Object(map)) => 3 + map.len() + item_bytes(map),
        ("L", Value::Array(list)) => {
            3 + list.iter().map(|part| 1 + value_bytes(part)).sum::<usize>()
        }
        // `NULL` and `BOOL`.
        _ => 1,
    }
}

/// A byte for two significant digits, and one more.
fn number_bytes(text: &str) -> usize {
    text.trim_matches('0').len().div_ceil(2) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_the_size_that_is_billed() {
        for (value, bytes) in [
            (json!({"S": "caf\u{e9}"}), 5),
            (json!({"N": "27"}), 2),
            (json!({"N": "1000"}), 2),
            (json!({"B": "AAAAAAAAAAAAAAAAAAAAAA=="}), 16),
            (json!({"BOOL": true}), 1),
            (json!({"SS": ["ab", "c"]}), 3),
            // Three for the map, one for each pair.
            (json!({"M": {"ab": {"S": "c"}}}), 7),
        ] {
            let item = json!({"n": value});
            assert_eq!(item_bytes(item.as_object().unwrap()), 1 + bytes, "{item}");
        }
    }

    #[test]
    fn capacity_is_counted_by_blocks_of_4_and_1_kb() {
        let mut counts = Counts::default();
        counts.read("users", 4097, true);
        counts.read("users", 0, false);
        counts.write("users", 1025, 1, false);
        counts.write("users", 10, 0, true);
        let users = &counts.told()["tables"]["users"];
        assert_eq!(users["read_units"], 2.5);
        assert_eq!(users["write_units"], 4.0);
        assert_eq!(users["index_write_units"], 1.0);
        assert_eq!(users["written"], 2);
    }
}
