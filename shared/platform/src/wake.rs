//! Telling `process-upload` that a portal has work: whoever queues some, or frees a lease that others may
//! wait for, wakes it, so that nobody waits for the sweep. A wake-up that is lost costs time and nothing
//! else: the work is in the queue. `erase-data` and `import-xero` are told in the same way, and find what there is to do
//! in the table.

use crate::aws::Aws;
use crate::failure::CallFailed;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use mapping::identity::PortalId;
use serde::{Deserialize, Serialize};

/// The event that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wake {
    /// Whose work.
    pub portal_id: PortalId,
}

/// The function `process-upload`.
#[derive(Clone)]
pub struct ProcessUpload {
    client: aws_sdk_lambda::Client,
    function_name: String,
}

impl ProcessUpload {
    /// The function of this name.
    pub fn new(aws: &Aws, function_name: String) -> Self {
        ProcessUpload {
            client: aws.lambda.clone(),
            function_name,
        }
    }

    /// Has the portal's queue looked at, by an invocation of its own that nobody waits for.
    ///
    /// # Errors
    ///
    /// The function could not be invoked.
    pub async fn wake(&self, portal_id: PortalId) -> Result<(), CallFailed> {
        const WHAT: &str = "wake process-upload";
        wake(WHAT, &self.client, &self.function_name, portal_id).await
    }
}

/// The function `erase-data`.
#[derive(Clone)]
pub struct EraseData {
    client: aws_sdk_lambda::Client,
    function_name: String,
}

impl EraseData {
    /// The function of this name.
    pub fn new(aws: &Aws, function_name: String) -> Self {
        EraseData {
            client: aws.lambda.clone(),
            function_name,
        }
    }

    /// Has everything erased that is to be erased of the portal, by an invocation of its own that nobody waits for.
    ///
    /// # Errors
    ///
    /// The function could not be invoked.
    pub async fn wake(&self, portal_id: PortalId) -> Result<(), CallFailed> {
        const WHAT: &str = "wake erase-data";
        wake(WHAT, &self.client, &self.function_name, portal_id).await
    }
}

/// The function `import-xero`.
#[derive(Clone)]
pub struct ImportXero {
    client: aws_sdk_lambda::Client,
    function_name: String,
}

impl ImportXero {
    /// The function of this name.
    pub fn new(aws: &Aws, function_name: String) -> Self {
        ImportXero {
            client: aws.lambda.clone(),
            function_name,
        }
    }

    /// Has the portal's import made, and given back what is to be, by an invocation of its own that nobody waits for.
    ///
    /// # Errors
    ///
    /// The function could not be invoked.
    pub async fn wake(&self, portal_id: PortalId) -> Result<(), CallFailed> {
        const WHAT: &str = "wake import-xero";
        wake(WHAT, &self.client, &self.function_name, portal_id).await
    }
}

async fn wake(
    what: &'static str,
    client: &aws_sdk_lambda::Client,
    function_name: &str,
    portal_id: PortalId,
) -> Result<(), CallFailed> {
    let payload = serde_json::to_vec(&Wake { portal_id }).map_err(CallFailed::to(what))?;
    client
        .invoke()
        .function_name(function_name)
        .invocation_type(InvocationType::Event)
        .payload(Blob::new(payload))
        .send()
        .await
        .map_err(CallFailed::sdk(what))?;
    Ok(())
}
