//! `XERO_EMPLOYEE#<id>`: which user somebody of Xero's is, from the moment they were imported or recognised, whatever
//! becomes of their address there or here. A user is created in one transaction with this, with a place of the 200, and
//! with the portal's lease: so nobody is created twice, and never one too many.

use super::super::{FeedTable, Lease, UploadId, item_of, reasons};
use super::ABSENT;
use crate::directory::Creation;
use crate::failure::CallFailed;
use crate::keys::{Key, XERO_EMPLOYEE_PREFIX};
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use mapping::identity::{PortalId, UserId};
use mapping::import::{EmployeeId, MAX_IMPORTED};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Who somebody of Xero's is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedEmployee {
    /// In Xero.
    pub employee_id: EmployeeId,
    /// Here.
    pub user_id: UserId,
    /// The import that created the user; absent: the user was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<UploadId>,
}

/// What became of a new user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// Created.
    Created,
    /// There is a user of this id, or the employee is somebody's already.
    Exists,
    /// All places are taken.
    NoPlace,
    /// Somebody else has the portal's lease.
    LeaseLost,
}

impl FeedTable {
    /// Who of Xero's employees is who, of the whole portal; read consistently.
    ///
    /// # Errors
    ///
    /// The table could not be read.
    pub async fn imported_employees(
        &self,
        portal: PortalId,
    ) -> Result<HashMap<EmployeeId, ImportedEmployee>, CallFailed> {
        const WHAT: &str = "read who was imported from Xero";
        let mut pages = self
            .items_of(portal, XERO_EMPLOYEE_PREFIX)
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut known = HashMap::new();
        while let Some(page) = pages.next().await {
            let items = page.map_err(CallFailed::sdk(WHAT))?.items;
            let items: Vec<ImportedEmployee> = serde_dynamo::from_items(items.unwrap_or_default())
                .map_err(CallFailed::malformed(WHAT))?;
            known.extend(items.into_iter().map(|it| (it.employee_id, it)));
        }
        Ok(known)
    }

    /// Creates a user for an employee, and takes a place for them. `gone` is who they were before, and is not there any
    /// more.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn create_imported(
        &self,
        portal: PortalId,
        imported: &ImportedEmployee,
        gone: Option<UserId>,
        Creation(user): Creation,
        lease: &Lease,
    ) -> Result<Joined, CallFailed> {
        const WHAT: &str = "create an imported user";
        let number = |number: u32| AttributeValue::N(number.to_string());
        let place = Update::builder()
            .table_name(&self.table)
            .set_key(Some(Key::xero_imported(portal).item()))
            .update_expression("ADD places_taken :one")
            .condition_expression("attribute_not_exists(places_taken) OR places_taken < :all")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":all", number(MAX_IMPORTED))
            .build()
            .map_err(CallFailed::to(WHAT))?;
        // In this order their conditions are told apart.
        let changes = [
            lease.still_held(WHAT)?,
            user,
            self.put_employee(WHAT, portal, imported, gone)?,
            TransactWriteItem::builder().update(place).build(),
        ];
        let request = self.client.transact_write_items();
        match request
            .set_transact_items(Some(changes.into()))
            .send()
            .await
        {
            Ok(_) => Ok(Joined::Created),
            Err(error) => {
                let failed = reasons(&error).position(|code| code == "ConditionalCheckFailed");
                match failed {
                    Some(0) => Ok(Joined::LeaseLost),
                    Some(1 | 2) => Ok(Joined::Exists),
                    Some(_) => Ok(Joined::NoPlace),
                    None => Err(CallFailed::sdk(WHAT)(error)),
                }
            }
        }
    }

    /// Remembers who somebody is who was a user before; whoever is remembered stays. `false`: somebody else has the
    /// portal's lease.
    ///
    /// # Errors
    ///
    /// The table could not be written.
    pub async fn recognise_employee(
        &self,
        portal: PortalId,
        imported: &ImportedEmployee,
        gone: Option<UserId>,
        lease: &Lease,
    ) -> Result<bool, CallFailed> {
        const WHAT: &str = "remember who an employee is";
        let changes = [
            lease.still_held(WHAT)?,
            self.put_employee(WHAT, portal, imported, gone)?,
        ];
        let request = self.client.transact_write_items();
        match request
            .set_transact_items(Some(changes.into()))
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error) => {
                let failed = reasons(&error).position(|code| code == "ConditionalCheckFailed");
                match failed {
                    Some(0) => Ok(false),
                    Some(_) => Ok(true),
                    None => Err(CallFailed::sdk(WHAT)(error)),
                }
            }
        }
    }

    /// Unless they are somebody already who is not gone.
    fn put_employee(
        &self,
        what: &'static str,
        portal: PortalId,
        imported: &ImportedEmployee,
        gone: Option<UserId>,
    ) -> Result<TransactWriteItem, CallFailed> {
        let key = Key::xero_employee(portal, imported.employee_id);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(what, &key, imported)?));
        let put = match gone {
            None => put.condition_expression(ABSENT),
            Some(gone) => put
                .condition_expression("attribute_not_exists(pk) OR user_id = :gone")
                .expression_attribute_values(":gone", AttributeValue::S(gone.to_string())),
        };
        let put = put.build().map_err(CallFailed::to(what))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Forgets which employee a user is: the user is erased.
    ///
    /// # Errors
    ///
    /// The table could not be read or written.
    pub async fn forget_employee(
        &self,
        portal: PortalId,
        user_id: UserId,
    ) -> Result<(), CallFailed> {
        for it in self.imported_employees(portal).await?.into_values() {
            if it.user_id == user_id {
                self.client
                    .delete_item()
                    .table_name(&self.table)
                    .set_key(Some(Key::xero_employee(portal, it.employee_id).item()))
                    .send()
                    .await
                    .map_err(CallFailed::sdk("forget an employee"))?;
            }
        }
        Ok(())
    }
}
