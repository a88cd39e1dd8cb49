//! `/portals/{portal_id}/administrators`: an account of the stack's user pool, by which somebody acts for the portal.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::identity::{EmailKey, PortalId, check_email};
use mapping::problem::{Problem, ProblemCode};
use platform::accounts::{Account, AccountState, Accounts};
use platform::web::{JsonBody, OperatorOf, Refusal};
use serde::{Deserialize, Serialize};

/// Whose account is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdministratorBody {
    email: String,
}

/// The account. Its first password goes to its owner alone, by the pool's own e-mail.
#[derive(Serialize)]
pub(crate) struct AdministratorAnswer {
    portal_id: PortalId,
    account_id: String,
    email: String,
    status: AccountState,
}

/// Each step may have been done before: an account is made, remembered with its portal, and let in at last. Before
/// that it may do nothing.
pub(crate) async fn make(
    OperatorOf(portal_id, _): OperatorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<AdministratorBody>,
) -> Result<(StatusCode, Json<AdministratorAnswer>), Refusal> {
    if check_email(body.email.trim()).is_err() {
        let problem = Problem::new(ProblemCode::InvalidValue).field("email");
        let problem = problem.value(&body.email);
        let problem = problem.message("This is not one e-mail address.");
        return Err(Refusal::all(vec![problem]));
    }
    // One spelling: accounts are told apart by it.
    let email = EmailKey::of(&body.email);
    let email = email.as_str();
    context.portal(portal_id).await?;
    let Some(accounts) = &context.accounts else {
        return Err(Refusal::new(ProblemCode::AccountsElsewhere));
    };
    let (account, status) = match accounts.find(email).await? {
        Some(account) => (known(accounts, portal_id, account).await?, StatusCode::OK),
        None => match accounts.invite(portal_id, email).await? {
            Some(account) => (account, StatusCode::CREATED),
            // Somebody else makes it at this moment.
            None => return Err(Refusal::new(ProblemCode::Conflict)),
        },
    };
    let now = (context.clock)();
    context
        .feed
        .remember_administrator(portal_id, &account.account_id, now)
        .await?;
    accounts.make_administrator(&account).await?;
    Ok((
        status,
        Json(AdministratorAnswer {
            portal_id,
            account_id: account.account_id,
            email: account.email,
            status: account.state,
        }),
    ))
}

/// An account that there is. Whoever has not signed in yet is invited once more.
async fn known(
    accounts: &Accounts,
    portal_id: PortalId,
    account: Account,
) -> Result<Account, Refusal> {
    if account.portal != Some(portal_id) || accounts.is_operator(&account).await? {
        return Err(Refusal::new(ProblemCode::AccountTaken));
    }
    if account.state == AccountState::Invited {
        accounts.invite_again(&account).await?;
    }
    Ok(account)
}
