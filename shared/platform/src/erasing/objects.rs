//! A bucket, as a portal's objects are deleted from it: every version, and what was begun and never finished.

use crate::aws::Aws;
use crate::failure::CallFailed;
use crate::objects::{DocumentWriter, is_missing};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

/// A bucket with objects of portals.
#[derive(Clone)]
pub struct ErasableBucket {
    client: Client,
    bucket: String,
}

/// A version of an object; no `Debug`, for its key is the customer's.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// `null` where the bucket keeps no versions.
    pub version_id: String,
}

impl ErasableBucket {
    /// The bucket of this name.
    pub fn new(aws: &Aws, bucket: String) -> Self {
        ErasableBucket {
            client: aws.s3.clone(),
            bucket,
        }
    }

    /// Deletes every version of everything whose key begins like this, delete markers too, and what was begun there
    /// in parts. How many that were.
    ///
    /// # Errors
    ///
    /// S3 could not be asked, or did not delete something.
    pub async fn delete_all(&self, prefix: &str) -> Result<u64, CallFailed> {
        let mut deleted = self.abort_uploads(prefix).await?;
        loop {
            // Always from the beginning: what was listed before is gone.
            let (objects, _) = self.versions(prefix, None).await?;
            if objects.is_empty() {
                return Ok(deleted);
            }
            deleted += objects.len() as u64;
            self.delete(objects).await?;
        }
    }

    /// Up to 1,000 versions and delete markers after this place, and the place where to go on.
    ///
    /// # Errors
    ///
    /// S3 could not be asked.
    pub async fn versions(
        &self,
        prefix: &str,
        after: Option<&StoredObject>,
    ) -> Result<(Vec<StoredObject>, Option<StoredObject>), CallFailed> {
        const WHAT: &str = "list the portal's objects";
        let answer = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_key_marker(after.map(|after| after.key.clone()))
            .set_version_id_marker(after.map(|after| after.version_id.clone()))
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let stored = |key: Option<String>, version_id: Option<String>| {
            let version_id = version_id.unwrap_or_else(|| "null".to_owned());
            Some(StoredObject {
                key: key?,
                version_id,
            })
        };
        let versions = answer.versions.unwrap_or_default().into_iter();
        let versions = versions.map(|it| stored(it.key, it.version_id));
        let markers = answer.delete_markers.unwrap_or_default().into_iter();
        let markers = markers.map(|it| stored(it.key, it.version_id));
        let objects: Option<Vec<_>> = versions.chain(markers).collect();
        let objects = objects.ok_or_else(|| CallFailed::malformed(WHAT)(()))?;
        let next = stored(answer.next_key_marker, answer.next_version_id_marker)
            .filter(|_| answer.is_truncated == Some(true));
        Ok((objects, next))
    }

    /// Deletes these versions, at most 1,000.
    ///
    /// # Errors
    ///
    /// S3 could not be asked, or did not delete one of them.
    pub async fn delete(&self, objects: Vec<StoredObject>) -> Result<(), CallFailed> {
        const WHAT: &str = "delete the portal's objects";
        if objects.is_empty() {
            return Ok(());
        }
        let objects: Result<Vec<_>, _> = objects
            .into_iter()
            .map(|object| {
                ObjectIdentifier::builder()
                    .key(object.key)
                    .version_id(object.version_id)
                    .build()
            })
            .collect();
        let delete = Delete::builder()
            .set_objects(Some(objects.map_err(CallFailed::to(WHAT))?))
            .quiet(true)
            .build()
            .map_err(CallFailed::to(WHAT))?;
        let answer = self
            .client
            .delete_objects()
            .bucket(&self.bucket)
            .delete(delete)
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        match answer.errors().first() {
            None => Ok(()),
            Some(error) => {
                let code = error.code().unwrap_or("no code");
                Err(CallFailed::new(WHAT, format!("S3 answered {code}")))
            }
        }
    }

    /// The bytes of an object, as they come; `None`: it is gone.
    ///
    /// # Errors
    ///
    /// S3 could not be read.
    pub async fn read(&self, object: &StoredObject) -> Result<Option<ByteStream>, CallFailed> {
        let request = self.client.get_object().bucket(&self.bucket);
        // Of an object without versions the one that is there is meant.
        let version = Some(object.version_id.clone()).filter(|version| version != "null");
        let request = request.key(&object.key).set_version_id(version);
        match request.send().await {
            Ok(answer) => Ok(Some(answer.body)),
            // A delete marker has no bytes.
            Err(error) if is_missing(&error) || error.code() == Some("MethodNotAllowed") => {
                Ok(None)
            }
            Err(error) => Err(CallFailed::sdk("read an object")(error)),
        }
    }

    /// A writer of an object that takes the place of the one with this key.
    pub fn writer(&self, key: &str) -> DocumentWriter {
        DocumentWriter::of(self.client.clone(), self.bucket.clone(), key.to_owned())
    }

    /// Aborts what was begun in parts.
    async fn abort_uploads(&self, prefix: &str) -> Result<u64, CallFailed> {
        const WHAT: &str = "abort unfinished uploads";
        let mut aborted = 0;
        loop {
            let listed = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .prefix(prefix)
                .send()
                .await
                .map_err(CallFailed::sdk(WHAT))?;
            if listed.uploads().is_empty() {
                return Ok(aborted);
            }
            for upload in listed.uploads() {
                let ended = self
                    .client
                    .abort_multipart_upload()
                    .bucket(&self.bucket)
                    .set_key(upload.key.clone())
                    .set_upload_id(upload.upload_id.clone())
                    .send()
                    .await;
                match ended {
                    Ok(_) => aborted += 1,
                    // Finished or aborted meanwhile.
                    Err(error) if error.code() == Some("NoSuchUpload") => {}
                    Err(error) => return Err(CallFailed::sdk(WHAT)(error)),
                }
            }
        }
    }
}
