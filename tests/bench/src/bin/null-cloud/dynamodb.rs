//! The operations of DynamoDB that a file's walk uses, and the two that other programs for the same work use. Reads and writes are
//! always consistent; capacity is counted as it was asked for.

use crate::capacity::Counts;
use crate::expression::{Terms, Unknown, apply, holds};
use crate::items::{Asked, Attributes, Key, Tables};
use axum::body::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Why a request was not done.
pub(crate) enum Refused {
    /// The condition did not hold.
    Condition,
    /// Of a transaction, in the order of its parts: whether the part's condition held.
    Transaction(Vec<bool>),
    /// It is not known here.
    Unknown(String),
}

impl Refused {
    pub(crate) fn body(&self) -> Bytes {
        let typed = |kind: &str, message: &str| json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": message});
        let body = match self {
            Refused::Condition => typed(
                "ConditionalCheckFailedException",
                "The conditional request failed",
            ),
            Refused::Transaction(held) => {
                let code = |held: &bool| match held {
                    true => json!({"Code": "None"}),
                    false => json!({"Code": "ConditionalCheckFailed"}),
                };
                let mut body = typed("TransactionCanceledException", "Transaction cancelled");
                body["CancellationReasons"] = held.iter().map(code).collect();
                body
            }
            Refused::Unknown(what) => {
                typed("ValidationException", &format!("not known here: {what}"))
            }
        };
        body.to_string().into()
    }
}

impl From<Unknown> for Refused {
    fn from(unknown: Unknown) -> Self {
        Refused::Unknown(unknown.0)
    }
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        Refused::Unknown(error.to_string())
    }
}

fn unknown(what: &str) -> Refused {
    Refused::Unknown(what.to_owned())
}

/// Answers a request.
pub(crate) fn answer(
    tables: &mut Tables,
    counts: &mut Counts,
    operation: &str,
    body: &[u8],
) -> Result<Bytes, Refused> {
    match operation {
        "GetItem" => get(tables, counts, &serde_json::from_slice(body)?),
        "BatchGetItem" => batch_get(tables, counts, serde_json::from_slice(body)?),
        "Query" => query(tables, counts, &serde_json::from_slice(body)?),
        "PutItem" | "DeleteItem" | "UpdateItem" => {
            let request: Write = serde_json::from_slice(body)?;
            let item = write(tables, counts, &request, false)?;
            Ok(match request.return_values.as_deref() {
                Some("ALL_NEW") => json!({"Attributes": item}).to_string().into(),
                _ => Bytes::from_static(b"{}"),
            })
        }
        "TransactWriteItems" => transact(tables, counts, serde_json::from_slice(body)?),
        "BatchWriteItem" => batch_write(tables, counts, serde_json::from_slice(body)?),
        "BatchExecuteStatement" => execute(tables, counts, &serde_json::from_slice(body)?),
        _ => Err(unknown(operation)),
    }
}

// ---------------------------------------------------------------- Reading

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    table_name: String,
    key: Attributes,
    #[serde(default)]
    consistent_read: bool,
}

fn get(tables: &Tables, counts: &mut Counts, request: &Get) -> Result<Bytes, Refused> {
    let key = Key::of(&request.key).ok_or_else(|| unknown("the key"))?;
    let found = tables.get(&request.table_name, &key);
    let bytes = found.map_or(0, |item| item.bytes);
    counts.read(&request.table_name, bytes, request.consistent_read);
    Ok(match found {
        Some(item) => format!("{{\"Item\":{}}}", item.text).into(),
        None => Bytes::from_static(b"{}"),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchGet {
    request_items: BTreeMap<String, Keys>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    keys: Vec<Attributes>,
    #[serde(default)]
    consistent_read: bool,
}

fn batch_get(tables: &Tables, counts: &mut Counts, request: BatchGet) -> Result<Bytes, Refused> {
    let mut answers = Vec::new();
    for (table, wanted) in request.request_items {
        let mut found = Vec::new();
        for key in &wanted.keys {
            let key = Key::of(key).ok_or_else(|| unknown("the key"))?;
            let item = tables.get(&table, &key);
            let bytes = item.map_or(0, |item| item.bytes);
            counts.read(&table, bytes, wanted.consistent_read);
            found.extend(item.map(|item| &*item.text));
        }
        answers.push(format!("\"{table}\":[{}]", found.join(",")));
    }
    let answers = answers.join(",");
    Ok(format!("{{\"Responses\":{{{answers}}},\"UnprocessedKeys\":{{}}}}").into())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    table_name: String,
    index_name: Option<String>,
    filter_expression: Option<String>,
    limit: Option<usize>,
    key_condition_expression: String,
    projection_expression: Option<String>,
    expression_attribute_names: Option<Map<String, Value>>,
    expression_attribute_values: Map<String, Value>,
    exclusive_start_key: Option<Attributes>,
    #[serde(default)]
    consistent_read: bool,
}

fn query(tables: &mut Tables, counts: &mut Counts, request: &Query) -> Result<Bytes, Refused> {
    if request.index_name.is_some() || request.filter_expression.is_some() {
        return Err(unknown("a query of an index, or with a filter"));
    }
    let named = |token: &str| -> String {
        let names = request.expression_attribute_names.as_ref();
        let name = names.and_then(|names| names.get(token)?.as_str());
        name.unwrap_or(token).to_owned()
    };
    let text = |token: &str| -> Result<&str, Refused> {
        let value = request.expression_attribute_values.get(token);
        let text = value.and_then(|value| value.get("S")?.as_str());
        text.ok_or_else(|| unknown(token))
    };
    // `#pk = :pk`, or `#pk = :pk AND begins_with(#sk, :prefix)`.
    let tokens: Vec<&str> = request
        .key_condition_expression
        .split(|c: char| " (),=".contains(c))
        .filter(|token| !token.is_empty())
        .collect();
    let (pk, prefix) = match tokens[..] {
        [pk, value] if named(pk) == "pk" => (text(value)?, ""),
        [pk, value, "AND", "begins_with", sk, prefix] if named(pk) == "pk" && named(sk) == "sk" => {
            (text(value)?, text(prefix)?)
        }
        _ => return Err(unknown(&request.key_condition_expression)),
    };
    let projection = request.projection_expression.as_deref();
    let wanted: Option<BTreeSet<String>> =
        projection.map(|names| names.split(',').map(|name| named(name.trim())).collect());
    let shape = |item: &str| match &wanted {
        None => item.to_owned(),
        Some(wanted) => projected(item, wanted),
    };
    let start = request.exclusive_start_key.as_ref();
    let after = start
        .map(|key| Key::of(key).map(|key| key.sk))
        .unwrap_or_default();
    let limit = request.limit.unwrap_or(usize::MAX);
    let question = format!("{prefix} {limit} {}", projection.unwrap_or_default());
    let table = &request.table_name;
    let asked = Asked {
        prefix,
        limit,
        question: &question,
    };
    let page = tables.page(table, pk, &asked, after.as_deref(), shape);
    let bytes = page.as_ref().map_or(0, |page| page.bytes);
    counts.read(table, bytes, request.consistent_read);
    let nothing = || Bytes::from_static(br#"{"Count":0,"ScannedCount":0,"Items":[]}"#);
    Ok(page.map_or_else(nothing, |page| page.body))
}

/// The attributes of an item that are wanted, in JSON.
fn projected(item: &str, wanted: &BTreeSet<String>) -> String {
    let attributes: BTreeMap<&str, &RawValue> = serde_json::from_str(item).unwrap_or_default();
    let kept: Vec<String> = attributes
        .into_iter()
        .filter(|(name, _)| wanted.contains(*name))
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", kept.join(","))
}

// ---------------------------------------------------------------- Writing

/// A put, an update, a delete, or the check of a condition, by itself or in a transaction.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Write {
    table_name: String,
    item: Option<Attributes>,
    key: Option<Attributes>,
    condition_expression: Option<String>,
    update_expression: Option<String>,
    expression_attribute_names: Option<Map<String, Value>>,
    expression_attribute_values: Option<Map<String, Value>>,
    return_values: Option<String>,
}

impl Write {
    fn key(&self) -> Result<Key, Refused> {
        let key = self.key.as_ref().or(self.item.as_ref());
        key.and_then(Key::of).ok_or_else(|| unknown("the key"))
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            names: self.expression_attribute_names.as_ref(),
            values: self.expression_attribute_values.as_ref(),
        }
    }

    fn holds(&self, before: Option<&Attributes>) -> Result<bool, Refused> {
        match &self.condition_expression {
            Some(condition) => Ok(holds(condition, &self.terms(), before)?),
            None => Ok(true),
        }
    }

    /// What the item is afterwards; `None`: it is deleted.
    fn after(&self, before: Option<Attributes>) -> Result<Option<Attributes>, Refused> {
        match (&self.item, &self.update_expression, &self.key) {
            (Some(item), _, _) => Ok(Some(item.clone())),
            (None, Some(update), Some(key)) => {
                let mut item = before.unwrap_or_else(|| key.clone());
                apply(update, &self.terms(), &mut item)?;
                Ok(Some(item))
            }
            (None, _, _) => Ok(None),
        }
    }
}

fn write(
    tables: &mut Tables,
    counts: &mut Counts,
    request: &Write,
    transaction: bool,
) -> Result<Option<Attributes>, Refused> {
    let (table, key) = (&request.table_name, request.key()?);
    let before = tables.attributes(table, &key);
    if !request.holds(before.as_ref())? {
        // A condition that does not hold costs a write all the same.
        let bytes = before.as_ref().map_or(0, crate::capacity::item_bytes);
        counts.write(table, bytes, 0, transaction);
        return Err(Refused::Condition);
    }
    let after = request.after(before)?;
    tables.put(counts, table, key, after.as_ref(), transaction);
    Ok(after)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Transact {
    transact_items: Vec<BTreeMap<String, Write>>,
}

fn transact(tables: &mut Tables, counts: &mut Counts, request: Transact) -> Result<Bytes, Refused> {
    let writes: Vec<(String, Write)> = request.transact_items.into_iter().flatten().collect();
    let mut held = Vec::new();
    for (_, write) in &writes {
        let before = tables.attributes(&write.table_name, &write.key()?);
        held.push(write.holds(before.as_ref())?);
    }
    if held.contains(&false) {
        return Err(Refused::Transaction(held));
    }
    for (kind, part) in &writes {
        match kind.as_str() {
            "ConditionCheck" => {
                let item = tables.get(&part.table_name, &part.key()?);
                let bytes = item.map_or(0, |item| item.bytes);
                counts.write(&part.table_name, bytes, 0, true);
            }
            _ => _ = write(tables, counts, part, true)?,
        }
    }
    Ok(Bytes::from_static(b"{}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchWrite {
    request_items: BTreeMap<String, Vec<PutRequest>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest {
    put_request: PutItem,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutItem {
    item: Attributes,
}

fn batch_write(
    tables: &mut Tables,
    counts: &mut Counts,
    request: BatchWrite,
) -> Result<Bytes, Refused> {
    for (table, puts) in request.request_items {
        for put in puts {
            let item = put.put_request.item;
            let key = Key::of(&item).ok_or_else(|| unknown("the key"))?;
            tables.put(counts, &table, key, Some(&item), false);
        }
    }
    Ok(Bytes::from_static(br#"{"UnprocessedItems":{}}"#))
}

// ---------------------------------------------------------------- PartiQL

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Execute<'e> {
    #[serde(borrow)]
    statements: Vec<Statement<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'e> {
    #[serde(borrow)]
    statement: std::borrow::Cow<'e, str>,
    parameters: Vec<Value>,
}

fn execute(
    tables: &mut Tables,
    counts: &mut Counts,
    request: &Execute<'_>,
) -> Result<Bytes, Refused> {
    let mut answers = Vec::with_capacity(request.statements.len());
    for statement in &request.statements {
        answers.push(match execute_one(tables, counts, statement) {
            Ok(table) => format!("{{\"TableName\":\"{table}\"}}"),
            Err((code, table, key)) => {
                let item = key.and_then(|key| tables.get(&table, &key));
                let item = item.map_or(String::new(), |item| format!(",\"Item\":{}", item.text));
                let message = "The conditional request failed";
                format!("{{\"TableName\":\"{table}\",\"Error\":{{\"Code\":\"{code}\",\"Message\":\"{message}\"{item}}}}}")
            }
        });
    }
    Ok(format!("{{\"Responses\":[{}]}}", answers.join(",")).into())
}

/// Why a statement was not done: DynamoDB's code, the table, and the item it was about if it is there.
type NotDone = (&'static str, String, Option<Key>);

/// `INSERT INTO "table" VALUE {'name': ?, 'name': 'text', …}`, or `UPDATE "table" SET "name" = ? SET "name" = 'text' …
/// REMOVE "name" … WHERE "pk" = ? AND "sk" = ? AND "version" = ?`; no text has a quotation mark. The table's name.
fn execute_one(
    tables: &mut Tables,
    counts: &mut Counts,
    statement: &Statement<'_>,
) -> Result<String, NotDone> {
    let text = &*statement.statement;
    let mut quoted = text.split(['"', '\'']).skip(1).peekable();
    let table = quoted.next().unwrap_or_default().to_owned();
    let not_known = || ("ValidationError", table.clone(), None);
    // Names stand between quotation marks; what is before a name says what is to be done with it. Between a name and its
    // text there is nothing else.
    let mut names: Vec<(&str, &str, Option<&str>)> = Vec::new();
    while let (Some(before), Some(name)) = (quoted.next(), quoted.next()) {
        let text = quoted.next_if(|after| [": ", " = "].contains(after));
        names.push((before, name, text.and_then(|_| quoted.next())));
    }
    let mut parameters = statement.parameters.iter();
    let mut value = |text: Option<&str>| match text {
        Some(text) => Ok(serde_json::json!({"S": text})),
        None => parameters.next().cloned().ok_or_else(not_known),
    };
    if text.starts_with("INSERT INTO ") {
        let mut item = Attributes::new();
        for (_, name, text) in names {
            item.insert(name.to_owned(), value(text)?);
        }
        let key = Key::of(&item).ok_or_else(not_known)?;
        if let Some(there) = tables.get(&table, &key) {
            counts.write(&table, there.bytes, 0, false);
            return Err(("DuplicateItem", table, Some(key)));
        }
        tables.put(counts, &table, key, Some(&item), false);
        return Ok(table);
    }
    let mut sets = Vec::new();
    let mut condition = Attributes::new();
    let mut clause = "";
    for (before, name, text) in names {
        for keyword in ["SET", "REMOVE", "WHERE"] {
            if before.contains(keyword) {
                clause = keyword;
            }
        }
        match clause {
            "SET" => sets.push((name, Some(value(text)?))),
            "REMOVE" => sets.push((name, None)),
            "WHERE" => _ = condition.insert(name.to_owned(), value(text)?),
            _ => return Err(not_known()),
        }
    }
    let key = Key::of(&condition).ok_or_else(not_known)?;
    let before = tables.attributes(&table, &key);
    let holds = |item: &Attributes| {
        condition
            .iter()
            .all(|(name, value)| item.get(name) == Some(value))
    };
    let Some(mut item) = before.filter(|item| holds(item)) else {
        let bytes = tables.get(&table, &key).map_or(0, |item| item.bytes);
        counts.write(&table, bytes, 0, false);
        return Err(("ConditionalCheckFailed", table, Some(key)));
    };
    for (name, value) in sets {
        match value {
            Some(value) => _ = item.insert(name.to_owned(), value),
            None => _ = item.remove(name),
        }
    }
    tables.put(counts, &table, key, Some(&item), false);
    Ok(table)
}
