//! Reading many items by their keys. What DynamoDB leaves out, for want of capacity or of room in its answer, is asked
//! for again until all is there.

use crate::failure::CallFailed;
use crate::keys::Item;
use crate::pause::Pause;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;

/// Those of up to [`READ_BATCH`](crate::users::READ_BATCH) items that there are, read consistently and in no order. `shape` may leave attributes
/// out.
pub(crate) async fn read_batch(
    client: &Client,
    table: &str,
    what: &'static str,
    mut keys: Vec<Item>,
    shape: fn(KeysAndAttributesBuilder) -> KeysAndAttributesBuilder,
) -> Result<Vec<Item>, CallFailed> {
    let mut found = Vec::with_capacity(keys.len());
    let mut pause = Pause::default();
    while !keys.is_empty() {
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys));
        let wanted = shape(wanted.consistent_read(true)).build();
        let answer = client
            .batch_get_item()
            .request_items(table, wanted.map_err(CallFailed::to(what))?)
            .send()
            .await
            .map_err(CallFailed::sdk(what))?;
        found.extend(answer.responses.unwrap_or_default().into_values().flatten());
        let rest = answer.unprocessed_keys.unwrap_or_default().remove(table);
        keys = rest.map(|rest| rest.keys).unwrap_or_default();
        if !keys.is_empty() {
            pause.wait().await;
        }
    }
    Ok(found)
}
