//! `/portals/{portal_id}/administrators`: an account of the stack's user pool, by which somebody acts for the portal.

use crate::context::Context;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mapping::identity::{EmailKey, PortalId, check_email};
use mapping::problem::{Problem, ProblemCode};
use platform::accounts::{Account, AccountState, Accounts, Invited, MAX_NAME_CHARS};
use platform::feed::Action;
use platform::web::{JsonBody, OperatorOf, Refusal, wire};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose account is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"email": "ann@customer.example"})))]
pub(crate) struct AdministratorBody {
    #[schema(max_length = 128)]
    email: String,
}

/// The account. Its first password goes to its owner alone, by the pool's own e-mail.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdministratorAnswer {
    #[schema(value_type = wire::PortalId)]
    portal_id: PortalId,
    /// The user pool's name for the account.
    account_id: String,
    email: String,
    /// `invited`: has not signed in yet.
    #[schema(value_type = wire::AccountState)]
    status: AccountState,
}

/// Give somebody an account
///
/// By which they act for the portal. Who has not signed in yet is invited again.
// Each step may have been done before: an account is made, remembered with its portal, and let in at last. Before that
// it may do nothing.
#[utoipa::path(
    post, path = "/portals/{portal_id}/administrators", operation_id = "make_administrator", tag = "Operators",
    request_body = AdministratorBody,
    responses(
        (status = 200, description = "The account was there before.", body = AdministratorAnswer),
        (status = 201, description = "The account is new, and its owner has a mail.", body = AdministratorAnswer),
        (status = 404, description = "`portal_not_found`"),
        (status = 409, description = "`account_taken`, `accounts_elsewhere`, `conflict`"),
        (status = 422, description = "`invalid_value`"),
    ),
)]
pub(crate) async fn make(
    OperatorOf(portal_id, caller): OperatorOf,
    State(context): State<Context>,
    JsonBody(body): JsonBody<AdministratorBody>,
) -> Result<(StatusCode, Json<AdministratorAnswer>), Refusal> {
    let too_long = body.email.trim().chars().count() > MAX_NAME_CHARS;
    if too_long || check_email(body.email.trim()).is_err() {
        return Err(no_address(&body.email));
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
            Invited::Made(account) => (account, StatusCode::CREATED),
            // Somebody else makes it at this moment.
            Invited::Exists => return Err(Refusal::new(ProblemCode::Conflict)),
            Invited::NoAddress => return Err(no_address(&body.email)),
        },
    };
    let made = Action::AdministratorMade {
        account_id: account.account_id.clone(),
    };
    let entry = context.entry(portal_id, &caller, made)?;
    let now = (context.clock)();
    context
        .feed
        .remember_administrator(portal_id, &account.account_id, now, entry)
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

fn no_address(sent: &str) -> Refusal {
    let problem = Problem::new(ProblemCode::InvalidValue).field("email");
    let message =
        "This is not one e-mail address of up to 128 characters that can have an account.";
    Refusal::all(vec![problem.value(sent).message(message)])
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
