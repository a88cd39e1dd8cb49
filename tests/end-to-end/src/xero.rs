//! The browser of somebody who connects a Xero organisation: it goes to and fro between the API and the stack's fake
//! Xero, and keeps the API's cookies.

use crate::{Account, Portal, Stack};
use fake_xero::XeroUser;
use reqwest::header::{COOKIE, HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response, redirect};
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;
use uuid::Uuid;

/// A browser. Another one knows nothing of its cookies.
pub struct Browser {
    stack: Stack,
    http: reqwest::Client,
    /// Name and value of what it sends to the API.
    pub cookies: BTreeMap<String, String>,
    /// The last `Set-Cookie` headers as they came.
    pub set_cookies: Vec<String>,
}

/// What a browser was answered.
#[derive(Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Where it is sent, and has not gone.
    pub location: Option<String>,
    /// All its headers.
    pub headers: HeaderMap,
    /// What it would show, as it came.
    pub text: String,
    /// What it would show; `null` if it is no JSON.
    pub body: Value,
}

impl Browser {
    /// One that was never here.
    pub fn new(stack: &Stack) -> Self {
        let http = reqwest::Client::builder().redirect(redirect::Policy::none());
        Browser {
            stack: stack.clone(),
            http: http.build().unwrap(),
            cookies: BTreeMap::new(),
            set_cookies: Vec::new(),
        }
    }

    /// An operator begins to connect a portal. Where to sign in at Xero.
    pub async fn begin(&mut self, portal: &Portal) -> String {
        let token = self.stack.token("operator");
        self.begin_with(&token, &portal.id).await
    }

    /// Somebody else begins to connect a portal. Where to sign in at Xero.
    pub async fn begin_as(&mut self, account: &Account, portal_id: &str) -> String {
        self.begin_with(&account.token, portal_id).await
    }

    async fn begin_with(&mut self, token: &str, portal_id: &str) -> String {
        let path = format!("/portals/{portal_id}/xero/connection");
        let request = self.http.post(self.url(&path)).bearer_auth(token);
        authorise_url(&self.send(request).await)
    }

    /// Begins to sign up: nobody is signed in, and no portal is there. Where to sign in at Xero.
    pub async fn sign_up(&mut self, body: &Value) -> String {
        let request = self.http.post(self.url("/xero/signup")).json(body);
        authorise_url(&self.send(request).await)
    }

    /// Goes where Xero has sent it: to the callback.
    pub async fn follow(&mut self, callback: &Url) -> Answered {
        self.send(self.http.get(callback.clone())).await
    }

    /// The same with other headers: a browser sends its cookies unless these have some.
    pub async fn follow_with(&mut self, callback: &Url, headers: HeaderMap) -> Answered {
        let request = self.http.request(Method::GET, callback.clone());
        self.send(request.headers(headers)).await
    }

    /// Connects an organisation of this Xero user's with a portal: begins, allows at Xero, comes back.
    pub async fn connect(
        &mut self,
        portal: &Portal,
        user: &XeroUser,
        organisation: Uuid,
    ) -> Answered {
        let authorise_url = self.begin(portal).await;
        let xero = self.stack.xero();
        let organisations = [organisation];
        let consent = xero.consent(&authorise_url, user.user_id, &organisations);
        let callback = consent.await;
        self.follow(&callback).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stack.output("ApiUrl"))
    }

    async fn send(&mut self, request: RequestBuilder) -> Answered {
        let cookies = self.cookies.iter();
        let cookies: Vec<String> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = request.build().unwrap();
        if !cookies.is_empty() && !request.headers().contains_key(COOKIE) {
            let cookies = HeaderValue::from_str(&cookies.join("; ")).unwrap();
            request.headers_mut().insert(COOKIE, cookies);
        }
        let answer = self.http.execute(request).await.unwrap();
        self.keep_cookies(&answer);
        let location = answer.headers().get(LOCATION);
        let location = location.map(|location| location.to_str().unwrap().to_owned());
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        Answered {
            status,
            location,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    fn keep_cookies(&mut self, answer: &Response) {
        let lines = answer.headers().get_all(SET_COOKIE).iter();
        self.set_cookies = lines
            .map(|line| line.to_str().unwrap().to_owned())
            .collect();
        for line in &self.set_cookies {
            let (cookie, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = cookie.split_once('=').unwrap();
            if attributes.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn authorise_url(answered: &Answered) -> String {
    assert!((200..300).contains(&answered.status), "{answered:?}");
    answered.body["authorise_url"].as_str().unwrap().to_owned()
}
