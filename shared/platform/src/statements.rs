//! A batch of PartiQL statements as it goes to DynamoDB, written straight from what is to be stored. The SDK would make
//! an owned copy of each text first, and each statement's own of its text. What is written is decided in `users.rs`;
//! signing, sending, repeating and the answer stay with the SDK.

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A value, in the form and by the name that DynamoDB gives to its type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) enum Value<'v> {
    /// A text.
    #[serde(rename = "S")]
    Text(Cow<'v, str>),
    /// A number, which DynamoDB takes as a text.
    #[serde(rename = "N", serialize_with = "in_digits")]
    Number(u64),
    /// Yes or no.
    #[serde(rename = "BOOL")]
    Flag(bool),
    /// Bytes in base64.
    #[serde(rename = "B")]
    Bytes(String),
    /// A set of texts; DynamoDB has no empty ones.
    #[serde(rename = "SS")]
    Texts(Vec<Cow<'v, str>>),
    /// A set of numbers, as texts; DynamoDB has no empty ones.
    #[serde(rename = "NS")]
    Numbers(Vec<String>),
    /// Values by their names.
    #[serde(rename = "M")]
    Map(BTreeMap<&'v str, Value<'v>>),
}

fn in_digits<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// A conditional write. Should the condition not hold, the answer has the item as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Statement<'s> {
    /// The text, with a `?` for each parameter; several statements have the same.
    #[serde(serialize_with = "as_text")]
    pub(crate) statement: Rc<str>,
    /// In the order of their places in the text.
    pub(crate) parameters: Vec<Value<'s>>,
    pub(crate) return_values_on_condition_check_failure: AllOld,
}

fn as_text<S: Serializer>(text: &Rc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// The one thing that is asked for about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) enum AllOld {
    #[serde(rename = "ALL_OLD")]
    AllOld,
}

/// Some bytes more than a statement and its parameters take, so that room is made once.
const STATEMENT_BYTES: usize = 1_536;

/// The body of a request; given to a `BatchExecuteStatement` without statements, it takes the place of that one's.
#[derive(Clone, Debug)]
pub(crate) struct Body(Bytes);

impl Body {
    pub(crate) fn of(statements: &[Statement<'_>]) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Batch<'b> {
            statements: &'b [Statement<'b>],
        }
        let mut body = Vec::with_capacity(statements.len() * STATEMENT_BYTES);
        serde_json::to_writer(&mut body, &Batch { statements })?;
        Ok(Body(body.into()))
    }
}

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "a batch of statements"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let length = self.0.len().to_string();
        request.headers_mut().insert("content-length", length);
        *request.body_mut() = self.0.clone().into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_dynamodb_reads_them() {
        let text = |text: &'static str| Value::Text(text.into());
        for (value, expected) in [
            (text("O\"Hara\u{1}é\\"), r#"{"S":"O\"Hara\u0001é\\"}"#),
            (Value::Number(u64::MAX), r#"{"N":"18446744073709551615"}"#),
            (Value::Flag(true), r#"{"BOOL":true}"#),
            (Value::Bytes("AAE=".to_owned()), r#"{"B":"AAE="}"#),
            (
                Value::Texts(vec!["a".into(), "b".into()]),
                r#"{"SS":["a","b"]}"#,
            ),
            (Value::Numbers(vec!["7".to_owned()]), r#"{"NS":["7"]}"#),
            (
                Value::Map([("Team", text("A"))].into()),
                r#"{"M":{"Team":{"S":"A"}}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), expected);
        }
    }

    #[test]
    fn a_body_is_a_batch_of_statements_whose_refusals_show_the_item() {
        let statement = Statement {
            statement: r#"INSERT INTO "users" VALUE {'pk': ?}"#.into(),
            parameters: vec![Value::Text("7".into())],
            return_values_on_condition_check_failure: AllOld::AllOld,
        };
        let body = Body::of(&[statement.clone(), statement]).unwrap();
        let each = serde_json::json!({
            "Statement": r#"INSERT INTO "users" VALUE {'pk': ?}"#,
            "Parameters": [{"S": "7"}],
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        let read: serde_json::Value = serde_json::from_slice(&body.0).unwrap();
        assert_eq!(read, serde_json::json!({"Statements": [each, each]}));
    }
}
