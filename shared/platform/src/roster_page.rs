//! Pages of the roster as they come from DynamoDB, read straight into what the roster keeps. The SDK would make a map
//! of owned texts of each user first, which costs more than all else that a file without changes does to its users.
//! What is read is decided in `users.rs`; refusals and everything but a page's form stay with the SDK.

use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A text, beside the type that DynamoDB names.
#[derive(Deserialize)]
pub(crate) struct Text<'p> {
    #[serde(rename = "S", borrow)]
    pub(crate) text: Cow<'p, str>,
}

/// A set of texts.
#[derive(Deserialize)]
pub(crate) struct Texts<'p> {
    #[serde(rename = "SS", borrow)]
    pub(crate) texts: Vec<Cow<'p, str>>,
}

/// Bytes in base64.
#[derive(Deserialize)]
pub(crate) struct Bytes<'p> {
    #[serde(rename = "B", borrow)]
    pub(crate) base64: Cow<'p, str>,
}

/// Yes or no.
#[derive(Deserialize)]
pub(crate) struct Flag {
    #[serde(rename = "BOOL")]
    pub(crate) set: bool,
}

/// A user's item, as far as it is asked for.
#[derive(Deserialize)]
pub(crate) struct Row<'p> {
    #[serde(borrow)]
    pub(crate) sk: Text<'p>,
    pub(crate) email_key: Text<'p>,
    pub(crate) external_id: Option<Text<'p>>,
    pub(crate) status: Text<'p>,
    pub(crate) roles: Option<Texts<'p>>,
    pub(crate) feed_roles: Option<Texts<'p>>,
    pub(crate) feed_managed: Option<Flag>,
    pub(crate) manager_granted_at: Option<Text<'p>>,
    pub(crate) disabled_by_upload: Option<Text<'p>>,
    pub(crate) fingerprint: Option<Bytes<'p>>,
    pub(crate) first_name: Option<Text<'p>>,
    pub(crate) last_name: Option<Text<'p>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page<'p> {
    #[serde(borrow)]
    items: Vec<Row<'p>>,
    #[serde(borrow)]
    last_evaluated_key: Option<HashMap<String, Text<'p>>>,
}

/// Takes each row of each page; tells whether it could be read.
type Take<T> = fn(&mut T, &Row<'_>) -> bool;

/// Given to a query, it keeps the rows; the query itself answers only where the next page begins.
pub(crate) struct Pages<T> {
    kept: Arc<Mutex<T>>,
    take: Take<T>,
}

impl<T> Clone for Pages<T> {
    fn clone(&self) -> Self {
        Pages {
            kept: Arc::clone(&self.kept),
            take: self.take,
        }
    }
}

impl<T> std::fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pages")
    }
}

impl<T: Default> Pages<T> {
    pub(crate) fn new(kept: T, take: Take<T>) -> Self {
        Pages {
            kept: Arc::new(Mutex::new(kept)),
            take,
        }
    }

    pub(crate) fn kept(self) -> T {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Send + 'static> Intercept for Pages<T> {
    fn name(&self) -> &'static str {
        "pages of the roster"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().status().is_success() {
            let ours = SharedResponseDeserializer::new(self.clone());
            config.interceptor_state().store_put(ours);
        }
        Ok(())
    }
}

impl<T: Send + 'static> DeserializeResponse for Pages<T> {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<Error>> {
        let body = response.body().bytes().unwrap_or_default();
        // Without what serde says: it may quote the page.
        let page: Page<'_> = serde_json::from_slice(body).map_err(|_| malformed())?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !page.items.iter().all(|row| (self.take)(&mut kept, row)) {
            return Err(malformed());
        }
        let last = page.last_evaluated_key.map(|key| {
            let text =
                |(name, value): (_, Text<'_>)| (name, AttributeValue::S(value.text.into_owned()));
            key.into_iter().map(text).collect()
        });
        let output = QueryOutput::builder().set_last_evaluated_key(last).build();
        Ok(Output::erase(output))
    }
}

/// Nothing that trying again would mend.
fn malformed() -> OrchestratorError<Error> {
    OrchestratorError::other("an answer does not have the form that is documented")
}
