//! The file is read again, and what the plan marks is written, and nothing else: each person at most once,
//! in conditional batches; first the people of the rows, then those without a row. Applying a plan again is safe: what this upload has written is recognised.

use crate::failure::Failure;
use crate::pace::Pace;
use crate::run::Run;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mapping::file::{FileReader, Header, Row};
use mapping::identity::{PortalId, UserId};
use mapping::mapping::Mapping;
use mapping::plan::{Action, Exceptions, Instead, Outcome, Plan, PlannedOther, decode_exceptions};
use mapping::record::{Person, UserRecord};
use mapping::user::{
    Decision, Terms, User, WithoutRow, decide, decide_approved, decide_without_row,
};
use platform::clock::Clock;
use platform::feed::{Assignment, FeedTable, Lease, Saved, UploadId};
use platform::pause::Pause;
use platform::users::{
    StoredUser, UserWrite, Users, WRITE_BATCH, WriteContext, WriteKind, Written,
};
use std::collections::BTreeSet;

/// How often a person who is being changed elsewhere is decided again before the row is left for the
/// next file.
const TRIES: u32 = 5;

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
    let mut exceptions = kept_exceptions(run, saved).await?;
    if saved.applied == plan.steps() {
        return Ok(Applied::Whole(exceptions));
    }
    let through = {
        let writer = Writer {
            users: run.feed.users.clone(),
            table: &run.feed.table,
            lease: run.lease,
            mapping,
            portal: run.upload.portal_id,
            upload_id: run.upload.upload_id,
            run: saved.run,
            clock: run.feed.clock,
        };
        let mut work = Work::after(saved.applied);
        (!plan.writes_rows() || write_rows(run, &writer, plan, &mut work, &mut exceptions).await?)
            && write_others(run, &writer, plan, &mut work, &mut exceptions).await?
    };
    if !through {
        return Ok(Applied::InPart);
    }
    // Before the report: whoever writes it has the same exceptions, so it comes out the same.
    run.save(plan.steps(), &exceptions).await?;
    Ok(Applied::Whole(exceptions))
}

/// The exceptions that were met in what is saved.
pub(crate) async fn kept_exceptions(run: &Run<'_>, saved: Saved) -> Result<Exceptions, Failure> {
    let Some(token) = saved.exceptions_by else {
        return Ok(Exceptions::new());
    };
    let by = run.kept_by(saved.run, token);
    let kept = run.feed.reports.kept_exceptions(by, saved.applied);
    Ok(decode_exceptions(&kept.await?)?)
}

/// What is under way of a plan.
struct Work {
    done_before: u64,
    steps: Steps,
    pace: Pace,
}

impl Work {
    fn after(done: u64) -> Self {
        Work {
            done_before: done,
            steps: Steps::after(done),
            pace: Pace::new(),
        }
    }
}

/// Writes the people of the rows. Whether all are done; if not, the time was near its end.
async fn write_rows(
    run: &mut Run<'_>,
    writer: &Writer<'_>,
    plan: &Plan,
    work: &mut Work,
    exceptions: &mut Exceptions,
) -> Result<bool, Failure> {
    let Work {
        done_before,
        steps,
        pace,
    } = work;
    let mut bytes = run.feed.files.read(&run.object).await?;
    let mut reader = FileReader::new(writer.mapping);
    let mut waiting = Vec::new();
    let mut in_flight = FuturesUnordered::new();
    let mut chunk_is_last = false;
    while !chunk_is_last {
        let chunk = bytes.next().await?;
        chunk_is_last = chunk.is_none();
        let wants = |row| plan.step(row).is_some_and(|(step, _)| step >= *done_before);
        let each = |header: &Header, row: Row<'_>| waiting.extend(Task::of_row(plan, header, &row));
        reader
            .read(chunk.as_deref(), wants, each)
            .map_err(|_| Failure::FileChanged)?;
        let enough = if chunk_is_last { 1 } else { WRITE_BATCH };
        while waiting.len() >= enough && !run.limit.is_near() {
            while !pace.allows(in_flight.len())
                && let Some(batch) = in_flight.next().await
            {
                settle(batch, steps, pace, exceptions)?;
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
        settle(batch, steps, pace, exceptions)?;
        run.applied(steps.done(), bytes.read(), exceptions).await?;
    }
    let through = chunk_is_last && waiting.is_empty();
    if !through {
        run.save(steps.done(), exceptions).await?;
    }
    Ok(through)
}

/// Writes those without a row. Whether all are done; if not, the time was near its end.
async fn write_others(
    run: &mut Run<'_>,
    writer: &Writer<'_>,
    plan: &Plan,
    work: &mut Work,
    exceptions: &mut Exceptions,
) -> Result<bool, Failure> {
    let Work {
        done_before,
        steps,
        pace,
    } = work;
    let file_bytes = run.upload.size_bytes;
    let mut tasks = (plan.rows.len() as u64..)
        .zip(&plan.others)
        .filter(|(step, _)| *step >= *done_before)
        .filter_map(|(step, other)| Task::of_other(step, other))
        .peekable();
    let mut in_flight = FuturesUnordered::new();
    while tasks.peek().is_some() && !run.limit.is_near() {
        while !pace.allows(in_flight.len())
            && let Some(batch) = in_flight.next().await
        {
            settle(batch, steps, pace, exceptions)?;
        }
        let batch: Vec<Task> = tasks.by_ref().take(WRITE_BATCH).collect();
        steps.begin(&batch);
        in_flight.push(writer.write(batch));
        run.applied(steps.done(), file_bytes, exceptions).await?;
    }
    while let Some(batch) = in_flight.next().await {
        settle(batch, steps, pace, exceptions)?;
        run.applied(steps.done(), file_bytes, exceptions).await?;
    }
    let through = tasks.peek().is_none();
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
        step,
        planned,
        outcome,
    } in batch.settled
    {
        // What is kept of a step may be of an attempt before this one.
        if outcome == planned {
            exceptions.remove(&step);
        } else {
            exceptions.insert(step, outcome);
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

/// A step whose person is as they are to be, or is left alone.
struct Settled {
    step: u64,
    planned: Outcome,
    outcome: Outcome,
}

/// A step of the plan, and how far it has come.
struct Task {
    step: u64,
    what: What,
    planned: Outcome,
    user_id: UserId,
    state: State,
    refused: u32,
}

/// What is to happen to a person.
enum What {
    /// What the row says.
    Row(Box<Person>, Terms),
    /// Status 0, which was held and is approved, for the person as they were then.
    Approved { version: u64 },
    /// What a file does to somebody without a row; after a hold, as they were then.
    WithoutRow {
        what: WithoutRow,
        version: Option<u64>,
    },
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
    fn of_row(plan: &Plan, header: &Header, row: &Row<'_>) -> Option<Self> {
        let number = u32::try_from(row.number).ok()?;
        let (step, planned) = plan.step(number)?;
        let person = || {
            let record = UserRecord::read(header, row).ok()?;
            Some(Box::new(Person::new(&record, plan.managers(planned))))
        };
        let (user_id, state, what) = match planned.action {
            Action::Create { user_id, terms } => (user_id, State::New, What::Row(person()?, terms)),
            Action::Update { user_id, terms, .. } | Action::Refresh { user_id, terms } => {
                (user_id, State::Unread, What::Row(person()?, terms))
            }
            Action::Disable { user_id, version } => {
                (user_id, State::Unread, What::Approved { version })
            }
            Action::HoldCreate { .. }
            | Action::LeftAlone
            | Action::Duplicate { .. }
            | Action::Conflict { .. }
            | Action::EmailTaken => return None,
        };
        Some(Task {
            step,
            what,
            planned: planned.action.outcome(),
            user_id,
            state,
            refused: 0,
        })
    }

    /// `None`: nothing is to be done.
    fn of_other(step: u64, other: &PlannedOther) -> Option<Self> {
        let version = match other.instead {
            Some(Instead::Approved { version }) => Some(version),
            Some(Instead::LeftAlone) => return None,
            // What else there is to do is done all the same.
            Some(Instead::Held { .. } | Instead::Protected) | None => None,
        };
        let disable = other.what.disable && !matches!(other.instead, Some(Instead::Protected));
        let what = WithoutRow {
            disable,
            ..other.what
        };
        (what != WithoutRow::default()).then_some(Task {
            step,
            what: What::WithoutRow { what, version },
            planned: other.outcome(),
            user_id: other.user_id,
            state: State::Unread,
            refused: 0,
        })
    }
}

/// What is to be done for a person as they stand.
enum Todo {
    Write(Box<WriteKind>, Outcome),
    Settled(Outcome),
}

struct Writer<'w> {
    users: Users,
    table: &'w FeedTable,
    lease: &'w Lease,
    mapping: &'w Mapping,
    portal: PortalId,
    upload_id: UploadId,
    /// Part of `last_write`: the upload's first going over its people, or its second, however often that is
    /// taken up again.
    run: u32,
    clock: Clock,
}

impl Writer<'_> {
    /// Writes a batch of people; whoever is changed elsewhere meanwhile is decided again.
    async fn write(&self, mut tasks: Vec<Task>) -> Result<Batch, Failure> {
        let context = WriteContext {
            portal: self.portal,
            upload_id: self.upload_id.to_string(),
            last_write: format!("{}#{}", self.upload_id, self.run),
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
                step: task.step,
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
                        let becomes_manager = becomes_manager(&kind, &task.state);
                        writes.push(UserWrite {
                            user_id: task.user_id,
                            kind: *kind,
                            becomes_manager,
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
        let groups = match &task.what {
            What::Row(person, _) => &person.groups[..],
            What::Approved { .. } | What::WithoutRow { .. } => &[],
        };
        let groups = groups.iter().filter(comes_into);
        groups
            .filter_map(|id| self.mapping.groups().find(*id))
            .flat_map(move |group| {
                group
                    .learning_ids
                    .iter()
                    .map(move |learning_id| Assignment {
                        user_id,
                        learning_id: *learning_id,
                        group_id: Some(group.id),
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
        let stored = match (&task.state, &task.what) {
            (State::Known(stored), _) => stored,
            (State::New | State::Unread, What::Row(person, terms)) => {
                let user = User::create(person, *terms);
                return Todo::Write(Box::new(WriteKind::Create(user)), Outcome::Created);
            }
            // Gone: nobody is left for whom something could be done.
            (State::New | State::Unread, _) => return Todo::Settled(Outcome::Unchanged),
        };
        if stored.last_write.as_ref() == Some(&context.last_write) {
            // Written by this run: before the answer was lost, or before the walk was interrupted. What somebody has
            // changed since came later than the file, and stays.
            return Todo::Settled(stored.last_outcome.unwrap_or(task.planned));
        }
        let (user, version) = (&stored.user, stored.version);
        let decision = match &task.what {
            // The row's person is somebody else by now; the next file knows who.
            What::Row(person, _) if !person.is(user) => {
                return Todo::Settled(Outcome::ChangedMeanwhile);
            }
            What::Approved { version: held }
            | What::WithoutRow {
                version: Some(held),
                ..
            } if version != *held => return Todo::Settled(Outcome::ChangedMeanwhile),
            What::Row(person, terms) => decide(self.mapping, person, *terms, user),
            What::Approved { .. } => decide_approved(user),
            What::WithoutRow { what, .. } => decide_without_row(*what, user, &context.upload_id),
        };
        match decision {
            Decision::Unchanged => Todo::Settled(Outcome::Unchanged),
            Decision::Refresh(refresh) => {
                let kind = WriteKind::Refresh { refresh, version };
                Todo::Write(Box::new(kind), Outcome::Unchanged)
            }
            Decision::Update(after, change) => {
                let kind = WriteKind::Update { after, version };
                Todo::Write(Box::new(kind), change.outcome.into())
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
                && holder.last_write.as_ref() == Some(&context.last_write)
        };
        match (found, &task.what) {
            // The id is somebody's who has another identity now: the next id is free, or the person's own. If this
            // very run created them, it did so for this row, and they moved since.
            (Some(holder), What::Row(person, _))
                if matches!(task.state, State::New)
                    && !is_of_this_row(&holder)
                    && !person.is(&holder.user) =>
            {
                task.user_id = task.user_id.next(self.portal, &person.identity());
            }
            (Some(stored), _) => task.state = State::Known(stored),
            (None, _) => task.state = State::Unread,
        }
        task
    }
}

/// Whether a write makes its user a manager for the first time.
fn becomes_manager(kind: &WriteKind, state: &State) -> bool {
    match (kind, state) {
        (WriteKind::Create(user), _) => user.manager_granted,
        (WriteKind::Update { after, .. }, State::Known(before)) => {
            after.manager_granted && !before.user.manager_granted
        }
        (WriteKind::Update { .. } | WriteKind::Refresh { .. }, _) => false,
    }
}
