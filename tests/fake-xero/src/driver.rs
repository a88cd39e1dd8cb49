//! The hands of tests at the fake: they say to it what is the case, and are the person with the browser.
#![expect(clippy::unwrap_used, reason = "in tests a panic is how a test fails")]

use crate::wire::{
    Advance, Calls, NewEmployees, NewOrganisation, NewUser, OrganisationMade, Person, Quirks,
    Route, Script, Scripted, UserMade, UserState,
};
use reqwest::{Method, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

/// A running fake.
#[derive(Clone)]
pub struct Driver {
    base_url: String,
    http: reqwest::Client,
}

/// Somebody with a Xero login.
#[derive(Clone)]
pub struct XeroUser {
    /// Xero's id of them.
    pub user_id: Uuid,
    /// What they sign in with.
    pub email: String,
}

impl Driver {
    /// Of the fake that is there.
    pub fn new(base_url: &str) -> Self {
        let http = reqwest::Client::builder().redirect(redirect::Policy::none());
        Driver {
            base_url: base_url.trim_end_matches('/').to_owned(),
            http: http.build().unwrap(),
        }
    }

    /// Of a fake that ends with the test that starts it.
    pub async fn started() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(crate::serve(listener));
        Driver::new(&format!("http://{address}"))
    }

    /// Where it is: login, identity and API.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Somebody who has an address of their own.
    pub async fn user(&self, first_name: &str, last_name: &str) -> XeroUser {
        let id = Uuid::new_v4().simple();
        self.user_with(&format!("{id}@xero.example"), first_name, last_name)
            .await
    }

    /// Somebody with this address.
    pub async fn user_with(&self, email: &str, first_name: &str, last_name: &str) -> XeroUser {
        let new = NewUser {
            email: email.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
        };
        let made: UserMade = self.say(Method::POST, "users", &new).await;
        XeroUser {
            user_id: made.user_id,
            email: new.email,
        }
    }

    /// An Australian organisation with these employees.
    pub async fn australian(
        &self,
        owner: &XeroUser,
        name: &str,
        employees: Vec<Person>,
    ) -> OrganisationMade {
        let new = NewOrganisation {
            name: Some(name.to_owned()),
            country: "AU".into(),
            status: "ACTIVE".into(),
            owner: owner.user_id,
            employees,
            users: Vec::new(),
            quirks: Quirks::default(),
        };
        self.organisation(&new).await
    }

    /// Any organisation.
    pub async fn organisation(&self, new: &NewOrganisation) -> OrganisationMade {
        self.say(Method::POST, "organisations", new).await
    }

    /// Gives an organisation other employees. The organisation as it is then.
    pub async fn set_employees(&self, tenant_id: Uuid, employees: Vec<Person>) -> OrganisationMade {
        let path = format!("organisations/{tenant_id}/employees");
        self.say(Method::PUT, &path, &NewEmployees { employees })
            .await
    }

    /// The owner disconnects our app, in Xero.
    pub async fn disconnect(&self, tenant_id: Uuid) {
        let path = format!("organisations/{tenant_id}/disconnect");
        self.do_it(&path, &()).await;
    }

    /// The next answers to these calls about an organisation.
    pub async fn script_for_organisation(
        &self,
        tenant_id: Uuid,
        on: Route,
        answers: Vec<Scripted>,
    ) {
        let script = Script {
            tenant_id: Some(tenant_id),
            user_id: None,
            on,
            answers,
        };
        self.do_it("scripts", &script).await;
    }

    /// The next answers to these calls with a user's tokens.
    pub async fn script_for_user(&self, user_id: Uuid, on: Route, answers: Vec<Scripted>) {
        let script = Script {
            tenant_id: None,
            user_id: Some(user_id),
            on,
            answers,
        };
        self.do_it("scripts", &script).await;
    }

    /// Every call about an organisation.
    pub async fn calls_about(&self, tenant_id: Uuid) -> Calls {
        self.ask(&format!("calls?tenant_id={tenant_id}")).await
    }

    /// Every call with a user's tokens.
    pub async fn calls_of(&self, user_id: Uuid) -> Calls {
        self.ask(&format!("calls?user_id={user_id}")).await
    }

    /// What our app has of a user.
    pub async fn state(&self, user_id: Uuid) -> UserState {
        self.ask(&format!("state?user_id={user_id}")).await
    }

    /// Every code and token that our app was given of a user, dead ones too: what nobody else may see.
    pub async fn secrets(&self, user_id: Uuid) -> Vec<String> {
        self.ask(&format!("secrets?user_id={user_id}")).await
    }

    /// Every access token of the user has expired.
    pub async fn expire_access(&self, user_id: Uuid) {
        self.do_it(&format!("users/{user_id}/expire_access"), &())
            .await;
    }

    /// It is later for this user.
    pub async fn advance(&self, user_id: Uuid, seconds: u32) {
        let advance = Advance {
            advance_seconds: seconds,
            user_id: Some(user_id),
        };
        self.do_it("clock", &advance).await;
    }

    /// The user signs in, chooses organisations and allows. Where the browser is sent, which does not go there.
    pub async fn consent(&self, authorise_url: &str, user_id: Uuid, organisations: &[Uuid]) -> Url {
        let mut form = vec![
            ("decision".to_owned(), "allow".to_owned()),
            ("user_id".to_owned(), user_id.to_string()),
        ];
        let organisations = organisations.iter();
        form.extend(organisations.map(|id| ("organisation".to_owned(), id.to_string())));
        self.decide(authorise_url, form).await
    }

    /// The user cancels. Where the browser is sent, which does not go there.
    pub async fn cancel(&self, authorise_url: &str) -> Url {
        let form = vec![("decision".to_owned(), "cancel".to_owned())];
        self.decide(authorise_url, form).await
    }

    async fn decide(&self, authorise_url: &str, mut form: Vec<(String, String)>) -> Url {
        let shown = self.http.get(authorise_url).send().await.unwrap();
        let (status, page) = (shown.status(), shown.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{page}");
        // What the page's form carries along.
        let mut action = Url::parse(authorise_url).unwrap();
        form.extend(action.query_pairs().into_owned());
        action.set_query(None);
        let sent = self.http.post(action).form(&form).send().await.unwrap();
        let status = sent.status();
        let location = sent.headers().get("location").cloned();
        assert_eq!(status, StatusCode::FOUND, "{}", sent.text().await.unwrap());
        Url::parse(location.unwrap().to_str().unwrap()).unwrap()
    }

    async fn say<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> T {
        let answer = self.send(method, path, body).await;
        answer.json().await.unwrap()
    }

    async fn do_it(&self, path: &str, body: &impl Serialize) {
        self.send(Method::POST, path, body).await;
    }

    async fn send(&self, method: Method, path: &str, body: &impl Serialize) -> reqwest::Response {
        let url = format!("{}/fake/{path}", self.base_url);
        let request = self.http.request(method, url).json(body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{path}: {status}");
        answer
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> T {
        let url = format!("{}/fake/{path}", self.base_url);
        let answer = self.http.get(url).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{path}: {status}");
        answer.json().await.unwrap()
    }
}
