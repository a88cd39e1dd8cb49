//! Roster and plan: the portal's people are read in brief and joined with the file, and what that asks for is
//! looked up: the file once more if somebody is new or differs, users as a whole, addresses in other portals.

use crate::failure::Failure;
use crate::run::Run;
use crate::scan::scan;
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{StreamExt, TryStreamExt};
use mapping::file::{FileReader, Row};
use mapping::identity::{EmailKey, PortalId, UserId};
use mapping::mapping::Mapping;
use mapping::plan::{
    Applied, Approval, Circumstances, Comparing, Joined, Naming, NotPlanned, Plan,
};
use mapping::record::{Person, UserRecord, identity};
use mapping::scan::Scan;
use mapping::user::User;
use platform::failure::CallFailed;
use platform::feed::UploadStatus;
use platform::users::{READ_BATCH, StoredUser, Users};
use std::collections::HashMap;

/// Plans a file that was scanned.
pub(crate) async fn plan(
    run: &mut Run<'_>,
    mapping: &Mapping,
    scan: Scan,
) -> Result<Plan, Failure> {
    run.at(UploadStatus::Planning, 0).await?;
    let circumstances = circumstances(run).await?;
    let (users, portal) = (run.feed.users.clone(), run.upload.portal_id);
    let names = scan.needs_names();
    let expected = scan.rows.len();
    let roster = users
        .roster(portal, mapping.identify_by(), names, expected)
        .await?;
    let mut joined = Joined::new(scan, mapping, &roster);
    for user_id in shared_elsewhere(&users, portal, joined.movers().collect()).await? {
        joined.keep_address(user_id);
    }
    let mut naming = joined.name(&circumstances);
    name_new_people(run, mapping, &mut naming).await?;
    let mut comparing = naming.compare();
    compare_rows(run, mapping, &mut comparing).await?;
    for ids in comparing.others().chunks(READ_BATCH) {
        let found = users.get(portal, ids).await?;
        for user_id in ids {
            comparing.settle_other(*user_id, found.get(user_id).map(seen));
        }
    }
    Ok(comparing.finish()?)
}

/// Plans what the first plan held and is approved.
pub(crate) async fn approved(
    run: &mut Run<'_>,
    mapping: &Mapping,
    first: Applied<'_>,
) -> Result<Plan, Failure> {
    let mut approval = Approval::of(first);
    let scan = match approval.creates() {
        // It is the same version of a file that was accepted.
        true => scan(run, mapping)
            .await?
            .map_err(|_| Failure::FileChanged)?,
        false => Scan::default(),
    };
    run.at(UploadStatus::Planning, 0).await?;
    let circumstances = circumstances(run).await?;
    let (users, portal) = (run.feed.users.clone(), run.upload.portal_id);
    let roster = users
        .roster(portal, mapping.identify_by(), false, scan.rows.len())
        .await?;
    let mut naming = approval.name(scan, mapping, &roster, &circumstances);
    name_new_people(run, mapping, &mut naming).await?;
    for ids in approval.disables().chunks(READ_BATCH) {
        for stored in users.get(portal, ids).await?.into_values() {
            approval.settle(stored.user_id, &stored.user, stored.version);
        }
        run.at(UploadStatus::Planning, 0).await?;
    }
    Ok(approval.finish(naming.compare(), &circumstances)?)
}

async fn circumstances(run: &Run<'_>) -> Result<Circumstances, Failure> {
    let portal = run.upload.portal_id;
    let stored = run.feed.table.portal(portal).await?;
    let (authorisation, limits, baseline_rows) = match stored {
        Some(stored) => (
            stored.authorisation,
            stored.feed_settings.limits,
            stored.baseline_rows,
        ),
        None => Default::default(),
    };
    Ok(Circumstances {
        portal,
        authorised_by: authorisation.map(|authorisation| authorisation.by),
        limits,
        baseline_rows,
    })
}

fn seen(stored: &StoredUser) -> (&User, u64) {
    (&stored.user, stored.version)
}

/// Addresses looked up at once.
const LOOK_UPS_IN_FLIGHT: usize = 16;

/// Those whose address also belongs to a user of another portal.
async fn shared_elsewhere(
    users: &Users,
    portal: PortalId,
    ids: Vec<UserId>,
) -> Result<Vec<UserId>, CallFailed> {
    let mut shared = Vec::new();
    for ids in ids.chunks(READ_BATCH) {
        let found = users.get(portal, ids).await?;
        let looked_up = stream::iter(found.into_values()).map(|stored| async move {
            let email = EmailKey::of(&stored.user.email);
            let elsewhere = users.is_elsewhere(portal, &email).await?;
            Ok::<_, CallFailed>(elsewhere.then_some(stored.user_id))
        });
        let found: Vec<Option<UserId>> = looked_up
            .buffer_unordered(LOOK_UPS_IN_FLIGHT)
            .try_collect()
            .await?;
        shared.extend(found.into_iter().flatten());
    }
    Ok(shared)
}

async fn name_new_people(
    run: &mut Run<'_>,
    mapping: &Mapping,
    naming: &mut Naming<'_>,
) -> Result<(), Failure> {
    if !naming.has_new_people() {
        return Ok(());
    }
    let mut bytes = run.feed.files.read(&run.object).await?;
    let mut reader = FileReader::new(mapping);
    let mut named = Vec::new();
    loop {
        let chunk = bytes.next().await?;
        let each = |header: &_, row: Row<'_>| {
            let number = u32::try_from(row.number).unwrap_or(u32::MAX);
            named.push((number, naming.user_id(&identity(header, &row))));
        };
        reader
            .read(chunk.as_deref(), |row| naming.wants(row), each)
            .map_err(|_| Failure::FileChanged)?;
        for (row, user_id) in named.drain(..) {
            naming.name(row, user_id);
        }
        if chunk.is_none() {
            return Ok(());
        }
        run.at(UploadStatus::Planning, bytes.read()).await?;
    }
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

async fn compare_rows(
    run: &mut Run<'_>,
    mapping: &Mapping,
    comparing: &mut Comparing<'_>,
) -> Result<(), Failure> {
    if !comparing.has_differences() {
        return Ok(());
    }
    let (users, portal) = (run.feed.users.clone(), run.upload.portal_id);
    let mut bytes = run.feed.files.read(&run.object).await?;
    let mut reader = FileReader::new(mapping);
    let mut differing = Vec::new();
    let mut in_flight = FuturesUnordered::new();
    loop {
        let chunk = bytes.next().await?;
        let wants = |row| comparing.differs(row).is_some();
        let each = |header: &_, row: Row<'_>| {
            let number = u32::try_from(row.number).unwrap_or(u32::MAX);
            let Some(user_id) = comparing.differs(number) else {
                return;
            };
            if let Ok(record) = UserRecord::read(header, &row) {
                differing.push(Differing {
                    row: number,
                    user_id,
                    person: comparing.person(number, &record, user_id),
                });
            }
        };
        reader
            .read(chunk.as_deref(), wants, each)
            .map_err(|_| Failure::FileChanged)?;
        let enough = if chunk.is_some() { READ_BATCH } else { 1 };
        while differing.len() >= enough {
            if in_flight.len() == BATCHES_IN_FLIGHT
                && let Some(compared) = in_flight.next().await
            {
                settle(compared, comparing)?;
            }
            let batch: Vec<Differing> =
                differing.drain(..differing.len().min(READ_BATCH)).collect();
            let users = &users;
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
        settle(compared, comparing)?;
    }
    Ok(())
}

fn settle(compared: Compared, comparing: &mut Comparing<'_>) -> Result<(), Failure> {
    let (batch, users) = compared?;
    for Differing {
        row,
        user_id,
        person,
    } in batch
    {
        comparing.settle(row, &person, user_id, users.get(&user_id).map(seen))?;
    }
    Ok(())
}

impl From<NotPlanned> for Failure {
    fn from(failed: NotPlanned) -> Self {
        Failure::NotPlanned(failed)
    }
}
