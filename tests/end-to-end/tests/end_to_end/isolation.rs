//! Who reaches what: two portals, nobody, an administrator of each, an operator; every route, and every service with the
//! key pair that was issued. What is denied is denied by the gateway and by AWS themselves, wherever they can.

use crate::api::routes;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::error::ProvideErrorMetadata;
use end_to_end::{Account, Portal, Traces};

/// Routes that an administrator may not call, of the own portal either.
const OPERATORS: [(&str, &str); 3] = [("PUT", ""), ("DELETE", ""), ("POST", "/administrators")];

/// Everything that is kept of a portal.
async fn kept(portal: &Portal) -> Traces {
    Traces::of(&portal.stack, &portal.id).await
}

#[tokio::test]
async fn whoever_may_not_is_refused_on_every_route_and_changes_nothing() {
    let (portal, neighbour) = (Portal::ready().await, Portal::ready().await);
    let stack = &portal.stack;
    let administrator = Account::administrator(stack, &portal.id).await;
    let unassigned = Account::made(
        stack,
        format!("nobody@{}.example", portal.id),
        "administrator",
        &[],
    )
    .await;
    let before = (kept(&portal).await, kept(&neighbour).await);
    assert!(before.0.0.len() > 3);
    for (method, path, body) in routes() {
        let own = format!("/portals/{}{path}", portal.id);
        let other = format!("/portals/{}{path}", neighbour.id);
        let nobody = stack.call(method, &own, None, body.clone()).await;
        assert_eq!(nobody.status, 401, "nobody: {method} {path}");
        let refused = administrator.call(method, &other, body.clone()).await;
        assert_eq!(refused.refused(403).0, "forbidden", "{method} {path}");
        let refused = unassigned.call(method, &own, body.clone()).await;
        assert_eq!(refused.refused(403).0, "forbidden", "{method} {path}");
        if OPERATORS.contains(&(method, path)) {
            let refused = administrator.call(method, &own, body).await;
            assert_eq!(refused.refused(403).0, "forbidden", "{method} {path}");
        }
    }
    let nobody = stack.call("GET", "/portals", None, None).await;
    assert_eq!(nobody.status, 401);
    for account in [&administrator, &unassigned] {
        let refused = account.call("GET", "/portals", None).await;
        assert_eq!(refused.refused(403).0, "forbidden");
    }
    assert!(before == (kept(&portal).await, kept(&neighbour).await));

    // Those who may are not refused, whatever else there is to say; what belongs to the neighbour stays as it was.
    let mut routes = routes();
    // What shuts the portal comes last.
    routes.sort_by_key(|(method, path, _)| (*method, *path) == ("DELETE", ""));
    for (method, path, body) in routes {
        let own = format!("/portals/{}{path}", portal.id);
        if !OPERATORS.contains(&(method, path)) {
            let answer = administrator.call(method, &own, body.clone()).await;
            let status = answer.status.as_u16();
            assert!(
                ![401, 403].contains(&status) && status < 500,
                "{method} {path}: {status}"
            );
        }
        let answer = portal.call(method, path, body).await;
        let status = answer.status.as_u16();
        assert!(
            ![401, 403].contains(&status) && status < 500,
            "{method} {path}: {status}"
        );
    }
    assert!(before.1 == kept(&neighbour).await);
}

/// A refusal of the service itself. What was done is none, nor is a service that could not be reached.
#[track_caller]
fn denied<T, E: ProvideErrorMetadata, R>(
    what: &str,
    answer: Result<T, aws_sdk_s3::error::SdkError<E, R>>,
) {
    let error = answer.err();
    let answer = error.as_ref().and_then(|error| error.as_service_error());
    let code = answer.and_then(|answer| answer.code());
    let refused = ["AccessDenied", "AccessDeniedException"];
    assert!(
        code.is_some_and(|code| refused.contains(&code)),
        "{what}: {code:?}"
    );
}

#[tokio::test]
async fn the_key_pair_reaches_nothing_but_its_folder_in_any_service() {
    let (portal, neighbour) = (Portal::ready().await, Portal::ready().await);
    let stack = &portal.stack;
    let issued = portal
        .call("POST", "/feed/credentials", None)
        .await
        .expect(201);
    let text = |name: &str| issued[name].as_str().unwrap();
    let config = stack.config_of(text("access_key_id"), text("secret_access_key"));
    let file = "Email,First,Last,Status,Job,Site\nann@x.example,Ann,Lee,1,Cook,\n";
    let theirs = neighbour.put("people.csv", file).await;
    neighbour.processed(&theirs, 1).await;
    neighbour.rests().await;
    let before = kept(&neighbour).await;

    let s3 = aws_sdk_s3::Client::new(&config);
    let feed = stack.output("FeedBucketName");
    let reports = stack.output("ReportsBucketName");
    let own = format!("{}/a.csv", portal.id);
    let put = s3.put_object().bucket(&feed).key(&own);
    put.body(file.as_bytes().to_vec().into())
        .send()
        .await
        .unwrap();
    portal.processed(&own, 1).await;
    let alike = format!("{}0/a.csv", portal.id);
    for (bucket, key) in [
        (&feed, &theirs),
        (&feed, &alike),
        (&feed, &"a.csv".to_owned()),
        (&reports, &own),
        (&reports, &theirs),
    ] {
        let what = format!("{bucket}/{key}");
        denied(&what, s3.put_object().bucket(bucket).key(key).send().await);
        denied(&what, s3.get_object().bucket(bucket).key(key).send().await);
        denied(
            &what,
            s3.delete_object().bucket(bucket).key(key).send().await,
        );
        denied(
            &what,
            s3.create_multipart_upload()
                .bucket(bucket)
                .key(key)
                .send()
                .await,
        );
        let copy = s3.copy_object().bucket(bucket).key(key);
        denied(
            &what,
            copy.copy_source(format!("{feed}/{own}")).send().await,
        );
    }
    // Of the own file neither: what is put is not had back, and not taken back.
    denied(
        "read own",
        s3.get_object().bucket(&feed).key(&own).send().await,
    );
    denied(
        "delete own",
        s3.delete_object().bucket(&feed).key(&own).send().await,
    );
    let tagging = s3.get_object_tagging().bucket(&feed).key(&own).send().await;
    denied("tags of own", tagging);
    let near = [
        String::new(),
        portal.id.clone(),
        alike,
        format!("{}/", neighbour.id),
    ];
    for prefix in near {
        for bucket in [&feed, &reports] {
            let list = s3.list_objects_v2().bucket(bucket).prefix(&prefix);
            denied(&format!("list {bucket} {prefix}"), list.send().await);
        }
    }
    denied("list all", s3.list_objects_v2().bucket(&feed).send().await);
    let versions = s3.list_object_versions().bucket(&feed).send().await;
    denied("list versions", versions);
    denied("list buckets", s3.list_buckets().send().await);
    let policy = s3.get_bucket_policy().bucket(&feed).send().await;
    denied("bucket policy", policy);

    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    for table in ["FeedTableName", "UsersTableName"] {
        let table = stack.output(table);
        denied("scan", dynamodb.scan().table_name(&table).send().await);
        let s = |text: &str| AttributeValue::S(text.to_owned());
        let get = dynamodb.get_item().table_name(&table);
        let get = get.key("pk", s(&portal.id)).key("sk", s("PORTAL"));
        denied("get", get.send().await);
        let put = dynamodb.put_item().table_name(&table);
        let put = put.item("pk", s(&portal.id)).item("sk", s("PORTAL"));
        denied("put", put.send().await);
    }
    denied("tables", dynamodb.list_tables().send().await);

    let iam = aws_sdk_iam::Client::new(&config);
    denied("users", iam.list_users().send().await);
    denied("own keys", iam.list_access_keys().send().await);
    denied("another key", iam.create_access_key().send().await);
    denied("a user", iam.create_user().user_name("x").send().await);

    let lambda = aws_sdk_lambda::Client::new(&config);
    denied("functions", lambda.list_functions().send().await);
    let name = stack.output("ProcessUploadFunctionName");
    denied("invoke", lambda.invoke().function_name(name).send().await);
    let sqs = aws_sdk_sqs::Client::new(&config);
    denied("queues", sqs.list_queues().send().await);

    assert!(before == kept(&neighbour).await);
}
