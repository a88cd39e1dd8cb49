//! `CREDENTIALS`: which key pair was issued to a portal last, and who is issuing one. IAM itself says which keys
//! there are; this says which of them the customer has, and keeps two people from issuing at once. The secret is
//! never here.

use super::{Entry, FeedTable, update_refused};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::Key;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use jiff::{SignedDuration, Timestamp};
use mapping::identity::PortalId;
use serde::Deserialize;

/// Longer than the gateway (30 s) and the function wait: whoever is issuing has come to an end by then.
const ISSUING: SignedDuration = SignedDuration::from_secs(60);

#[derive(Deserialize)]
struct CredentialsItem {
    #[serde(default)]
    access_key_id: Option<String>,
}

impl FeedTable {
    /// The key that was issued last, as far as that was recorded.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn issued_key(&self, portal: PortalId) -> Result<Option<String>, CallFailed> {
        let item: Option<CredentialsItem> = self
            .get("read the credentials", Key::credentials(portal))
            .await?;
        Ok(item.and_then(|item| item.access_key_id))
    }

    /// From now on `owner` issues a key pair to the portal, for a minute at most. `false`: somebody else does.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn begin_issuing(
        &self,
        portal: PortalId,
        owner: &str,
        now: Timestamp,
    ) -> Result<bool, CallFailed> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::credentials(portal).item()))
            .update_expression("SET issuing_by = :owner, issuing_until = :until")
            // The SDK repeats what was done already if the answer was lost.
            .condition_expression(
                "attribute_not_exists(issuing_until) OR issuing_until < :now OR issuing_by = :owner",
            )
            .expression_attribute_values(":owner", text(owner))
            .expression_attribute_values(":until", text(&stamp(now + ISSUING)))
            .expression_attribute_values(":now", text(&stamp(now)));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if update_refused(&error) => Ok(false),
            Err(error) => Err(CallFailed::sdk("begin to issue a key pair")(error)),
        }
    }

    /// `owner` has issued this key (`Some`), or none.
    ///
    /// # Errors
    ///
    /// The table could not be written, or somebody else is issuing by now.
    pub async fn end_issuing(
        &self,
        portal: PortalId,
        owner: &str,
        issued: Option<(&str, Entry)>,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "record the key pair";
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let set = if issued.is_some() {
            "SET access_key_id = :key "
        } else {
            ""
        };
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::credentials(portal).item()))
            .update_expression(format!("{set}REMOVE issuing_by, issuing_until"))
            .condition_expression("issuing_by = :owner")
            .expression_attribute_values(":owner", text(owner));
        let mut entry = None;
        if let Some((key, Entry(audited))) = issued {
            update = update.expression_attribute_values(":key", text(key));
            entry = Some(audited);
        }
        let update = update.build().map_err(CallFailed::to(WHAT))?;
        let change = TransactWriteItem::builder().update(update).build();
        match self.write(WHAT, [change].into_iter().chain(entry)).await? {
            true => Ok(()),
            false => Err(CallFailed::new(WHAT, "somebody else issues one by now")),
        }
    }
}
