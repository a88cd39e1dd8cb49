//! The life of an administrator, as the FAQ of the product tells it: from authorising to the report of the first upload
//! made with the key pair that was issued, and what comes after that. By HTTP with a token of the user pool, and by a
//! real S3 client.

use crate::people::{sample, sample_json};
use end_to_end::{Account, Portal};
use serde_json::{Value, json};

/// What is asked and answered here is about one portal.
struct Administrator<'p> {
    account: Account,
    portal: &'p Portal,
}

impl Administrator<'_> {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> end_to_end::Answer {
        let path = format!("/portals/{}{path}", self.portal.id);
        self.account.call(method, &path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await.expect(200)
    }

    /// Puts a file with the key pair that was issued. Whether S3 took it.
    async fn put(&self, issued: &Value, name: &str, bytes: &[u8]) -> bool {
        let text = |name: &str| issued[name].as_str().unwrap().to_owned();
        let stack = &self.portal.stack;
        let config = stack.config_of(&text("access_key_id"), &text("secret_access_key"));
        let key = format!("{}{name}", text("prefix"));
        let put = aws_sdk_s3::Client::new(&config).put_object();
        let put = put.bucket(text("bucket")).key(key);
        put.body(bytes.to_vec().into()).send().await.is_ok()
    }
}

#[tokio::test]
async fn from_authorising_to_the_report_of_the_first_upload_and_on() {
    let portal = Portal::unknown();
    // An operator sets the portal up and makes the account.
    let settings = sample_json("people.portal.json");
    portal.call("PUT", "", Some(settings)).await.expect(201);
    let account = Account::administrator(&portal.stack, &portal.id).await;
    let me = Administrator {
        account,
        portal: &portal,
    };

    // Authorise.
    let shown = me.get("").await;
    assert_eq!(shown["feed"]["authorised"], false);
    let authorised = me.call("PUT", "/feed/authorisation", None).await;
    assert_eq!(authorised.expect(201)["authorised_by"], me.account.email);

    // The sample template, and which columns there may be.
    let template = me.call("GET", "/feed/template.csv", None).await;
    assert_eq!(template.status, 200);
    let template = String::from_utf8(template.bytes).unwrap();
    let fields = me.get("/feed/fields").await;
    let required: Vec<&str> = fields["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|field| field["required"] == true)
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert_eq!(required, ["email", "first_name", "last_name"]);
    assert!(
        template.starts_with("email,first_name,last_name,"),
        "{template}"
    );

    // The own file's columns, matched; nothing of the sample is processed.
    let file = sample("people.csv").into_bytes();
    let path = format!("/portals/{}/feed/mapping/inspect", portal.id);
    let seen = me.account.send("text/csv", "POST", &path, &file).await;
    let seen = seen.expect(200);
    let suggested = seen["suggested"].as_array().unwrap();
    let suggests = |column: &str, field: &str| {
        suggested
            .iter()
            .any(|it| it["column"] == column && it["field"] == field)
    };
    assert!(suggests("Work E-mail", "email") && suggests("Surname", "last_name"));
    assert_eq!(me.get("/uploads").await["items"], json!([]));
    let mapping = sample_json("people.mapping.json");
    let mapped = me.call("PUT", "/feed/mapping", Some(mapping.clone())).await;
    assert_eq!(mapped.expect(201)["version"], 1);

    // The key pair, and the first upload with it.
    let issued = me.call("POST", "/feed/credentials", None).await.expect(201);
    assert!(me.put(&issued, "first.csv", &file).await);
    let key = format!("{}/first.csv", portal.id);
    let upload = portal.processed(&key, 1).await;
    let history = me.get("/uploads").await;
    assert_eq!(history["items"][0], upload.record);
    let created = upload.rows("created");
    assert!(created > 0);
    let report = me.get(&format!("/uploads/{}/report", upload.id())).await;
    let (status, report) = portal.stack.fetch(report["url"].as_str().unwrap()).await;
    assert_eq!(status, 200);
    let lines = String::from_utf8(report).unwrap();
    let told = lines.lines().filter(|line| line.contains(",created,"));
    assert_eq!(told.count() as u64, created);
    let people = me.get("/users?limit=100").await;
    assert_eq!(people["items"].as_array().unwrap().len(), 100);

    // A field was forgotten: reset, map again, and the key pair goes on.
    me.call("DELETE", "/feed/mapping", None).await.expect(204);
    let refused = me.call("GET", "/feed/mapping", None).await.refused(404);
    assert_eq!(refused.0, "mapping_not_found");
    let mapped = me.call("PUT", "/feed/mapping", Some(mapping)).await;
    assert_eq!(mapped.expect(201)["version"], 2);
    assert!(me.put(&issued, "second.csv", &file).await);
    let key = format!("{}/second.csv", portal.id);
    let second = portal.processed(&key, 1).await;
    assert_eq!((second.rows("created"), second.rows("updated")), (0, 0));
    let shown = me.get("/feed/credentials").await;
    assert_eq!(shown["access_key_id"], issued["access_key_id"]);

    // A new key pair: the old one stops working, and the new one works.
    let again = me.call("POST", "/feed/credentials", None).await.expect(201);
    assert!(!me.put(&issued, "third.csv", &file).await);
    assert!(me.put(&again, "third.csv", &file).await);
    portal
        .processed(&format!("{}/third.csv", portal.id), 1)
        .await;

    // All of it stands in the trail, newest first, and by whom.
    let trail = me.get("/audit?limit=100").await;
    let trail = trail["items"].as_array().unwrap();
    let told: Vec<(&str, bool)> = trail
        .iter()
        .map(|entry| {
            let own = entry["by"] == me.account.email && entry["acting_as"] == "administrator";
            (entry["action"].as_str().unwrap(), own)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("key_pair_issued", true),
            ("mapping_saved", true),
            ("mapping_reset", true),
            ("key_pair_issued", true),
            ("mapping_saved", true),
            ("feed_authorised", true),
            ("portal_set_up", false),
        ]
    );
    assert_eq!(trail[0]["access_key_id"], again["access_key_id"]);
}

#[tokio::test]
async fn without_a_script_a_file_is_put_through_a_link() {
    let portal = Portal::ready().await;
    let account = Account::administrator(&portal.stack, &portal.id).await;
    let me = Administrator {
        account,
        portal: &portal,
    };
    let file = "Email,First,Last,Status,Job,Site\nann@x.example,Ann,Lee,1,Cook,\n";
    for (name, rehearsal, key) in [
        ("Für morgen.csv", true, "rehearsal/Für morgen.csv"),
        ("people.csv", false, "people.csv"),
    ] {
        let body = json!({"file_name": name, "rehearsal": rehearsal});
        let link = me.call("POST", "/uploads", Some(body)).await.expect(201);
        let key = format!("{}/{key}", portal.id);
        assert_eq!(
            (&link["method"], &link["key"]),
            (&json!("PUT"), &json!(key))
        );
        let url = link["url"].as_str().unwrap();
        let (asked, put) = portal.stack.put_from_a_page(url, file.as_bytes()).await;
        assert_eq!(
            (asked.status(), put.as_u16()),
            (200.try_into().unwrap(), 200)
        );
        let methods = asked.headers()["access-control-allow-methods"].to_str();
        assert!(methods.unwrap().contains("PUT"));
        let upload = portal.processed(&key, 1).await;
        assert_eq!(upload.record["rehearsal"], rehearsal);
        assert_eq!(upload.rows("created"), 1);

        // Of the same link nothing else can be had: no other key, and no reading.
        let (_, elsewhere) = portal
            .stack
            .put_from_a_page(&url.replace(".csv?", "2.csv?"), file.as_bytes())
            .await;
        assert_eq!(elsewhere.as_u16(), 403);
        assert_eq!(portal.stack.fetch(url).await.0, 403);
    }
    assert_eq!(portal.users().await.len(), 1);
    for name in ["", "a.txt", "../a.csv", "x/a.csv"] {
        let body = json!({"file_name": name});
        let refused = me.call("POST", "/uploads", Some(body)).await;
        assert_eq!(refused.refused(422).1, ["invalid_value"], "{name}");
    }
}
