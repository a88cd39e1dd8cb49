//! The two buckets: the customers' files, read and never written but for a portal's folder, and what is written about them: kept
//! plans and reports. Which bytes go where is decided by the caller.

use crate::aws::Aws;
use crate::clock::stamp;
use crate::failure::CallFailed;
use crate::feed::{ObjectVersion, UploadId};
use crate::pause::Pause;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Buf;
use jiff::Timestamp;
use mapping::identity::PortalId;
use std::ops::Deref;
use std::time::Duration;
use thiserror::Error;

/// S3 takes parts from 5 MiB on.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// The lifecycle of the reports bucket (template.yaml).
pub const REPORTS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a link to a report works: long enough to click it, too short to pass it on.
pub const LINK_LIFETIME: Duration = Duration::from_secs(300);

/// How long a link to put a file to works: a file of 2 GiB has begun by then, and S3 asks for no more.
const UPLOAD_LINK_LIFETIME: Duration = Duration::from_secs(900);

/// What the keys of rehearsals go on with, after the portal's folder (`docs/rules.md`, "Rehearsals").
pub const REHEARSAL: &str = "rehearsal/";

/// Whether the service said that there is no such object, or that it is another by now.
pub(crate) fn is_missing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let code = error.as_service_error().and_then(|error| error.code());
    matches!(
        code,
        Some("NoSuchKey" | "NoSuchVersion" | "NotFound" | "PreconditionFailed")
    )
}

/// The bucket that customers write to.
#[derive(Clone)]
pub struct FeedBucket {
    client: Client,
    bucket: String,
}

impl FeedBucket {
    /// The bucket of this name.
    pub fn new(aws: &Aws, bucket: String) -> Self {
        FeedBucket {
            client: aws.s3.clone(),
            bucket,
        }
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.bucket
    }

    /// The key of a file in the portal's folder, and a link to put it to.
    ///
    /// # Errors
    ///
    /// The link could not be signed.
    pub async fn link_to_put(
        &self,
        portal: PortalId,
        file_name: &str,
        rehearsal: bool,
        now: Timestamp,
    ) -> Result<(String, Link), CallFailed> {
        let folder = if rehearsal { REHEARSAL } else { "" };
        let key = format!("{portal}/{folder}{file_name}");
        let request = self.client.put_object().bucket(&self.bucket).key(&key);
        let link = Link::signed(UPLOAD_LINK_LIFETIME, now, async |lifetime| {
            request.presigned(lifetime).await
        });
        Ok((key, link.await?))
    }

    /// Makes the portal's folder, unless it is there: an empty object whose key is what the portal's keys begin with.
    /// S3 has no folders; but clients with a window say of one in which there is nothing that it does not exist.
    ///
    /// # Errors
    ///
    /// S3 could not be written.
    pub async fn make_folder(&self, portal: PortalId) -> Result<(), CallFailed> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(format!("{portal}/"))
            .if_none_match("*");
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(()),
            Err(error) => Err(CallFailed::sdk("make the portal's folder")(error)),
        }
    }

    /// The current version of an object and its size in bytes; `None`: there is none.
    ///
    /// # Errors
    ///
    /// S3 could not be asked.
    pub async fn current_version(
        &self,
        key: &str,
    ) -> Result<Option<(ObjectVersion, u64)>, CallFailed> {
        match self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
        {
            Ok(head) => {
                let size_bytes = head
                    .content_length
                    .and_then(|size| u64::try_from(size).ok())
                    .unwrap_or(0);
                let etag = head.e_tag.unwrap_or_default().trim_matches('"').to_owned();
                Ok(Some((
                    ObjectVersion {
                        key: key.to_owned(),
                        version_id: head.version_id,
                        etag,
                    },
                    size_bytes,
                )))
            }
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(CallFailed::sdk("ask for the file")(error)),
        }
    }

    /// The bytes of exactly this version.
    ///
    /// # Errors
    ///
    /// The file is gone, or S3 could not be read.
    pub async fn read(&self, object: &ObjectVersion) -> Result<FileBytes, ReadFailed> {
        let (stream, _) = self.read_from(object, 0).await?;
        Ok(FileBytes {
            bucket: self.clone(),
            object: object.clone(),
            stream,
            skip: 0,
            read: 0,
            pause: Pause::default(),
        })
    }

    /// The bytes from this one on; or all of them, for a server need not know ranges (RFC 9110, 14.2). Says
    /// at which byte they begin.
    async fn read_from(
        &self,
        object: &ObjectVersion,
        byte: u64,
    ) -> Result<(ByteStream, u64), ReadFailed> {
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&object.key)
            .set_range((byte > 0).then(|| format!("bytes={byte}-")));
        let request = match &object.version_id {
            Some(version) => request.version_id(version),
            None => request.if_match(&object.etag),
        };
        match request.send().await {
            Ok(answer) if answer.content_range.is_some() => Ok((answer.body, byte)),
            Ok(answer) => Ok((answer.body, 0)),
            Err(error) if is_missing(&error) => Err(ReadFailed::Gone),
            Err(error) => Err(CallFailed::sdk("read the file")(error).into()),
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum ReadFailed {
    /// It was deleted, or overwritten where no versions are kept.
    #[error("the file is gone")]
    Gone,
    /// The call did not work.
    #[error(transparent)]
    Call(#[from] CallFailed),
}

/// A plan of 10 million new people has 200 MB; S3 takes some 50 MB a second.
const LARGE_ATTEMPT: Duration = Duration::from_secs(60);

/// The bytes of a file, as they arrive. A stream that breaks off is opened again where it broke off, at the
/// same version of the object, until the caller gives up.
pub struct FileBytes {
    bucket: FeedBucket,
    object: ObjectVersion,
    stream: ByteStream,
    /// Bytes that come once more and were read before.
    skip: u64,
    read: u64,
    pause: Pause,
}

impl FileBytes {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    ///
    /// The file was deleted while it was read, or S3 refuses to go on with it.
    pub async fn next(&mut self) -> Result<Option<impl Deref<Target = [u8]> + use<>>, ReadFailed> {
        loop {
            match self.stream.try_next().await {
                Ok(None) => return Ok(None),
                Ok(Some(mut chunk)) => {
                    let again = usize::try_from(self.skip)
                        .map_or(chunk.len(), |skip| skip.min(chunk.len()));
                    chunk.advance(again);
                    self.skip -= again as u64;
                    if !chunk.is_empty() {
                        self.read += chunk.len() as u64;
                        self.pause = Pause::default();
                        return Ok(Some(chunk));
                    }
                }
                Err(_) => {
                    tracing::info!(read_bytes = self.read, "the file's stream broke off");
                    self.pause.wait().await;
                    let (stream, begins_at) =
                        self.bucket.read_from(&self.object, self.read).await?;
                    self.stream = stream;
                    self.skip = self.read - begins_at;
                }
            }
        }
    }

    /// How many bytes have been read.
    pub fn read(&self) -> u64 {
        self.read
    }
}

/// What can be downloaded about an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// A line for everything that happened.
    Report,
    /// The rows that were not processed.
    Rejected,
    /// Those whose disable or create waits for a decision. Not downloaded; see [`ReportsBucket::held`].
    Held,
}

impl Document {
    fn file_name(self) -> &'static str {
        match self {
            Document::Report => "report.csv",
            Document::Rejected => "rejected.csv",
            Document::Held => "held.csv",
        }
    }

    /// Those of a second run stand beside those of the first: a write of the first that arrives late replaces
    /// nothing.
    fn key(self, portal: PortalId, upload: UploadId, run: u32) -> String {
        let name = self.file_name();
        match (self, run) {
            (Document::Report | Document::Rejected, 1) => format!("{portal}/{upload}/{name}"),
            (Document::Report | Document::Rejected, run) => {
                format!("{portal}/{upload}/{run}/{name}")
            }
            (Document::Held, _) => format!("work/{portal}/{upload}/{name}"),
        }
    }
}

/// Who keeps a plan, and the exceptions that were met in it: a run of an upload, under a lease. The second run
/// may have the lease that the first one had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptBy {
    /// Whose.
    pub portal: PortalId,
    /// Of which upload.
    pub upload: UploadId,
    /// 1, or 2 for what was held and is approved.
    pub run: u32,
    /// The token of the lease.
    pub token: u64,
}

impl KeptBy {
    fn plan(&self) -> String {
        let KeptBy {
            portal,
            upload,
            run,
            token,
        } = self;
        format!("work/{portal}/{upload}/{run}/plan/{token}")
    }

    fn exceptions(&self, applied: u64) -> String {
        let KeptBy {
            portal,
            upload,
            run,
            token,
        } = self;
        format!("work/{portal}/{upload}/{run}/exceptions/{token}/{applied}")
    }
}

/// The bucket that reports and kept plans are in.
#[derive(Clone)]
pub struct ReportsBucket {
    client: Client,
    bucket: String,
}

/// A link that works for a short time without signing in.
pub struct Link {
    /// Where the document can be fetched.
    pub url: String,
    /// Until when.
    pub expires_at: String,
}

impl Link {
    async fn signed<E, R>(
        lifetime: Duration,
        now: Timestamp,
        sign: impl AsyncFnOnce(PresigningConfig) -> Result<PresignedRequest, SdkError<E, R>>,
    ) -> Result<Self, CallFailed>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        const WHAT: &str = "sign a link";
        let config = PresigningConfig::expires_in(lifetime).map_err(CallFailed::to(WHAT))?;
        let signed = sign(config).await.map_err(CallFailed::sdk(WHAT))?;
        let expires_at = now.checked_add(lifetime).map_err(CallFailed::to(WHAT))?;
        Ok(Link {
            url: signed.uri().to_owned(),
            expires_at: stamp(expires_at),
        })
    }
}

impl ReportsBucket {
    /// The bucket of this name.
    pub fn new(aws: &Aws, bucket: String) -> Self {
        ReportsBucket {
            client: aws.s3.clone(),
            bucket,
        }
    }

    /// Keeps the plan that was made under this token of the lease.
    ///
    /// # Errors
    ///
    /// S3 could not be written.
    pub async fn keep_plan(&self, by: KeptBy, plan: Vec<u8>) -> Result<(), CallFailed> {
        self.keep("keep the plan", by.plan(), plan).await
    }

    /// The plan that was kept under this token.
    ///
    /// # Errors
    ///
    /// S3 could not be read, or none was kept.
    pub async fn kept_plan(&self, by: KeptBy) -> Result<Vec<u8>, CallFailed> {
        self.fetch("read the kept plan", by.plan()).await
    }

    /// Keeps the exceptions that were met under this token of the lease in the plan's first `applied` steps, and
    /// maybe later ones. Each position has its own: a request that arrives late replaces none that is newer.
    ///
    /// # Errors
    ///
    /// S3 could not be written.
    pub async fn keep_exceptions(
        &self,
        by: KeptBy,
        applied: u64,
        exceptions: Vec<u8>,
    ) -> Result<(), CallFailed> {
        self.keep("keep the exceptions", by.exceptions(applied), exceptions)
            .await
    }

    /// The exceptions that were kept under this token for this position.
    ///
    /// # Errors
    ///
    /// S3 could not be read, or none were kept.
    pub async fn kept_exceptions(&self, by: KeptBy, applied: u64) -> Result<Vec<u8>, CallFailed> {
        self.fetch("read the kept exceptions", by.exceptions(applied))
            .await
    }

    async fn keep(
        &self,
        what: &'static str,
        key: String,
        bytes: Vec<u8>,
    ) -> Result<(), CallFailed> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(LARGE_ATTEMPT);
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        request
            .body(bytes.into())
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts.build()))
            .send()
            .await
            .map_err(CallFailed::sdk(what))?;
        Ok(())
    }

    /// A whole object; one whose bytes break off is read again.
    async fn fetch(&self, what: &'static str, key: String) -> Result<Vec<u8>, CallFailed> {
        let mut pause = Pause::default();
        loop {
            let request = self.client.get_object().bucket(&self.bucket).key(&key);
            let answer = request.send().await.map_err(CallFailed::sdk(what))?;
            if let Ok(bytes) = answer.body.collect().await {
                return Ok(bytes.to_vec());
            }
            pause.wait().await;
        }
    }

    /// A part of the list of those whom a hold is about, from this byte on: at most `length` bytes, fewer at its end.
    /// `None`: it has expired.
    ///
    /// # Errors
    ///
    /// It could not be read.
    pub async fn held(
        &self,
        portal: PortalId,
        upload: UploadId,
        from: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, CallFailed> {
        const WHAT: &str = "read who is held";
        // No list is so long, whoever made up the number.
        let Some(to) = from.checked_add(length) else {
            return Ok(Some(Vec::new()));
        };
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(Document::Held.key(portal, upload, 1))
            .range(format!("bytes={from}-{}", to - 1));
        match request.send().await {
            Ok(answer) => {
                let bytes = answer.body.collect().await;
                Ok(Some(bytes.map_err(CallFailed::to(WHAT))?.to_vec()))
            }
            // From its end on there is nothing.
            Err(error) if error.code() == Some("InvalidRange") => Ok(Some(Vec::new())),
            // Who may not list the bucket is told of a missing object that it is forbidden.
            Err(error) if is_missing(&error) || error.code() == Some("AccessDenied") => Ok(None),
            Err(error) => Err(CallFailed::sdk(WHAT)(error)),
        }
    }

    /// Begins to write a document of a run.
    pub fn begin(
        &self,
        portal: PortalId,
        upload: UploadId,
        run: u32,
        document: Document,
    ) -> DocumentWriter {
        let key = document.key(portal, upload, run);
        DocumentWriter::of(self.client.clone(), self.bucket.clone(), key)
    }

    /// A link to a document that was written by a run.
    ///
    /// # Errors
    ///
    /// The link could not be signed.
    pub async fn link(
        &self,
        portal: PortalId,
        upload: UploadId,
        run: u32,
        document: Document,
        now: Timestamp,
    ) -> Result<Link, CallFailed> {
        let name = document.file_name();
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(document.key(portal, upload, run))
            .response_content_type("text/csv; charset=utf-8")
            .response_content_disposition(format!("attachment; filename=\"{upload}-{name}\""));
        Link::signed(LINK_LIFETIME, now, async |lifetime| {
            request.presigned(lifetime).await
        })
        .await
    }
}

/// Writes a document as it is made, in parts once it is long, so that its length does not matter.
/// Until [`DocumentWriter::finish`], nobody sees any of it.
pub struct DocumentWriter {
    client: Client,
    bucket: String,
    key: String,
    buffer: Vec<u8>,
    multipart: Option<Multipart>,
}

struct Multipart {
    id: String,
    parts: Vec<CompletedPart>,
}

const WRITE: &str = "write the report";

impl DocumentWriter {
    pub(crate) fn of(client: Client, bucket: String, key: String) -> Self {
        DocumentWriter {
            client,
            bucket,
            key,
            buffer: Vec::new(),
            multipart: None,
        }
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// S3 could not be written. Parts that were written expire by the bucket's lifecycle.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), CallFailed> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART_BYTES {
            self.write_part().await
        } else {
            Ok(())
        }
    }

    /// Makes the document visible, as a whole.
    ///
    /// # Errors
    ///
    /// S3 could not be written.
    pub async fn finish(mut self) -> Result<(), CallFailed> {
        if self.multipart.is_none() {
            let request = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(&self.key)
                .content_type("text/csv; charset=utf-8");
            request
                .body(self.buffer.into())
                .send()
                .await
                .map_err(CallFailed::sdk(WRITE))?;
            return Ok(());
        }
        if !self.buffer.is_empty() {
            self.write_part().await?;
        }
        if let Some(Multipart { id, parts }) = self.multipart {
            let completed = self
                .client
                .complete_multipart_upload()
                .bucket(&self.bucket)
                .key(&self.key)
                .upload_id(id)
                .multipart_upload(
                    CompletedMultipartUpload::builder()
                        .set_parts(Some(parts))
                        .build(),
                )
                .send()
                .await;
            match completed {
                Ok(_) => {}
                // Completed by an attempt whose answer was lost. Whoever writes a document of an upload
                // writes the same bytes, so the one that is there is ours.
                Err(error) if error.code() == Some("NoSuchUpload") => {
                    let head = self
                        .client
                        .head_object()
                        .bucket(&self.bucket)
                        .key(&self.key);
                    head.send().await.map_err(CallFailed::sdk(WRITE))?;
                }
                Err(error) => return Err(CallFailed::sdk(WRITE)(error)),
            }
        }
        Ok(())
    }

    async fn write_part(&mut self) -> Result<(), CallFailed> {
        let mut multipart = match self.multipart.take() {
            Some(multipart) => multipart,
            None => {
                let request = self
                    .client
                    .create_multipart_upload()
                    .bucket(&self.bucket)
                    .key(&self.key);
                let begun = request
                    .content_type("text/csv; charset=utf-8")
                    .send()
                    .await
                    .map_err(CallFailed::sdk(WRITE))?;
                let id = begun
                    .upload_id
                    .ok_or_else(|| CallFailed::new(WRITE, "S3 gave no upload id"))?;
                Multipart {
                    id,
                    parts: Vec::new(),
                }
            }
        };
        let number = i32::try_from(multipart.parts.len() + 1).map_err(CallFailed::to(WRITE))?;
        let answer = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&multipart.id)
            .part_number(number)
            .body(std::mem::take(&mut self.buffer).into())
            .send()
            .await
            .map_err(CallFailed::sdk(WRITE))?;
        multipart.parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(answer.e_tag)
                .build(),
        );
        self.multipart = Some(multipart);
        Ok(())
    }
}
