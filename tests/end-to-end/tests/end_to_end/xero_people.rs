//! Whom an import recognises, and leaves as they are: people who were imported before, whatever has changed in Xero
//! since, and people who were users before.

use end_to_end::{Company, StoredUser, Traces, employee, employee_id};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const HEADER: &str = "Email,First,Last,Status,Job,Site\n";

/// The addresses of those who have courses; each has all of them.
async fn with_courses(company: &Company, users: &BTreeMap<String, StoredUser>) -> BTreeSet<String> {
    let mut courses: BTreeMap<String, u32> = BTreeMap::new();
    for (user, ..) in company.portal.assignments().await {
        *courses.entry(user).or_default() += 1;
    }
    assert!(courses.values().all(|count| *count == 5), "{courses:?}");
    let has = |user: &&StoredUser| courses.contains_key(user.text("user_id"));
    let emails = users.values().filter(has).map(|user| user.text("email"));
    emails.map(str::to_owned).collect()
}

fn set<const N: usize>(emails: [&str; N]) -> BTreeSet<String> {
    emails.map(str::to_owned).into()
}

#[tokio::test]
async fn who_has_another_address_or_name_in_xero_stays_who_they_are_here() {
    let company = Company::employing((1..=4).map(employee).collect()).await;
    company.import(json!({"assign_courses": false})).await;
    company.given_back().await;
    let users = company.portal.users().await;
    company
        .employ(vec![
            employee(1).with("email", "new@x.example"),
            employee(2)
                .with("first_name", "Other")
                .with("last_name", "Name"),
            // Of somebody who was imported an address is not needed any more.
            employee(3).without("email"),
            employee(4).with("status", "TERMINATED"),
            // Who has the address now that was another's, and still is here.
            employee(5).with("email", "P1@x.example"),
            employee(6),
        ])
        .await;
    company.connect().await;
    let upload = company.import_all().await;
    let counts = ["created", "unchanged", "not_processed"].map(|count| upload.rows(count));
    assert_eq!(counts, [1, 3, 1]);
    let after = company.portal.users().await;
    assert_eq!(after.len(), 5);
    for (email, user) in &users {
        assert_eq!(after[email], *user, "{email}");
    }
    assert!(after.contains_key("p6@x.example"));
    let report = company.portal.report(&upload).await;
    let lines: Vec<_> = report
        .iter()
        .map(|line| (line["identity"].as_str(), line["code"].as_str()))
        .collect();
    assert_eq!(
        lines,
        [("P1@x.example", "email_taken"), ("p6@x.example", "")]
    );
    // Xero leaves out who is terminated, and what was asked for is assigned to everybody else.
    assert_eq!(
        with_courses(&company, &after).await,
        set([
            "p1@x.example",
            "p2@x.example",
            "p3@x.example",
            "p6@x.example"
        ])
    );
}

#[tokio::test]
async fn who_was_a_user_before_is_not_changed_and_is_assigned_the_courses_unless_inactive() {
    let company = Company::employing((1..=5).map(employee).collect()).await;
    let file = format!(
        "{HEADER}P1@x.example,Ann,Before,1,Cook,Perth\n\
         p2@x.example,Bo,Before,1,,\n\
         p3@x.example,Cy,Before,0,,\n\
         p9@x.example,Not,Asked,1,,\n"
    );
    let fed = company.portal.upload("a.csv", file.clone()).await;
    assert_eq!(fed.rows("created"), 4);
    company.portal.rests().await;
    let users = company.portal.users().await;
    let preview = company.preview().await;
    let known = preview["already_users"].as_array().unwrap();
    let known: Vec<_> = known
        .iter()
        .map(|person| (person["first_name"].as_str().unwrap(), &person["user_id"]))
        .collect();
    let id = |n: u32| json!(users[&format!("p{n}@x.example")].text("user_id"));
    assert_eq!(known, [("P1", &id(1)), ("P2", &id(2)), ("P3", &id(3))]);

    let upload = company.import_all().await;
    assert_eq!((upload.rows("created"), upload.rows("unchanged")), (2, 3));
    let after = company.portal.users().await;
    assert_eq!(after.len(), 6);
    for (email, user) in &users {
        assert_eq!(after[email], *user, "{email}");
    }
    assert_eq!(after["p3@x.example"].text("status"), "inactive");
    let expected = set([
        "P1@x.example",
        "p2@x.example",
        "p4@x.example",
        "p5@x.example",
    ]);
    assert_eq!(with_courses(&company, &after).await, expected);
    // They take no places, and are known from now on.
    let kept = company.given_back().await;
    assert_eq!(company.overview().await["imported"], 2);
    for n in 1..=5 {
        assert!(
            kept.contains_key(&format!("XERO_EMPLOYEE#{}", employee_id(n))),
            "{n}"
        );
    }

    // A nightly file finds everything as it left it.
    let again = company.portal.upload("b.csv", file).await;
    assert_eq!((again.rows("unchanged"), again.rows("total")), (4, 4));
    assert_eq!(company.portal.users().await, after);

    // Known by their employee: another address in Xero makes no second user of them.
    let moved = (1..=5).map(|n| employee(n).with("email", format!("moved{n}@x.example")));
    company.employ(moved.collect()).await;
    company.connect().await;
    let again = company.import_all().await;
    assert_eq!((again.rows("created"), again.rows("unchanged")), (0, 5));
    assert_eq!(company.portal.users().await, after);
    assert_eq!(with_courses(&company, &after).await, expected);
}

#[tokio::test]
async fn who_was_erased_is_no_employee_any_more_and_can_be_imported_anew() {
    let company = Company::employing((1..=3).map(employee).collect()).await;
    let portal = &company.portal;
    let first = company.import_all().await;
    company.given_back().await;
    portal.rests().await;
    let users = portal.users().await;
    let address = "p2@x.example";
    let id = users[address].text("user_id").to_owned();
    let path = format!("/users/{id}");
    let erased = portal.call("DELETE", &path, None).await;
    assert_eq!(erased.status, 204, "{}", erased.body);
    let traces = crate::erasure::traces_are_erased(portal).await;
    let of_the_trail = |place: &&&String| !place.contains("/ AUDIT#");
    for trace in [address, &id] {
        let left = traces.with(trace);
        assert_eq!(left.iter().filter(of_the_trail).count(), 0, "{left:?}");
    }
    let link = format!("XERO_EMPLOYEE#{}", employee_id(2));
    assert!(!company.kept().await.contains_key(&link));
    // The others have their lines, links and courses.
    let report = portal.report(&first).await;
    let lines: Vec<&str> = report
        .iter()
        .map(|line| line["identity"].as_str())
        .collect();
    assert!(
        lines.contains(&"p1@x.example") && lines.contains(&"p3@x.example"),
        "{lines:?}"
    );
    assert!(!lines.contains(&address), "{lines:?}");
    let mut others = users.clone();
    others.remove(address);
    assert_eq!(portal.users().await, others);

    // Xero has them still: whoever asks for everybody has them again, as somebody new.
    company.connect().await;
    let upload = company.import_all().await;
    assert_eq!((upload.rows("created"), upload.rows("unchanged")), (1, 2));
    let after = portal.users().await;
    assert_eq!(after.len(), 3);
    for (email, user) in &others {
        assert_eq!(after[email], *user, "{email}");
    }
    assert_eq!(after[address].number("version"), 1);
    assert_eq!(with_courses(&company, &after).await.len(), 3);
    assert!(company.kept().await.contains_key(&link));
    company.given_back().await;
    assert_eq!(
        company.overview().await["imported"],
        4,
        "a place is taken for good"
    );
    let traces = Traces::of(&portal.stack, &portal.id).await;
    assert!(!traces.with(address).is_empty());
}
