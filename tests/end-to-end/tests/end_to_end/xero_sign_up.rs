//! Signing up with Xero: who it is, Xero says; what there is afterwards is one portal, one account and one connection,
//! and none of them for somebody who has an account already.

use crate::on_xero::{CompanyOnXero, ann, page, parameter, until, with};
use aws_sdk_cognitoidentityprovider::types::UserStatusType;
use end_to_end::{Account, Answered, Browser, Portal, Stack, Traces};
use fake_xero::wire::{Person, Route};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use url::Url;

const ACCOUNT_THERE: &str = "You have an account already";

/// What is filled in on the signup page.
fn form() -> Value {
    json!({"name": "Harbour Café", "country": "AU"})
}

/// A company that has no portal yet. The one that it is made with is nobody's.
async fn newcomer(employees: Vec<Person>) -> CompanyOnXero {
    let mut company = CompanyOnXero::new(employees).await;
    company.portal = Portal::unknown();
    company
}

/// Signs up and allows at Xero. Where the browser is sent, and the number that is kept.
async fn allowed(company: &mut CompanyOnXero) -> (Url, String) {
    let authorise_url = company.browser.sign_up(&form()).await;
    let user = company.user.user_id;
    let organisations = [company.tenant];
    let consent = company.xero.consent(&authorise_url, user, &organisations);
    let callback = consent.await;
    let state = parameter(&callback, "state");
    let number = state.split_once('.').unwrap().0.to_owned();
    (callback, number)
}

/// Signs up, allows, and comes back: the company's portal is the new one, if there is one.
async fn sign_up(company: &mut CompanyOnXero) -> Answered {
    let (callback, number) = allowed(company).await;
    company.portal.id = number;
    company.browser.follow(&callback).await
}

/// Where somebody is sent who has signed up.
fn signed_up(number: &str) -> Option<String> {
    let page = Stack::running().output("PortalUrl");
    Some(format!("{page}/portals/{number}/xero?signed_up"))
}

/// What the pool has of an address: attributes, state and groups.
async fn account(
    stack: &Stack,
    email: &str,
) -> Option<(
    BTreeMap<String, String>,
    Option<UserStatusType>,
    Vec<String>,
)> {
    let (pool, cognito) = (stack.output("UserPoolId"), stack.cognito());
    let found = cognito.admin_get_user().user_pool_id(&pool).username(email);
    let found = found.send().await.ok()?;
    let groups = cognito.admin_list_groups_for_user().user_pool_id(&pool);
    let groups = groups.username(email).send().await.unwrap();
    let groups = groups.groups().iter();
    let text = |text: Option<&str>| text.unwrap().to_owned();
    let attributes = found.user_attributes().iter();
    Some((
        attributes
            .map(|it| (it.name().to_owned(), text(it.value())))
            .collect(),
        found.user_status.clone(),
        groups.map(|group| text(group.group_name())).collect(),
    ))
}

async fn is_there(stack: &Stack, number: &str) -> bool {
    let token = stack.token("operator");
    let path = format!("/portals/{number}");
    let answer = stack.call("GET", &path, Some(&token), None).await;
    answer.status.as_u16() == 200
}

/// Who was assigned what: a user's id and a course's.
async fn assigned(company: &CompanyOnXero) -> Vec<String> {
    let (stack, number) = (&company.portal.stack, &company.portal.id);
    let traces = Traces::of(stack, number).await;
    let of_shards = format!("{number}#ASSIGNMENT#");
    let places = traces.with(&of_shards).into_iter();
    let mut assigned: Vec<String> = places
        .map(|place| place.rsplit(" / ").next().unwrap().to_owned())
        .collect();
    assigned.sort();
    assigned
}

/// Nothing of somebody's is at Xero any more, or kept to be given back.
async fn given_back(company: &CompanyOnXero) {
    company.given_back().await;
    let left = company.at_xero().await;
    assert_eq!(left.connections, []);
    assert_eq!(left.refresh_tokens + left.access_tokens, 0);
    assert_eq!(company.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn who_signs_up_has_a_portal_an_account_and_a_connection() {
    let mut company = newcomer(ann()).await;
    let stack = company.portal.stack.clone();
    let (callback, number) = allowed(&mut company).await;
    assert!(number.len() == 12 && number.starts_with('9'), "{number}");
    company.portal.id = number.clone();
    // Until they come back there is a number, and nothing else.
    let kept = company.keys("").await;
    assert!(kept.len() == 1 && kept[0].starts_with("XERO_STATE#"));
    assert!(!is_there(&stack, &number).await);
    assert!(account(&stack, &company.user.email).await.is_none());

    let back = company.browser.follow(&callback).await;
    assert_eq!((back.status, back.location), (303, signed_up(&number)));
    assert!(company.browser.cookies.is_empty());
    let portal = company.portal.call("GET", "", None).await.expect(200);
    assert_eq!(
        (&portal["name"], &portal["country"]),
        (&json!("Harbour Café"), &json!("AU"))
    );
    let (attributes, state, groups) = account(&stack, &company.user.email).await.unwrap();
    assert_eq!(attributes["email"], company.user.email);
    assert_eq!(attributes["email_verified"], "true");
    assert_eq!(attributes["custom:portal_id"], number);
    assert_eq!(state, Some(UserStatusType::ForceChangePassword), "invited");
    assert_eq!(groups, ["administrator"]);
    assert_eq!(company.state().await, "organisation_not_chosen");
    let trail = company.trail().await;
    let mut deeds = company.deeds().await;
    // At the same time, so in any order.
    deeds.sort();
    assert_eq!(deeds, ["administrator_made", "portal_signed_up"]);
    for entry in &trail {
        assert_eq!(entry["by"], company.user.email);
    }
    // The address works once.
    let again = company.browser.follow(&callback).await;
    page(&again, 400, "This page has expired");
}

/// The seven steps of the Xero FAQ, "Setup the GO1, Xero Integration", by HTTP, as the company's administrator.
#[tokio::test]
async fn a_company_signs_up_and_imports_its_employees_with_five_courses() {
    let bob = Person::named("Bob", "Roe", "bob@x.example");
    let nobody = Person::named("Cy", "Dee", "").without("email");
    let employees = [ann(), vec![bob, nobody]].concat();
    let mut company = newcomer(employees).await;
    let stack = company.portal.stack.clone();
    company.other_organisation("AU", "ACTIVE").await;
    // 1, 2: the signup page. 3, 4: Xero, and one of the two organisations.
    let back = sign_up(&mut company).await;
    assert_eq!(back.location, signed_up(&company.portal.id));
    let administrator = Account::there(&stack, company.user.email.clone()).await;
    let path = |path: &str| format!("/portals/{}{path}", company.portal.id);
    let own = path("/xero/organisations");
    let organisations = administrator.call("GET", &own, None).await.expect(200);
    assert_eq!(
        organisations["items"],
        json!([{"tenant_id": company.tenant.to_string(), "name": "Harbour Café",
                "chosen": false, "suggested": true}])
    );
    let body = json!({"tenant_id": company.tenant.to_string()});
    let own = path("/xero/organisation");
    let chosen = administrator.call("PUT", &own, Some(body)).await;
    chosen.expect(200);
    // 5: the courses.
    let overview = administrator.call("GET", &path("/xero"), None).await;
    let courses = overview.expect(200)["courses"].as_array().unwrap().clone();
    assert_eq!(courses.len(), 5);
    let titles = courses.iter().map(|it| it["title"].as_str().unwrap());
    assert!(titles.into_iter().all(|title| !title.is_empty()));
    // 6: who will be imported; then they are.
    let preview = administrator
        .call("GET", &path("/xero/preview"), None)
        .await;
    let preview = preview.expect(200);
    let emails = |list: &Value| -> Vec<String> {
        let people = list.as_array().unwrap().iter();
        let mut emails: Vec<String> = people
            .map(|it| it["email"].as_str().unwrap().to_owned())
            .collect();
        emails.sort();
        emails
    };
    let both = ["ann@x.example", "bob@x.example"];
    assert_eq!(emails(&preview["to_import"]), both);
    assert_eq!(preview["cannot_import"][0]["first_name"], "Cy");
    let body = json!({"assign_courses": true});
    let own = path("/xero/import");
    let import = administrator.call("POST", &own, Some(body)).await;
    let import = import.expect(202);
    let upload = path(&format!(
        "/uploads/{}",
        import["upload_id"].as_str().unwrap()
    ));
    until("imported", async || {
        let upload = administrator.call("GET", &upload, None).await.expect(200);
        !upload["finished_at"].is_null()
    })
    .await;
    let upload = administrator.call("GET", &upload, None).await.expect(200);
    assert_eq!(upload["rows"]["created"], 2);
    // 7: they are there, with the courses.
    let users = administrator.call("GET", &path("/users"), None).await;
    assert_eq!(emails(&users.expect(200)["items"]), both);
    let mut expected = Vec::new();
    for user in company.portal.users().await.values() {
        for course in &courses {
            expected.push(format!(
                "{}#{}",
                user.text("user_id"),
                course["learning_id"]
            ));
        }
    }
    expected.sort();
    assert_eq!(assigned(&company).await, expected);

    // There is no ongoing connection, and the portal is theirs alone.
    company.given_back().await;
    assert_eq!(company.at_xero().await.connections, []);
    let elsewhere = Portal::set_up().await;
    let theirs = format!("/portals/{}/xero", elsewhere.id);
    let refused = administrator.call("GET", &theirs, None).await;
    assert_eq!(refused.status.as_u16(), 403);
    // They connect again by themselves.
    let authorise_url = company
        .browser
        .begin_as(&administrator, &company.portal.id)
        .await;
    let organisations = [company.tenant];
    let consent = company
        .xero
        .consent(&authorise_url, company.user.user_id, &organisations);
    let callback = consent.await;
    assert_eq!(company.browser.follow(&callback).await.status, 303);
    let trail = company.trail().await;
    let last = trail.last().unwrap();
    assert_eq!(
        (&last["action"], &last["by"], &last["acting_as"]),
        (
            &json!("xero_connected"),
            &json!(administrator.email),
            &json!("administrator")
        )
    );
}

/// Requirement 6 of docs/xero.md, too: what the first portal is connected by stays, chosen or not.
#[tokio::test]
async fn who_signs_up_again_has_an_account_already_and_nothing_is_changed() {
    for chosen in [true, false] {
        let mut company = newcomer(ann()).await;
        sign_up(&mut company).await;
        if chosen {
            company.choose(company.tenant).await.expect(200);
        }
        let stack = company.portal.stack.clone();
        let before = company.portal.items().await;
        let account_before = account(&stack, &company.user.email).await;
        let (callback, number) = allowed(&mut company).await;
        let back = company.browser.follow(&callback).await;
        page(&back, 409, ACCOUNT_THERE);
        assert!(!is_there(&stack, &number).await);
        assert!(account(&stack, &company.user.email).await == account_before);
        assert_eq!(company.portal.items().await, before);
        let mut second = company.again_elsewhere().await;
        second.portal.id = number;
        second.given_back().await;
        assert_eq!(second.keys("").await, Vec::<String>::new());
        if !chosen {
            company.choose(company.tenant).await.expect(200);
        }
        assert_eq!(company.connected_at_xero().await, [company.tenant]);
        let preview = company.call("GET", "/preview", None).await.expect(200);
        assert_eq!(preview["to_import"][0]["email"], "ann@x.example");
    }
}

#[tokio::test]
async fn the_address_of_an_operator_or_of_another_portal_cannot_sign_up() {
    let elsewhere = Portal::set_up().await;
    let stack = elsewhere.stack.clone();
    let operator = |name: &str| format!("{name}@operator-{}.example", elsewhere.id);
    let new = format!("9{}", &elsewhere.id[1..]);
    let accounts = [
        Account::made(&stack, operator("plain"), "operator", &[]).await,
        // Even if it names a portal that there is not.
        Account::made(
            &stack,
            operator("new"),
            "operator",
            &[("custom:portal_id", &new)],
        )
        .await,
        Account::administrator(&stack, &elsewhere.id).await,
        Account::made(&stack, operator("nobody"), "administrator", &[]).await,
    ];
    for known in accounts {
        let before = account(&stack, &known.email).await;
        // In other letters, too: it is the same address.
        for email in [known.email.clone(), known.email.to_uppercase()] {
            let mut company = newcomer(ann()).await;
            company.user = company.xero.user_with(&email, "Olive", "Harper").await;
            let made = company.xero.australian(&company.user, "Hers", ann()).await;
            company.tenant = made.tenant_id;
            let back = sign_up(&mut company).await;
            page(&back, 409, ACCOUNT_THERE);
            assert!(account(&stack, &known.email).await == before, "{email}");
            assert!(!is_there(&stack, &company.portal.id).await);
            given_back(&company).await;
        }
    }
    assert!(!is_there(&stack, &new).await);
}

#[tokio::test]
async fn who_has_no_address_at_xero_cannot_sign_up() {
    for email in [
        "",
        " ",
        "olive",
        "olive@",
        "a@b@c.example",
        "o live@x.example\n",
    ] {
        let mut company = newcomer(ann()).await;
        company.user = company.xero.user_with(email, "Olive", "Harper").await;
        let made = company.xero.australian(&company.user, "Hers", ann()).await;
        company.tenant = made.tenant_id;
        let back = sign_up(&mut company).await;
        page(&back, 400, "No e-mail address");
        assert!(!is_there(&company.portal.stack, &company.portal.id).await);
        given_back(&company).await;
    }
}

#[tokio::test]
async fn what_is_filled_in_wrongly_is_refused_before_xero_is_asked() {
    let stack = Stack::running();
    let long = "é".repeat(201);
    for (body, code) in [
        (json!({"name": "", "country": "AU"}), "invalid_value"),
        (json!({"name": " \t ", "country": "AU"}), "invalid_value"),
        (json!({"name": long, "country": "AU"}), "invalid_value"),
        (json!({"name": "a\nb", "country": "AU"}), "invalid_value"),
        (json!({"name": "a\u{0}", "country": "US"}), "invalid_value"),
        (
            json!({"name": "A", "country": "NZ"}),
            "xero_country_not_supported",
        ),
        (
            json!({"name": "A", "country": "GB"}),
            "xero_country_not_supported",
        ),
        (
            json!({"name": "A", "country": "au"}),
            "xero_country_not_supported",
        ),
        (
            json!({"name": "A", "country": ""}),
            "xero_country_not_supported",
        ),
    ] {
        let answer = stack.call("POST", "/xero/signup", None, Some(body)).await;
        let (_, all) = answer.refused(422);
        assert_eq!(all, [code]);
    }
    for body in [
        json!({}),
        json!({"name": "A"}),
        json!({"country": "AU"}),
        json!({"name": null, "country": "AU"}),
        json!({"name": ["A"], "country": "AU"}),
        json!({"name": "A", "country": "AU", "portal_id": "1001"}),
        json!({"name": "A", "country": "AU", "email": "ann@x.example"}),
        json!({"name": "A", "country": "AU", "redirect_uri": "https://evil.example"}),
        json!([]),
    ] {
        let shown = body.to_string();
        let answer = stack.call("POST", "/xero/signup", None, Some(body)).await;
        assert_eq!(answer.status.as_u16(), 422, "{shown}");
        assert!(!answer.body.to_string().contains("authorise_url"));
    }
    let longest = json!({"name": "é".repeat(200), "country": "US"});
    let answer = stack.call("POST", "/xero/signup", None, Some(longest));
    answer.await.expect(201);
}

#[tokio::test]
async fn a_sign_up_that_was_interrupted_is_taken_up_with_the_same_number() {
    let mut company = newcomer(ann()).await;
    let stack = company.portal.stack.clone();
    let number = format!("9{}", &company.portal.id[1..]);
    let email = company.user.email.clone();
    // The account was made, and then everything stopped.
    let portal = [("custom:portal_id", number.as_str())];
    Account::made(&stack, email.clone(), "administrator", &portal).await;
    assert!(!is_there(&stack, &number).await);
    let (callback, reserved) = allowed(&mut company).await;
    assert_ne!(reserved, number);
    let back = company.browser.follow(&callback).await;
    assert_eq!((back.status, back.location), (303, signed_up(&number)));
    assert!(is_there(&stack, &number).await);
    assert!(!is_there(&stack, &reserved).await);
    let (attributes, _, groups) = account(&stack, &email).await.unwrap();
    assert_eq!(attributes["custom:portal_id"], number);
    assert_eq!(groups, ["administrator"]);
    company.portal.id = reserved;
    assert_eq!(company.keys("").await, Vec::<String>::new());
    company.portal.id = number;
    company.choose(company.tenant).await.expect(200);
    company.call("GET", "/preview", None).await.expect(200);
    // From now on it is an account like any other.
    let (callback, reserved) = allowed(&mut company).await;
    let back = company.browser.follow(&callback).await;
    page(&back, 409, ACCOUNT_THERE);
    assert!(!is_there(&stack, &reserved).await);
}

#[tokio::test]
async fn of_two_who_take_up_a_sign_up_at_once_there_is_one_portal() {
    let mut company = newcomer(ann()).await;
    let stack = company.portal.stack.clone();
    let number = format!("9{}", &company.portal.id[1..]);
    let email = company.user.email.clone();
    let portal = [("custom:portal_id", number.as_str())];
    Account::made(&stack, email.clone(), "administrator", &portal).await;
    let mut twin = company.again_elsewhere().await;
    let (first, one) = allowed(&mut company).await;
    let (second, other) = allowed(&mut twin).await;
    let (a, b) = tokio::join!(company.browser.follow(&first), twin.browser.follow(&second));
    let mut made = 0;
    for back in [a, b] {
        match back.status {
            303 => {
                assert_eq!(back.location, signed_up(&number));
                made += 1;
            }
            _ => assert_eq!(back.status, 409, "{back:?}"),
        }
    }
    assert!(made > 0, "nobody was told of it");
    assert!(is_there(&stack, &number).await);
    for reserved in [one, other] {
        assert!(!is_there(&stack, &reserved).await);
        company.portal.id = reserved;
        assert_eq!(company.keys("").await, Vec::<String>::new());
    }
    company.portal.id = number;
    let deeds = company.deeds().await.into_iter();
    assert_eq!(deeds.filter(|deed| deed == "portal_signed_up").count(), 1);
    // Whoever was last may have given back what the other one was connected by; then it is connected again.
    if company.state().await == "not_connected" {
        company.given_back().await;
        company.connect().await;
    }
    company.choose(company.tenant).await.expect(200);
    company.given_back().await;
    company.call("GET", "/preview", None).await.expect(200);
    assert_eq!(company.connected_at_xero().await, [company.tenant]);
}

#[tokio::test]
async fn who_does_not_come_back_as_they_went_has_signed_up_for_nothing() {
    let mut company = newcomer(ann()).await;
    let stack = company.portal.stack.clone();
    let (callback, number) = allowed(&mut company).await;
    company.portal.id = number.clone();
    let before = company.portal.items().await;
    // In another browser; for a portal that there is.
    let another = Browser::new(&stack).follow(&callback).await;
    page(&another, 400, "This page has expired");
    let there = Portal::set_up().await;
    let state = parameter(&callback, "state").replace(&number, &there.id);
    let taken = with(&callback, "state", Some(&state));
    let back = company.browser.follow(&taken).await;
    page(&back, 400, "This page has expired");
    assert_eq!(company.portal.items().await, before);
    assert_eq!(company.count(Route::Token).await, 0);
    // Cancelled: the way back leads to no portal, for there is none.
    let authorise_url = company.browser.sign_up(&form()).await;
    let cancelled = company.xero.cancel(&authorise_url).await;
    let back = company.browser.follow(&cancelled).await;
    page(&back, 200, "Not connected");
    let page = format!("href=\"{}\"", stack.output("PortalUrl"));
    assert!(back.text.contains(&page), "{}", back.text);
    assert!(!is_there(&stack, &number).await);
    assert!(account(&stack, &company.user.email).await.is_none());
    // The number that was kept is still good.
    let back = company.browser.follow(&callback).await;
    assert_eq!(back.location, signed_up(&number));
}
