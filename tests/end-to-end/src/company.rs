//! A small company on Xero: a portal of a test's own, and an organisation of its own at the stack's fake Xero, to which
//! the portal is connected.

use crate::traces::spelled;
use crate::{Answer, Browser, Portal, Upload};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::primitives::Blob;
use fake_xero::wire::{NewOrganisation, Person, Quirks, Route, Scripted, UserState};
use fake_xero::{Driver, XeroUser};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// A debug build on a shared machine creates some ten people in a second.
const PATIENCE: Duration = Duration::from_secs(180);

/// A company whose portal is connected to its organisation at Xero.
pub struct Company {
    /// Its portal.
    pub portal: Portal,
    /// Who has connected it.
    pub owner: XeroUser,
    /// Its organisation.
    pub tenant: Uuid,
    /// Xero.
    pub xero: Driver,
    /// When it was founded, in milliseconds since 1970.
    since: i64,
}

/// Xero's id of the `n`th employee. They are in the order of numbers.
pub fn employee_id(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

/// The `n`th employee: with both names, and the address `p<n>@x.example`.
pub fn employee(n: u32) -> Person {
    Person::named(&format!("P{n}"), "Lee", &format!("p{n}@x.example")).with("id", employee_id(n))
}

impl Company {
    /// Australian, with these employees; connected, the organisation chosen. The portal is ready for files.
    pub async fn employing(employees: Vec<Person>) -> Self {
        Company::of(NewOrganisation {
            name: Some("Harbour Café".to_owned()),
            country: "AU".into(),
            status: "ACTIVE".into(),
            owner: Uuid::nil(),
            employees,
            users: Vec::new(),
            quirks: Quirks::default(),
        })
        .await
    }

    /// The same of any organisation, which somebody new owns.
    pub async fn of(organisation: NewOrganisation) -> Self {
        let since = now_in_milliseconds();
        let portal = Portal::ready().await;
        let xero = portal.stack.xero();
        let owner = xero.user("Olive", "Harper").await;
        let organisation = NewOrganisation {
            owner: owner.user_id,
            ..organisation
        };
        let company = Company {
            tenant: xero.organisation(&organisation).await.tenant_id,
            portal,
            owner,
            xero,
            since,
        };
        company.connect().await;
        company
    }

    /// Connects the portal, and chooses the organisation. Nothing else is asked of Xero.
    pub async fn connect(&self) {
        let mut browser = Browser::new(&self.portal.stack);
        let back = browser
            .connect(&self.portal, &self.owner, self.tenant)
            .await;
        assert_eq!(back.status, 303, "{back:?}");
        let choice = json!({"tenant_id": self.tenant});
        self.call("PUT", "/organisation", Some(choice))
            .await
            .expect(200);
    }

    /// A request about the portal and Xero, by an operator.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.portal
            .call(method, &format!("/xero{path}"), body)
            .await
    }

    /// How portal and Xero stand.
    pub async fn overview(&self) -> Value {
        self.call("GET", "", None).await.expect(200)
    }

    /// Who can be imported.
    pub async fn preview(&self) -> Value {
        self.call("GET", "/preview", None).await.expect(200)
    }

    /// Asks for an import. Its upload.
    pub async fn begin(&self, request: Value) -> String {
        let begun = self.call("POST", "/import", Some(request)).await;
        let begun = begun.expect(202);
        begun["upload_id"].as_str().unwrap().to_owned()
    }

    /// Imports whom is asked for.
    pub async fn import(&self, request: Value) -> Upload {
        let id = self.begin(request).await;
        self.ended(&id).await
    }

    /// Imports everybody, with the courses.
    pub async fn import_all(&self) -> Upload {
        self.import(json!({"assign_courses": true})).await
    }

    /// The record of an upload as it is now.
    pub async fn upload(&self, id: &str) -> Upload {
        let path = format!("/uploads/{id}");
        let record = self.portal.call("GET", &path, None).await;
        Upload {
            record: record.expect(200),
        }
    }

    /// The import, once it has ended.
    pub async fn ended(&self, id: &str) -> Upload {
        let begun = Instant::now();
        loop {
            let upload = self.upload(id).await;
            if !upload.record["finished_at"].is_null() {
                return upload;
            }
            assert!(begun.elapsed() < PATIENCE, "not ended: {upload:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whom the organisation has from now on.
    pub async fn employ(&self, employees: Vec<Person>) {
        self.xero.set_employees(self.tenant, employees).await;
    }

    /// What Xero answers next about the organisation.
    pub async fn script(&self, on: Route, answers: Vec<Scripted>) {
        self.xero
            .script_for_organisation(self.tenant, on, answers)
            .await;
    }

    /// How often Xero was asked this about the organisation.
    pub async fn asked(&self, route: Route) -> usize {
        let calls = self.xero.calls_about(self.tenant).await.calls;
        calls.iter().filter(|call| call.route == route).count()
    }

    /// The greatest number of calls about the organisation that were under way at once.
    pub async fn most_at_once(&self) -> usize {
        self.xero.calls_about(self.tenant).await.most_at_once[&self.tenant]
    }

    /// Wakes `import-xero` as the API and the sweep do, and waits until that has ended.
    pub async fn wake(&self) {
        self.invoke(json!({"portal_id": self.portal.id})).await;
    }

    /// The schedule's sweep of all portals.
    pub async fn sweep(&self) {
        self.invoke(json!({"sweep": true})).await;
    }

    async fn invoke(&self, event: Value) {
        let stack = &self.portal.stack;
        let request = stack.lambda().invoke();
        let request = request.function_name(stack.output("ImportXeroFunctionName"));
        let answer = request.payload(Blob::new(event.to_string()));
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.function_error, None, "{:?}", answer.payload);
    }

    /// What the feed table keeps of the portal and Xero, by sort key.
    pub async fn kept(&self) -> BTreeMap<String, String> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let stack = &self.portal.stack;
        let request = stack
            .dynamodb()
            .query()
            .table_name(stack.output("FeedTableName"))
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(&self.portal.id))
            .expression_attribute_values(":prefix", text("XERO"))
            .consistent_read(true);
        let mut items = request.into_paginator().items().send();
        let mut kept = BTreeMap::new();
        while let Some(item) = items.next().await {
            let item = item.unwrap();
            let sk = item["sk"].as_s().unwrap().clone();
            kept.insert(sk, spelled(&AttributeValue::M(item)));
        }
        kept
    }

    /// Once nothing is left of the connection, at Xero and here: what is kept then. Who was imported, and how many.
    pub async fn given_back(&self) -> BTreeMap<String, String> {
        let begun = Instant::now();
        loop {
            let there = self.xero.state(self.owner.user_id).await;
            let kept = self.kept().await;
            let of_connection =
                |sk: &&String| !sk.starts_with("XERO_EMPLOYEE#") && *sk != "XERO_IMPORTED";
            let left: Vec<&String> = kept.keys().filter(of_connection).collect();
            if left.is_empty() && is_nothing(&there) {
                return kept;
            }
            assert!(begun.elapsed() < PATIENCE, "left: {left:?}, {there:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What Xero has said about its limits is over.
    pub async fn after_the_limit(&self) {
        let stack = &self.portal.stack;
        let request = stack
            .dynamodb()
            .delete_item()
            .table_name(stack.output("FeedTableName"));
        let pk = format!("XERO_ORGANISATION#{}", self.tenant);
        let request = request.key("pk", AttributeValue::S(pk));
        let request = request.key("sk", AttributeValue::S("CALLS".to_owned()));
        request.send().await.unwrap();
    }
}

impl Company {
    /// What `import-xero` has printed since this company is there, once that names an upload.
    pub async fn printed_with(&self, upload: &Upload) -> String {
        let stack = &self.portal.stack;
        let client = aws_sdk_cloudwatchlogs::Client::new(stack.config());
        let begun = Instant::now();
        loop {
            let request = client
                .filter_log_events()
                .log_group_name(stack.output("ImportXeroLogGroupName"))
                .start_time(self.since);
            let mut pages = request.into_paginator().send();
            let mut printed = String::new();
            while let Some(page) = pages.next().await {
                for event in page.unwrap().events.unwrap_or_default() {
                    printed.push_str(event.message().unwrap_or_default());
                    printed.push('\n');
                }
            }
            if printed.contains(&upload.id()) {
                return printed;
            }
            assert!(begun.elapsed() < PATIENCE, "not printed");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn now_in_milliseconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn is_nothing(there: &UserState) -> bool {
    there.connections.is_empty()
        && there.refresh_tokens + there.refresh_tokens_in_grace + there.access_tokens == 0
}
