//! Ways to write and to read users: what each costs its caller, with the same items, the same SDK and the same null
//! cloud. What was decided by it is in `docs/decisions.md`. `ways writes <rows>` and `ways reads <rows>` print JSON;
//! where the cloud is, the environment says. Each way of writing has a table of its own, named like the way.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementRequest, PutRequest, ReturnValuesOnConditionCheckFailure,
    WriteRequest,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Value, json};
use std::error::Error;
use std::io::Write;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Statements, or items, a request: DynamoDB's own limit.
const BATCH: usize = 25;

/// As many as a run has.
const BATCHES_IN_FLIGHT: usize = 8;

/// With that many single requests under way, as many users are as with batches.
const SINGLES_IN_FLIGHT: usize = BATCH * BATCHES_IN_FLIGHT;

const PARTITIONS: usize = 16;

/// What the roster needs of a user.
const ROSTER: &str = "sk, email_key, external_id, #status, #roles, feed_roles, feed_managed, \
                      manager_granted_at, disabled_by_upload, fingerprint";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    const USAGE: &str = "usage: ways writes|reads <rows>";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, rows] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let rows = rows.parse()?;
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await);
    let told = match what.as_str() {
        "writes" => writes(&client, rows).await?,
        "reads" => reads(&client, rows).await?,
        _ => return Err(USAGE.into()),
    };
    writeln!(std::io::stdout(), "{}", Value::from(told))?;
    Ok(())
}

async fn writes(client: &Client, rows: usize) -> Result<Vec<Value>> {
    let mut told = Vec::new();
    for way in ["statements", "puts", "updates", "unconditional"] {
        let measure = Measure::begin();
        let requests = match way {
            "statements" => in_batches(rows, |batch| statements(client, way, batch)).await?,
            "puts" => one_by_one(rows, |user| put(client, way, user)).await?,
            "updates" => one_by_one(rows, |user| update(client, way, user)).await?,
            _ => in_batches(rows, |batch| unconditional(client, way, batch)).await?,
        };
        told.push(measure.end(way, rows, requests)?);
    }
    Ok(told)
}

async fn reads(client: &Client, rows: usize) -> Result<Vec<Value>> {
    const TABLE: &str = "users";
    in_batches(rows, |batch| unconditional(client, TABLE, batch)).await?;
    let mut told = Vec::new();
    for (way, projection, page, in_flight) in [
        ("whole users", None, None, 4),
        ("what the roster needs", Some(ROSTER), None, 4),
        ("two attributes", Some("sk, fingerprint"), None, 4),
        ("in pages of 250", Some(ROSTER), Some(250), 4),
        ("in pages of 1,000", Some(ROSTER), Some(1_000), 4),
        ("1 partition at a time", Some(ROSTER), None, 1),
        ("10 partitions at a time", Some(ROSTER), None, 10),
        ("16 partitions at a time", Some(ROSTER), None, 16),
    ] {
        // The null cloud makes its pages when it is first asked for them.
        for measured in [false, true] {
            let measure = Measure::begin();
            let pages: Vec<(usize, usize)> = stream::iter(0..PARTITIONS)
                .map(|shard| partition(client, TABLE, shard, projection, page))
                .buffer_unordered(in_flight)
                .try_collect()
                .await?;
            let (requests, users) = pages.iter().fold((0, 0), |(a, b), (requests, users)| {
                (a + requests, b + users)
            });
            if users != rows {
                return Err(format!("{users} of {rows} users were read").into());
            }
            if measured {
                told.push(measure.end(way, rows, requests)?);
            }
        }
    }
    Ok(told)
}

// ---------------------------------------------------------------- What is measured

struct Measure {
    cpu_us: Result<i64>,
    since: Instant,
}

impl Measure {
    fn begin() -> Self {
        Measure {
            cpu_us: cpu_us(),
            since: Instant::now(),
        }
    }

    fn end(self, way: &str, rows: usize, requests: usize) -> Result<Value> {
        Ok(json!({
            "way": way,
            "rows": rows,
            "cpu_us": cpu_us()? - self.cpu_us?,
            "wall_us": u64::try_from(self.since.elapsed().as_micros())?,
            "requests": requests,
        }))
    }
}

fn cpu_us() -> Result<i64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(usage.user_time().num_microseconds() + usage.system_time().num_microseconds())
}

// ---------------------------------------------------------------- Users

type Attribute = (&'static str, AttributeValue);

/// A user with as much as most have.
fn user(n: usize) -> Vec<Attribute> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let now = "2026-11-22T10:00:00.000Z";
    let id = format!("{n:08x}-0000-5000-8000-000000000000");
    let email = format!("person.number{n}@example.com");
    let custom = [
        ("department", "Operations"),
        ("site", "Perth"),
        ("grade", "C4"),
    ];
    let custom = custom.map(|(name, value)| (name.to_owned(), text(value)));
    vec![
        ("pk", text(&shard(n % PARTITIONS))),
        ("sk", text(&id)),
        ("portal_id", text("1001")),
        ("user_id", text(&id)),
        ("source", text("feed")),
        ("created_at", text(now)),
        ("email", text(&email)),
        ("email_key", text(&email)),
        ("first_name", text("Person")),
        ("last_name", text("Number")),
        ("status", text("active")),
        ("manager_ids", AttributeValue::Ss(vec![id.clone()])),
        ("custom", AttributeValue::M(custom.into())),
        ("feed_managed", AttributeValue::Bool(true)),
        ("fingerprint", AttributeValue::B(Blob::new(vec![7; 24]))),
        ("updated_at", text(now)),
        ("last_upload_id", text("01KAN4Z0000000000000000000")),
        ("version", AttributeValue::N("1".to_owned())),
        ("last_write", text("01KAN4Z0000000000000000000#1")),
        ("last_outcome", text("created")),
    ]
}

fn shard(n: usize) -> String {
    format!("1001#{n:x}")
}

// ---------------------------------------------------------------- Writing

/// How many requests there were.
async fn in_batches<F>(rows: usize, write: impl Fn(Vec<Vec<Attribute>>) -> F) -> Result<usize>
where
    F: Future<Output = Result<()>>,
{
    let batches = (0..rows).step_by(BATCH);
    let requests = batches.len();
    stream::iter(batches)
        .map(|from| write((from..rows.min(from + BATCH)).map(user).collect()))
        .buffer_unordered(BATCHES_IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    Ok(requests)
}

async fn one_by_one<F>(rows: usize, write: impl Fn(Vec<Attribute>) -> F) -> Result<usize>
where
    F: Future<Output = Result<()>>,
{
    stream::iter(0..rows)
        .map(|n| write(user(n)))
        .buffer_unordered(SINGLES_IN_FLIGHT)
        .try_collect::<()>()
        .await?;
    Ok(rows)
}

async fn statements(client: &Client, table: &str, users: Vec<Vec<Attribute>>) -> Result<()> {
    // All users here have the same attributes.
    let columns: Vec<String> = users
        .iter()
        .take(1)
        .flatten()
        .map(|(name, _)| format!("'{name}': ?"))
        .collect();
    let insert = format!("INSERT INTO \"{table}\" VALUE {{{}}}", columns.join(", "));
    let statement = |user: Vec<Attribute>| {
        let values = user.into_iter().map(|(_, value)| value).collect();
        BatchStatementRequest::builder()
            .statement(insert.clone())
            .set_parameters(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
    };
    let statements: std::result::Result<Vec<_>, _> = users.into_iter().map(statement).collect();
    let request = client.batch_execute_statement();
    let answer = request.set_statements(Some(statements?)).send().await?;
    match answer.responses().iter().any(|it| it.error().is_some()) {
        true => Err("a statement was refused".into()),
        false => Ok(()),
    }
}

async fn put(client: &Client, table: &str, user: Vec<Attribute>) -> Result<()> {
    client
        .put_item()
        .table_name(table)
        .set_item(Some(owned(user)))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await?;
    Ok(())
}

async fn update(client: &Client, table: &str, user: Vec<Attribute>) -> Result<()> {
    let (key, rest): (Vec<_>, Vec<_>) = user
        .into_iter()
        .partition(|(name, _)| matches!(*name, "pk" | "sk"));
    let clauses: Vec<String> = rest
        .iter()
        .map(|(name, _)| format!("#{name} = :{name}"))
        .collect();
    let mut request = client
        .update_item()
        .table_name(table)
        .set_key(Some(owned(key)))
        .update_expression(format!("SET {}", clauses.join(", ")))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    for (name, value) in rest {
        request = request
            .expression_attribute_names(format!("#{name}"), name)
            .expression_attribute_values(format!(":{name}"), value);
    }
    request.send().await?;
    Ok(())
}

async fn unconditional(client: &Client, table: &str, users: Vec<Vec<Attribute>>) -> Result<()> {
    let put = |user| PutRequest::builder().set_item(Some(owned(user))).build();
    let write = |user| put(user).map(|put| WriteRequest::builder().put_request(put).build());
    let writes: std::result::Result<Vec<_>, _> = users.into_iter().map(write).collect();
    client
        .batch_write_item()
        .request_items(table, writes?)
        .send()
        .await?;
    Ok(())
}

fn owned(user: Vec<Attribute>) -> std::collections::HashMap<String, AttributeValue> {
    let owned = |(name, value): Attribute| (name.to_owned(), value);
    user.into_iter().map(owned).collect()
}

// ---------------------------------------------------------------- Reading

/// How many requests it took, and how many users there are.
async fn partition(
    client: &Client,
    table: &str,
    n: usize,
    projection: Option<&str>,
    page: Option<i32>,
) -> Result<(usize, usize)> {
    let mut query = client
        .query()
        .table_name(table)
        .key_condition_expression("#pk = :pk")
        .expression_attribute_names("#pk", "pk")
        .expression_attribute_values(":pk", AttributeValue::S(shard(n)))
        .set_projection_expression(projection.map(str::to_owned))
        .set_limit(page)
        .consistent_read(true);
    if projection == Some(ROSTER) {
        query = query
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#roles", "roles");
    }
    let mut pages = query.into_paginator().send();
    let (mut requests, mut users) = (0, 0);
    while let Some(page) = pages.next().await {
        requests += 1;
        users += page?.items().len();
    }
    Ok((requests, users))
}
