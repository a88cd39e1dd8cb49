//! The import from Xero, broken on purpose: the deployed `import-xero`, with a proxy between it and the cloud, and a
//! Xero in this process. Here is what the tests have in common; each file below is about one part of the way.

mod connecting;
mod faults;
mod giving_back;
mod kills;
mod sign_up;
mod sleepers;
mod tokens;

use crate::portals::PATIENCE;
use aws_sdk_dynamodb::types::AttributeValue;
use chaos::{
    Call, Cloud, FaultProxy, Faults, Lambda, Portal, Settings, deployed, process_upload, within,
};
use fake_xero::wire::{Person, Route};
use fake_xero::{CLIENT_ID, Driver, XeroUser};
use mapping::identity::{Identity, UserId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

/// Whom files have brought before anybody imports.
const FEED_FILE: &str = "Email,First,Last,Status,Job,Group\n\
    u0@x.example,Una,Lee,1,Cook,7\n\
    u1@x.example,Ugo,Lee,1,Cook,\n\
    u2@x.example,Uma,Lee,0,Cook,\n";

/// How many of the staff can be created.
const NEW: usize = 20;

/// What `import-xero` wakes when files may be waiting, or somebody is to be told.
const PROCESS_UPLOAD: &str = "chaos-neighbour";

const PAST: &str = "2026-01-01T00:00:00.000Z";

/// A function at work, with everything that it meets.
pub(crate) struct Scene<'c> {
    cloud: &'c Cloud,
    proxy: FaultProxy,
    xero: Driver,
    /// Answers the API. Whom it wakes is lost: who works by themselves, and when, is the test's to say.
    desk: Lambda,
    /// Works by itself: woken and swept, and not repeated.
    hands: Lambda,
    environment: BTreeMap<String, String>,
}

/// A portal, and an organisation that it can be connected with.
pub(crate) struct Company<'c> {
    portal: Portal<'c>,
    owner: XeroUser,
    tenant: Uuid,
}

/// What somebody was answered by the API.
#[derive(Debug)]
pub(crate) struct Answered {
    status: u64,
    body: Value,
    /// Where a browser is sent.
    location: Option<String>,
    /// Name and value of what a browser keeps.
    cookies: Vec<String>,
}

/// Thirty people, whose ids are the same everywhere, so that they stand in the same order.
pub(crate) fn staff() -> Vec<Person> {
    let mut staff: Vec<Person> = (0..NEW)
        .map(|n| Person::named(&format!("Pat{n}"), "Lee", &format!("p{n}@x.example")))
        .collect();
    // Users already, in other letters.
    for n in 0..3 {
        staff.push(Person::named("Una", "Lee", &format!("U{n}@X.example")));
    }
    staff.extend([
        Person::named("No", "Address", ""),
        Person::named("Bad", "Address", "bad"),
        Person::named("Has", "Left", "left@x.example").with("status", "TERMINATED"),
        Person::named("Who", "Knows", "knows@x.example").with("status", "ON_LOAN"),
        Person::named("", "Lee", "nameless@x.example"),
        Person::named("Same", "Address", "P0@x.example"),
    ]);
    let numbered = staff.into_iter().zip(1_u128..);
    let mut staff: Vec<Person> = numbered
        .map(|(person, n)| person.with("id", Uuid::from_u128(n).to_string()))
        .collect();
    staff.push(Person::named("Bad", "Id", "id@x.example").with("id", "7"));
    staff
}

impl<'c> Scene<'c> {
    pub(crate) async fn start(cloud: &'c Cloud) -> Self {
        let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
        let xero = Driver::started().await;
        let mut environment = cloud.environment(&proxy.endpoint());
        let scopes =
            "openid profile email offline_access accounting.settings.read payroll.employees.read";
        let courses: Vec<Value> = (1..=5)
            .map(|n| json!({"learning_id": n, "title": format!("Course {n}")}))
            .collect();
        for (name, value) in [
            ("PROCESS_UPLOAD_FUNCTION", PROCESS_UPLOAD),
            ("TOKENS_KEY", cloud.output("XeroTokensKeyArn")),
            ("PORTAL_URL", "https://portal.example/"),
            ("XERO_CLIENT_ID", CLIENT_ID),
            ("XERO_SECRET_ID", "local/xero"),
            ("XERO_REDIRECT_URI", "http://127.0.0.1/xero/callback"),
            ("XERO_LOGIN_URL", xero.base_url()),
            ("XERO_IDENTITY_URL", xero.base_url()),
            ("XERO_API_URL", xero.base_url()),
            ("XERO_SCOPES", scopes),
            ("XERO_PKCE", "true"),
            ("XERO_COURSES", &json!(courses).to_string()),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let desk = Settings {
            self_invocations_are_lost: true,
            ..hands()
        };
        let binary = || deployed("import-xero");
        Scene {
            cloud,
            proxy,
            xero,
            desk: Lambda::start(binary(), environment.clone(), desk),
            hands: Lambda::start(binary(), environment.clone(), hands()),
            environment,
        }
    }

    /// The function anew, which has asked for nothing yet, set up otherwise.
    pub(crate) fn another(&self, settings: Settings) -> Lambda {
        let environment = self.environment.clone();
        Lambda::start(deployed("import-xero"), environment, settings)
    }

    /// A portal with some users, and an organisation with this staff, not connected.
    pub(crate) async fn company_of(&self, staff: Vec<Person>) -> Company<'c> {
        let portal = Portal::ready(self.cloud).await;
        let owner = self.xero.user("Olive", "Harper").await;
        let made = self.xero.australian(&owner, "Harbour Café", staff).await;
        Company {
            portal,
            owner,
            tenant: made.tenant_id,
        }
    }

    /// The same, with users whom a file has brought, and connected.
    pub(crate) async fn company(&self) -> Company<'c> {
        let company = self.company_of(staff()).await;
        let endpoint = self.cloud.endpoint();
        let feed = Lambda::start(
            process_upload(),
            self.cloud.environment(endpoint),
            Settings::default(),
        );
        let event = company.portal.put("a.csv", FEED_FILE, 1).await;
        assert_eq!(feed.call(event).await, Ok(Value::Null));
        self.connect(&company).await;
        company
    }

    /// Connects, and chooses the organisation.
    pub(crate) async fn connect(&self, company: &Company<'_>) {
        let (callback, cookies) = self.allowed(company).await;
        let back = self.come_back(&callback, &cookies).await.unwrap();
        let page = format!("https://portal.example/portals/{}/xero", company.portal.id);
        assert_eq!((back.status, back.location), (303, Some(page)));
        let chosen = json!({"tenant_id": company.tenant});
        let chosen = self.ask(company, "PUT", "xero/organisation", chosen).await;
        assert_eq!(chosen.status, 200, "{chosen:?}");
    }

    /// Begins to connect and allows it at Xero: where the browser is sent then, with what it keeps.
    pub(crate) async fn allowed(&self, company: &Company<'_>) -> (Url, Vec<String>) {
        let begun = self
            .ask(company, "POST", "xero/connection", Value::Null)
            .await;
        self.consent(&company.owner, company.tenant, begun).await
    }

    /// The same for somebody who has no portal yet.
    pub(crate) async fn allowed_by_a_newcomer(
        &self,
        owner: &XeroUser,
        tenant: Uuid,
    ) -> (Url, Vec<String>) {
        let mut event = api_event("POST", "/xero/signup");
        with_body(
            &mut event,
            &json!({"name": "Harbour Café", "country": "AU"}),
        );
        nobody_is_signed_in(&mut event);
        let begun = Answered::of(&self.desk.call(event).await.unwrap());
        self.consent(owner, tenant, begun).await
    }

    async fn consent(&self, owner: &XeroUser, tenant: Uuid, begun: Answered) -> (Url, Vec<String>) {
        assert_eq!(begun.status, 201, "{begun:?}");
        let url = begun.body["authorise_url"].as_str().unwrap();
        let callback = self.xero.consent(url, owner.user_id, &[tenant]).await;
        (callback, begun.cookies)
    }

    /// The browser goes to the callback. The error says how the function died.
    pub(crate) async fn come_back(
        &self,
        callback: &Url,
        cookies: &[String],
    ) -> Result<Answered, String> {
        let mut event = api_event("GET", "/xero/callback");
        event["rawQueryString"] = json!(callback.query().unwrap());
        event["cookies"] = json!(cookies);
        nobody_is_signed_in(&mut event);
        self.desk
            .call(event)
            .await
            .map(|answer| Answered::of(&answer))
    }

    /// An administrator asks something of the API.
    pub(crate) async fn ask(
        &self,
        company: &Company<'_>,
        method: &str,
        path: &str,
        body: Value,
    ) -> Answered {
        self.try_to_ask(company, method, path, body).await.unwrap()
    }

    pub(crate) async fn try_to_ask(
        &self,
        company: &Company<'_>,
        method: &str,
        path: &str,
        body: Value,
    ) -> Result<Answered, String> {
        let id = &company.portal.id;
        let mut event = api_event(method, &format!("/portals/{id}/{path}"));
        event["pathParameters"]["portal_id"] = json!(id);
        event["requestContext"]["authorizer"]["jwt"]["claims"]["custom:portal_id"] = json!(id);
        with_body(&mut event, &body);
        self.desk
            .call(event)
            .await
            .map(|answer| Answered::of(&answer))
    }

    /// Asks for an import of everybody, with courses; nobody makes it yet.
    pub(crate) async fn import(&self, company: &Company<'_>) {
        let asked = json!({"assign_courses": true});
        let begun = self.ask(company, "POST", "xero/import", asked).await;
        assert_eq!(begun.status, 202, "{begun:?}");
    }

    /// Somebody works for the company, to the end.
    pub(crate) async fn wake(&self, company: &Company<'_>) -> Result<Value, String> {
        self.hands.call(woken(company)).await
    }

    /// The schedule comes, and whoever it wakes has worked to the end.
    pub(crate) async fn sweep(&self) -> Result<Value, String> {
        let swept = self.hands.call(json!({"sweep": true})).await;
        self.hands.wait_idle(PATIENCE).await;
        swept
    }

    /// A minute or two pass: what was waited for is due, and who has died has no lease and refreshes nothing.
    pub(crate) async fn a_while_passes(&self, company: &Company<'_>) {
        self.a_while_passes_at(&company.portal).await;
    }

    /// The same for a portal that may be nobody's.
    pub(crate) async fn a_while_passes_at(&self, portal: &Portal<'_>) {
        portal.expire_lease().await;
        for item in portal.items("XERO").await {
            let sk = item["sk"].as_str().unwrap();
            let returns = sk.starts_with("XERO_RETURN#");
            if item["refreshing_until"].is_string() {
                self.set(portal, sk, "refreshing_until").await;
            }
            if returns || sk == "XERO_IMPORT" {
                self.set(portal, sk, "due_at").await;
            }
        }
    }

    /// A day passes, in which nobody has imported anything.
    pub(crate) async fn a_day_passes(&self, portal: &Portal<'_>) {
        for name in ["connected_at", "due_at"] {
            self.set(portal, "XERO", name).await;
        }
    }

    async fn set(&self, portal: &Portal<'_>, sk: &str, name: &str) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let request = self.cloud.dynamodb().update_item();
        // Refused when it is gone meanwhile.
        let _ = request
            .table_name(&self.cloud.feed_table)
            .key("pk", text(&portal.id))
            .key("sk", text(sk))
            .update_expression("SET #name = :past")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":past", text(PAST))
            .send()
            .await;
    }

    /// So many places are taken already.
    pub(crate) async fn take_places(&self, company: &Company<'_>, places: u32) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let request = self.cloud.dynamodb().update_item();
        request
            .table_name(&self.cloud.feed_table)
            .key("pk", text(&company.portal.id))
            .key("sk", text("XERO_IMPORTED"))
            .update_expression("SET places_taken = :places")
            .expression_attribute_values(":places", AttributeValue::N(places.to_string()))
            .send()
            .await
            .unwrap();
    }

    /// Time passes and the schedule comes, until there is nothing left to do for the company.
    pub(crate) async fn comes_to_rest(&self, company: &Company<'_>) {
        let begun = Instant::now();
        while !self.is_at_rest(company).await {
            assert!(
                begun.elapsed() < PATIENCE / 4,
                "{:?}\n{:?}",
                company.portal.uploads().await,
                self.hands
                    .output()
                    .lines()
                    .rev()
                    .take(20)
                    .collect::<Vec<_>>()
            );
            self.a_while_passes(company).await;
            // What is due is in the index a moment later.
            let _ = self.sweep().await;
        }
    }

    /// No import, no connection, and none that is to be given back.
    pub(crate) async fn is_at_rest(&self, company: &Company<'_>) -> bool {
        let items = company.portal.items("XERO").await;
        let mut left = items.iter().map(|item| item["sk"].as_str().unwrap());
        left.all(|sk| sk == "XERO_IMPORTED" || sk.starts_with("XERO_EMPLOYEE#"))
    }

    /// Waits until a call is held.
    pub(crate) async fn held(&self, what: &str) {
        let held = || (self.proxy.held() > 0).then_some(());
        within(PATIENCE, what, held).await;
    }

    /// Kills whoever works at this API's desk, or by themselves. How many.
    pub(crate) async fn kill_everybody(&self) -> usize {
        let busy: Vec<_> = self
            .desk
            .busy()
            .into_iter()
            .chain(self.hands.busy())
            .collect();
        for worker in &busy {
            worker.kill().await;
        }
        self.proxy.release();
        busy.len()
    }

    /// Nothing is left of the owner's at Xero.
    pub(crate) async fn nothing_is_left_at_xero(&self, company: &Company<'_>) -> bool {
        let state = self.xero.state(company.owner.user_id).await;
        let tokens = state.refresh_tokens + state.refresh_tokens_in_grace + state.access_tokens;
        state.connections.is_empty() && tokens == 0
    }

    /// How often the owner's tokens were used for this.
    pub(crate) async fn calls(&self, company: &Company<'_>, route: Route) -> usize {
        let calls = self.xero.calls_of(company.owner.user_id).await.calls;
        calls.iter().filter(|call| call.route == route).count()
    }
}

impl Answered {
    fn of(answer: &Value) -> Self {
        let body = answer["body"].as_str().unwrap_or_default();
        let cookies = answer["cookies"].as_array().cloned().unwrap_or_default();
        let cookies = cookies.iter().map(|cookie| {
            let cookie = cookie.as_str().unwrap().split(';').next();
            cookie.unwrap().to_owned()
        });
        Answered {
            status: answer["statusCode"].as_u64().unwrap(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
            location: answer["headers"]["location"].as_str().map(str::to_owned),
            cookies: cookies.collect(),
        }
    }

    /// The code of a refusal.
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Nothing is repeated but by the test.
pub(crate) fn hands() -> Settings {
    Settings {
        retries: Vec::new(),
        neighbour: Some(PROCESS_UPLOAD),
        ..Settings::default()
    }
}

/// What somebody is woken with.
pub(crate) fn woken(company: &Company<'_>) -> Value {
    json!({"portal_id": company.portal.id})
}

fn api_event(method: &str, path: &str) -> Value {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/import-xero.json");
    let mut event: Value = serde_json::from_slice(&std::fs::read(sample).unwrap()).unwrap();
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    event["requestContext"]["http"]["method"] = json!(method);
    event
}

fn nobody_is_signed_in(event: &mut Value) {
    event["requestContext"]
        .as_object_mut()
        .unwrap()
        .remove("authorizer");
    event.as_object_mut().unwrap().remove("pathParameters");
    event["headers"]
        .as_object_mut()
        .unwrap()
        .remove("authorization");
}

fn with_body(event: &mut Value, body: &Value) {
    if !body.is_null() {
        event["headers"]["content-type"] = json!("application/json");
        event["body"] = json!(body.to_string());
    }
}

/// Whether a call has this in its body.
pub(crate) fn names(call: &Call, text: &str) -> bool {
    String::from_utf8_lossy(&call.body).contains(text)
}

/// The calls of this service and name.
pub(crate) fn is(
    service: &'static str,
    operation: &'static str,
) -> impl Fn(&Call) -> bool + Send + Sync + Clone + 'static {
    move |call| (call.service, call.operation.as_str()) == (service, operation)
}

/// The one of these calls that comes after so many others of them, and whether it has come.
pub(crate) fn nth(
    nth: usize,
    which: impl Fn(&Call) -> bool + Send + Sync + 'static,
) -> (
    impl Fn(&Call) -> bool + Send + Sync + 'static,
    Arc<AtomicBool>,
) {
    let (seen, came) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let has_come = Arc::clone(&came);
    let this = move |call: &Call| {
        let it = which(call) && seen.fetch_add(1, Ordering::Relaxed) == nth;
        came.fetch_or(it, Ordering::Relaxed);
        it
    };
    (this, has_come)
}

/// What has become of a company's people, without what differs from portal to portal and from time to time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    /// By address: everything but times.
    people: BTreeMap<String, Value>,
    /// Whom, by their address, and what.
    learning: Vec<(String, u64)>,
    /// Who of Xero's is who, and whether this import has created them.
    employees: BTreeMap<String, (String, bool)>,
    /// Each of the history.
    uploads: Vec<Value>,
    report: Option<String>,
    rejected: Option<String>,
    places_taken: u64,
    /// What is to be told of whom.
    told: Vec<Value>,
}

impl View {
    pub(crate) async fn of(company: &Company<'_>) -> Self {
        let portal = &company.portal;
        let uploads = portal.uploads().await;
        let import = uploads.iter().find(|upload| upload["kind"] == "xero");
        let upload_id = import.unwrap()["upload_id"].as_str().unwrap();
        let (mut people, mut emails) = (BTreeMap::new(), BTreeMap::new());
        for mut user in portal.users().await {
            let email = user["email_key"].as_str().unwrap().to_owned();
            // Each once, and by the id that their address gives.
            let id = UserId::of(portal.id.parse().unwrap(), &Identity::Email(&email), 0);
            assert_eq!(user["user_id"], id.to_string(), "{email}");
            emails.insert(id.to_string(), email.clone());
            let fields = user.as_object_mut().unwrap();
            for of_the_run in [
                "pk",
                "sk",
                "user_id",
                "portal_id",
                "created_at",
                "updated_at",
                "last_upload_id",
                "last_write",
                "fingerprint",
            ] {
                fields.remove(of_the_run);
            }
            assert!(people.insert(email, user).is_none(), "an address twice");
        }
        let learning = portal.learning().await.into_iter();
        let mut learning: Vec<_> = learning.map(|(id, it)| (emails[&id].clone(), it)).collect();
        learning.sort();
        let employees = portal.items("XERO_EMPLOYEE#").await.into_iter().map(|it| {
            let user_id = it["user_id"].as_str().unwrap();
            (
                it["employee_id"].as_str().unwrap().to_owned(),
                (emails[user_id].clone(), it["created_by"] == upload_id),
            )
        });
        let shown = |upload: &Value| {
            assert!(upload["finished_at"].is_string());
            let names = [
                "kind",
                "status",
                "rows",
                "problems",
                "report_ready",
                "progress_percent",
            ];
            names.iter().map(|name| upload[name].clone()).collect()
        };
        let imported = &portal.items("XERO_IMPORTED").await[0];
        let told = portal.outbox().await.into_iter().map(|mut notice| {
            assert_eq!(
                notice["news"]["upload_finished"]["upload_id"], upload_id,
                "{notice}"
            );
            notice["event_sent"].take()
        });
        View {
            people,
            learning,
            employees: employees.collect(),
            uploads: uploads.iter().map(shown).collect(),
            report: portal.document(upload_id, "report.csv").await,
            rejected: portal.document(upload_id, "rejected.csv").await,
            places_taken: imported["places_taken"].as_u64().unwrap_or(0),
            told: told.collect(),
        }
    }

    /// What is otherwise than expected, for the person who reads a failure.
    pub(crate) fn difference(&self, expected: &Self) -> String {
        let people = expected.people.iter();
        let people: Vec<_> = people
            .filter(|(email, user)| self.people.get(*email) != Some(user))
            .take(3)
            .collect();
        format!(
            "{} people, {} expected, other or missing {people:?}\nlearning {} of {}\nemployees {} of {}\n{:?}\n{:?}\nplaces {}, {}\ntold {:?}\nreport {}",
            self.people.len(),
            expected.people.len(),
            self.learning.len(),
            expected.learning.len(),
            self.employees.len(),
            expected.employees.len(),
            self.uploads,
            expected.uploads,
            self.places_taken,
            expected.places_taken,
            self.told,
            self.report == expected.report,
        )
    }
}

/// What an import comes to that nothing happens to, and how many calls it takes; looked up once for all tests.
pub(crate) async fn expected() -> &'static (View, usize) {
    static EXPECTED: OnceCell<(View, usize)> = OnceCell::const_new();
    let look = || async {
        let cloud = Cloud::create().await;
        let expected = undisturbed(&Scene::start(&cloud).await, 0).await;
        cloud.tear_down().await;
        expected
    };
    EXPECTED.get_or_init(look).await
}

/// An import to which nothing happens, with so many places taken, and how many calls it takes.
pub(crate) async fn undisturbed(scene: &Scene<'_>, places_taken: u32) -> (View, usize) {
    let company = scene.company().await;
    scene.take_places(&company, places_taken).await;
    scene.import(&company).await;
    let calls = || scene.proxy.requests().values().sum::<u64>();
    let before = calls();
    assert_eq!(scene.wake(&company).await, Ok(Value::Null));
    let calls = usize::try_from(calls() - before).unwrap();
    assert!(
        scene.is_at_rest(&company).await,
        "the connection is given back"
    );
    assert!(scene.nothing_is_left_at_xero(&company).await);
    let view = View::of(&company).await;
    let created = view.places_taken - u64::from(places_taken);
    let free = u64::from(200 - places_taken);
    assert_eq!(created, free.min(NEW as u64));
    assert_eq!(view.people.len() as u64, 3 + created);
    // Five for each who was created, and for two who were active users.
    assert_eq!(view.learning.len() as u64, 2 + 5 * (created + 2));
    assert_eq!((view.uploads.len(), view.told.len()), (2, 1));
    assert!(view.report.is_some() && view.rejected.is_some());
    (view, calls)
}

/// The company looks as if nothing had happened.
#[track_caller]
pub(crate) fn is_as(view: &View, expected: &View, what: &str) {
    assert!(view == expected, "{what}: {}", view.difference(expected));
}

pub(crate) const SOON: Duration = Duration::from_millis(20);
