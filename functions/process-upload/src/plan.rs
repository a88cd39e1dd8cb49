//! Roster and plan: the portal's people are read in brief and joined with the file. Only if somebody is
//! new or differs is the file read once more, for the ids and the changes.

use crate::failure::Failure;
use crate::run::Run;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use mapping::file::FileReader;
use mapping::identity::{EmailKey, PortalId, UserId};
use mapping::mapping::Mapping;
use mapping::plan::{Draft, Plan, Question};
use mapping::record::{Person, UserRecord};
use mapping::roster::Roster;
use mapping::scan::Scan;
use mapping::user::decide;
use platform::failure::CallFailed;
use platform::feed::UploadStatus;
use platform::users::{READ_BATCH, StoredUser};
use std::collections::HashMap;

pub(crate) async fn plan(
    run: &mut Run<'_>,
    mapping: &Mapping,
    scan: Scan,
) -> Result<Plan, Failure> {
    run.at(UploadStatus::Planning, 0).await?;
    let roster = run.feed.users.roster(run.upload.portal_id).await?;
    let mut draft = Draft::new(scan, mapping, &roster);
    if draft.has_questions() {
        answer(run, mapping, &roster, &mut draft).await?;
    }
    draft.finish().map_err(Failure::ForgottenRow)
}

/// A row whose user is to be looked at as a whole.
struct Differing {
    row: u32,
    user_id: UserId,
    person: Person,
}

/// Batches of users being read at once. A new mapping makes everybody differ; one batch after the other
/// would take a million people a quarter of an hour.
const BATCHES_IN_FLIGHT: usize = 8;

/// Rows and their users, read as a whole; users who are gone are absent.
type Compared = Result<(Vec<Differing>, HashMap<UserId, StoredUser>), CallFailed>;

async fn answer(
    run: &mut Run<'_>,
    mapping: &Mapping,
    roster: &Roster,
    draft: &mut Draft,
) -> Result<(), Failure> {
    let portal = run.upload.portal_id;
    let mut bytes = run.feed.files.read(&run.object).await?;
    let mut reader = FileReader::new(mapping);
    let mut differing = Vec::new();
    let mut in_flight = FuturesUnordered::new();
    loop {
        let chunk = bytes.next().await?;
        let each = |header: &_, row: mapping::file::Row<'_>| {
            let number = u32::try_from(row.number).unwrap_or(u32::MAX);
            let Some(question) = draft.question(number) else {
                return;
            };
            let Ok(record) = UserRecord::read(header, &row) else {
                return;
            };
            match question {
                Question::New => draft.create(number, portal, &EmailKey::of(record.email), roster),
                Question::Differs(user_id) => {
                    differing.push(Differing {
                        row: number,
                        user_id,
                        person: record.into(),
                    });
                }
            }
        };
        reader
            .read(chunk.as_deref(), each)
            .map_err(|_| Failure::FileChanged)?;
        let enough = if chunk.is_some() { READ_BATCH } else { 1 };
        while differing.len() >= enough {
            if in_flight.len() == BATCHES_IN_FLIGHT
                && let Some(compared) = in_flight.next().await
            {
                settle(compared, portal, mapping, roster, draft)?;
            }
            let batch: Vec<Differing> =
                differing.drain(..differing.len().min(READ_BATCH)).collect();
            let users = &run.feed.users;
            in_flight.push(async move {
                let ids: Vec<UserId> = batch.iter().map(|differing| differing.user_id).collect();
                Ok((batch, users.get(portal, &ids).await?))
            });
        }
        if chunk.is_none() {
            break;
        }
        run.at(UploadStatus::Planning, bytes.read()).await?;
    }
    while let Some(compared) = in_flight.next().await {
        settle(compared, portal, mapping, roster, draft)?;
    }
    Ok(())
}

fn settle(
    compared: Compared,
    portal: PortalId,
    mapping: &Mapping,
    roster: &Roster,
    draft: &mut Draft,
) -> Result<(), Failure> {
    let (batch, users) = compared?;
    for Differing {
        row,
        user_id,
        person,
    } in batch
    {
        match users.get(&user_id) {
            Some(stored) => draft.settle(row, user_id, &decide(mapping, &person, &stored.user)),
            // Erased since the roster was read: whoever has the address now is new.
            None => draft.create(row, portal, &EmailKey::of(&person.email), roster),
        }
    }
    Ok(())
}
