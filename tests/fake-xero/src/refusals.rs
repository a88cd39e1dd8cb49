//! What the fake refuses, as Xero does: a client that passes against a fake that takes anything has shown nothing.

use crate::wire::{NewOrganisation, Person, Quirks, Route, Scripted, UserMade};
use crate::{CLIENT_ID, CLIENT_SECRET, Driver, XeroUser};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use url::Url;
use uuid::Uuid;

const BACK: &str = "http://127.0.0.1:1/xero/callback";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";
const SCOPES: &str =
    "openid profile email offline_access accounting.settings.read payroll.employees.read";

/// The app, and somebody with an organisation.
struct Scene {
    xero: Driver,
    http: reqwest::Client,
    user: XeroUser,
    tenant: Uuid,
}

struct Tokens {
    access: String,
    refresh: String,
}

impl Scene {
    async fn of(employees: Vec<Person>) -> Self {
        let xero = Driver::started().await;
        let user = xero.user("Ada", "Owner").await;
        let tenant = xero
            .australian(&user, "Harbour Café", employees)
            .await
            .tenant_id;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Scene {
            http: http.build().unwrap(),
            xero,
            user,
            tenant,
        }
    }

    fn authorise_url(&self, changes: &[(&str, &str)]) -> String {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut parameters = HashMap::from([
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", BACK),
            ("scope", SCOPES),
            ("state", "7.state"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("nonce", "once"),
        ]);
        parameters.extend(changes.iter().copied());
        let url = format!("{}/identity/connect/authorize", self.xero.base_url());
        Url::parse_with_params(&url, parameters).unwrap().into()
    }

    async fn code(&self) -> String {
        let url = self.authorise_url(&[]);
        let back = self
            .xero
            .consent(&url, self.user.user_id, &[self.tenant])
            .await;
        parameter(&back, "code").unwrap()
    }

    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/connect/token", self.xero.base_url());
        let request = self
            .http
            .post(url)
            .basic_auth(CLIENT_ID, Some(CLIENT_SECRET));
        answer(request.form(form)).await
    }

    async fn exchange(&self, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
        let mut form = HashMap::from([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ]);
        form.extend(changes.iter().copied());
        self.token(&form.into_iter().collect::<Vec<_>>()).await
    }

    async fn refresh(&self, token: &str) -> (u16, Value) {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    async fn connected(&self) -> Tokens {
        let (status, granted) = self.exchange(&self.code().await, &[]).await;
        assert_eq!(status, 200, "{granted}");
        Tokens::of(&granted)
    }

    async fn get(&self, path: &str, access: &str, tenant: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.xero.base_url());
        let request = self.http.get(url).bearer_auth(access);
        let request = request.header("accept", "application/json");
        answer(request.header("xero-tenant-id", tenant)).await
    }

    async fn employees(&self, tokens: &Tokens, query: &str) -> (u16, Value) {
        let path = format!("/payroll.xro/1.0/Employees{query}");
        let tenant = self.tenant.to_string();
        self.get(&path, &tokens.access, &tenant).await
    }
}

impl Tokens {
    fn of(granted: &Value) -> Self {
        Tokens {
            access: granted["access_token"].as_str().unwrap().to_owned(),
            refresh: granted["refresh_token"].as_str().unwrap().to_owned(),
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn refused(error: &str) -> (u16, Value) {
    (400, json!({"error": error}))
}

fn claims(token: &Value) -> Value {
    let claims = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

fn emails(answer: &Value) -> Vec<&str> {
    let people = answer["Employees"].as_array().unwrap().iter();
    people
        .filter_map(|person| person["Email"].as_str())
        .collect()
}

fn staff(count: usize) -> Vec<Person> {
    let somebody = |n| Person::named("Given", "Family", &format!("{n}@example.com"));
    (0..count).map(somebody).collect()
}

#[tokio::test]
async fn a_request_that_xero_does_not_understand_never_comes_back() {
    let scene = Scene::of(vec![]).await;
    for changes in [
        [("client_id", "somebody-else")],
        [("redirect_uri", "http://example.com/callback")],
        [("scope", "openid accounting.everything")],
        [("scope", "")],
        [("response_type", "token")],
        [("code_challenge_method", "plain")],
    ] {
        let url = scene.authorise_url(&changes);
        let shown = scene.http.get(&url).send().await.unwrap();
        assert_eq!(shown.status(), 500, "{changes:?}");
        assert!(shown.headers().get("location").is_none());
    }
}

#[tokio::test]
async fn who_cancels_comes_back_with_the_state_and_without_a_code() {
    let scene = Scene::of(vec![]).await;
    let back = scene.xero.cancel(&scene.authorise_url(&[])).await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "state").as_deref(), Some("7.state"));
    assert_eq!(parameter(&back, "code"), None);
    assert!(
        scene
            .xero
            .state(scene.user.user_id)
            .await
            .connections
            .is_empty()
    );
}

#[tokio::test]
async fn nobody_connects_what_is_somebody_elses() {
    let scene = Scene::of(vec![]).await;
    let other = scene.xero.user("Bo", "Other").await;
    let mut form: Vec<(String, String)> = Url::parse(&scene.authorise_url(&[]))
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    for (name, value) in [
        ("decision", "allow".to_owned()),
        ("user_id", other.user_id.to_string()),
        ("organisation", scene.tenant.to_string()),
    ] {
        form.push((name.to_owned(), value));
    }
    let url = format!("{}/identity/connect/authorize", scene.xero.base_url());
    let (status, _) = answer(scene.http.post(url).form(&form)).await;
    assert_eq!(status, 400);
    assert!(scene.xero.state(other.user_id).await.connections.is_empty());
}

#[tokio::test]
async fn a_code_works_once_within_thirty_seconds_for_who_asked_for_it() {
    let scene = Scene::of(vec![]).await;
    let (status, granted) = scene.exchange(&scene.code().await, &[]).await;
    assert_eq!(status, 200);
    assert_eq!(granted["expires_in"], 1800);

    for changes in [
        [(
            "code_verifier",
            "another-verifier-of-forty-three-characters-",
        )],
        [("code_verifier", "")],
        [("redirect_uri", "http://127.0.0.1:2/xero/callback")],
    ] {
        let code = scene.code().await;
        let outcome = scene.exchange(&code, &changes).await;
        assert_eq!(outcome, refused("invalid_grant"), "{changes:?}");
        // It is used up by the attempt.
        let again = scene.exchange(&code, &[]).await;
        assert_eq!(again, refused("invalid_grant"), "{changes:?}");
    }

    let code = scene.code().await;
    scene.exchange(&code, &[]).await;
    assert_eq!(scene.exchange(&code, &[]).await, refused("invalid_grant"));

    let code = scene.code().await;
    scene.xero.advance(scene.user.user_id, 31).await;
    assert_eq!(scene.exchange(&code, &[]).await, refused("invalid_grant"));
}

#[tokio::test]
async fn only_our_app_gets_tokens_by_the_header_or_by_the_form() {
    let scene = Scene::of(vec![]).await;
    let url = format!("{}/connect/token", scene.xero.base_url());
    for (secret, status) in [("a-wrong-secret", 400), (CLIENT_SECRET, 200)] {
        let code = scene.code().await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ];
        let basic = scene.http.post(&url).basic_auth(CLIENT_ID, Some(secret));
        assert_eq!(answer(basic.form(&form)).await.0, status);

        let code = scene.code().await;
        let form = [
            form[0],
            ("code", code.as_str()),
            form[2],
            form[3],
            ("client_id", CLIENT_ID),
            ("client_secret", secret),
        ];
        assert_eq!(answer(scene.http.post(&url).form(&form)).await.0, status);
    }
    assert_eq!(
        scene.token(&[("grant_type", "password")]).await,
        refused("unsupported_grant_type")
    );
}

#[tokio::test]
async fn tokens_say_who_and_which_consent_and_no_more_than_was_asked_for() {
    let scene = Scene::of(vec![]).await;
    let (_, granted) = scene.exchange(&scene.code().await, &[]).await;
    let who = claims(&granted["id_token"]);
    assert_eq!(who["iss"], scene.xero.base_url());
    assert_eq!(who["aud"], CLIENT_ID);
    assert_eq!(who["nonce"], "once");
    assert_eq!(who["email"], scene.user.email);
    assert_eq!(
        (&who["given_name"], &who["family_name"]),
        (&json!("Ada"), &json!("Owner"))
    );
    let event = claims(&granted["access_token"])["authentication_event_id"].clone();
    let live = scene.xero.state(scene.user.user_id).await.connections;
    assert_eq!(json!(live[0].auth_event_id), event);

    // To sign in needs no organisation, and shows none.
    let url = scene.authorise_url(&[("scope", "openid email")]);
    let back = scene.xero.consent(&url, scene.user.user_id, &[]).await;
    let code = parameter(&back, "code").unwrap();
    let (_, granted) = scene.exchange(&code, &[]).await;
    assert_eq!(granted["refresh_token"], Value::Null);
    assert_eq!(claims(&granted["id_token"])["given_name"], Value::Null);
    let access = granted["access_token"].as_str().unwrap();
    let tenant = scene.tenant.to_string();
    for path in [
        "/payroll.xro/1.0/Employees",
        "/api.xro/2.0/Organisation",
        "/api.xro/2.0/Users",
    ] {
        let (status, refusal) = scene.get(path, access, &tenant).await;
        assert_eq!(
            (status, &refusal["Detail"]),
            (401, &json!("AuthorizationUnsuccessful"))
        );
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_used_is_taken_for_thirty_minutes_more() {
    let scene = Scene::of(vec![]).await;
    let user = scene.user.user_id;
    let old = scene.connected().await.refresh;
    let (status, granted) = scene.refresh(&old).await;
    assert_eq!(status, 200);
    let new = Tokens::of(&granted).refresh;
    assert_ne!(new, old);

    scene.xero.advance(user, 30 * 60 - 1).await;
    assert_eq!(scene.refresh(&old).await.0, 200);
    scene.xero.advance(user, 2).await;
    assert_eq!(scene.refresh(&old).await, refused("invalid_grant"));
    assert_eq!(scene.refresh(&new).await.0, 200);
}

#[tokio::test]
async fn a_refresh_token_that_nobody_uses_dies_after_sixty_days() {
    let scene = Scene::of(vec![]).await;
    let token = scene.connected().await.refresh;
    scene
        .xero
        .advance(scene.user.user_id, 60 * 24 * 3600 + 1)
        .await;
    assert_eq!(scene.refresh(&token).await, refused("invalid_grant"));
    assert_eq!(scene.xero.state(scene.user.user_id).await.refresh_tokens, 0);
}

#[tokio::test]
async fn an_access_token_expires_for_its_user_alone() {
    let scene = Scene::of(staff(1)).await;
    let tokens = scene.connected().await;
    let other = scene.xero.user("Bo", "Other").await;
    scene.xero.advance(other.user_id, 3600).await;
    assert_eq!(scene.employees(&tokens, "").await.0, 200);

    scene.xero.expire_access(scene.user.user_id).await;
    let (status, refusal) = scene.employees(&tokens, "").await;
    assert_eq!(status, 401);
    assert!(
        refusal["Detail"]
            .as_str()
            .unwrap()
            .starts_with("TokenExpired")
    );
    let (status, refusal) = scene.get("/connections", &tokens.access, "").await;
    assert_eq!(status, 401);
    assert!(
        refusal["detail"]
            .as_str()
            .unwrap()
            .starts_with("TokenExpired")
    );

    let (_, granted) = scene.refresh(&tokens.refresh).await;
    assert_eq!(scene.employees(&Tokens::of(&granted), "").await.0, 200);
}

#[tokio::test]
async fn a_connection_is_deleted_by_its_own_id_alone() {
    let scene = Scene::of(vec![]).await;
    let tokens = scene.connected().await;
    let (_, list) = scene.get("/connections", &tokens.access, "").await;
    let connection = &list[0];
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(connection["tenantName"], "Harbour Café");
    let created = connection["createdDateUtc"].as_str().unwrap();
    assert_eq!(created.len(), "2020-03-18T21:20:07.7179250".len());

    let delete = async |id: &Value| {
        let url = format!(
            "{}/connections/{}",
            scene.xero.base_url(),
            id.as_str().unwrap()
        );
        let request = scene.http.request(Method::DELETE, url);
        answer(request.bearer_auth(&tokens.access)).await.0
    };
    assert_eq!(delete(&connection["tenantId"]).await, 403);
    assert_eq!(delete(&connection["authEventId"]).await, 403);
    assert_eq!(
        scene.xero.state(scene.user.user_id).await.connections.len(),
        1
    );
    assert_eq!(delete(&connection["id"]).await, 204);
    assert_eq!(delete(&connection["id"]).await, 404);
    assert!(
        scene
            .xero
            .state(scene.user.user_id)
            .await
            .connections
            .is_empty()
    );
    // The tokens are the user's, and live on.
    assert_eq!(scene.refresh(&tokens.refresh).await.0, 200);
}

#[tokio::test]
async fn revoking_one_refresh_token_takes_everything_of_its_user_and_of_nobody_else() {
    let scene = Scene::of(vec![]).await;
    let tokens = scene.connected().await;
    let second = scene.connected().await;
    let other = scene.xero.user("Bo", "Other").await;
    let theirs = scene
        .xero
        .australian(&other, "Bakery", vec![])
        .await
        .tenant_id;
    let url = scene.authorise_url(&[]);
    scene.xero.consent(&url, other.user_id, &[theirs]).await;

    let url = format!("{}/connect/revocation", scene.xero.base_url());
    let revoke = async |secret: &str| {
        let request = scene.http.post(&url).basic_auth(CLIENT_ID, Some(secret));
        answer(request.form(&[("token", &tokens.refresh)])).await.0
    };
    assert_eq!(revoke("a-wrong-secret").await, 400);
    assert_eq!(
        scene.xero.state(scene.user.user_id).await.connections.len(),
        1
    );
    assert_eq!(revoke(CLIENT_SECRET).await, 200);
    let state = scene.xero.state(scene.user.user_id).await;
    assert_eq!(
        (
            state.connections.len(),
            state.refresh_tokens,
            state.access_tokens
        ),
        (0, 0, 0)
    );
    assert_eq!(
        scene.refresh(&second.refresh).await,
        refused("invalid_grant")
    );
    assert_eq!(scene.xero.state(other.user_id).await.connections.len(), 1);
    assert_eq!(revoke(CLIENT_SECRET).await, 200);
    let (status, _) = scene.get("/connections", &tokens.access, "").await;
    assert_eq!(status, 401);
    let last = scene.xero.calls_of(scene.user.user_id).await.calls.pop();
    assert_eq!(last.map(|call| call.route), Some(Route::Connections));
}

#[tokio::test]
async fn an_organisation_that_is_not_connected_is_refused() {
    let scene = Scene::of(staff(1)).await;
    let tokens = scene.connected().await;
    let unconnected = scene.xero.australian(&scene.user, "Other", staff(1)).await;
    for tenant in ["", "no-guid", &unconnected.tenant_id.to_string()] {
        let (status, refusal) = scene
            .get("/payroll.xro/1.0/Employees", &tokens.access, tenant)
            .await;
        assert_eq!(
            (status, &refusal["Detail"]),
            (403, &json!("AuthenticationUnsuccessful"))
        );
    }
    assert_eq!(scene.employees(&tokens, "").await.0, 200);
    scene.xero.disconnect(scene.tenant).await;
    assert_eq!(scene.employees(&tokens, "").await.0, 403);
    let (status, list) = scene.get("/connections", &tokens.access, "").await;
    assert_eq!((status, list), (200, json!([])));
    // No payroll outside Australia.
    let new = NewOrganisation {
        name: None,
        country: "US".into(),
        status: "ACTIVE".into(),
        owner: scene.user.user_id,
        employees: vec![],
        users: vec![Person::named("Una", "User", "una@example.com")],
        quirks: Quirks::default(),
    };
    let american = scene.xero.organisation(&new).await.tenant_id;
    let url = scene.authorise_url(&[]);
    scene
        .xero
        .consent(&url, scene.user.user_id, &[american])
        .await;
    let american = american.to_string();
    let payroll = scene.get("/payroll.xro/1.0/Employees", &tokens.access, &american);
    assert_eq!(payroll.await.0, 403);
    let (_, users) = scene
        .get("/api.xro/2.0/Users", &tokens.access, &american)
        .await;
    assert_eq!(users["Users"][0]["EmailAddress"], "una@example.com");
    let (_, shown) = scene
        .get("/api.xro/2.0/Organisation", &tokens.access, &american)
        .await;
    assert_eq!(shown["Organisations"][0]["CountryCode"], "US");
    assert_eq!(shown["Organisations"][0]["Name"], Value::Null);
}

#[tokio::test]
async fn employees_come_a_hundred_a_page_without_a_total_and_only_active_ones() {
    let mut people = staff(201);
    people
        .push(Person::named("Tara", "Terminated", "tara@example.com").with("status", "TERMINATED"));
    let scene = Scene::of(people).await;
    let tokens = scene.connected().await;
    let mut all = Vec::new();
    for (page, count) in [(1, 100), (2, 100), (3, 1), (4, 0)] {
        let query = format!("?page={page}&where=Status%3D%3D%22ACTIVE%22");
        let (_, answer) = scene.employees(&tokens, &query).await;
        let page = emails(&answer);
        assert_eq!(page.len(), count);
        all.extend(page.into_iter().map(str::to_owned));
    }
    let expected: Vec<String> = (0..201).map(|n| format!("{n}@example.com")).collect();
    assert_eq!(all, expected);
    for query in [
        "?page=0",
        "?page=x",
        "?where=Status!%3D%22ACTIVE%22",
        "?order=LastName",
    ] {
        let (status, refusal) = scene.employees(&tokens, query).await;
        assert_eq!(
            (status, &refusal["Type"]),
            (400, &json!("QueryParseException")),
            "{query}"
        );
    }
}

#[tokio::test]
async fn who_does_not_ask_for_json_gets_xml() {
    let scene = Scene::of(staff(1)).await;
    let tokens = scene.connected().await;
    for path in ["/payroll.xro/1.0/Employees", "/api.xro/2.0/Organisation"] {
        let url = format!("{}{path}", scene.xero.base_url());
        let request = scene.http.get(url).bearer_auth(&tokens.access);
        let request = request.header("xero-tenant-id", scene.tenant.to_string());
        let (status, body) = answer(request).await;
        assert_eq!(status, 200);
        assert!(body.as_str().unwrap().starts_with("<Response>"));
    }
}

#[tokio::test]
async fn odd_people_are_answered_as_they_were_given() {
    let odd = vec![
        Person::named("No", "Address", "").without("email"),
        Person::named("Null", "Everything", "")
            .with("email", Value::Null)
            .with("id", Value::Null),
        Person::named("Number", "Status", "n@example.com").with("status", 7),
    ];
    let quirks = Quirks {
        ignores_where: true,
        ignores_page: true,
    };
    let scene = Scene::of(vec![]).await;
    let new = NewOrganisation {
        name: None,
        country: "AU".into(),
        status: "ACTIVE".into(),
        owner: scene.user.user_id,
        employees: odd,
        users: vec![],
        quirks,
    };
    let made = scene.xero.organisation(&new).await;
    let url = scene.authorise_url(&[]);
    let back = scene
        .xero
        .consent(&url, scene.user.user_id, &[made.tenant_id])
        .await;
    let (_, granted) = scene
        .exchange(&parameter(&back, "code").unwrap(), &[])
        .await;
    let path = "/payroll.xro/1.0/Employees?page=2&where=Status%3D%3D%22ACTIVE%22";
    let tenant = made.tenant_id.to_string();
    let (_, answer) = scene.get(path, &Tokens::of(&granted).access, &tenant).await;
    let people = answer["Employees"].as_array().unwrap();
    assert_eq!(people[0].get("Email"), None);
    assert_eq!(people[1].get("Email"), Some(&Value::Null));
    assert_eq!(people[1].get("EmployeeID"), Some(&Value::Null));
    assert_eq!(people[2]["Status"], 7);
    assert_eq!(people[0]["EmployeeID"], made.employee_ids[0]);
    assert!(
        people[0]["DateOfBirth"]
            .as_str()
            .unwrap()
            .starts_with("/Date(-")
    );
}

#[tokio::test]
async fn more_than_five_at_once_and_more_than_sixty_a_minute_are_too_many() {
    let scene = Scene::of(vec![]).await;
    let tokens = scene.connected().await;
    let slow = vec![Scripted::delay_ms(300); 6];
    scene
        .xero
        .script_for_organisation(scene.tenant, Route::Employees, slow)
        .await;
    let six = (0..6).map(|_| {
        let tenant = scene.tenant.to_string();
        let url = format!("{}/payroll.xro/1.0/Employees", scene.xero.base_url());
        let request = scene.http.get(url).bearer_auth(&tokens.access);
        tokio::spawn(answer(request.header("xero-tenant-id", tenant)))
    });
    let mut statuses = Vec::new();
    for call in six.collect::<Vec<_>>() {
        statuses.push(call.await.unwrap().0);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    let calls = scene.xero.calls_about(scene.tenant).await;
    assert_eq!(calls.most_at_once[&scene.tenant], 6);

    let mut last = 200;
    for _ in 0..60 {
        last = scene.employees(&tokens, "").await.0;
    }
    assert_eq!(last, 429);
    scene.xero.advance(scene.user.user_id, 61).await;
    assert_eq!(scene.employees(&tokens, "").await.0, 200);
}

#[tokio::test]
async fn a_script_is_for_its_own_calls_and_each_answer_is_used_once() {
    let scene = Scene::of(staff(1)).await;
    let tokens = scene.connected().await;
    let busy = Scripted::status(429)
        .header("Retry-After", "66975")
        .body(json!({"a": 1}));
    let answers = vec![busy, Scripted::malformed(), Scripted::reset()];
    scene
        .xero
        .script_for_organisation(scene.tenant, Route::Employees, answers)
        .await;
    let tenant = scene.tenant.to_string();
    let organisation = scene.get("/api.xro/2.0/Organisation", &tokens.access, &tenant);
    assert_eq!(organisation.await.0, 200);
    assert_eq!(scene.employees(&tokens, "").await, (429, json!({"a": 1})));
    let (status, body) = scene.employees(&tokens, "").await;
    assert_eq!((status, body.is_string()), (200, true));
    let url = format!("{}/payroll.xro/1.0/Employees", scene.xero.base_url());
    let request = scene.http.get(url).bearer_auth(&tokens.access);
    assert!(
        request
            .header("xero-tenant-id", &tenant)
            .send()
            .await
            .is_err()
    );
    assert_eq!(scene.employees(&tokens, "").await.0, 200);

    let calls = scene.xero.calls_about(scene.tenant).await.calls;
    assert_eq!(calls.len(), 5);
    assert!(
        calls
            .iter()
            .all(|call| !call.headers.contains_key("authorization"))
    );
    assert!(
        calls
            .iter()
            .all(|call| call.user_id == Some(scene.user.user_id))
    );
}

#[tokio::test]
async fn an_answer_that_is_lost_has_had_its_effect() {
    let scene = Scene::of(vec![]).await;
    let old = scene.connected().await.refresh;
    let user = scene.user.user_id;
    scene
        .xero
        .script_for_user(user, Route::Token, vec![Scripted::lost()])
        .await;
    let url = format!("{}/connect/token", scene.xero.base_url());
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", old.as_str()),
    ];
    let request = scene
        .http
        .post(url)
        .basic_auth(CLIENT_ID, Some(CLIENT_SECRET));
    assert!(request.form(&form).send().await.is_err());
    let state = scene.xero.state(user).await;
    assert_eq!(
        (state.refresh_tokens, state.refresh_tokens_in_grace),
        (1, 1)
    );
    assert_eq!(scene.refresh(&old).await.0, 200);
}

#[tokio::test]
async fn a_test_that_does_not_say_whom_it_means_is_refused() {
    let scene = Scene::of(vec![]).await;
    let fake = format!("{}/fake", scene.xero.base_url());
    let script = json!({"on": "token", "answers": [{"status": 500}]});
    let nobodys = scene.http.post(format!("{fake}/scripts")).json(&script);
    assert_eq!(answer(nobodys).await.0, 400);
    assert_eq!(answer(scene.http.get(format!("{fake}/calls"))).await.0, 400);
    let nobody = UserMade {
        user_id: Uuid::new_v4(),
    };
    let state = format!("{fake}/state?user_id={}", nobody.user_id);
    assert_eq!(answer(scene.http.get(state)).await.0, 404);
    let odd = json!({"country": "AU", "owner": scene.user.user_id, "employees": [{"mail": "x"}]});
    let organisation = scene.http.post(format!("{fake}/organisations")).json(&odd);
    assert_eq!(answer(organisation).await.0, 400);
}
