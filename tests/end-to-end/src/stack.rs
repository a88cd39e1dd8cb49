//! The stack that `make up` deployed, as `target/local/stack.json` describes it.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The running stack, with keys that may do everything.
#[derive(Clone)]
pub struct Stack {
    description: Value,
    config: SdkConfig,
    http: reqwest::Client,
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its `Content-Disposition`.
    pub content_disposition: String,
    /// Its `Retry-After`.
    pub retry_after: String,
    /// Its body; `null` if there is none, or if it is no JSON.
    pub body: Value,
    /// Its body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The codes of everything that is wrong, if the answer is a refusal of this status.
    #[track_caller]
    pub fn refused(self, status: u16) -> (String, Vec<String>) {
        assert_eq!(
            self.content_type, "application/problem+json",
            "{}",
            self.body
        );
        let body = self.expect(status);
        assert_eq!(body["status"], status);
        let problems = body["problems"].as_array().cloned().unwrap_or_default();
        let codes = problems
            .iter()
            .map(|problem| text(&problem["code"]))
            .collect();
        (text(&body["code"]), codes)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Stack {
    /// The stack that is up.
    pub fn running() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/local/stack.json");
        let description = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("no stack is up, run `make up`: {error}"));
        let description: Value = serde_json::from_str(&description).unwrap();
        let of = |name: &str| text(&description[name]);
        let credentials = Credentials::new(
            of("access_key_id"),
            of("secret_access_key"),
            None,
            None,
            "stack.json",
        );
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(of("endpoint"))
            .region(Region::new(of("region")))
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(
                credentials,
            ))
            .build();
        Stack {
            config,
            http: reqwest::Client::new(),
            description,
        }
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> String {
        text(&self.description["outputs"][name])
    }

    /// The portal of the administrator's token.
    pub fn administered_portal(&self) -> String {
        text(&self.description["portal_id"])
    }

    /// `operator` or `administrator`.
    pub fn token(&self, role: &str) -> String {
        text(&self.description["tokens"][role])
    }

    /// The fake Xero that the stack was told of.
    pub fn xero(&self) -> fake_xero::Driver {
        fake_xero::Driver::new(&text(&self.description["xero"]["url"]))
    }

    /// An S3 client.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config)
    }

    /// What a customer's system has: the configuration of a key pair that was issued.
    pub fn config_of(&self, access_key_id: &str, secret_access_key: &str) -> SdkConfig {
        let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "issued");
        let provider = aws_sdk_s3::config::SharedCredentialsProvider::new(credentials);
        let config = self.config.clone().into_builder();
        config.credentials_provider(provider).build()
    }

    /// What everything that may do everything is made from.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// A DynamoDB client.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// A client of the user pool.
    pub fn cognito(&self) -> aws_sdk_cognitoidentityprovider::Client {
        aws_sdk_cognitoidentityprovider::Client::new(&self.config)
    }

    /// An IAM client.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config)
    }

    /// A Lambda client.
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    /// An SQS client.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// An EventBridge client.
    pub fn events(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.config)
    }

    /// Every mail that the local cloud has taken, as it describes them.
    pub async fn mails(&self) -> Vec<Value> {
        let url = format!(
            "{}/_ministack/ses/messages",
            text(&self.description["endpoint"])
        );
        let (status, bytes) = self.fetch(&url).await;
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        let accounts = answer["messages"].as_object().unwrap().values();
        accounts
            .flat_map(|mails| mails.as_array().unwrap().clone())
            .collect()
    }

    /// `make redrive` for a stack of this name on the running cloud: what an operator's terminal shows, and
    /// whether it went well.
    pub fn redrive(&self, name: &str) -> (bool, String) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let output = Command::new(root.join("target/local/venv-tools/bin/python"))
            .arg(root.join("local/redrive.py"))
            .arg(name)
            .env("AWS_ENDPOINT_URL", text(&self.description["endpoint"]))
            .env("AWS_REGION", text(&self.description["region"]))
            .env(
                "AWS_ACCESS_KEY_ID",
                text(&self.description["access_key_id"]),
            )
            .env(
                "AWS_SECRET_ACCESS_KEY",
                text(&self.description["secret_access_key"]),
            )
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let shown = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(shown).unwrap())
    }

    /// Everything that the functions have printed.
    pub async fn logs(&self) -> String {
        self.logs_since(UNIX_EPOCH).await
    }

    /// Everything that the functions have printed since then. The local cloud gives no more than the first 10,000 lines
    /// of each.
    pub async fn logs_since(&self, then: SystemTime) -> String {
        let then = then.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let client = aws_sdk_cloudwatchlogs::Client::new(&self.config);
        let groups = client
            .describe_log_groups()
            .send()
            .await
            .unwrap()
            .log_groups
            .unwrap_or_default();
        let mut printed = String::new();
        for group in groups {
            let mut pages = client
                .filter_log_events()
                .log_group_name(group.log_group_name.unwrap())
                .start_time(i64::try_from(then).unwrap())
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                for event in page.unwrap().events.unwrap_or_default() {
                    printed.push_str(event.message().unwrap_or_default());
                    printed.push('\n');
                }
            }
        }
        printed
    }

    /// The same, once they hold what is waited for: lines arrive a moment after the work is done.
    pub async fn logs_with(&self, holds: impl Fn(&str) -> bool) -> String {
        for _ in 0..100 {
            let logs = self.logs().await;
            if holds(&logs) {
                return logs;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the logs do not hold what was waited for");
    }

    /// A request to the API, by real HTTP through the gateway.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        self.call_raw(
            method,
            path,
            token,
            body.map(|body| body.to_string().into_bytes()),
        )
        .await
    }

    /// The same with a body of any bytes.
    pub async fn call_raw(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Answer {
        self.call_with("application/json", method, path, token, body)
            .await
    }

    /// The same with a body of any kind.
    pub async fn call_with(
        &self,
        content_type: &str,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Answer {
        let url = format!("{}{path}", self.output("ApiUrl"));
        let mut request = self
            .http
            .request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let answer = request.send().await.unwrap();
        let header = |name: &str| {
            let header = answer.headers().get(name);
            header.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        };
        let content_type = header("content-type");
        let content_disposition = header("content-disposition");
        let retry_after = header("retry-after");
        let status = answer.status();
        let bytes = answer.bytes().await.unwrap().to_vec();
        Answer {
            status,
            content_type,
            content_disposition,
            retry_after,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes,
        }
    }

    /// A file put to a link, as a browser does: it asks first whether the page's origin may. What S3 answers to both.
    pub async fn put_from_a_page(
        &self,
        url: &str,
        bytes: &[u8],
    ) -> (reqwest::Response, StatusCode) {
        let origin = "https://portal.example";
        let asked = self
            .http
            .request(Method::OPTIONS, url)
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "content-type");
        let put = self.http.put(url).header("origin", origin);
        let put = put.header("content-type", "text/csv").body(bytes.to_vec());
        let asked = asked.send().await.unwrap();
        (asked, put.send().await.unwrap().status())
    }

    /// What a link leads to, fetched without signing in.
    pub async fn fetch(&self, url: &str) -> (u16, Vec<u8>) {
        let answer = self.http.get(url).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.bytes().await.unwrap().to_vec(),
        )
    }
}
