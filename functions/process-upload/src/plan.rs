//! Roster and plan: the portal's people are read in brief and joined with the file. Only if somebody is
//! new or differs is the file looked at once more, for the ids and the changes.

use crate::arrival::UploadedFile;
use crate::failure::Failure;
use crate::handler::Feed;
use crate::progress::Progress;
use mapping::file::FileReader;
use mapping::identity::{EmailKey, UserId};
use mapping::mapping::Mapping;
use mapping::plan::{Draft, Plan, Question};
use mapping::record::{Person, UserRecord};
use mapping::roster::Roster;
use mapping::scan::Scan;
use mapping::user::decide;
use platform::failure::CallFailed;
use platform::feed::UploadStatus;
use platform::users::READ_BATCH;

pub(crate) async fn plan(
    feed: &Feed,
    file: &UploadedFile,
    mapping: &Mapping,
    scan: Scan,
    progress: &mut Progress<'_>,
) -> Result<Plan, Failure> {
    progress.at(UploadStatus::Planning, 0).await?;
    let roster = feed.users.roster(file.portal).await?;
    let mut draft = Draft::new(scan, &roster);
    if draft.has_questions() {
        answer(feed, file, mapping, &roster, &mut draft, progress).await?;
    }
    draft.finish().map_err(Failure::ForgottenRow)
}

/// A row whose user is to be looked at as a whole.
struct Differing {
    row: u32,
    user_id: UserId,
    person: Person,
}

async fn answer(
    feed: &Feed,
    file: &UploadedFile,
    mapping: &Mapping,
    roster: &Roster,
    draft: &mut Draft,
    progress: &mut Progress<'_>,
) -> Result<(), Failure> {
    let mut bytes = feed
        .files
        .read(&file.object)
        .await?
        .ok_or(Failure::FileChanged)?;
    let mut reader = FileReader::new(mapping);
    let mut differing = Vec::new();
    let mut read = 0;
    loop {
        let chunk = bytes
            .try_next()
            .await
            .map_err(CallFailed::to("read the file"))?;
        let each = |header: &_, row: mapping::file::Row<'_>| {
            let number = u32::try_from(row.number).unwrap_or(u32::MAX);
            let Some(question) = draft.question(number) else {
                return;
            };
            let Ok(record) = UserRecord::read(header, &row) else {
                return;
            };
            match question {
                Question::New => {
                    draft.create(number, file.portal, &EmailKey::of(record.email), roster)
                }
                Question::Differs(user_id) => {
                    differing.push(Differing {
                        row: number,
                        user_id,
                        person: record.into(),
                    });
                }
            }
        };
        match &chunk {
            Some(chunk) => reader.push(chunk, each),
            None => reader.finish(each),
        }
        .map_err(|_| Failure::FileChanged)?;
        let enough = if chunk.is_some() { READ_BATCH } else { 1 };
        while differing.len() >= enough {
            let batch: Vec<Differing> =
                differing.drain(..differing.len().min(READ_BATCH)).collect();
            compare(feed, file, mapping, roster, draft, batch).await?;
        }
        let Some(chunk) = chunk else { return Ok(()) };
        read += chunk.len() as u64;
        progress.at(UploadStatus::Planning, read).await?;
    }
}

async fn compare(
    feed: &Feed,
    file: &UploadedFile,
    mapping: &Mapping,
    roster: &Roster,
    draft: &mut Draft,
    batch: Vec<Differing>,
) -> Result<(), Failure> {
    let ids: Vec<UserId> = batch.iter().map(|differing| differing.user_id).collect();
    let users = feed.users.get(file.portal, &ids).await?;
    for Differing {
        row,
        user_id,
        person,
    } in batch
    {
        match users.get(&user_id) {
            Some(stored) => draft.settle(row, user_id, &decide(mapping, &person, &stored.user)),
            // Erased since the roster was read: whoever has the address now is new.
            None => draft.create(row, file.portal, &EmailKey::of(&person.email), roster),
        }
    }
    Ok(())
}
