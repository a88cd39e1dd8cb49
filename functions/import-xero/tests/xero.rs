//! Xero is called as it wants to be, and what it answers is understood: against the stand-in for it, each test one of
//! its own. What is said here about Xero itself is said with its source there.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in tests a panic is how a test fails"
)]

use fake_xero::wire::{Call, NewOrganisation, Person, Quirks, Route, Scripted};
use fake_xero::{CLIENT_ID, CLIENT_SECRET, Driver, XeroUser};
use import_xero::xero::{
    Cause, ConnectionId, Country, Grant, TenantId, Xero, XeroApp, XeroFailure,
};
use jiff::{SignedDuration, Timestamp};
use mapping::import::Employee;
use oauth2::{AccessToken, AuthorizationCode, ClientSecret, PkceCodeVerifier, RefreshToken};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use url::Url;
use uuid::Uuid;

/// All that we ask for (requirement 12).
const SCOPES: &str =
    "openid profile email offline_access accounting.settings.read payroll.employees.read";

/// Long enough for RFC 7636.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The clock that the code under test is given. It stands, before any time of the fake's.
fn ten() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    ten() + SignedDuration::from_secs(seconds)
}

fn app(fake: &Driver) -> XeroApp {
    let url = Url::parse(fake.base_url()).unwrap();
    XeroApp {
        client_id: CLIENT_ID.to_owned(),
        client_secret: ClientSecret::new(CLIENT_SECRET.to_owned()),
        login_url: url.clone(),
        identity_url: url.clone(),
        api_url: url,
        redirect_uri: Url::parse("https://api.example.com/xero/callback").unwrap(),
        scopes: SCOPES.split(' ').map(str::to_owned).collect(),
        pkce: true,
    }
}

fn verifier() -> PkceCodeVerifier {
    PkceCodeVerifier::new(VERIFIER.to_owned())
}

/// Zoë, who has organisations at a Xero of her own, and our app.
struct Scene {
    fake: Driver,
    xero: Xero,
    zoe: XeroUser,
}

impl Scene {
    async fn new() -> Self {
        Scene::with(|_| ()).await
    }

    /// With an app that differs.
    async fn with(change: impl FnOnce(&mut XeroApp)) -> Self {
        let fake = Driver::started().await;
        let zoe = fake.user("Zoë", "Ørsted").await;
        let mut app = app(&fake);
        change(&mut app);
        let xero = Xero::new(app, ten).unwrap();
        Scene { fake, xero, zoe }
    }

    async fn organisation(&self, employees: Vec<Person>) -> Uuid {
        let made = self.fake.australian(&self.zoe, "Ørsted & Co", employees);
        made.await.tenant_id
    }

    /// One that nothing is said of yet but who owns it and its country.
    fn any_organisation(&self, country: impl Into<Value>) -> NewOrganisation {
        NewOrganisation {
            name: None,
            country: country.into(),
            status: "ACTIVE".into(),
            owner: self.zoe.user_id,
            employees: Vec::new(),
            users: Vec::new(),
            quirks: Quirks::default(),
        }
    }

    /// What Xero sends the browser back with.
    async fn back(&self, organisations: &[Uuid]) -> HashMap<String, String> {
        let url = self.xero.authorise_url("7.state", &verifier());
        let zoe = self.zoe.user_id;
        let back = self.fake.consent(url.as_str(), zoe, organisations).await;
        back.query_pairs().into_owned().collect()
    }

    async fn code(&self, organisations: &[Uuid]) -> AuthorizationCode {
        AuthorizationCode::new(self.back(organisations).await.remove("code").unwrap())
    }

    async fn grant(&self, organisations: &[Uuid]) -> Grant {
        let code = self.code(organisations).await;
        self.xero.exchange(code, verifier()).await.ok().unwrap()
    }

    /// The whole way to an organisation with these employees.
    async fn connected(employees: Vec<Person>) -> (Self, TenantId, AccessToken) {
        let scene = Scene::new().await;
        let tenant = scene.organisation(employees).await;
        let grant = scene.grant(&[tenant]).await;
        (scene, tenant_id(tenant), grant.access)
    }

    async fn script(&self, tenant: TenantId, on: Route, answers: Vec<Scripted>) {
        let tenant = tenant.to_string().parse().unwrap();
        self.fake.script_for_organisation(tenant, on, answers).await;
    }

    async fn script_with_her_tokens(&self, on: Route, answers: Vec<Scripted>) {
        let zoe = self.zoe.user_id;
        self.fake.script_for_user(zoe, on, answers).await;
    }

    async fn calls_to(&self, route: Route) -> Vec<Call> {
        let mut calls = self.fake.calls_of(self.zoe.user_id).await.calls;
        calls.retain(|call| call.route == route);
        calls
    }
}

fn tenant_id(id: Uuid) -> TenantId {
    id.to_string().parse().unwrap()
}

fn people(count: usize) -> Vec<Person> {
    let person = |number: usize| {
        let email = format!("p{number}@example.com");
        Person::named(&format!("Per{number}"), "Son", &email)
    };
    (0..count).map(person).collect()
}

/// Ids, and `null` where there is none.
fn ids(people: &[Employee]) -> Vec<Value> {
    let id = |person: &Employee| person.id.map(|id| id.to_string()).into();
    people.iter().map(id).collect()
}

fn limited(retry_after: &str, problem: &str) -> Scripted {
    Scripted::status(429)
        .header("Retry-After", retry_after)
        .header("X-Rate-Limit-Problem", problem)
}

/// Why it failed, as it should have.
fn failure<T>(result: Result<T, XeroFailure>) -> XeroFailure {
    result.err().unwrap()
}

fn busy_until<T>(result: Result<T, XeroFailure>) -> Timestamp {
    match failure(result) {
        XeroFailure::Busy { until } => until,
        other => panic!("{other}"),
    }
}

// Consent and tokens

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_and_who_has_consented() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(Vec::new()).await;
    let back = scene.back(&[tenant]).await;
    assert_eq!(back["state"], "7.state");

    let code = AuthorizationCode::new(back["code"].clone());
    let grant = scene.xero.exchange(code, verifier()).await.ok().unwrap();
    let who = grant.who.unwrap();
    assert_eq!(who.email, scene.zoe.email);
    assert_eq!(grant.expires_at, after(1_800));
    let zoe = scene.zoe.user_id.to_string();
    assert_eq!(grant.xero_user.unwrap().to_string(), zoe);

    let connections = scene.xero.connections(&grant.access).await.unwrap();
    let [connection] = connections.as_slice() else {
        panic!("one organisation was connected")
    };
    assert_eq!(connection.tenant, tenant_id(tenant));
    assert_eq!(connection.name.as_deref(), Some("Ørsted & Co"));
    assert_eq!(connection.auth_event, grant.auth_event);
    assert!(grant.auth_event.is_some());
}

#[tokio::test]
async fn a_code_is_exchanged_once() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(Vec::new()).await;
    let code = scene.code(&[tenant]).await;
    let first = scene.xero.exchange(code.clone(), verifier()).await;
    assert!(first.is_ok());
    let second = failure(scene.xero.exchange(code, verifier()).await);
    assert!(matches!(second, XeroFailure::InvalidGrant), "{second}");
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_its_verifier_or_too_late() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(Vec::new()).await;
    let code = scene.code(&[tenant]).await;
    let another = PkceCodeVerifier::new(VERIFIER.to_lowercase());
    let stolen = failure(scene.xero.exchange(code, another).await);
    assert!(matches!(stolen, XeroFailure::InvalidGrant), "{stolen}");

    let code = scene.code(&[tenant]).await;
    scene.fake.advance(scene.zoe.user_id, 31).await;
    let late = failure(scene.xero.exchange(code, verifier()).await);
    assert!(matches!(late, XeroFailure::InvalidGrant), "{late}");
}

#[tokio::test]
async fn pkce_can_be_switched_off() {
    let scene = Scene::with(|app| app.pkce = false).await;
    let tenant = scene.organisation(Vec::new()).await;
    // The fake refuses a verifier where there was no challenge.
    let grant = scene.grant(&[tenant]).await;
    assert!(scene.xero.connections(&grant.access).await.is_ok());
}

#[tokio::test]
async fn an_app_that_xero_does_not_know_is_our_trouble_and_not_the_code_s() {
    let another = || ClientSecret::new("another-secret".to_owned());
    let scene = Scene::with(|app| app.client_secret = another()).await;
    let tenant = scene.organisation(Vec::new()).await;
    let code = scene.code(&[tenant]).await;
    let refused = failure(scene.xero.exchange(code, verifier()).await);
    let ours = matches!(refused, XeroFailure::Unavailable(Cause::App));
    assert!(ours, "{refused}");
    let refresh = RefreshToken::new("r".to_owned());
    assert!(scene.xero.revoke(&refresh).await.is_err());
}

#[tokio::test]
async fn an_identity_of_another_issuer_is_not_taken_but_the_tokens_are() {
    let scene = Scene::with(|app| {
        let url = app.identity_url.as_str().replace("127.0.0.1", "localhost");
        app.identity_url = Url::parse(&url).unwrap();
    })
    .await;
    let tenant = scene.organisation(Vec::new()).await;
    let grant = scene.grant(&[tenant]).await;
    assert!(grant.who.is_none());
    assert!(scene.xero.connections(&grant.access).await.is_ok());
}

#[tokio::test]
async fn without_offline_access_there_is_no_grant() {
    let scene = Scene::with(|app| app.scopes.retain(|scope| scope != "offline_access")).await;
    let tenant = scene.organisation(Vec::new()).await;
    let code = scene.code(&[tenant]).await;
    let refused = failure(scene.xero.exchange(code, verifier()).await);
    assert!(matches!(refused, XeroFailure::Malformed(_)), "{refused}");
}

#[tokio::test]
async fn requirement_1_a_refresh_token_is_replaced_and_the_old_one_has_half_an_hour() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(Vec::new()).await;
    let first = scene.grant(&[tenant]).await;
    let second = scene.xero.refresh(&first.refresh).await.ok().unwrap();
    assert_ne!(second.refresh.secret(), first.refresh.secret());
    assert_ne!(second.access.secret(), first.access.secret());
    assert_eq!(second.expires_at, after(1_800));
    assert_eq!(second.xero_user, first.xero_user);
    assert!(second.who.is_none());
    assert!(scene.xero.connections(&second.access).await.is_ok());

    scene.fake.advance(scene.zoe.user_id, 29 * 60).await;
    assert!(scene.xero.refresh(&first.refresh).await.is_ok());
    scene.fake.advance(scene.zoe.user_id, 2 * 60).await;
    let stale = failure(scene.xero.refresh(&first.refresh).await);
    assert!(matches!(stale, XeroFailure::InvalidGrant), "{stale}");
    assert!(scene.xero.refresh(&second.refresh).await.is_ok());
}

#[tokio::test]
async fn requirement_1_a_refresh_without_an_answer_is_repeated_by_nobody_but_the_caller() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(Vec::new()).await;
    let first = scene.grant(&[tenant]).await;
    let answers = vec![Scripted::lost(), Scripted::status(503)];
    scene.script_with_her_tokens(Route::Token, answers).await;
    for failures in 1..=2 {
        let lost = failure(scene.xero.refresh(&first.refresh).await);
        assert!(matches!(lost, XeroFailure::Unavailable(_)), "{lost}");
        // The exchange was the first call.
        assert_eq!(scene.calls_to(Route::Token).await.len(), 1 + failures);
    }
    assert!(scene.xero.refresh(&first.refresh).await.is_ok());
}

#[tokio::test]
async fn revoking_takes_everything_of_the_user_and_can_be_repeated() {
    let scene = Scene::new().await;
    let one = scene.organisation(Vec::new()).await;
    let two = scene.organisation(Vec::new()).await;
    let first = scene.grant(&[one]).await;
    let second = scene.grant(&[two]).await;
    let before = scene.fake.state(scene.zoe.user_id).await;
    assert_eq!(before.connections.len(), 2);

    scene.xero.revoke(&first.refresh).await.unwrap();
    let left = scene.fake.state(scene.zoe.user_id).await;
    assert!(left.connections.is_empty(), "{left:?}");
    let dead = failure(scene.xero.refresh(&second.refresh).await);
    assert!(matches!(dead, XeroFailure::InvalidGrant), "{dead}");
    scene.xero.revoke(&first.refresh).await.unwrap();
}

#[tokio::test]
async fn requirement_12_the_configured_scopes_are_enough_for_every_call_and_less_is_not() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let xero = &scene.xero;
    assert!(xero.organisation(&access, &tenant).await.is_ok());
    for country in [Country::Australia, Country::UnitedStates] {
        assert!(xero.staff(&access, &tenant, country).await.is_ok());
    }
    let connections = xero.connections(&access).await.unwrap();
    let given_back = xero.delete_connection(&access, &connections[0].id).await;
    assert!(given_back.is_ok());

    let scene =
        Scene::with(|app| app.scopes.retain(|scope| scope != "payroll.employees.read")).await;
    let tenant = scene.organisation(people(1)).await;
    let access = scene.grant(&[tenant]).await.access;
    let (xero, tenant) = (&scene.xero, tenant_id(tenant));
    let refused = failure(xero.staff(&access, &tenant, Country::Australia).await);
    assert!(matches!(refused, XeroFailure::NotAllowed), "{refused}");
    assert!(xero.organisation(&access, &tenant).await.is_ok());
}

#[tokio::test]
async fn tokens_can_be_had_by_a_handler_that_moves_between_threads() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(Vec::new()).await;
    let code = scene.code(&[tenant]).await;
    let xero = scene.xero.clone();
    let tokens = tokio::spawn(async move {
        let grant = xero.exchange(code, verifier()).await?;
        xero.refresh(&grant.refresh).await
    });
    assert!(tokens.await.unwrap().is_ok());
}

// Connections

#[tokio::test]
async fn requirement_4_connections_are_deleted_by_their_own_id_and_organisations_asked_by_theirs() {
    let scene = Scene::new().await;
    let leaves = scene.organisation(people(1)).await;
    let stays = scene.organisation(people(1)).await;
    let access = scene.grant(&[leaves, stays]).await.access;
    let xero = &scene.xero;
    let connections = xero.connections(&access).await.unwrap();
    let mut connections = connections.iter();
    let leaving = connections.find(|connection| connection.tenant == tenant_id(leaves));
    let leaving = leaving.unwrap();

    // What is easily mixed up: Xero refuses the one in the place of the other.
    let tenant_as_connection: ConnectionId = leaves.to_string().parse().unwrap();
    let mixed_up = failure(xero.delete_connection(&access, &tenant_as_connection).await);
    assert!(matches!(mixed_up, XeroFailure::NotAllowed), "{mixed_up}");
    let connection_as_tenant: TenantId = leaving.id.to_string().parse().unwrap();
    let mixed_up = failure(xero.organisation(&access, &connection_as_tenant).await);
    assert!(matches!(mixed_up, XeroFailure::NotAllowed), "{mixed_up}");

    let staff = xero.staff(&access, &leaving.tenant, Country::Australia);
    assert_eq!(staff.await.ok().unwrap().len(), 1);
    xero.delete_connection(&access, &leaving.id).await.unwrap();
    let asked = scene.calls_to(Route::Employees).await;
    assert_eq!(asked[0].tenant_id, Some(leaves));
    let deleted = scene.calls_to(Route::DeleteConnection).await;
    assert_eq!(deleted[1].path, format!("/connections/{}", leaving.id));
    assert_eq!(deleted[1].tenant_id, None);

    let left = xero.connections(&access).await.unwrap();
    let tenants: Vec<_> = left.iter().map(|connection| connection.tenant).collect();
    assert_eq!(tenants, [tenant_id(stays)]);
}

#[tokio::test]
async fn requirement_6_a_connection_that_is_gone_already_is_given_back() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(Vec::new()).await;
    let access = scene.grant(&[tenant]).await.access;
    let connections = scene.xero.connections(&access).await.unwrap();
    let id = &connections[0].id;
    for _ in 0..2 {
        scene.xero.delete_connection(&access, id).await.unwrap();
    }
    let answers = vec![Scripted::status(503)];
    scene
        .script_with_her_tokens(Route::DeleteConnection, answers)
        .await;
    let down = failure(scene.xero.delete_connection(&access, id).await);
    assert!(matches!(down, XeroFailure::Unavailable(_)), "{down}");
    assert_eq!(scene.calls_to(Route::DeleteConnection).await.len(), 3);
}

#[tokio::test]
async fn requirement_5_what_was_disconnected_in_xero_is_seen_although_tokens_are_refreshed() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(people(1)).await;
    let grant = scene.grant(&[tenant]).await;
    scene.fake.disconnect(tenant).await;
    let access = scene
        .xero
        .refresh(&grant.refresh)
        .await
        .ok()
        .unwrap()
        .access;
    let (xero, tenant) = (&scene.xero, tenant_id(tenant));
    assert_eq!(xero.connections(&access).await.unwrap(), []);
    let refused = failure(xero.organisation(&access, &tenant).await);
    assert!(matches!(refused, XeroFailure::NotAllowed), "{refused}");
    let refused = failure(xero.staff(&access, &tenant, Country::Australia).await);
    assert!(matches!(refused, XeroFailure::NotAllowed), "{refused}");
}

// The organisation and its people

#[tokio::test]
async fn an_organisation_says_its_country_and_whether_it_is_active() {
    let scene = Scene::new().await;
    for (country, status, expected) in [
        (json!("AU"), json!("ACTIVE"), (Some("AU"), true)),
        (json!("US"), json!("ACTIVE"), (Some("US"), true)),
        (json!("NZ"), json!("SOMETHINGNEW"), (Some("NZ"), false)),
        (Value::Null, Value::Null, (None, false)),
        (json!(61), json!(1), (None, false)),
    ] {
        let mut new = scene.any_organisation(country);
        new.status = status;
        let tenant = scene.fake.organisation(&new).await.tenant_id;
        let access = scene.grant(&[tenant]).await.access;
        let organisation = scene.xero.organisation(&access, &tenant_id(tenant)).await;
        let organisation = organisation.unwrap();
        let got = (organisation.country.as_deref(), organisation.active);
        assert_eq!(got, expected);
        assert_eq!(organisation.name, None);
    }
}

#[tokio::test]
async fn requirements_8_and_9_everybody_is_read_by_list_calls_alone_and_no_more_than_needed() {
    let scene = Scene::new().await;
    for (count, pages) in [
        (0, 1),
        (1, 1),
        (99, 1),
        (100, 2),
        (101, 2),
        (199, 2),
        (200, 3),
        (201, 3),
        (350, 4),
    ] {
        let mut new = scene.any_organisation("AU");
        new.employees = people(count);
        let made = scene.fake.organisation(&new).await;
        let access = scene.grant(&[made.tenant_id]).await.access;
        let tenant = tenant_id(made.tenant_id);
        let staff = scene.xero.staff(&access, &tenant, Country::Australia).await;
        assert_eq!(ids(&staff.ok().unwrap()), made.employee_ids, "{count}");

        let about = scene.fake.calls_about(made.tenant_id).await;
        let asked: Vec<_> = about.calls.iter().map(|call| call.query.clone()).collect();
        let expected: Vec<_> = (1..=pages).map(|page| format!("page={page}")).collect();
        assert_eq!(asked, expected, "{count}");
        for call in &about.calls {
            assert_eq!(call.path, "/payroll.xro/1.0/Employees");
            assert_eq!(call.headers["accept"], "application/json");
        }
        // Requirement 7: one after the other.
        assert_eq!(about.most_at_once[&made.tenant_id], 1);
    }
}

#[tokio::test]
async fn requirement_9_a_xero_that_ignores_the_page_is_asked_twice_and_nobody_counts_twice() {
    let scene = Scene::new().await;
    for (count, pages, read) in [(99, 1, 99), (100, 2, 100), (350, 2, 100)] {
        let mut new = scene.any_organisation("AU");
        new.employees = people(count);
        new.quirks.ignores_page = true;
        let made = scene.fake.organisation(&new).await;
        let access = scene.grant(&[made.tenant_id]).await.access;
        let tenant = tenant_id(made.tenant_id);
        let staff = scene.xero.staff(&access, &tenant, Country::Australia).await;
        assert_eq!(ids(&staff.ok().unwrap()), made.employee_ids[..read]);
        let about = scene.fake.calls_about(made.tenant_id).await;
        assert_eq!(about.calls.len(), pages, "{count}");
    }
}

#[tokio::test]
async fn requirement_9_there_is_a_ceiling_of_pages() {
    let (scene, tenant, access) = Scene::connected(people(4_050)).await;
    let staff = scene.xero.staff(&access, &tenant, Country::Australia).await;
    assert!(matches!(staff, Err(XeroFailure::TooMany)));
    assert_eq!(scene.calls_to(Route::Employees).await.len(), 40);
}

#[tokio::test]
async fn requirement_10_odd_records_are_somebody_each_and_cost_nobody_else() {
    let scene = Scene::new().await;
    let mut new = scene.any_organisation("AU");
    new.quirks.ignores_where = true;
    new.employees = vec![
        Person::named("Ann", "Smith", "ann@example.com"),
        Person::named("Bob", "Stone", "bob@example.com").with("email", Value::Null),
        Person::named("Cid", "Stone", "cid@example.com").without("email"),
        Person::named("Dee", "Stone", "dee@example.com").with("id", "17"),
        Person::named("Eve", "Stone", "eve@example.com").with("last_name", json!({"x": 1})),
        Person::named("Fay", "Stone", "fay@example.com").with("status", "ON_LEAVE"),
        Person::named("Gus", "Stone", "gus@example.com").with("status", "TERMINATED"),
        Person::named("Hal", "Stone", "hal@example.com").with("status", Value::Null),
        Person::named(" Zoë ", "Ørsted", "zoe@example.com"),
    ];
    let made = scene.fake.organisation(&new).await;
    let access = scene.grant(&[made.tenant_id]).await.access;
    let tenant = tenant_id(made.tenant_id);
    let staff = scene.xero.staff(&access, &tenant, Country::Australia).await;
    let staff = staff.ok().unwrap();

    let mut expected_ids = made.employee_ids;
    expected_ids[3] = Value::Null;
    assert_eq!(ids(&staff), expected_ids);
    let line = |person: &Employee| {
        let Employee {
            first_name,
            last_name,
            email,
            status,
            ..
        } = person;
        [first_name, last_name, email, status]
            .map(|value| value.as_deref().unwrap_or("-"))
            .join("|")
    };
    let lines: Vec<_> = staff.iter().map(line).collect();
    let expected = [
        "Ann|Smith|ann@example.com|ACTIVE",
        "Bob|Stone|-|ACTIVE",
        "Cid|Stone|-|ACTIVE",
        "Dee|Stone|dee@example.com|ACTIVE",
        "Eve|-|eve@example.com|ACTIVE",
        "Fay|Stone|fay@example.com|ON_LEAVE",
        "Gus|Stone|gus@example.com|TERMINATED",
        "Hal|Stone|hal@example.com|-",
        " Zoë |Ørsted|zoe@example.com|ACTIVE",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn in_the_united_states_it_is_the_organisation_s_users_and_payroll_is_not_asked() {
    let scene = Scene::new().await;
    let mut new = scene.any_organisation("US");
    new.users = vec![
        Person::named("Ann", "Smith", "ann@example.com"),
        Person::named("Bob", "Stone", "bob@example.com").with("role", "SOMETHINGNEW"),
    ];
    let tenant = scene.fake.organisation(&new).await.tenant_id;
    let access = scene.grant(&[tenant]).await.access;
    let tenant = tenant_id(tenant);
    let staff = scene.xero.staff(&access, &tenant, Country::UnitedStates);
    let staff = staff.await.ok().unwrap();
    let emails: Vec<_> = staff.iter().flat_map(|person| &person.email).collect();
    assert_eq!(emails, ["ann@example.com", "bob@example.com"]);
    for person in &staff {
        assert!(person.id.is_some() && person.status.is_none());
    }
    assert_eq!(scene.calls_to(Route::Users).await.len(), 1);
    assert_eq!(scene.calls_to(Route::Employees).await.len(), 0);
}

// When Xero does not answer as we wish

#[tokio::test]
async fn requirement_7_a_short_limit_is_waited_for() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let answers = vec![limited("1", "minute"), limited("0", "concurrent")];
    scene.script(tenant, Route::Employees, answers).await;
    let begun = Instant::now();
    let staff = scene.xero.staff(&access, &tenant, Country::Australia).await;
    assert_eq!(staff.ok().unwrap().len(), 1);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(scene.calls_to(Route::Employees).await.len(), 3);
}

#[tokio::test]
async fn requirement_7_a_limit_that_is_long_or_the_day_s_or_does_not_end_is_told_at_once() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let no_end = [
        limited("0", "minute"),
        limited("0", "minute"),
        limited("7", "minute"),
    ];
    let cases = [
        (vec![limited("42", "minute")], 42, 1),
        (vec![limited("66975", "day")], 66_975, 1),
        (vec![limited("5", "day")], 5, 1),
        (vec![Scripted::status(429)], 60, 1),
        (no_end.to_vec(), 7, 3),
    ];
    let mut calls = 0;
    for (answers, seconds, asked) in cases {
        scene.script(tenant, Route::Employees, answers).await;
        let staff = scene.xero.staff(&access, &tenant, Country::Australia).await;
        assert_eq!(busy_until(staff), after(seconds));
        calls += asked;
        assert_eq!(scene.calls_to(Route::Employees).await.len(), calls);
    }
}

#[tokio::test]
async fn requirement_7_the_token_endpoint_may_be_busy_too_and_the_code_is_good_still() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(Vec::new()).await;
    let code = scene.code(&[tenant]).await;
    let answers = vec![limited("99", "appminute"), limited("0", "appminute")];
    scene.script_with_her_tokens(Route::Token, answers).await;
    let grant = scene.xero.exchange(code.clone(), verifier()).await;
    assert_eq!(busy_until(grant), after(99));
    assert!(scene.xero.exchange(code, verifier()).await.is_ok());
    assert_eq!(scene.calls_to(Route::Token).await.len(), 3);
}

#[tokio::test]
async fn an_expired_access_token_is_told_apart_by_every_api() {
    let scene = Scene::new().await;
    let tenant = scene.organisation(people(1)).await;
    let grant = scene.grant(&[tenant]).await;
    scene.fake.expire_access(scene.zoe.user_id).await;
    let (xero, access, tenant) = (&scene.xero, &grant.access, tenant_id(tenant));
    let connection = tenant.to_string().parse().unwrap();
    let expired = [
        failure(xero.connections(access).await),
        failure(xero.delete_connection(access, &connection).await),
        failure(xero.organisation(access, &tenant).await),
        failure(xero.staff(access, &tenant, Country::Australia).await),
        failure(xero.staff(access, &tenant, Country::UnitedStates).await),
    ];
    for expired in expired {
        assert!(matches!(expired, XeroFailure::TokenExpired), "{expired}");
    }
    let access = xero.refresh(&grant.refresh).await.ok().unwrap().access;
    let staff = xero.staff(&access, &tenant, Country::Australia).await;
    assert_eq!(staff.ok().unwrap().len(), 1);
}

#[tokio::test]
async fn what_may_be_trouble_of_a_moment_is_asked_once_more_and_only_once() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let mut calls = 0;
    for (first, second) in [
        (Scripted::status(503), Scripted::status(500)),
        (Scripted::reset(), Scripted::status(502)),
        (Scripted::status(500), Scripted::reset()),
    ] {
        let answers = vec![first.clone()];
        scene.script(tenant, Route::Employees, answers).await;
        let staff = scene.xero.staff(&access, &tenant, Country::Australia).await;
        assert_eq!(staff.ok().unwrap().len(), 1);

        let answers = vec![first, second];
        scene.script(tenant, Route::Employees, answers).await;
        let down = failure(scene.xero.staff(&access, &tenant, Country::Australia).await);
        assert!(matches!(down, XeroFailure::Unavailable(_)), "{down}");
        calls += 4;
        assert_eq!(scene.calls_to(Route::Employees).await.len(), calls);
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_not_waited_for() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let answers = vec![Scripted::delay_ms(15_000)];
    scene.script(tenant, Route::Organisation, answers).await;
    let begun = Instant::now();
    assert!(scene.xero.organisation(&access, &tenant).await.is_ok());
    let took = begun.elapsed().as_secs();
    assert!((9..14).contains(&took), "{took} s");
    assert_eq!(scene.calls_to(Route::Organisation).await.len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_none_is_told_and_not_asked_for_again() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let answers = vec![
        Scripted::malformed(),
        Scripted::status(200).body("<html>Down for maintenance"),
        Scripted::status(200).body(json!({"Status": "OK"})),
        Scripted::status(204),
    ];
    let count = answers.len();
    scene.script(tenant, Route::Employees, answers).await;
    for _ in 0..count {
        let odd = failure(scene.xero.staff(&access, &tenant, Country::Australia).await);
        assert!(matches!(odd, XeroFailure::Malformed("employees")), "{odd}");
    }
    assert_eq!(scene.calls_to(Route::Employees).await.len(), count);

    let answers = vec![Scripted::status(200).body(json!({"Organisations": []}))];
    scene.script(tenant, Route::Organisation, answers).await;
    let odd = failure(scene.xero.organisation(&access, &tenant).await);
    assert!(matches!(odd, XeroFailure::Malformed(_)), "{odd}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let elsewhere = format!("{}/payroll.xro/1.0/Employees", scene.fake.base_url());
    let answers = vec![Scripted::status(307).header("Location", &elsewhere)];
    scene.script(tenant, Route::Employees, answers).await;
    let away = failure(scene.xero.staff(&access, &tenant, Country::Australia).await);
    let stays = matches!(away, XeroFailure::Unavailable(Cause::Status(status)) if status == 307);
    assert!(stays, "{away}");
    assert_eq!(scene.calls_to(Route::Employees).await.len(), 1);
}

#[tokio::test]
async fn what_payroll_refuses_is_told_from_what_it_does_not_have_and_no_text_of_it_is_kept() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let answers = vec![
        Scripted::status(403).body("<ApiException><Message>ann@example.com</Message>"),
        Scripted::status(401).body(json!({"title": "x", "detail": "AuthorizationUnsuccessful"})),
        Scripted::status(404),
        Scripted::status(400).body(json!({"ErrorNumber": 16, "Message": "ann@example.com"})),
    ];
    scene.script(tenant, Route::Employees, answers).await;
    let staff = || scene.xero.staff(&access, &tenant, Country::Australia);
    let failures = [
        failure(staff().await),
        failure(staff().await),
        failure(staff().await),
        failure(staff().await),
    ];
    let [scope, access, nothing, query] = &failures;
    assert!(matches!(scope, XeroFailure::NotAllowed), "{scope}");
    assert!(matches!(access, XeroFailure::NotAllowed), "{access}");
    assert!(matches!(nothing, XeroFailure::NotFound), "{nothing}");
    let refused = matches!(query, XeroFailure::Unavailable(Cause::Status(_)));
    assert!(refused, "{query}");
    for failure in &failures {
        assert!(!format!("{failure:?}").contains('@'), "{failure}");
    }
}

#[tokio::test]
async fn what_is_printed_of_a_failure_has_no_address_query_or_token_in_it() {
    let (scene, tenant, access) = Scene::connected(people(1)).await;
    let answers = vec![Scripted::reset(), Scripted::reset()];
    scene.script(tenant, Route::Employees, answers).await;
    let broken = failure(scene.xero.staff(&access, &tenant, Country::Australia).await);
    let unanswered = matches!(broken, XeroFailure::Unavailable(Cause::NoAnswer(_)));
    assert!(unanswered, "{broken}");
    let printed = format!("{broken:?} {broken}");
    for secret in ["Employees", "page", "ACTIVE", access.secret().as_str()] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
