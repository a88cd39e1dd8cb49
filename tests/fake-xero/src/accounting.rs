//! An organisation, and who has a login to it (`xero_accounting.yaml`).

use crate::desk::{Caller, Fake, date, enveloped, tenant_of, user_of};
use crate::wire::{Person, Route};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};

const SCOPES: [&str; 2] = ["accounting.settings", "accounting.settings.read"];

pub(crate) fn routes() -> Router<Fake> {
    Router::new()
        .route("/api.xro/2.0/Organisation", get(organisation))
        .route("/api.xro/2.0/Users", get(users))
}

async fn organisation(State(fake): State<Fake>, caller: Caller) -> Response {
    let user = user_of(&fake.world(), &caller);
    fake.answer(Route::Organisation, user, &caller, |world, now| {
        let tenant = match tenant_of(world, &caller, now, &SCOPES) {
            Ok(tenant) => tenant,
            Err(refusal) => return refusal,
        };
        let mut shown = json!({
            "OrganisationID": tenant,
            "OrganisationType": "COMPANY",
            "IsDemoCompany": false,
            "PaysTax": true,
            "ShortCode": "!23eYt",
            "CreatedDateUTC": date(now),
        });
        if let Some(organisation) = world.organisations.get(&tenant) {
            let is = &organisation.is;
            shown["CountryCode"] = is.country.clone();
            shown["Version"] = is.country.clone();
            shown["OrganisationStatus"] = is.status.clone();
            if let Some(name) = &is.name {
                shown["Name"] = name.clone().into();
                shown["LegalName"] = name.clone().into();
            }
        }
        enveloped(&caller, now, "Organisations", &[shown])
    })
    .await
}

/// All of them: this list has no pages.
async fn users(State(fake): State<Fake>, caller: Caller) -> Response {
    let user = user_of(&fake.world(), &caller);
    fake.answer(Route::Users, user, &caller, |world, now| {
        let tenant = match tenant_of(world, &caller, now, &SCOPES) {
            Ok(tenant) => tenant,
            Err(refusal) => return refusal,
        };
        let people = world.organisations.get(&tenant);
        let people = people.map_or(&[][..], |organisation| &organisation.is.users);
        let people: Vec<Value> = people.iter().map(|person| shown(person, now)).collect();
        enveloped(&caller, now, "Users", &people)
    })
    .await
}

fn shown(Person(person): &Person, now: Timestamp) -> Value {
    let mut shown = json!({
        "UpdatedDateUTC": date(now),
        "IsSubscriber": false,
        "OrganisationRole": "STANDARD",
    });
    for (field, name) in [
        ("id", "UserID"),
        ("first_name", "FirstName"),
        ("last_name", "LastName"),
        ("email", "EmailAddress"),
        ("role", "OrganisationRole"),
    ] {
        if let Some(value) = person.get(field) {
            shown[name] = value.clone();
        }
    }
    shown
}
