//! The file is read again, and what the plan marks is written, and nothing else: each person at most once,
//! in conditional batches. Applying a plan again is safe: what this upload has written is recognised.

use crate::failure::Failure;
use crate::pace::Pace;
use crate::run::Run;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mapping::file::{FileReader, Header, Row};
use mapping::identity::{EmailKey, PortalId, UserId};
use mapping::mapping::Mapping;
use mapping::plan::{Action, Exceptions, Outcome, Plan, decode_exceptions};
use mapping::record::{Person, UserRecord};
use mapping::user::{Decision, User, decide};
use platform::clock::Clock;
use platform::feed::{Assignment, FeedTable, Lease, UploadId};
use platform::pause::Pause;
use platform::users::{
    StoredUser, UserWrite, Users, WRITE_BATCH, WriteContext, WriteKind, Written,
};
use std::collections::BTreeSet;

/// How often a person who is being changed elsewhere is decided again before the row is left for the
/// next file.
const TRIES: u32 = 5;

/// Part of `last_write`: the upload's first going over its people, however often that is taken up again.
const RUN: u32 = 1;

/// How far a plan was applied.
pub(crate) enum Applied {
    /// To its end; these rows did not come out as planned.
    Whole(Exceptions),
    /// As far as the time allowed, and that is saved.
    InPart,
}

/// Applies the plan, from where it was saved.
pub(crate) async fn apply(
    run: &mut Run<'_>,
    mapping: &Mapping,
    plan: &Plan,
) -> Result<Applied, Failure> {
    let saved = run.saved();
    let mut exceptions = kept_exceptions(run).await?;
    if saved.applied == plan.steps() {
        return Ok(Applied::Whole(exceptions));
    }
    if plan.writes() {
        let writer = Writer {
            users: run.feed.users.clone(),
            table: &run.feed.table,
            lease: run.lease,
            mapping,
            portal: run.upload.portal_id,
            upload_id: run.upload.upload_id,
            clock: run.feed.clock,
        };
        let through = write_people(run, &writer, plan, &mut exceptions).await?;
        if !through {
            return Ok(Applied::InPart);
        }
    }
    // Before the report: whoever writes it has the same exceptions, so it comes out the same.
    run.save(plan.steps(), &exceptions).await?;
    Ok(Applied::Whole(exceptions))
}

async fn kept_exceptions(run: &Run<'_>) -> Result<Exceptions, Failure> {
    let Some(token) = run.saved().exceptions_by else {
        return Ok(Exceptions::new());
    };
    let (portal, upload) = (run.upload.portal_id, run.upload.upload_id);
    let kept = run
        .feed
        .reports
        .kept_exceptions(portal, upload, token, run.saved().applied);
    Ok(decode_exceptions(&kept.await?)?)
}

/// Whether all of the plan's steps are done; if not, the time was near its end.
async fn write_people(
    run: &mut Run<'_>,
    writer: &Writer<'_>,
    plan: &Plan,
    exceptions: &mut Exceptions,
) -> Result<bool, Failure> {
    let done_before = run.saved().applied;
    let mut bytes = run.feed.files.read(&run.object).await?;
    let mut reader = FileReader::new(writer.mapping);
    let mut waiting = Vec::new();
    let mut in_flight = FuturesUnordered::new();
    let mut steps = Steps::after(done_before);
    let mut pace = Pace::new();
    let mut chunk_is_last = false;
    while !chunk_is_last {
        let chunk = bytes.next().await?;
        chunk_is_last = chunk.is_none();
        let each = |header: &Header, row: Row<'_>| {
            waiting.extend(
                Task::of(plan, header, &row).filter(|task: &Task| task.step >= done_before),
            );
        };
        reader
            .read(chunk.as_deref(), each)
            .map_err(|_| Failure::FileChanged)?;
        let enough = if chunk_is_last { 1 } else { WRITE_BATCH };
        while waiting.len() >= enough && !run.limit.is_near() {
            while !pace.allows(in_flight.len())
                && let Some(batch) = in_flight.next().await
            {
                settle(batch, &mut steps, &mut pace, exceptions)?;
            }
            let batch: Vec<Task> = waiting.drain(..waiting.len().min(WRITE_BATCH)).collect();
            steps.begin(&batch);
            in_flight.push(writer.write(batch));
            run.applied(steps.done(), bytes.read(), exceptions).await?;
        }
        if run.limit.is_near() {
            break;
        }
        run.applied(steps.done(), bytes.read(), exceptions).await?;
    }
    while let Some(batch) = in_flight.next().await {
        settle(batch, &mut steps, &mut pace, exceptions)?;
        run.applied(steps.done(), bytes.read(), exceptions).await?;
    }
    let through = chunk_is_last && waiting.is_empty();
    if !through {
        run.save(steps.done(), exceptions).await?;
    }
    Ok(through)
}

fn settle(
    batch: Result<Batch, Failure>,
    steps: &mut Steps,
    pace: &mut Pace,
    exceptions: &mut Exceptions,
) -> Result<(), Failure> {
    let batch = batch?;
    steps.end(batch.first_step);
    if batch.throttled {
        pace.throttled();
    } else {
        pace.went_through();
    }
    for Settled {
        row,
        planned,
        outcome,
    } in batch.settled
    {
        // What is kept of a row may be of an attempt before this one.
        if outcome == planned {
            exceptions.remove(&row);
        } else {
            exceptions.insert(row, outcome);
        }
    }
    Ok(())
}

/// Which of the plan's steps are done. Batches begin in the plan's order and end in any.
struct Steps {
    begun: u64,
    in_flight: BTreeSet<u64>,
}

impl Steps {
    fn after(done: u64) -> Self {
        Steps {
            begun: done,
            in_flight: BTreeSet::new(),
        }
    }

    fn begin(&mut self, batch: &[Task]) {
        if let [first, .., last] | [first @ last] = batch {
            self.in_flight.insert(first.step);
            self.begun = last.step + 1;
        }
    }

    fn end(&mut self, first_step: u64) {
        self.in_flight.remove(&first_step);
    }

    /// All steps before this one are done.
    fn done(&self) -> u64 {
        self.in_flight.first().copied().unwrap_or(self.begun)
    }
}

/// A batch that came to its end.
struct Batch {
    first_step: u64,
    settled: Vec<Settled>,
    /// DynamoDB had no capacity for a part of it at first.
    throttled: bool,
}

/// A row whose person is as they are to be, or is left alone.
struct Settled {
    row: u32,
    planned: Outcome,
    outcome: Outcome,
}

/// A row that the plan marks, and how far it has come.
struct Task {
    step: u64,
    row: u32,
    person: Person,
    planned: Outcome,
    user_id: UserId,
    state: State,
    refused: u32,
}

enum State {
    /// To be created; nobody is known to have the id.
    New,
    /// To be read first.
    Unread,
    /// As read, or as a refused write found it.
    Known(Box<StoredUser>),
}

impl Task {
    fn of(plan: &Plan, header: &Header, row: &Row<'_>) -> Option<Self> {
        let number = u32::try_from(row.number).ok()?;
        let (step, action) = plan.step(number)?;
        let (user_id, state) = match action {
            Action::Create { user_id } => (user_id, State::New),
            Action::Update { user_id, .. } | Action::Refresh { user_id } => {
                (user_id, State::Unread)
            }
            Action::Duplicate { .. } | Action::Conflict { .. } => return None,
        };
        let person = Person::from(UserRecord::read(header, row).ok()?);
        Some(Task {
            step,
            row: number,
            person,
            planned: action.outcome(),
            user_id,
            state,
            refused: 0,
        })
    }

    fn email_key(&self) -> EmailKey {
        EmailKey::of(&self.person.email)
    }
}

/// What is to be done for a person as they stand.
enum Todo {
    Write(WriteKind, Outcome),
    Settled(Outcome),
}

struct Writer<'w> {
    users: Users,
    table: &'w FeedTable,
    lease: &'w Lease,
    mapping: &'w Mapping,
    portal: PortalId,
    upload_id: UploadId,
    clock: Clock,
}

impl Writer<'_> {
    /// Writes a batch of people; whoever is changed elsewhere meanwhile is decided again.
    async fn write(&self, mut tasks: Vec<Task>) -> Result<Batch, Failure> {
        let context = WriteContext {
            portal: self.portal,
            upload_id: self.upload_id.to_string(),
            last_write: format!("{}#{RUN}", self.upload_id),
            now: (self.clock)(),
        };
        let mut batch = Batch {
            first_step: tasks.first().map_or(0, |task| task.step),
            settled: Vec::with_capacity(tasks.len()),
            throttled: false,
        };
        let mut pause = Pause::default();
        let mut settle = |task: &Task, outcome| {
            batch.settled.push(Settled {
                row: task.row,
                planned: task.planned,
                outcome,
            });
        };
        loop {
            self.lease.check()?;
            self.read(&mut tasks).await?;
            let (mut writes, mut open) = (Vec::new(), Vec::new());
            for task in tasks {
                match self.todo(&task, &context) {
                    Todo::Settled(outcome) => settle(&task, outcome),
                    Todo::Write(..) if task.refused == TRIES => {
                        settle(&task, Outcome::ChangedMeanwhile);
                    }
                    Todo::Write(kind, outcome) => {
                        writes.push(UserWrite {
                            user_id: task.user_id,
                            kind,
                            outcome,
                        });
                        open.push((task, outcome));
                    }
                }
            }
            if writes.is_empty() {
                return Ok(batch);
            }
            self.lease.check()?;
            // Before anybody is in the group: a crash in between loses no learning.
            let assignments: Vec<Assignment> = open
                .iter()
                .flat_map(|(task, _)| self.assignments(task))
                .collect();
            self.table.assign(&context, &assignments).await?;
            self.lease.check()?;
            tasks = Vec::new();
            let mut throttled = false;
            let written = self.users.write(&context, &writes).await?;
            for ((mut task, outcome), written) in open.into_iter().zip(written) {
                match written {
                    Written::Done => settle(&task, outcome),
                    Written::Refused(found) => {
                        task.refused += 1;
                        tasks.push(self.decide_again(task, found, &context));
                    }
                    Written::Throttled => {
                        throttled = true;
                        tasks.push(task);
                    }
                }
            }
            if throttled {
                batch.throttled = true;
                pause.wait().await;
            }
        }
    }

    /// The learning of the groups that the task's person comes into.
    fn assignments<'t>(&'t self, task: &'t Task) -> impl Iterator<Item = Assignment> + 't {
        let user_id = task.user_id;
        let comes_into = |id: &&u64| match &task.state {
            State::Known(stored) => !stored.user.group_ids.contains(id),
            State::New | State::Unread => true,
        };
        let groups = task.person.groups.iter().filter(comes_into);
        groups
            .filter_map(|id| self.mapping.groups().find(*id))
            .flat_map(move |group| {
                group
                    .learning_ids
                    .iter()
                    .map(move |learning_id| Assignment {
                        user_id,
                        learning_id: *learning_id,
                        group_id: group.id,
                    })
            })
    }

    async fn read(&self, tasks: &mut [Task]) -> Result<(), Failure> {
        let unread = |task: &&mut Task| matches!(task.state, State::Unread);
        let ids: Vec<UserId> = tasks
            .iter_mut()
            .filter(unread)
            .map(|task| task.user_id)
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut found = self.users.get(self.portal, &ids).await?;
        for task in tasks.iter_mut().filter(unread) {
            task.state = match found.remove(&task.user_id) {
                Some(user) => State::Known(Box::new(user)),
                None => State::New,
            };
        }
        Ok(())
    }

    fn todo(&self, task: &Task, context: &WriteContext) -> Todo {
        let State::Known(stored) = &task.state else {
            return Todo::Write(
                WriteKind::Create(User::create(&task.person)),
                Outcome::Created,
            );
        };
        if stored.last_upload_id.as_ref() == Some(&context.upload_id) {
            // Written by this upload: before the answer was lost, or before the walk was interrupted. What
            // somebody has changed since came later than the row, and stays.
            return Todo::Settled(stored.last_outcome.unwrap_or(task.planned));
        }
        if EmailKey::of(&stored.user.email) != task.email_key() {
            // The row's person is somebody else by now; the next file knows who.
            return Todo::Settled(Outcome::ChangedMeanwhile);
        }
        let version = stored.version;
        match decide(self.mapping, &task.person, &stored.user) {
            Decision::Unchanged => Todo::Settled(Outcome::Unchanged),
            Decision::Refresh(fingerprint) => Todo::Write(
                WriteKind::Refresh {
                    fingerprint,
                    version,
                },
                Outcome::Unchanged,
            ),
            Decision::Update(after, change) => {
                Todo::Write(WriteKind::Update { after, version }, change.outcome.into())
            }
        }
    }

    /// A write was refused: on with what it found in its place.
    fn decide_again(
        &self,
        mut task: Task,
        found: Option<Box<StoredUser>>,
        context: &WriteContext,
    ) -> Task {
        let is_of_this_row = |holder: &StoredUser| {
            holder.last_outcome == Some(Outcome::Created)
                && holder.last_upload_id.as_ref() == Some(&context.upload_id)
        };
        match found {
            // The id is somebody's who moved to another address: the next id is free, or the person's own. If this
            // very upload created them, it did so for this row, and they moved since.
            Some(holder)
                if matches!(task.state, State::New)
                    && !is_of_this_row(&holder)
                    && EmailKey::of(&holder.user.email) != task.email_key() =>
            {
                task.user_id = task.user_id.next_by_email(self.portal, &task.email_key());
            }
            Some(stored) => task.state = State::Known(stored),
            None => task.state = State::Unread,
        }
        task
    }
}
