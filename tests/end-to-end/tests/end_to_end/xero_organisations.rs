//! Which organisation people are imported from: somebody's choice, of a country that is supported, and never another one
//! instead.

use crate::on_xero::{CompanyOnXero, ann};
use fake_xero::wire::{Person, Route};
use serde_json::{Value, json};
use uuid::Uuid;

/// What is asked of an organisation's people.
const OF_PEOPLE: [Route; 2] = [Route::Employees, Route::Users];

/// Whether anybody of the organisation was read.
async fn was_read(company: &CompanyOnXero, tenant: Uuid) -> bool {
    let calls = company.xero.calls_about(tenant).await.calls;
    calls.iter().any(|call| OF_PEOPLE.contains(&call.route))
}

/// Of each that is listed: whether it is chosen.
async fn listed(company: &CompanyOnXero) -> Vec<(String, bool)> {
    let list = company.call("GET", "/organisations", None).await;
    let list = list.expect(200);
    assert_eq!(list["cursor"], Value::Null);
    let items = list["items"].as_array().unwrap().iter();
    let text = |item: &Value| item["tenant_id"].as_str().unwrap().to_owned();
    let mut listed: Vec<(String, bool)> = items
        .map(|item| (text(item), item["chosen"].as_bool().unwrap()))
        .collect();
    listed.sort();
    listed
}

/// Requirement 3 of docs/xero.md: nobody is chosen by coming first.
#[tokio::test]
async fn of_several_organisations_none_is_chosen_but_by_somebody() {
    let mut company = CompanyOnXero::new(ann()).await;
    let others = [
        company.other_organisation("AU", "ACTIVE").await,
        company.other_organisation("AU", "ACTIVE").await,
    ];
    let all = [others[0], company.tenant, others[1]];
    let callback = company.callback_for(&all).await;
    assert_eq!(company.browser.follow(&callback).await.status, 303);
    let all_with = |chosen: &dyn Fn(Uuid) -> bool| {
        let mut all = all.map(|it| (it.to_string(), chosen(it)));
        all.sort();
        all
    };
    assert_eq!(listed(&company).await, all_with(&|_| false));
    assert_eq!(company.state().await, "organisation_not_chosen");
    let import = json!({"assign_courses": true});
    for (method, path, body) in [("GET", "/preview", None), ("POST", "/import", Some(import))] {
        let refused = company.call(method, path, body).await.refused(409).0;
        assert_eq!(refused, "xero_organisation_not_chosen");
    }
    for tenant in all {
        assert!(!was_read(&company, tenant).await);
    }

    let chosen = company.choose(company.tenant).await.expect(200);
    let expected =
        json!({"tenant_id": company.tenant.to_string(), "name": "Harbour Café", "country": "AU"});
    assert_eq!(chosen, expected);
    assert_eq!(company.overview().await["organisation"], expected);
    assert_eq!(listed(&company).await, all_with(&|it| it == company.tenant));
    company.call("GET", "/preview", None).await.expect(200);
    for other in others {
        assert!(!was_read(&company, other).await);
    }
    // The choice can be changed, and has an entry each time.
    company.choose(others[1]).await.expect(200);
    assert_eq!(listed(&company).await, all_with(&|it| it == others[1]));
    let trail = company.trail().await;
    let chosen: Vec<&Value> = trail.iter().map(|entry| &entry["tenant_id"]).collect();
    assert_eq!(
        chosen[2..],
        [
            &json!(company.tenant.to_string()),
            &json!(others[1].to_string())
        ]
    );
}

/// Requirement 4 of docs/xero.md: connection, organisation and consent have ids that look alike.
#[tokio::test]
async fn an_organisation_that_is_not_connected_cannot_be_chosen() {
    let company = CompanyOnXero::connected(ann()).await;
    let stranger = CompanyOnXero::connected(ann()).await;
    let not_allowed = company.other_organisation("AU", "ACTIVE").await;
    let [live] = company.at_xero().await.connections.try_into().unwrap();
    let before = company.portal.items().await;
    for unknown in [
        Uuid::nil().to_string(),
        Uuid::new_v4().to_string(),
        stranger.tenant.to_string(),
        not_allowed.to_string(),
        live.id.to_string(),
        live.auth_event_id.to_string(),
        String::new(),
        "Harbour Café".to_owned(),
        format!("{} ", company.tenant),
    ] {
        let (code, all) = company.choose(&unknown).await.refused(422);
        assert_eq!(all, ["xero_organisation_unknown"], "{unknown} {code}");
    }
    assert_eq!(company.portal.items().await, before);
    for other in [stranger.tenant, not_allowed] {
        let calls = company.xero.calls_about(other).await.calls;
        let ours = calls
            .iter()
            .filter(|call| call.user_id == Some(company.user.user_id));
        assert_eq!(ours.count(), 0);
    }
    for body in [
        json!({}),
        json!({"tenant_id": null}),
        json!({"tenant_id": company.tenant.to_string(), "country": "AU"}),
    ] {
        company
            .call("PUT", "/organisation", Some(body))
            .await
            .refused(422);
    }
    assert_eq!(company.portal.items().await, before);
}

#[tokio::test]
async fn another_country_is_refused_before_anybody_is_read() {
    let mut company = CompanyOnXero::new(ann()).await;
    let mut all = Vec::new();
    let inactive = company.other_organisation("AU", "PENDING").await;
    for country in ["NZ", "GB", "SG", "au", "", "AUS"] {
        all.push(company.other_organisation(country, "ACTIVE").await);
    }
    let every = [all.as_slice(), &[inactive]].concat();
    let callback = company.callback_for(&every).await;
    company.browser.follow(&callback).await;
    for other in all {
        let refused = company.choose(other).await.refused(422);
        assert_eq!(refused.0, "xero_country_not_supported");
        assert!(!was_read(&company, other).await);
    }
    let refused = company.choose(inactive).await.refused(422);
    assert_eq!(refused.0, "xero_organisation_inactive");
    assert!(!was_read(&company, inactive).await);
    assert_eq!(company.state().await, "organisation_not_chosen");
    assert_eq!(
        company.deeds().await,
        ["portal_set_up", "xero_connected"],
        "what is refused is no deed"
    );
}

/// Requirements 3 and 5 of docs/xero.md: whether it is connected says Xero, each time; no other organisation takes its
/// place, and whoever was imported stays.
#[tokio::test]
async fn an_organisation_that_was_disconnected_in_xero_has_to_be_connected_again() {
    let mut company = CompanyOnXero::chosen(ann()).await;
    company.import().await;
    company.given_back().await;
    let users = company.portal.users().await;
    assert_eq!(users.keys().collect::<Vec<_>>(), ["ann@x.example"]);
    let bob = Person::named("Bob", "Roe", "bob@x.example");
    let both = [ann(), vec![bob]].concat();
    company.xero.set_employees(company.tenant, both).await;
    let other = company.other_organisation("AU", "ACTIVE").await;
    let callback = company.callback_for(&[other, company.tenant]).await;
    company.browser.follow(&callback).await;
    company.choose(company.tenant).await.expect(200);

    company.xero.disconnect(company.tenant).await;
    assert_eq!(company.connected_at_xero().await, [other]);
    let overview = company.overview().await;
    assert_eq!(overview["state"], "reconnect_needed");
    assert_eq!(
        overview["organisation"]["tenant_id"],
        company.tenant.to_string()
    );
    assert_eq!(
        (&overview["imported"], &overview["places_left"]),
        (&json!(1), &json!(199))
    );
    for _ in 0..2 {
        let preview = company.call("GET", "/preview", None).await;
        assert_eq!(preview.refused(409).0, "xero_reconnect_needed");
    }
    assert!(!was_read(&company, other).await);
    assert_eq!(company.portal.users().await, users);

    // None is left at all: it is the same.
    company.xero.disconnect(other).await;
    assert_eq!(company.state().await, "reconnect_needed");
    assert_eq!(
        company.call("GET", "/preview", None).await.refused(409).0,
        "xero_reconnect_needed"
    );
    company.connect().await;
    company.choose(company.tenant).await.expect(200);
    company.import().await;
    let now = company.portal.users().await;
    assert_eq!(now["ann@x.example"], users["ann@x.example"]);
    assert_eq!(
        now.keys().collect::<Vec<_>>(),
        ["ann@x.example", "bob@x.example"]
    );
}

#[tokio::test]
async fn who_is_not_connected_is_told_so() {
    let company = CompanyOnXero::new(ann()).await;
    for (method, path, body) in [
        ("GET", "/organisations", None),
        ("GET", "/preview", None),
        (
            "PUT",
            "/organisation",
            Some(json!({"tenant_id": company.tenant.to_string()})),
        ),
        ("POST", "/import", Some(json!({"assign_courses": true}))),
    ] {
        let refused = company.call(method, path, body).await.refused(409).0;
        assert_eq!(refused, "xero_not_connected", "{method} {path}");
    }
    company.disconnect().await;
    assert_eq!(company.deeds().await, ["portal_set_up"]);
}

/// One person may have connected two portals, whose administrators are others: neither sees or imports the people of the
/// other's organisation, unless that person has allowed it for this portal too.
#[tokio::test]
async fn what_another_portal_imports_from_is_neither_offered_nor_taken() {
    let company = CompanyOnXero::chosen(ann()).await;
    let mut elsewhere = company.again_elsewhere().await;
    let theirs = company.other_organisation("AU", "ACTIVE").await;
    elsewhere.tenant = theirs;
    elsewhere.connect().await;
    assert_eq!(listed(&elsewhere).await, [(theirs.to_string(), false)]);
    for _ in 0..2 {
        let refused = elsewhere.choose(company.tenant).await.refused(422).0;
        assert_eq!(refused, "xero_organisation_unknown");
        elsewhere.choose(theirs).await.expect(200);
    }
    elsewhere.call("GET", "/preview", None).await.expect(200);
    // Nor the other way round.
    let refused = company.choose(theirs).await.refused(422).0;
    assert_eq!(refused, "xero_organisation_unknown");
    assert_eq!(listed(&company).await, [(company.tenant.to_string(), true)]);
    // Allowed for this portal, it is offered.
    elsewhere.tenant = company.tenant;
    elsewhere.connect().await;
    elsewhere.choose(company.tenant).await.expect(200);
    company.call("GET", "/preview", None).await.expect(200);
}
