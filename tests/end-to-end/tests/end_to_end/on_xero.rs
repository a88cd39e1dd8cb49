//! A company on Xero, for the tests of the import: a portal, a Xero user, and an organisation of theirs. Nothing is
//! asserted here but that the way was walked.

use end_to_end::{Answer, Answered, Browser, Portal, Stack};
use fake_xero::wire::{Call, NewOrganisation, Person, Quirks, Route, Scripted, UserState};
use fake_xero::{Driver, XeroUser};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use url::Url;
use uuid::Uuid;

/// A debug build on a shared machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Long ago, so that it is due.
pub(crate) const GONE: &str = "2026-01-02T03:04:05.678Z";

/// Later than any test ends.
pub(crate) const NOT_SOON: &str = "2126-01-02T03:04:05.678Z";

/// The schedule's own event.
const SWEEP: &str = include_str!("../../../../events/import-xero.sweep.json");

/// A company on Xero.
pub(crate) struct CompanyOnXero {
    /// Its portal.
    pub(crate) portal: Portal,
    /// Xero.
    pub(crate) xero: Driver,
    /// Who connects.
    pub(crate) user: XeroUser,
    /// Their Australian organisation.
    pub(crate) tenant: Uuid,
    /// Where they do so.
    pub(crate) browser: Browser,
}

/// One who can be imported.
pub(crate) fn ann() -> Vec<Person> {
    vec![Person::named("Ann", "Lee", "ann@x.example")]
}

impl CompanyOnXero {
    /// That has not heard of us.
    pub(crate) async fn new(employees: Vec<Person>) -> Self {
        let portal = Portal::set_up().await;
        let xero = portal.stack.xero();
        let user = xero.user("Olive", "Harper").await;
        let made = xero.australian(&user, "Harbour Café", employees).await;
        CompanyOnXero {
            browser: Browser::new(&portal.stack),
            tenant: made.tenant_id,
            portal,
            xero,
            user,
        }
    }

    /// Connected; the organisation is not chosen yet.
    pub(crate) async fn connected(employees: Vec<Person>) -> Self {
        let mut company = CompanyOnXero::new(employees).await;
        company.connect().await;
        company
    }

    /// Connected, and the organisation is chosen.
    pub(crate) async fn chosen(employees: Vec<Person>) -> Self {
        let company = CompanyOnXero::connected(employees).await;
        company.choose(company.tenant).await.expect(200);
        company
    }

    /// Another portal with which the same Xero user can connect the same organisation.
    pub(crate) async fn again_elsewhere(&self) -> Self {
        let portal = Portal::set_up().await;
        CompanyOnXero {
            browser: Browser::new(&portal.stack),
            xero: self.xero.clone(),
            user: self.user.clone(),
            tenant: self.tenant,
            portal,
        }
    }

    /// Another organisation of the same Xero user's.
    pub(crate) async fn other_organisation(&self, country: &str, status: &str) -> Uuid {
        let new = NewOrganisation {
            name: Some(format!("Another in {country}")),
            country: country.into(),
            status: status.into(),
            owner: self.user.user_id,
            employees: ann(),
            users: ann()
                .into_iter()
                .map(|it| it.without("status").with("role", "STANDARD"))
                .collect(),
            quirks: Quirks::default(),
        };
        self.xero.organisation(&new).await.tenant_id
    }

    /// Connects its organisation.
    pub(crate) async fn connect(&mut self) {
        let callback = self.callback().await;
        let back = self.browser.follow(&callback).await;
        assert_eq!(back.status, 303, "{back:?}");
    }

    /// Begins, and allows at Xero. Where the browser is sent, which has not gone there.
    pub(crate) async fn callback(&mut self) -> Url {
        self.callback_for(&[self.tenant]).await
    }

    /// The same for these organisations.
    pub(crate) async fn callback_for(&mut self, organisations: &[Uuid]) -> Url {
        let authorise_url = self.browser.begin(&self.portal).await;
        let consent = self
            .xero
            .consent(&authorise_url, self.user.user_id, organisations);
        consent.await
    }

    /// Chooses an organisation.
    pub(crate) async fn choose(&self, tenant: impl ToString) -> Answer {
        let body = json!({"tenant_id": tenant.to_string()});
        self.call("PUT", "/organisation", Some(body)).await
    }

    /// A request below the portal's `/xero`, by an operator.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let path = format!("/xero{path}");
        self.portal.call(method, &path, body).await
    }

    /// How the portal and Xero stand.
    pub(crate) async fn overview(&self) -> Value {
        self.call("GET", "", None).await.expect(200)
    }

    /// The same in a word.
    pub(crate) async fn state(&self) -> String {
        self.overview().await["state"].as_str().unwrap().to_owned()
    }

    /// Disconnects.
    pub(crate) async fn disconnect(&self) {
        self.call("DELETE", "/connection", None).await.expect(204);
    }

    /// Imports everybody, and waits until it has ended well.
    pub(crate) async fn import(&self) {
        let body = json!({"assign_courses": true});
        let upload = self.call("POST", "/import", Some(body)).await.expect(202);
        self.ended(upload["upload_id"].as_str().unwrap()).await;
    }

    /// Waits until an import has ended well.
    pub(crate) async fn ended(&self, upload_id: &str) {
        let path = format!("/uploads/{upload_id}");
        let begun = Instant::now();
        loop {
            let upload = self.portal.call("GET", &path, None).await.expect(200);
            if !upload["finished_at"].is_null() {
                let status = upload["status"].as_str().unwrap();
                assert!(status.starts_with("completed"), "{upload}");
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not imported: {upload}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What Xero has of us.
    pub(crate) async fn at_xero(&self) -> UserState {
        self.xero.state(self.user.user_id).await
    }

    /// The organisations that are connected at Xero.
    pub(crate) async fn connected_at_xero(&self) -> Vec<Uuid> {
        let live = self.at_xero().await.connections;
        let mut tenants: Vec<Uuid> = live.into_iter().map(|it| it.tenant_id).collect();
        tenants.sort_unstable();
        tenants
    }

    /// The calls of this kind that Xero had with the user's tokens.
    pub(crate) async fn calls_to(&self, route: Route) -> Vec<Call> {
        let calls = self.xero.calls_of(self.user.user_id).await.calls;
        calls.into_iter().filter(|it| it.route == route).collect()
    }

    /// How many they are.
    pub(crate) async fn count(&self, route: Route) -> usize {
        self.calls_to(route).await.len()
    }

    /// The next answers to such calls.
    pub(crate) async fn script(&self, on: Route, answers: Vec<Scripted>) {
        let scripted = self.xero.script_for_user(self.user.user_id, on, answers);
        scripted.await;
    }

    /// The sort keys of the portal that begin like this.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let items = self.portal.items().await.into_keys();
        items.filter(|sk| sk.starts_with(prefix)).collect()
    }

    /// The schedule comes by.
    pub(crate) async fn sweep(&self) {
        let event = serde_json::from_str(SWEEP).unwrap();
        let invoked = self
            .portal
            .invoke_function("ImportXeroFunctionName", event)
            .await;
        assert_eq!(invoked, None);
    }

    /// Waits until nothing is to be given back to Xero any more.
    pub(crate) async fn given_back(&self) {
        until("given back", async || {
            self.keys("XERO_RETURN#").await.is_empty()
        })
        .await;
    }

    /// The pause after the first attempt to give back is over, and the schedule comes by.
    pub(crate) async fn due_again(&self) {
        for sk in self.keys("XERO_RETURN#").await {
            until("tried", async || {
                let item = self.portal.item(&sk).await.unwrap();
                item["attempts"].as_n().unwrap() != "0"
            })
            .await;
            self.portal.make_due(&sk, GONE).await;
        }
        self.sweep().await;
    }

    /// What was done for the portal, oldest first.
    pub(crate) async fn trail(&self) -> Vec<Value> {
        let page = self.portal.call("GET", "/audit?limit=100", None).await;
        let mut entries = page.expect(200)["items"].as_array().unwrap().clone();
        entries.reverse();
        entries
    }

    /// The same in words.
    pub(crate) async fn deeds(&self) -> Vec<String> {
        let entries = self.trail().await.into_iter();
        entries
            .map(|entry| entry["action"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "not yet: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// That a page was shown, with this title, which leads nowhere but to the stack's own page.
#[track_caller]
pub(crate) fn page(answered: &Answered, status: u16, title: &str) {
    assert_eq!(answered.status, status, "{answered:?}");
    assert_eq!(answered.location, None);
    let kind = &answered.headers["content-type"];
    assert_eq!(kind, "text/html; charset=utf-8");
    let text = &answered.text;
    assert!(text.contains(&format!("<h1>{title}</h1>")), "{text}");
    assert!(!text.contains("<script"), "{text}");
    let mut links = text.split("href=\"").skip(1);
    let page = Stack::running().output("PortalUrl");
    assert!(links.all(|link| link.starts_with(&page)), "{text}");
}

/// One parameter of an address.
pub(crate) fn parameter(url: &Url, name: &str) -> String {
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(key, _)| key == name);
    found.unwrap().1.into_owned()
}

/// The address with another value of a parameter; without it, if there is none.
pub(crate) fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let pairs = url.query_pairs().into_owned();
    let others: Vec<(String, String)> = pairs.filter(|(key, _)| key != name).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(others);
    if let Some(value) = value {
        changed.query_pairs_mut().append_pair(name, value);
    }
    changed
}
