//! The traces of a person who was erased, looked for where they can be: tables, reports, kept plans, and the customer's
//! own files (`docs/privacy.md`). How far that has come is stored with each object, so a turn goes on where the one
//! before ended.

use crate::context::Context;
use crate::failure::Failure;
use mapping::erasure::{Eraser, Lines, Search};
use mapping::identity::PortalId;
use mapping::plan::Plan;
use platform::erasing::{ErasableBucket, StoredObject};
use platform::failure::CallFailed;
use platform::feed::{Erasure, ErasureStage, ObjectVersion};
use platform::metrics::Invocation;

/// What was found and changed.
#[derive(Default)]
pub(crate) struct Traces {
    managers_changed: u64,
    records_changed: u64,
    objects_rewritten: u64,
    objects_deleted: u64,
}

impl Traces {
    pub(crate) fn count(&self, line: &mut Invocation) {
        line.count("managers_changed", self.managers_changed);
        line.count("records_changed", self.records_changed);
        line.count("objects_rewritten", self.objects_rewritten);
        line.count("objects_deleted", self.objects_deleted);
    }
}

/// Erases every trace of everybody of whom there may be some.
pub(crate) async fn erase_all(
    context: &Context,
    portal: PortalId,
    traces: &mut Traces,
) -> Result<(), Failure> {
    while let Some(mut erasure) = context.feed.next_erasure(portal).await? {
        let mut pass = Pass {
            context,
            portal,
            traces: &mut *traces,
        };
        pass.erase(&mut erasure).await?;
        context.feed.end_erasure(portal, erasure.user_id).await?;
    }
    Ok(())
}

/// One person's.
struct Pass<'p> {
    context: &'p Context,
    portal: PortalId,
    traces: &'p mut Traces,
}

impl Pass<'_> {
    async fn erase(&mut self, erasure: &mut Erasure) -> Result<(), Failure> {
        let (reports, files) = (&self.context.reports, &self.context.files);
        let portal = self.portal;
        if erasure.stage == ErasureStage::Tables {
            self.erase_from_tables(erasure).await?;
            self.begin(ErasureStage::Reports, erasure).await?;
        }
        if erasure.stage == ErasureStage::Reports {
            self.look_through(reports, &format!("{portal}/"), erasure)
                .await?;
            self.begin(ErasureStage::Work, erasure).await?;
        }
        if erasure.stage == ErasureStage::Work {
            self.look_through(reports, &format!("work/{portal}/"), erasure)
                .await?;
            self.begin(ErasureStage::Files, erasure).await?;
        }
        self.look_through(files, &format!("{portal}/"), erasure)
            .await
    }

    async fn begin(&self, stage: ErasureStage, erasure: &mut Erasure) -> Result<(), CallFailed> {
        (erasure.stage, erasure.after) = (stage, None);
        let feed = &self.context.feed;
        feed.put_erasure_position(self.portal, erasure).await
    }

    async fn erase_from_tables(&mut self, erasure: &Erasure) -> Result<(), CallFailed> {
        let (users, feed) = (&self.context.users, &self.context.feed);
        let (portal, user_id) = (self.portal, erasure.user_id);
        // A file may have created them anew: what is theirs now stays theirs.
        if !users.exists(portal, user_id).await? {
            feed.delete_assignments(portal, user_id).await?;
            feed.forget_employee(portal, user_id).await?;
            let now = (self.context.clock)();
            self.traces.managers_changed += users.forget_manager(portal, user_id, now).await?;
        }
        feed.forget_recipient(portal, erasure.person.email())
            .await?;
        self.traces.records_changed += feed.erase_from_records(portal, &erasure.person).await?;
        Ok(())
    }

    /// Each object under this path, one after the other.
    async fn look_through(
        &mut self,
        bucket: &ErasableBucket,
        prefix: &str,
        erasure: &mut Erasure,
    ) -> Result<(), Failure> {
        let after = erasure.after.take();
        let mut after = after.map(|(key, version_id)| StoredObject { key, version_id });
        loop {
            let (objects, next) = bucket.versions(prefix, after.as_ref()).await?;
            for object in objects {
                let (key, version) = (object.key.clone(), object.version_id.clone());
                match erasure.stage {
                    ErasureStage::Tables | ErasureStage::Reports => {
                        self.erase_from_report(&object, erasure).await?;
                    }
                    ErasureStage::Work => self.erase_from_work(&object, erasure).await?,
                    ErasureStage::Files => self.erase_from_files(&object, erasure).await?,
                }
                erasure.after = Some((key, version));
                let feed = &self.context.feed;
                feed.put_erasure_position(self.portal, erasure).await?;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn erase_from_report(
        &mut self,
        object: &StoredObject,
        erasure: &Erasure,
    ) -> Result<(), CallFailed> {
        let of = match object.key.ends_with("/report.csv") {
            true => Lines::Report,
            false => Lines::Rows,
        };
        self.rewrite(object, erasure, of).await
    }

    /// What nobody goes on from is deleted, whoever is in it; the rest shows the person no more.
    async fn erase_from_work(
        &mut self,
        object: &StoredObject,
        erasure: &Erasure,
    ) -> Result<(), Failure> {
        // work/<portal_id>/<upload_id>/…
        let upload = object.key.split('/').nth(2).and_then(|id| id.parse().ok());
        let reports = &self.context.reports;
        let over = match upload {
            Some(upload) => self.context.feed.is_over(self.portal, upload).await?,
            None => true,
        };
        if over {
            reports.delete(vec![object.clone()]).await?;
            self.traces.objects_deleted += 1;
        } else if object.key.ends_with("/held.csv") {
            self.rewrite(object, erasure, Lines::Held).await?;
        } else if object.key.contains("/plan/") {
            let Some(bytes) = reports.read(object).await? else {
                return Ok(());
            };
            let bytes = bytes
                .collect()
                .await
                .map_err(CallFailed::to("read a kept plan"))?;
            let plan = Plan::decode(&bytes.into_bytes())
                .map_err(CallFailed::malformed("read a kept plan"))?;
            if let Some(plan) = plan.without(erasure.user_id) {
                let mut writer = reports.writer(&object.key);
                let bytes = plan
                    .encode()
                    .map_err(CallFailed::malformed("keep a plan"))?;
                writer.write(&bytes).await?;
                writer.finish().await?;
                self.traces.objects_rewritten += 1;
            }
        }
        Ok(())
    }

    /// A customer's file cannot be rewritten: a new version would be a new file. One that was processed, whatever came
    /// of it, is deleted if the person is in it; one that waits or is held stays until it expires. That is asked last:
    /// files come and are replayed while others are looked through.
    async fn erase_from_files(
        &mut self,
        object: &StoredObject,
        erasure: &Erasure,
    ) -> Result<(), Failure> {
        let files = &self.context.files;
        let Some(mut bytes) = files.read(object).await? else {
            return Ok(());
        };
        let mut search = Search::new(&erasure.person);
        let mut found = false;
        while let Some(part) = bytes.next().await {
            found = search.push(&part.map_err(CallFailed::to("read a file"))?);
            if found {
                break;
            }
        }
        let claimed = ObjectVersion {
            key: object.key.clone(),
            version_id: Some(object.version_id.clone()),
            etag: String::new(),
        };
        let feed = &self.context.feed;
        if (found || search.finish()) && feed.was_processed(self.portal, &claimed).await? {
            files.delete(vec![object.clone()]).await?;
            self.traces.objects_deleted += 1;
        }
        Ok(())
    }

    /// Looked through first, for most have nothing of the person; written anew only if something has to go.
    async fn rewrite(
        &mut self,
        object: &StoredObject,
        erasure: &Erasure,
        of: Lines,
    ) -> Result<(), CallFailed> {
        const WHAT: &str = "read a report";
        let reports = &self.context.reports;
        let mut writer = None;
        loop {
            let Some(mut bytes) = reports.read(object).await? else {
                return Ok(());
            };
            let mut eraser = Eraser::new(&erasure.person, of);
            while let Some(part) = bytes.next().await {
                let stays = eraser.push(&part.map_err(CallFailed::to(WHAT))?);
                if let Some(writer) = &mut writer {
                    platform::objects::DocumentWriter::write(writer, &stays).await?;
                }
            }
            let stays = eraser.finish();
            match writer.take() {
                Some(mut written) => {
                    written.write(&stays).await?;
                    written.finish().await?;
                    self.traces.objects_rewritten += 1;
                    return Ok(());
                }
                None if !eraser.has_erased() => return Ok(()),
                None => writer = Some(reports.writer(&object.key)),
            }
        }
    }
}
