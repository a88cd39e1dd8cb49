//! The file is read again, and what the plan marks is written, and nothing else: each person at most once,
//! in conditional batches. Applying a plan again is safe; what is ours already is recognised by `last_write`.

use crate::arrival::UploadedFile;
use crate::failure::Failure;
use crate::feed::Feed;
use crate::progress::Progress;
use mapping::file::{FileReader, Header, Row};
use mapping::identity::{EmailKey, PortalId, UserId};
use mapping::mapping::Mapping;
use mapping::plan::{Action, Exceptions, Outcome, Plan};
use mapping::record::{Person, UserRecord};
use mapping::user::{Decision, User, decide};
use platform::clock::Clock;
use platform::failure::CallFailed;
use platform::feed::{UploadId, UploadStatus};
use platform::users::{
    StoredUser, UserWrite, Users, WRITE_BATCH, WriteContext, WriteKind, Written,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Requests under way at once. More cost memory and gain nothing: 8 batches of 25 keep 16 partitions busy.
const BATCHES_IN_FLIGHT: usize = 8;

/// How often a person who is being changed elsewhere is decided again before the row is left for the
/// next file.
const TRIES: u32 = 5;

/// Part of `last_write`. A kept plan is applied by one run, however often it is taken up again.
const RUN: u32 = 1;

/// Applies the plan. Rows that did not come out as planned are returned.
pub(crate) async fn apply(
    feed: &Feed,
    file: &UploadedFile,
    mapping: &Mapping,
    plan: &Plan,
    progress: &mut Progress<'_>,
) -> Result<Exceptions, Failure> {
    let mut exceptions = Exceptions::new();
    if !plan.writes() {
        return Ok(exceptions);
    }
    let writer = Arc::new(Writer {
        users: feed.users.clone(),
        mapping: mapping.clone(),
        portal: file.portal,
        upload_id: progress.upload.upload_id,
        clock: feed.clock,
    });
    let mut bytes = feed
        .files
        .read(&file.object)
        .await?
        .ok_or(Failure::FileChanged)?;
    let mut reader = FileReader::new(mapping);
    let mut waiting = Vec::new();
    let mut in_flight = JoinSet::new();
    loop {
        let chunk = bytes.next().await?;
        let each = |header: &Header, row: Row<'_>| waiting.extend(Task::of(plan, header, &row));
        reader
            .read(chunk.as_deref(), each)
            .map_err(|_| Failure::FileChanged)?;
        let enough = if chunk.is_some() { WRITE_BATCH } else { 1 };
        while waiting.len() >= enough {
            if in_flight.len() == BATCHES_IN_FLIGHT {
                join_one(&mut in_flight, &mut exceptions).await?;
            }
            let batch: Vec<Task> = waiting.drain(..waiting.len().min(WRITE_BATCH)).collect();
            in_flight.spawn(Arc::clone(&writer).write(batch));
        }
        if chunk.is_none() {
            break;
        }
        progress.at(UploadStatus::Applying, bytes.read()).await?;
    }
    while !in_flight.is_empty() {
        join_one(&mut in_flight, &mut exceptions).await?;
    }
    Ok(exceptions)
}

type Batch = Result<Vec<(u32, Outcome)>, CallFailed>;

async fn join_one(
    in_flight: &mut JoinSet<Batch>,
    exceptions: &mut Exceptions,
) -> Result<(), Failure> {
    if let Some(done) = in_flight.join_next().await {
        exceptions.extend(done.map_err(CallFailed::to("finish a batch"))??);
    }
    Ok(())
}

/// A row that the plan marks, and how far it has come.
struct Task {
    row: u32,
    person: Person,
    planned: Outcome,
    /// What the last write that was sent for it would come to.
    sent: Option<Outcome>,
    user_id: UserId,
    state: State,
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
        let action = plan.action(number)?;
        let (user_id, state) = match action {
            Action::Create { user_id } => (user_id, State::New),
            Action::Update { user_id, .. } | Action::Refresh { user_id } => {
                (user_id, State::Unread)
            }
            Action::Duplicate { .. } | Action::Conflict { .. } => return None,
        };
        let person = Person::from(UserRecord::read(header, row).ok()?);
        Some(Task {
            row: number,
            person,
            planned: action.outcome(),
            sent: None,
            user_id,
            state,
        })
    }

    fn email_key(&self) -> EmailKey {
        EmailKey::of(&self.person.email)
    }
}

/// What is to be done for a person as they stand.
enum Step {
    Write(WriteKind, Outcome),
    Settled(Outcome),
}

struct Writer {
    users: Users,
    mapping: Mapping,
    portal: PortalId,
    upload_id: UploadId,
    clock: Clock,
}

impl Writer {
    /// Writes a batch of people; whoever is changed elsewhere meanwhile is decided again.
    async fn write(self: Arc<Self>, mut tasks: Vec<Task>) -> Batch {
        let context = WriteContext {
            portal: self.portal,
            upload_id: self.upload_id.to_string(),
            last_write: format!("{}#{RUN}", self.upload_id),
            now: (self.clock)(),
        };
        let mut exceptions = Vec::new();
        let mut settle = |task: &Task, outcome| {
            if outcome != task.planned {
                exceptions.push((task.row, outcome));
            }
        };
        for _ in 0..TRIES {
            self.read(&mut tasks).await?;
            let (mut writes, mut open) = (Vec::new(), Vec::new());
            for mut task in tasks {
                match self.step(&task, &context.last_write) {
                    Step::Settled(outcome) => settle(&task, outcome),
                    Step::Write(kind, outcome) => {
                        task.sent = Some(outcome);
                        writes.push(UserWrite {
                            user_id: task.user_id,
                            kind,
                        });
                        open.push((task, outcome));
                    }
                }
            }
            if writes.is_empty() {
                return Ok(exceptions);
            }
            tasks = Vec::new();
            for ((task, outcome), written) in open
                .into_iter()
                .zip(self.users.write(&context, &writes).await?)
            {
                match written {
                    Written::Done => settle(&task, outcome),
                    Written::Refused(found) => tasks.push(self.decide_again(task, found)),
                }
            }
        }
        tasks
            .iter()
            .for_each(|task| settle(task, Outcome::ChangedMeanwhile));
        Ok(exceptions)
    }

    async fn read(&self, tasks: &mut [Task]) -> Result<(), CallFailed> {
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

    fn step(&self, task: &Task, last_write: &str) -> Step {
        let State::Known(stored) = &task.state else {
            return Step::Write(
                WriteKind::Create(User::create(&task.person)),
                Outcome::Created,
            );
        };
        if stored.last_write.as_deref() == Some(last_write) {
            // Written by this run: before the answer was lost, or before the walk was interrupted.
            return Step::Settled(task.sent.unwrap_or(task.planned));
        }
        if EmailKey::of(&stored.user.email) != task.email_key() {
            // The row's person is somebody else by now; the next file knows who.
            return Step::Settled(Outcome::ChangedMeanwhile);
        }
        let version = stored.version;
        match decide(&self.mapping, &task.person, &stored.user) {
            Decision::Unchanged => Step::Settled(Outcome::Unchanged),
            Decision::Refresh(fingerprint) => Step::Write(
                WriteKind::Refresh {
                    fingerprint,
                    version,
                },
                Outcome::Unchanged,
            ),
            Decision::Update(after, change) => {
                Step::Write(WriteKind::Update { after, version }, change.outcome.into())
            }
        }
    }

    /// A write was refused: on with what it found in its place.
    fn decide_again(&self, mut task: Task, found: Option<Box<StoredUser>>) -> Task {
        match found {
            // The id is somebody's who moved to another address: the next id is free, or the person's own.
            Some(holder)
                if matches!(task.state, State::New)
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
