//! Whom the portal's organisation has, and what the portal knows of them: what a preview shows and an import does is
//! planned from this alone (`mapping::import`).

use crate::context::Context;
use crate::failure::Failure;
use crate::session::Session;
use crate::xero::TenantId;
use futures_util::{StreamExt, TryStreamExt, stream};
use mapping::fields::Status;
use mapping::identity::{EmailKey, PortalId, UserId};
use mapping::import::{EmployeeId, Known, Source, Staff};
use mapping::problem::ProblemCode;
use platform::failure::CallFailed;
use platform::feed::xero::{ChosenOrganisation, Imported, ImportedEmployee};
use std::collections::{HashMap, HashSet};

/// Users looked up at the same time.
const IN_FLIGHT: usize = 16;

/// What is known before anything is planned.
pub(crate) struct Survey {
    pub(crate) organisation: ChosenOrganisation,
    pub(crate) source: Source,
    pub(crate) staff: Staff,
    pub(crate) known: Known,
    /// Who of Xero's is who, of users who are there.
    pub(crate) remembered: HashMap<EmployeeId, ImportedEmployee>,
    /// Who somebody was whose user is not there any more.
    pub(crate) gone: HashMap<EmployeeId, UserId>,
    /// Of the users that are theirs already, those who are active.
    pub(crate) active: HashSet<UserId>,
    pub(crate) imported: Imported,
}

impl Survey {
    /// Asks Xero, and looks up what the portal knows.
    pub(crate) async fn of(
        context: &Context,
        portal: PortalId,
        session: &mut Session<'_>,
    ) -> Result<Self, Failure> {
        let (organisation, country) = session.chosen().await?;
        let tenant: TenantId = organisation
            .tenant_id
            .parse()
            .map_err(|_| Failure::because(ProblemCode::XeroOrganisationNotChosen))?;
        let staff = Staff::new(session.staff(&tenant, country).await?);
        let mut active = HashSet::new();
        let mut remembered = context.feed.imported_employees(portal).await?;
        let there = still_there(context, portal, &staff, &remembered).await?;
        let ids: HashSet<EmployeeId> = staff.ids().collect();
        remembered.retain(|id, _| ids.contains(id));
        let mut gone = HashMap::new();
        remembered.retain(|id, it| {
            let stays = there.contains_key(&it.user_id);
            if !stays {
                gone.insert(*id, it.user_id);
            }
            stays
        });
        for (user, status) in there {
            if status == Status::Active {
                active.insert(user);
            }
        }
        let mut holders = HashMap::new();
        for (key, user, status) in holders_of(context, portal, &staff).await? {
            holders.insert(key, user);
            if status == Status::Active {
                active.insert(user);
            }
        }
        let known = Known {
            imported: remembered
                .values()
                .map(|it| (it.employee_id, it.user_id))
                .collect(),
            holders,
        };
        Ok(Survey {
            organisation,
            source: country.source(),
            staff,
            known,
            remembered,
            gone,
            active,
            imported: context.feed.imported(portal).await?,
        })
    }
}

/// Those of the users whom the organisation's people were imported or recognised as who are still there.
async fn still_there(
    context: &Context,
    portal: PortalId,
    staff: &Staff,
    remembered: &HashMap<EmployeeId, ImportedEmployee>,
) -> Result<HashMap<UserId, Status>, CallFailed> {
    let ids: Vec<UserId> = staff
        .ids()
        .filter_map(|id| Some(remembered.get(&id)?.user_id))
        .collect();
    let found: Vec<Option<(UserId, Status)>> = stream::iter(ids)
        .map(|id| status_of(context, portal, id))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Whose the addresses are.
async fn holders_of(
    context: &Context,
    portal: PortalId,
    staff: &Staff,
) -> Result<Vec<(EmailKey, UserId, Status)>, CallFailed> {
    let keys: Vec<EmailKey> = staff.emails().map(EmailKey::of).collect();
    let found: Vec<Option<(EmailKey, UserId, Status)>> = stream::iter(keys)
        .map(|key| holder_of(context, portal, key))
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

async fn status_of(
    context: &Context,
    portal: PortalId,
    id: UserId,
) -> Result<Option<(UserId, Status)>, CallFailed> {
    let user = context.users.user(portal, id).await?;
    Ok(user.map(|user| (id, user.values.status)))
}

async fn holder_of(
    context: &Context,
    portal: PortalId,
    key: EmailKey,
) -> Result<Option<(EmailKey, UserId, Status)>, CallFailed> {
    let holders = context.users.holders(portal, &key).await?;
    let first = holders.into_iter().next();
    Ok(first.map(|it| (key, it.user_id, it.values.status)))
}
