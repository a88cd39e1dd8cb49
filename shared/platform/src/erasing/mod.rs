//! Deleting what there is of a portal or of a person, in batches, as often as it takes: what is gone already costs
//! one look. What has to go, and when nobody else may touch it, is the caller's business.

mod objects;
mod users;

pub use objects::{ErasableBucket, StoredObject};
pub use users::ErasableUsers;

use crate::failure::CallFailed;
use crate::keys::Item;
use crate::pause::Pause;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use std::collections::HashMap;

/// The limit of `BatchWriteItem` itself.
const BATCH: usize = 25;

/// Deletes the items with these keys, whatever is in them.
pub(crate) async fn delete_items(
    client: &Client,
    table: &str,
    keys: Vec<Item>,
) -> Result<(), CallFailed> {
    const WHAT: &str = "delete items";
    for keys in keys.chunks(BATCH) {
        let requests: Result<Vec<_>, _> = keys
            .iter()
            .map(|key| {
                let delete = DeleteRequest::builder()
                    .set_key(Some(key.clone()))
                    .build()?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            })
            .collect::<Result<_, aws_sdk_dynamodb::error::BuildError>>()
            .map_err(CallFailed::to(WHAT));
        let mut open = requests?;
        let mut pause = Pause::default();
        while !open.is_empty() {
            let answer = client
                .batch_write_item()
                .set_request_items(Some(HashMap::from([(table.to_owned(), open)])))
                .send()
                .await
                .map_err(CallFailed::sdk(WHAT))?;
            let rest = answer.unprocessed_items.unwrap_or_default().remove(table);
            open = rest.unwrap_or_default();
            if !open.is_empty() {
                // DynamoDB had no capacity for these.
                pause.wait().await;
            }
        }
    }
    Ok(())
}
