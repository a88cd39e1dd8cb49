//! One import: whom Xero has and what the portal knows -> plan -> users, courses -> report -> the end of its record, by
//! which the connection is given back.
//!
//! Taken up again after a crash it asks Xero anew: whoever it has created is known by their link, and counts as created.

use crate::apply::Apply;
use crate::context::Context;
use crate::failure::{Failure, Refused};
use crate::session::Session;
use crate::survey::Survey;
use mapping::import::{Decision, ImportReport};
use mapping::problem::{Problem, ProblemCode};
use mapping::report::rejection;
use platform::clock::stamp;
use platform::failure::CallFailed;
use platform::feed::xero::{ImportedEmployee, PendingImport};
use platform::feed::{Lease, UploadRecord, UploadStatus};
use platform::objects::Document;
use std::collections::HashSet;

/// How many people are imported before the record says so.
const SHOWN_EVERY: usize = 20;

/// An import that somebody works on.
pub(crate) struct Run<'r> {
    pub(crate) context: &'r Context,
    pub(crate) import: PendingImport,
    pub(crate) record: UploadRecord,
    pub(crate) lease: &'r Lease,
    /// Whether somebody was created in this attempt.
    pub(crate) came_forward: bool,
}

impl<'r> Run<'r> {
    /// An attempt at it, which has begun.
    pub(crate) fn new(
        context: &'r Context,
        import: PendingImport,
        record: UploadRecord,
        lease: &'r Lease,
    ) -> Self {
        Run {
            context,
            import,
            record,
            lease,
            came_forward: false,
        }
    }

    /// From Xero's list to the end of the record.
    pub(crate) async fn import(&mut self) -> Result<(), Failure> {
        let (context, portal) = (self.context, self.record.portal_id);
        self.at(UploadStatus::Scanning, 10).await?;
        let mut session = Session::of(context, portal)
            .await?
            .for_import(self.import.upload_id);
        if session.connection.consent != self.import.consent {
            return Err(Failure::because(ProblemCode::XeroReconnectNeeded));
        }
        let survey = Survey::of(context, portal, &mut session).await?;
        self.at(UploadStatus::Planning, 30).await?;
        let chosen = self.import.request.employee_ids.as_ref();
        let places_left = survey.imported.places_left();
        let mut plan = survey.staff.plan(&survey.known, places_left, chosen);
        let mut created = HashSet::new();
        for person in &mut plan.people {
            let id = person.employee_id;
            let known = id.and_then(|id| survey.remembered.get(&id));
            if known.is_some_and(|it| it.created_by == Some(self.import.upload_id)) {
                person.decision = Decision::Create;
                created.extend(id);
            }
        }
        self.at(UploadStatus::Applying, 40).await?;
        let mut apply = Apply::new(self, &survey.remembered, &survey.gone, &survey.active);
        for (done, person) in plan.people.iter().enumerate() {
            let was_created = person.employee_id.is_some_and(|id| created.contains(&id));
            apply.person(person, was_created).await?;
            if done % SHOWN_EVERY == SHOWN_EVERY - 1 {
                let percent = 40 + 50 * done / plan.people.len();
                let percent = u8::try_from(percent).unwrap_or(90);
                apply.run.at(UploadStatus::Applying, percent).await?;
            }
        }
        let instead = apply.instead;
        let report = ImportReport::new(plan, &instead);
        self.write(Document::Report, &report.report()).await?;
        let rejected = report.rejected();
        if !rejected.is_empty() {
            self.write(Document::Rejected, &rejected).await?;
        }
        self.record.rows = report.counts();
        self.record.problems = report.first_problems();
        self.record.report_ready = true;
        let status = self.record.status_at_end();
        self.end(status, true).await
    }

    /// How far it has come; never back.
    async fn at(&mut self, status: UploadStatus, percent: u8) -> Result<(), Failure> {
        self.record.status = status;
        self.record.progress_percent = self.record.progress_percent.max(percent);
        let feed = &self.context.feed;
        match feed.put_import_progress(&self.record, self.lease).await? {
            true => Ok(()),
            false => Err(Failure::LeaseLost),
        }
    }

    async fn write(&self, document: Document, bytes: &[u8]) -> Result<(), CallFailed> {
        let (portal, upload) = (self.record.portal_id, self.record.upload_id);
        let mut writer = self.context.reports.begin(portal, upload, 1, document);
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// It cannot be done, and repeating it would not help. The connection stays: somebody may put right what is wrong.
    pub(crate) async fn refuse(&mut self, refused: Refused) -> Result<(), Failure> {
        let temporary = matches!(
            refused.code,
            ProblemCode::XeroBusy | ProblemCode::XeroUnavailable | ProblemCode::Conflict
        );
        let created = self.count_created().await?;
        self.record.problems = vec![refused.problem()];
        if temporary || created > 0 {
            return self.fail(created).await;
        }
        self.write(Document::Report, &rejection(&self.record.problems))
            .await?;
        self.record.report_ready = true;
        self.end(UploadStatus::Rejected, false).await
    }

    /// We are broken, again and again.
    pub(crate) async fn give_up(&mut self, why: &str) -> Result<(), Failure> {
        let created = self.count_created().await?;
        let message = format!("The import did not come to its end: {why}.");
        let problem = Problem::new(ProblemCode::ProcessingFailed).message(message);
        self.record.problems = vec![problem];
        self.fail(created).await
    }

    /// What was done stays, and is said.
    async fn fail(&mut self, created: u64) -> Result<(), Failure> {
        self.record.rows.created = created;
        self.record.rows.total = created;
        if let Some(problem) = self.record.problems.first_mut()
            && created > 0
        {
            let said = format!(
                "{created} people were imported before that; importing again goes on with the others."
            );
            problem.message = format!("{} {said}", problem.message);
        }
        self.end(UploadStatus::Failed, false).await
    }

    /// How many users this import has created, in whichever attempt.
    async fn count_created(&self) -> Result<u64, CallFailed> {
        let feed = &self.context.feed;
        let imported = feed.imported_employees(self.record.portal_id).await?;
        let ours = |it: &&ImportedEmployee| it.created_by == Some(self.import.upload_id);
        Ok(imported.values().filter(ours).count() as u64)
    }

    async fn end(&mut self, status: UploadStatus, give_back: bool) -> Result<(), Failure> {
        let (context, portal) = (self.context, self.record.portal_id);
        let now = (context.clock)();
        self.record.status = status;
        self.record.progress_percent = 100;
        self.record.finished_at = Some(stamp(now));
        let feed = &context.feed;
        let consent = &self.import.consent;
        // Tokens may be refreshed by somebody who looks at the overview, at this very moment.
        for _ in 0..3 {
            let connection = match give_back {
                true => feed.xero_connection(portal).await?,
                false => None,
            };
            let connection = connection.filter(|it| it.consent == *consent);
            if feed
                .finish_import(&self.record, connection.as_ref(), self.lease, now)
                .await?
            {
                return Ok(());
            }
        }
        Err(Failure::LeaseLost)
    }
}
