//! A key pair is regenerated, and fails at each of its steps in turn: whatever the customer was told last works, and the
//! next attempt leaves that one alone.

use aws_sdk_dynamodb::types::AttributeValue;
use chaos::{Call, Cloud, FaultProxy, Faults, Kind, Lambda, Portal, Settings, deployed, within};
use serde_json::{Value, json};
use std::time::Duration;

const STAGE: &str = "chaos";

/// `regenerate-credentials`, with a proxy between it and the cloud.
struct Issuer {
    cloud: Cloud,
    proxy: FaultProxy,
    lambda: Lambda,
    event: Value,
}

/// What a customer was told.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    access_key_id: String,
    secret_access_key: String,
}

impl Issuer {
    async fn start() -> Self {
        let cloud = Cloud::create().await;
        let proxy = FaultProxy::start(cloud.endpoint(), Faults::none());
        let mut environment = cloud.environment(&proxy.endpoint());
        // The stack's own: the boundary says so.
        let bucket = cloud.output("FeedBucketName");
        for (name, value) in [
            ("FEED_BUCKET", bucket.to_owned()),
            ("FEED_BUCKET_ARN", format!("arn:aws:s3:::{bucket}")),
            (
                "PERMISSIONS_BOUNDARY",
                cloud.output("CustomerBoundaryArn").to_owned(),
            ),
            ("STAGE", STAGE.to_owned()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        let binary = deployed("regenerate-credentials");
        let lambda = Lambda::start(binary, environment, Settings::default());
        let sample = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../events/regenerate-credentials.json"
        );
        let mut event: Value = serde_json::from_slice(&std::fs::read(sample).unwrap()).unwrap();
        event["requestContext"]["http"]["method"] = json!("POST");
        Issuer {
            cloud,
            proxy,
            lambda,
            event,
        }
    }

    fn request(&self, portal: &Portal<'_>) -> Value {
        let path = format!("/portals/{}/feed/credentials", portal.id);
        let mut event = self.event.clone();
        event["rawPath"] = json!(path);
        event["requestContext"]["http"]["path"] = json!(path);
        event["pathParameters"]["portal_id"] = json!(portal.id);
        event["requestContext"]["authorizer"]["jwt"]["claims"]["custom:portal_id"] =
            json!(portal.id);
        event
    }

    /// The status, and the key pair if there is one.
    async fn regenerate(&self, portal: &Portal<'_>) -> (u64, Option<Told>) {
        let answer = self.lambda.call(self.request(portal)).await.unwrap();
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let told = text("access_key_id").zip(text("secret_access_key"));
        let told = told.map(|(access_key_id, secret_access_key)| Told {
            access_key_id,
            secret_access_key,
        });
        (answer["statusCode"].as_u64().unwrap(), told)
    }

    /// Whether S3 does for this key pair what a customer's client asks first.
    async fn works(&self, portal: &Portal<'_>, told: &Told) -> bool {
        let config = self
            .cloud
            .config_of(&told.access_key_id, &told.secret_access_key);
        let list = aws_sdk_s3::Client::new(&config).list_objects_v2();
        let list = list.bucket(self.cloud.output("FeedBucketName"));
        list.prefix(format!("{}/", portal.id)).send().await.is_ok()
    }

    async fn keys(&self, portal: &Portal<'_>) -> Vec<String> {
        let config = self.cloud.config(self.cloud.endpoint());
        let list = aws_sdk_iam::Client::new(&config).list_access_keys();
        let list = list.user_name(format!("user-feed-{STAGE}-{}", portal.id));
        let keys = list.send().await.unwrap().access_key_metadata;
        keys.into_iter()
            .filter_map(|key| key.access_key_id)
            .collect()
    }

    /// Nobody issues any more: a minute has passed.
    async fn unlock(&self, portal: &Portal<'_>) {
        let update = self.cloud.dynamodb().update_item();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let update = update
            .table_name(&self.cloud.feed_table)
            .key("pk", text(&portal.id))
            .key("sk", text("CREDENTIALS"))
            .update_expression("REMOVE issuing_by, issuing_until");
        update.send().await.unwrap();
    }

    /// The next attempt puts everything in order: one key, the one that is told.
    async fn heals(&self, portal: &Portal<'_>, what: &str) {
        let (status, told) = self.regenerate(portal).await;
        assert_eq!(status, 201, "{what}");
        let told = told.unwrap();
        assert!(self.works(portal, &told).await, "{what}");
        assert_eq!(self.keys(portal).await, [told.access_key_id], "{what}");
    }
}

/// Everything that a regeneration asks of AWS, in its order.
const STEPS: [(&str, &str); 8] = [
    ("dynamodb", "GetItem"),
    ("dynamodb", "UpdateItem"),
    ("iam", "CreateUser"),
    ("iam", "PutUserPolicy"),
    ("iam", "ListAccessKeys"),
    ("iam", "CreateAccessKey"),
    ("iam", "DeleteAccessKey"),
    ("dynamodb", "TransactWriteItems"),
];

fn is(step: (&'static str, &'static str)) -> impl Fn(&Call) -> bool {
    move |call| (call.service, call.operation.as_str()) == step
}

#[tokio::test]
async fn a_regeneration_that_fails_at_a_step_leaves_a_key_that_works_and_the_next_one_heals() {
    let issuer = Issuer::start().await;
    for step in STEPS {
        for kind in [Kind::ServerError, Kind::Reset, Kind::Lost] {
            let what = format!("{step:?}, {kind:?}");
            let portal = Portal::ready(&issuer.cloud).await;
            let (status, before) = issuer.regenerate(&portal).await;
            assert_eq!(status, 201, "{what}");
            let before = before.unwrap();
            // Every time, also when it is repeated.
            issuer
                .proxy
                .set(Faults::new(1, 1.0, &[kind]).only(is(step)));
            let (status, told) = issuer.regenerate(&portal).await;
            let injected = issuer.proxy.injected();
            issuer.proxy.clear();
            assert!(injected.contains_key(&(step.1.to_owned(), kind)), "{what}");
            match &told {
                // Nothing of it matters to the customer.
                Some(told) => {
                    assert_eq!(status, 201, "{what}");
                    assert!(issuer.works(&portal, told).await, "{what}");
                    assert!(!issuer.works(&portal, &before).await, "{what}");
                }
                None => {
                    assert_eq!(status, 500, "{what}");
                    assert!(issuer.works(&portal, &before).await, "{what}");
                }
            }
            if step.0 == "dynamodb" {
                issuer.unlock(&portal).await;
            }
            issuer.heals(&portal, &what).await;
        }
    }
    issuer.cloud.tear_down().await;
}

/// The same for who has no key pair yet, and with only the first try of the step failing.
#[tokio::test]
async fn a_first_key_pair_comes_with_the_repetition_and_is_the_only_one() {
    let issuer = Issuer::start().await;
    for step in STEPS
        .into_iter()
        .filter(|(_, step)| *step != "DeleteAccessKey")
    {
        for kind in [Kind::ServerError, Kind::Lost] {
            let what = format!("{step:?}, {kind:?}");
            let portal = Portal::ready(&issuer.cloud).await;
            let met = std::sync::atomic::AtomicBool::new(false);
            let first = move |call: &Call| {
                is(step)(call) && !met.swap(true, std::sync::atomic::Ordering::Relaxed)
            };
            issuer.proxy.set(Faults::new(1, 1.0, &[kind]).only(first));
            let (status, told) = issuer.regenerate(&portal).await;
            issuer.proxy.clear();
            assert_eq!(status, 201, "{what}");
            let told = told.unwrap();
            assert!(issuer.works(&portal, &told).await, "{what}");
            assert_eq!(issuer.keys(&portal).await, [told.access_key_id], "{what}");
        }
    }
    issuer.cloud.tear_down().await;
}

/// The folder is for clients with a window alone.
#[tokio::test]
async fn a_pair_is_issued_although_its_folder_cannot_be_made_and_the_next_one_makes_it() {
    const FOLDER: (&str, &str) = ("s3", "PutObject");
    let issuer = Issuer::start().await;
    for kind in [Some(Kind::ServerError), Some(Kind::Lost), None] {
        let portal = Portal::ready(&issuer.cloud).await;
        match kind {
            Some(kind) => issuer
                .proxy
                .set(Faults::new(1, 1.0, &[kind]).only(is(FOLDER))),
            // S3 says nothing at all.
            None => issuer.proxy.hold(is(FOLDER)),
        }
        let (status, told) = issuer.regenerate(&portal).await;
        assert_eq!(status, 201, "{kind:?}");
        assert!(issuer.works(&portal, &told.unwrap()).await, "{kind:?}");
        issuer.proxy.clear();
        issuer.proxy.release();
        assert_eq!(issuer.regenerate(&portal).await.0, 201, "{kind:?}");
        let config = issuer.cloud.config(issuer.cloud.endpoint());
        let list = aws_sdk_s3::Client::new(&config).list_objects_v2();
        let list = list.bucket(issuer.cloud.output("FeedBucketName"));
        let listed = list.prefix(format!("{}/", portal.id)).send().await;
        assert_eq!(listed.unwrap().contents().len(), 1, "{kind:?}");
    }
    issuer.cloud.tear_down().await;
}

#[tokio::test]
async fn whoever_is_killed_at_a_step_leaves_nothing_that_the_next_attempt_does_not_heal() {
    let issuer = Issuer::start().await;
    for step in STEPS {
        let what = format!("killed at {step:?}");
        let portal = Portal::ready(&issuer.cloud).await;
        let (_, before) = issuer.regenerate(&portal).await;
        let before = before.unwrap();
        // Done, and nobody heard of it.
        issuer.proxy.hold_answers(is(step));
        let request = issuer.lambda.call(issuer.request(&portal));
        let killed = async {
            let patience = Duration::from_secs(20);
            within(patience, "call", || (issuer.proxy.held() > 0).then_some(())).await;
            issuer.lambda.busy()[0].kill().await;
        };
        let (answer, ()) = futures_util::future::join(request, killed).await;
        assert!(answer.is_err(), "{what}");
        issuer.proxy.release();
        let removed = ["DeleteAccessKey", "TransactWriteItems"].contains(&step.1);
        assert_eq!(issuer.works(&portal, &before).await, !removed, "{what}");

        // Who had the lock does nothing any more, and keeps others from it for a minute.
        if step != STEPS[0] && step != STEPS[7] {
            let (status, _) = issuer.regenerate(&portal).await;
            assert_eq!(status, 409, "{what}");
            issuer.unlock(&portal).await;
        }
        issuer.heals(&portal, &what).await;
    }
    issuer.cloud.tear_down().await;
}
