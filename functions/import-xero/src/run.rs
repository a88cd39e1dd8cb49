//! The import that was asked for, under the portal's lease, so that no file is applied meanwhile: whom Xero has and what
//! the portal knows -> plan -> users, courses -> report -> the end of its record, by which the connection is given back.
//!
//! Taken up again after a crash it asks Xero anew: whoever it has created is known by their link, and counts as created.

use crate::context::Context;
use crate::failure::{Failure, Refused};
use crate::session::Session;
use crate::survey::Survey;
use jiff::SignedDuration;
use mapping::identity::{EmailKey, Identity, PortalId, UserId};
use mapping::import::{Decision, EmployeeId, ImportReport, Instead, PlannedPerson};
use mapping::problem::{Problem, ProblemCode};
use mapping::report::rejection;
use platform::clock::stamp;
use platform::directory::NewUser;
use platform::failure::CallFailed;
use platform::feed::xero::{ImportedEmployee, Joined, PendingImport};
use platform::feed::{Acquired, Assignment, Lease, UploadRecord, UploadStatus};
use platform::metrics::Invocation;
use platform::objects::Document;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long somebody else's lease is waited for. A long file is left to the sweep.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// When an attempt that was not heard of again is followed by another.
const NEXT_ATTEMPT: SignedDuration = SignedDuration::from_mins(1);

/// After so many attempts that brought nobody forward an import is given up, as a file is (`docs/reliability.md`).
const MAX_ATTEMPTS: u32 = 5;

/// How many people are imported before the record says so.
const SHOWN_EVERY: usize = 20;

/// Takes the lease, imports, and gives it back. After a failure of ours it ends by itself, as after a crash.
pub(crate) async fn take_turn(
    context: &Context,
    portal: PortalId,
    import: PendingImport,
    line: &mut Invocation,
) -> Result<(), Failure> {
    let Some(lease) = take_lease(context, portal).await? else {
        tracing::info!(portal_id = %portal, "somebody else works for the portal; the import waits");
        return Ok(());
    };
    tokio::select! {
        // First, so that nothing is sent once the lease is lost.
        biased;
        lost = lease.keep() => Err(lost.into()),
        done = attempt(context, portal, import, &lease, line) => done,
    }?;
    lease.give_back().await?;
    // A file may have come meanwhile, whose event found the lease held; and somebody may have to be told.
    Ok(context.process_upload.wake(portal).await?)
}

/// The lease; `None`: somebody else has had it all the time.
async fn take_lease(context: &Context, portal: PortalId) -> Result<Option<Lease>, CallFailed> {
    let until = Instant::now() + PATIENCE;
    loop {
        // A name for this attempt alone: one whose answer never came may still arrive, and is not ours then.
        let owner = (context.new_id)().to_string();
        let feed = &context.feed;
        match feed.take_lease(portal, &owner, context.clock).await? {
            Acquired::Ours(lease) if lease.check().is_ok() => return Ok(Some(lease)),
            // That took so long that next to nothing is left of it.
            Acquired::Ours(lease) => lease.give_back().await?,
            Acquired::Held(_) => {}
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// An import that somebody works on.
struct Run<'r> {
    context: &'r Context,
    import: PendingImport,
    record: UploadRecord,
    lease: &'r Lease,
    /// Whether somebody was created in this attempt.
    came_forward: bool,
}

async fn attempt(
    context: &Context,
    portal: PortalId,
    import: PendingImport,
    lease: &Lease,
    line: &mut Invocation,
) -> Result<(), Failure> {
    let feed = &context.feed;
    let now = (context.clock)();
    if !feed
        .begin_attempt_to_import(portal, &import, now + NEXT_ATTEMPT)
        .await?
    {
        return Ok(());
    }
    let Some(record) = feed.upload(portal, import.upload_id).await? else {
        return Err(CallFailed::new("import", "the import's record is gone").into());
    };
    line.property("upload_id", record.upload_id.to_string());
    let attempts = import.attempts + 1;
    let mut run = Run {
        context,
        import,
        record,
        lease,
        came_forward: false,
    };
    if attempts > MAX_ATTEMPTS {
        // Each of those before has died.
        tracing::error!(portal_id = %portal, "an import is given up");
        return run.given_up("it was begun again and again").await;
    }
    run.record.started_at.get_or_insert_with(|| stamp(now));
    match run.import().await {
        Ok(()) => {
            line.count("rows_created", run.record.rows.created);
            line.count("rows_unchanged", run.record.rows.unchanged);
            line.count("rows_not_processed", run.record.rows.not_processed);
            Ok(())
        }
        // Another attempt may find it otherwise.
        Err(Failure::Refused(Refused {
            code: ProblemCode::XeroUnavailable | ProblemCode::Conflict,
            ..
        })) if attempts < MAX_ATTEMPTS => Ok(()),
        Err(Failure::Refused(refused)) => run.refused(refused).await,
        Err(Failure::Call(failure)) if attempts >= MAX_ATTEMPTS => {
            tracing::error!(portal_id = %portal, error = ?failure, "an import is given up");
            run.given_up(&failure.to_string()).await
        }
        Err(failure) => Err(failure),
    }
}

impl Run<'_> {
    async fn import(&mut self) -> Result<(), Failure> {
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
        let mut apply = Apply {
            run: self,
            remembered: &survey.remembered,
            gone: &survey.gone,
            active: &survey.active,
            instead: HashMap::new(),
        };
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
    async fn refused(&mut self, refused: Refused) -> Result<(), Failure> {
        let status = match refused.code {
            ProblemCode::XeroBusy | ProblemCode::XeroUnavailable | ProblemCode::Conflict => {
                UploadStatus::Failed
            }
            _ => UploadStatus::Rejected,
        };
        self.record.problems = vec![refused.problem()];
        if status == UploadStatus::Rejected {
            self.write(Document::Report, &rejection(&self.record.problems))
                .await?;
            self.record.report_ready = true;
        }
        self.end(status, false).await
    }

    /// We are broken, again and again.
    async fn given_up(&mut self, why: &str) -> Result<(), Failure> {
        let message = format!(
            "The import did not come to its end: {why}. Some people may have been imported; importing again goes on with the others."
        );
        let problem = Problem::new(ProblemCode::ProcessingFailed).message(message);
        self.record.problems = vec![problem];
        self.end(UploadStatus::Failed, false).await
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

/// What is done to one person after the other.
struct Apply<'a, 'r> {
    run: &'a mut Run<'r>,
    remembered: &'a HashMap<EmployeeId, ImportedEmployee>,
    gone: &'a HashMap<EmployeeId, UserId>,
    active: &'a HashSet<UserId>,
    instead: HashMap<EmployeeId, Instead>,
}

impl Apply<'_, '_> {
    async fn person(&mut self, person: &PlannedPerson, was_created: bool) -> Result<(), Failure> {
        let Some(employee_id) = person.employee_id else {
            return Ok(());
        };
        let user_id = match &person.decision {
            Decision::Create if was_created => {
                self.remembered.get(&employee_id).map(|it| it.user_id)
            }
            Decision::Create => self.create(employee_id, person).await?,
            Decision::AlreadyUser(user_id) => {
                self.recognise(employee_id, *user_id).await?;
                Some(*user_id).filter(|user_id| self.active.contains(user_id))
            }
            Decision::NoPlace | Decision::Cannot(_) => None,
        };
        match user_id {
            Some(user_id) => Ok(self.assign(user_id).await?),
            None => Ok(()),
        }
    }

    /// The user who was created; `None`: there was one, or there is no place left.
    async fn create(
        &mut self,
        employee_id: EmployeeId,
        person: &PlannedPerson,
    ) -> Result<Option<UserId>, Failure> {
        let Run {
            context,
            import,
            record,
            lease,
            came_forward,
        } = &mut *self.run;
        let (portal, upload_id) = (record.portal_id, import.upload_id);
        let identity = Identity::Email(&person.email);
        let mut user_id = UserId::of(portal, &identity, 0);
        loop {
            let user = NewUser {
                user_id,
                email: person.email.clone(),
                first_name: person.first_name.clone(),
                last_name: person.last_name.clone(),
                source: "xero",
                upload_id,
            };
            let creation = context.users.creation(portal, &user, (context.clock)())?;
            let imported = ImportedEmployee {
                employee_id,
                user_id,
                created_by: Some(upload_id),
            };
            let gone = self.gone.get(&employee_id).copied();
            let feed = &context.feed;
            match feed
                .create_imported(portal, &imported, gone, creation, lease)
                .await?
            {
                Joined::Created => {
                    if !*came_forward {
                        feed.import_came_forward(portal, import).await?;
                        *came_forward = true;
                    }
                    return Ok(Some(user_id));
                }
                Joined::LeaseLost => return Err(Failure::LeaseLost),
                Joined::NoPlace => {
                    self.instead.insert(employee_id, Instead::NoPlace);
                    return Ok(None);
                }
                Joined::Exists => {}
            }
            match context.users.user(portal, user_id).await? {
                Some(found) if EmailKey::of(&found.values.email) == EmailKey::of(&person.email) => {
                    self.recognise(employee_id, user_id).await?;
                    self.instead
                        .insert(employee_id, Instead::AlreadyUser(user_id));
                    return Ok(None);
                }
                // Somebody who had this address once.
                Some(_) => user_id = user_id.next(portal, &identity),
                None => return Err(Failure::because(ProblemCode::Conflict)),
            }
        }
    }

    /// Remembers who somebody is who was a user before.
    async fn recognise(&self, employee_id: EmployeeId, user_id: UserId) -> Result<(), Failure> {
        if self.remembered.contains_key(&employee_id) {
            return Ok(());
        }
        let imported = ImportedEmployee {
            employee_id,
            user_id,
            created_by: None,
        };
        let gone = self.gone.get(&employee_id).copied();
        let run = &self.run;
        let feed = &run.context.feed;
        let portal = run.record.portal_id;
        match feed
            .recognise_employee(portal, &imported, gone, run.lease)
            .await?
        {
            true => Ok(()),
            false => Err(Failure::LeaseLost),
        }
    }

    /// Each course once, whatever was assigned before.
    async fn assign(&self, user_id: UserId) -> Result<(), Failure> {
        let run = &self.run;
        if !run.import.request.assign_courses {
            return Ok(());
        }
        let courses = run.context.app()?.courses.all().iter();
        let learning: Vec<Assignment> = courses
            .map(|course| Assignment {
                user_id,
                learning_id: course.learning_id,
                group_id: None,
            })
            .collect();
        let (portal, upload_id) = (run.record.portal_id, run.import.upload_id);
        let now = (run.context.clock)();
        let feed = &run.context.feed;
        feed.assign_by_import(portal, upload_id, now, &learning)
            .await?;
        Ok(())
    }
}
