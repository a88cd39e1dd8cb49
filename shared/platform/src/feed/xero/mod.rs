//! What the table knows of a portal and Xero (`docs/xero.md`): one file for each kind of item. Tokens are here as they
//! were sealed, and nothing here can open them. Who is imported, and what is asked of Xero, is decided elsewhere.
//!
//! - `attempts`: `XERO_STATE#<hash>`, somebody on the way to Xero and back.
//! - `connection`: `XERO`, the connection that the portal has; `tokens`, what it has of them, sealed.
//! - `returns`: `XERO_RETURN#<consent>`, connections that are to be given back.
//! - `users`: `XERO_USER#<id>`, who else has tokens of the same Xero user.
//! - `imports`: `XERO_IMPORT`, the import that is under way; `XERO_IMPORTED`, what all of them came to.
//! - `employees`: `XERO_EMPLOYEE#<id>`, which user somebody of Xero's is.
//! - `calls`: `XERO_ORGANISATION#<id>`, one at a time to an organisation.

mod attempts;
mod calls;
mod connection;
mod employees;
mod imports;
mod returns;
mod tokens;
mod users;

pub use attempts::{ATTEMPT_LIFETIME, Attempt, BegunBy};
pub use calls::{ASKED_FOR, Calls, Turn};
pub use connection::{CONNECTED_FOR, ChosenOrganisation, Connecting, XeroConnection};
pub use employees::{ImportedEmployee, Joined};
pub use imports::{Begun, ImportRequest, Imported, PendingImport};
pub use returns::XeroReturn;
pub use tokens::{Connected, Sealed, SealedTokens};
pub use users::InUse;

use super::{FeedTable, item_of};
use crate::failure::CallFailed;
use crate::keys::Key;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};
use jiff::Timestamp;
use serde::Serialize;

/// There is no such item.
const ABSENT: &str = "attribute_not_exists(pk)";

/// The attribute by which DynamoDB deletes what nobody needs any more (template.yaml): seconds since 1970. That may
/// take days, so whoever reads such an item asks the time as well.
fn delete_after(time: Timestamp) -> i64 {
    time.as_second()
}

impl FeedTable {
    fn put_if(
        &self,
        what: &'static str,
        key: &Key,
        item: impl Serialize,
        condition: Option<&str>,
    ) -> Result<TransactWriteItem, CallFailed> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(what, key, item)?))
            .set_condition_expression(condition.map(str::to_owned))
            .build()
            .map_err(CallFailed::to(what))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn delete_of(&self, what: &'static str, key: &Key) -> Result<TransactWriteItem, CallFailed> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .build()
            .map_err(CallFailed::to(what))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    fn only_if(
        &self,
        what: &'static str,
        key: &Key,
        condition: &str,
    ) -> Result<TransactWriteItem, CallFailed> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key.item()))
            .condition_expression(condition)
            .build()
            .map_err(CallFailed::to(what))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}
