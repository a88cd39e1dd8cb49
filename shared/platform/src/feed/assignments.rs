//! `<portal_id>#ASSIGNMENT#<shard>`: learning that users were assigned, once for each user and learning item
//! and for good. Written before the user is in the group that brings it: a crash in between leaves somebody
//! with learning and no group, which the next attempt mends; the other way round the learning would be lost.

use super::{FeedTable, UploadId, item_of};
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::keys::Key;
use crate::pause::Pause;
use crate::users::WriteContext;
use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest};
use jiff::Timestamp;
use mapping::identity::{PortalId, UserId};
use serde::Serialize;

/// BatchExecuteStatement's own limit.
const BATCH: usize = 25;

/// A learning item for a user, because of a group or of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Who.
    pub user_id: UserId,
    /// What.
    pub learning_id: u64,
    /// The group that brings it; `None`: the import does.
    pub group_id: Option<u64>,
}

/// On whose behalf learning is assigned, and when.
struct By<'a> {
    portal: PortalId,
    /// `None`: somebody in the portal.
    upload_id: Option<&'a str>,
    now: Timestamp,
}

#[derive(Serialize)]
struct AssignmentItem<'a> {
    portal_id: PortalId,
    user_id: UserId,
    learning_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<u64>,
    assigned_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_id: Option<&'a str>,
}

impl FeedTable {
    /// Assigns learning because of a file; what was assigned before stays as it was.
    ///
    /// # Errors
    ///
    /// The table could not be written. Some may have been assigned; repeating is safe.
    pub async fn assign(
        &self,
        context: &WriteContext,
        assignments: &[Assignment],
    ) -> Result<(), CallFailed> {
        let by = By {
            portal: context.portal,
            upload_id: Some(&context.upload_id),
            now: context.now,
        };
        self.assign_by(&by, assignments).await
    }

    /// Assigns learning because of an import; what was assigned before stays as it was.
    ///
    /// # Errors
    ///
    /// The table could not be written. Some may have been assigned; repeating is safe.
    pub async fn assign_by_import(
        &self,
        portal: PortalId,
        upload_id: UploadId,
        now: Timestamp,
        assignments: &[Assignment],
    ) -> Result<(), CallFailed> {
        let by = By {
            portal,
            upload_id: Some(&upload_id.to_string()),
            now,
        };
        self.assign_by(&by, assignments).await
    }

    /// Assigns learning because of a change in the portal; what was assigned before stays as it was.
    ///
    /// # Errors
    ///
    /// The table could not be written. Some may have been assigned; repeating is safe.
    pub async fn assign_in_portal(
        &self,
        portal: PortalId,
        now: Timestamp,
        assignments: &[Assignment],
    ) -> Result<(), CallFailed> {
        let by = By {
            portal,
            upload_id: None,
            now,
        };
        self.assign_by(&by, assignments).await
    }

    async fn assign_by(&self, by: &By<'_>, assignments: &[Assignment]) -> Result<(), CallFailed> {
        const WHAT: &str = "assign learning";
        for batch in assignments.chunks(BATCH) {
            let statements: Result<Vec<_>, _> = batch
                .iter()
                .map(|assignment| self.insert(by, assignment))
                .collect();
            let mut open = statements?;
            let mut pause = Pause::default();
            while !open.is_empty() {
                let request = self.client.batch_execute_statement();
                let answer = request
                    .set_statements(Some(open.clone()))
                    .send()
                    .await
                    .map_err(CallFailed::sdk(WHAT))?;
                let mut again = Vec::new();
                for (statement, response) in open.into_iter().zip(answer.responses()) {
                    match response.error().map(|error| error.code()) {
                        // Assigned before, by this upload or by another.
                        None | Some(Some(BatchStatementErrorCodeEnum::DuplicateItem)) => {}
                        Some(Some(
                            BatchStatementErrorCodeEnum::ThrottlingError
                            | BatchStatementErrorCodeEnum::ProvisionedThroughputExceeded
                            | BatchStatementErrorCodeEnum::RequestLimitExceeded
                            | BatchStatementErrorCodeEnum::InternalServerError
                            | BatchStatementErrorCodeEnum::TransactionConflict,
                        )) => again.push(statement),
                        Some(code) => {
                            let code = code.map_or("no code", |code| code.as_str());
                            return Err(CallFailed::new(WHAT, format!("DynamoDB answered {code}")));
                        }
                    }
                }
                open = again;
                if !open.is_empty() {
                    pause.wait().await;
                }
            }
        }
        Ok(())
    }

    /// An INSERT fails on an existing key: that is its condition.
    fn insert(
        &self,
        by: &By<'_>,
        assignment: &Assignment,
    ) -> Result<BatchStatementRequest, CallFailed> {
        const WHAT: &str = "assign learning";
        let Assignment {
            user_id,
            learning_id,
            group_id,
        } = *assignment;
        let item = item_of(
            WHAT,
            &Key::assignment(by.portal, user_id, learning_id),
            AssignmentItem {
                portal_id: by.portal,
                user_id,
                learning_id,
                group_id,
                assigned_at: stamp(by.now),
                upload_id: by.upload_id,
            },
        )?;
        let (names, values): (Vec<String>, Vec<AttributeValue>) = item.into_iter().unzip();
        let columns: Vec<String> = names.iter().map(|name| format!("'{name}': ?")).collect();
        BatchStatementRequest::builder()
            .statement(format!(
                "INSERT INTO \"{}\" VALUE {{{}}}",
                self.table,
                columns.join(", ")
            ))
            .set_parameters(Some(values))
            .build()
            .map_err(CallFailed::to(WHAT))
    }
}
