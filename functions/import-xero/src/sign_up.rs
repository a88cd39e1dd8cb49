//! Signing up through Xero's Marketplace: nobody is signed in, and who it is says Xero. The portal and its administrator
//! are made when they come back (`callback`); until then a number is kept for it and nothing else.

use crate::connect::{AuthoriseAnswer, send_to_xero};
use crate::context::Context;
use crate::xero::{Country, Identity};
use axum::extract::State;
use axum::response::Response;
use mapping::identity::{EmailKey, PortalId, check_email};
use mapping::problem::{Problem, ProblemCode};
use platform::accounts::{Account, AccountState, Accounts, Invited, MAX_NAME_CHARS};
use platform::failure::CallFailed;
use platform::feed::xero::BegunBy;
use platform::feed::{ActingAs, Action, Deed, PortalSettings};
use platform::web::{JsonBody, Refusal};
use serde::Deserialize;
use utoipa::ToSchema;

/// A company's name is what an operator may set up too.
const MAX_COMPANY_CHARS: usize = 200;

/// Portals that are signed up have 12 digits and begin with 9: operators choose other numbers.
const FIRST_NUMBER: u64 = 900_000_000_000;
const NUMBERS: u64 = 100_000_000_000;

/// Who signs up. By which address they sign in, Xero says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"name": "Northwind", "country": "AU"})))]
pub(crate) struct SignUpBody {
    /// The company's name.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Where the company is: `AU` or `US`.
    #[schema(pattern = "^(AU|US)$")]
    country: String,
}

/// Sign up with Xero
///
/// For a company that has no portal yet. Whoever opens the page signs in at Xero; when they come back there is a portal,
/// connected with Xero, and an account for it by the address that Xero has of them.
#[utoipa::path(
    post, path = "/xero/signup", operation_id = "sign_up_with_xero", tag = "Everybody",
    request_body = SignUpBody,
    responses(
        (status = 201, description = "Where to send the browser.", body = AuthoriseAnswer),
        (status = 409, description = "`xero_not_offered`, `accounts_elsewhere`, `conflict`"),
        (status = 422, description = "`invalid_value`, `xero_country_not_supported`"),
    ),
)]
pub(crate) async fn sign_up(
    State(context): State<Context>,
    JsonBody(body): JsonBody<SignUpBody>,
) -> Result<Response, Refusal> {
    if context.accounts.is_none() {
        return Err(Refusal::new(ProblemCode::AccountsElsewhere));
    }
    let name = body.name.trim();
    let length = name.chars().count();
    if !(1..=MAX_COMPANY_CHARS).contains(&length) || name.chars().any(char::is_control) {
        let problem = Problem::new(ProblemCode::InvalidValue).field("name");
        let message = "A name has 1 to 200 characters.";
        return Err(Refusal::all(vec![problem.message(message)]));
    }
    if Country::from_code(&body.country).is_none() {
        let problem = Problem::new(ProblemCode::XeroCountryNotSupported).field("country");
        return Err(Refusal::all(vec![problem.value(&body.country)]));
    }
    let begun_by = BegunBy::SigningUp {
        name: name.to_owned(),
        country: body.country,
    };
    let portal_id = new_number((context.random)()?)?;
    send_to_xero(&context, portal_id, begun_by)
        .await
        .map_err(context.refuse())
}

fn new_number(random: [u8; 32]) -> Result<PortalId, CallFailed> {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&random[..8]);
    let number = FIRST_NUMBER + u64::from_be_bytes(bytes) % NUMBERS;
    number
        .to_string()
        .parse()
        .map_err(CallFailed::to("choose a portal's number"))
}

/// Whether the one who signs up can have an account.
pub(crate) enum Applicant {
    /// They have none yet.
    New(String),
    /// They have one for a portal that there is not: signing up was interrupted, and goes on with that number.
    Interrupted(Account, PortalId),
    /// They have one already.
    Known,
    /// What Xero says of them has no address that can have one.
    NoAddress,
}

/// Who comes back from Xero to sign up.
pub(crate) async fn applicant(
    context: &Context,
    accounts: &Accounts,
    who: Option<&Identity>,
) -> Result<Applicant, CallFailed> {
    let Some(email) = who.map(|who| who.email.trim()) else {
        return Ok(Applicant::NoAddress);
    };
    if email.chars().count() > MAX_NAME_CHARS || check_email(email).is_err() {
        return Ok(Applicant::NoAddress);
    }
    // One spelling: accounts are told apart by it.
    let email = EmailKey::of(email).as_str().to_owned();
    let Some(account) = accounts.find(&email).await? else {
        return Ok(Applicant::New(email));
    };
    let Some(portal) = account.portal.filter(|it| is_signed_up(*it)) else {
        return Ok(Applicant::Known);
    };
    let nobodys = context.feed.portal(portal).await?.is_none()
        && context.feed.off_boarding_since(portal).await?.is_none();
    match nobodys && !accounts.is_operator(&account).await? {
        true => Ok(Applicant::Interrupted(account, portal)),
        false => Ok(Applicant::Known),
    }
}

fn is_signed_up(portal: PortalId) -> bool {
    portal.number() >= FIRST_NUMBER
}

/// Makes the account and then the portal: what is there of an interrupted attempt is found again. `false`: somebody else
/// does it at this moment, or the pool takes the address for none.
pub(crate) async fn make(
    context: &Context,
    accounts: &Accounts,
    portal_id: PortalId,
    applicant: Applicant,
    name: &str,
    country: &str,
) -> Result<bool, CallFailed> {
    let account = match applicant {
        Applicant::Interrupted(account, _) => {
            if account.state == AccountState::Invited {
                // The first password works for a week, and perhaps its mail was never read.
                accounts.invite_again(&account).await?;
            }
            account
        }
        Applicant::New(email) => match accounts.invite(portal_id, &email).await? {
            Invited::Made(account) => account,
            Invited::Exists | Invited::NoAddress => return Ok(false),
        },
        Applicant::Known | Applicant::NoAddress => return Ok(false),
    };
    let now = (context.clock)();
    let feed = &context.feed;
    let does = |action| {
        let deed = Deed {
            by: account.email.clone(),
            acting_as: ActingAs::Administrator,
            at: now,
            action,
        };
        feed.entry(portal_id, deed)
    };
    let made = does(Action::AdministratorMade {
        account_id: account.account_id.clone(),
    })?;
    feed.remember_administrator(portal_id, &account.account_id, now, made)
        .await?;
    accounts.make_administrator(&account).await?;
    let settings = PortalSettings {
        name: name.to_owned(),
        country: country.to_owned(),
        external_id_enabled: false,
        custom_fields: Vec::new(),
        groups: Vec::new(),
    };
    let signed_up = does(Action::PortalSignedUp)?;
    feed.put_portal(portal_id, None, &settings, signed_up).await
}
