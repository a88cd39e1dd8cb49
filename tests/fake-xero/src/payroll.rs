//! The employees of an Australian organisation (`xero-payroll-au.yaml`).

use crate::desk::{Caller, Fake, date, enveloped, tenant_of, user_of};
use crate::refuse::{self, Api};
use crate::wire::{Person, Route};
use crate::world::Organisation;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};

const SCOPES: [&str; 2] = ["payroll.employees", "payroll.employees.read"];
/// "Up to 100 objects" a page; it is nowhere said how many pages there are.
const PAGE: usize = 100;

pub(crate) fn routes() -> Router<Fake> {
    Router::new().route("/payroll.xro/1.0/Employees", get(employees))
}

async fn employees(State(fake): State<Fake>, caller: Caller) -> Response {
    let user = user_of(&fake.world(), &caller);
    fake.answer(Route::Employees, user, &caller, |world, now| {
        let tenant = match tenant_of(world, &caller, now, &SCOPES) {
            Ok(tenant) => tenant,
            Err(refusal) => return refusal,
        };
        let australian = world.organisations.get(&tenant);
        let australian = australian.filter(|organisation| organisation.is.country == "AU");
        let Some(organisation) = australian else {
            // What it answers about other countries is nowhere said: the fake chooses.
            let detail = "AuthorizationUnsuccessful";
            return refuse::api(Api::OfOrganisations, StatusCode::FORBIDDEN, detail);
        };
        match page(organisation, &caller, now) {
            Ok(people) => enveloped(&caller, now, "Employees", &people),
            Err(message) => refuse::query(message),
        }
    })
    .await
}

fn page(
    organisation: &Organisation,
    caller: &Caller,
    now: Timestamp,
) -> Result<Vec<Value>, &'static str> {
    let quirks = organisation.is.quirks;
    let page = caller.parameter("page").unwrap_or_else(|| "1".to_owned());
    let page = page.parse::<usize>().ok().filter(|page| *page >= 1);
    let page = page.ok_or("page is not a number from 1")?;
    // The only filter that the fake understands, and by the documentation the default.
    let filter = caller.parameter("where");
    let filter = filter.map(|filter| filter.replace(' ', ""));
    if filter.is_some_and(|filter| filter != r#"Status=="ACTIVE""#) {
        return Err("the fake knows only where=Status==\"ACTIVE\"");
    }
    if caller.parameter("order").is_some() {
        return Err("the fake knows no order");
    }
    let employed = |Person(person): &&Person| {
        quirks.ignores_where
            || person
                .get("status")
                .is_some_and(|status| status == "ACTIVE")
    };
    let before = if quirks.ignores_page { 0 } else { page - 1 };
    let people = organisation.is.employees.iter().filter(employed);
    let people = people.skip(before.saturating_mul(PAGE)).take(PAGE);
    Ok(people.map(|person| shown(person, now)).collect())
}

/// Somebody, with more than anybody asked for: it is all in the list.
fn shown(Person(person): &Person, now: Timestamp) -> Value {
    let mut shown = json!({
        "MiddleNames": "Robin",
        // Before 1970, and without an offset: both have been seen.
        "DateOfBirth": "/Date(-148089600000)/",
        "Gender": "N",
        "Phone": "02 5550 1234",
        "Mobile": "0491 570 006",
        "StartDate": "/Date(1577836800000+0000)/",
        "OrdinaryEarningsRateID": "ab874dfb-ab09-4c91-954e-43acf6fc23b4",
        "PayrollCalendarID": "cb8e4706-2fdc-4170-aebd-0ffb855557f5",
        "UpdatedDateUTC": date(now),
        "IsSTP2Qualified": true,
    });
    for (field, name) in [
        ("id", "EmployeeID"),
        ("first_name", "FirstName"),
        ("last_name", "LastName"),
        ("email", "Email"),
        ("status", "Status"),
    ] {
        if let Some(value) = person.get(field) {
            shown[name] = value.clone();
        }
    }
    shown
}
