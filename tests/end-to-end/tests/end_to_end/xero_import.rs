//! People are imported from Xero: as many as there are places, each once, and nobody else is changed by it, however often
//! that is done and by how many at once.

use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Account, Company, StoredUser, Upload, employee, employee_id};
use fake_xero::wire::{Person, Route};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// How many users all imports of a portal may create (the product's FAQ).
const PLACES: u32 = 200;

/// Those of the stack (local/deploy.py).
const COURSES: [u64; 5] = [9001, 9002, 9003, 9004, 9005];

type Users = BTreeMap<String, StoredUser>;

/// Employees in another order than that of their ids.
fn employees(numbers: RangeInclusive<u32>) -> Vec<Person> {
    let mut employees: Vec<u32> = numbers.collect();
    employees.sort_by_key(|n| (n * 7_919) % 1_009);
    employees.into_iter().map(employee).collect()
}

fn addresses(numbers: impl Iterator<Item = u32>) -> BTreeSet<String> {
    numbers.map(|n| format!("p{n}@x.example")).collect()
}

fn ids(numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(employee_id).collect()
}

fn shown_ids(preview: &Value, list: &str) -> Vec<String> {
    let people = preview[list].as_array().unwrap().iter();
    people
        .map(|person| person["employee_id"].as_str().unwrap().to_owned())
        .collect()
}

/// An import's user is a plain learner whom no feed manages.
#[track_caller]
fn is_as_imported(user: &StoredUser, n: u32, upload: &Upload) {
    let email = format!("p{n}@x.example");
    for (name, expected) in [
        ("email", email.as_str()),
        ("email_key", &email),
        ("first_name", &format!("P{n}")),
        ("last_name", "Lee"),
        ("source", "xero"),
        ("status", "active"),
        ("portal_id", upload.record["portal_id"].as_str().unwrap()),
        ("last_upload_id", &upload.id()),
    ] {
        assert_eq!(user.text(name), expected, "{name} of {n}");
    }
    assert_eq!(user.set("roles"), ["Learner"]);
    assert_eq!(user.number("version"), 1);
    assert!(!user.is("feed_managed"));
    assert_eq!(
        user.attributes(),
        [
            "created_at",
            "custom",
            "email",
            "email_key",
            "feed_managed",
            "first_name",
            "last_name",
            "last_upload_id",
            "pk",
            "portal_id",
            "roles",
            "sk",
            "source",
            "status",
            "updated_at",
            "user_id",
            "version",
        ]
    );
    assert_eq!(user.custom("job"), None);
}

/// Who has been assigned what.
async fn learning(company: &Company) -> BTreeSet<(String, u64)> {
    let learning = company.portal.assignments().await;
    learning
        .into_iter()
        .map(|(user, course, group, _)| {
            assert_eq!(group, 0, "no group's");
            (user, course)
        })
        .collect()
}

/// The five courses of each of these.
fn courses_of<'u>(users: impl IntoIterator<Item = &'u StoredUser>) -> BTreeSet<(String, u64)> {
    let users = users.into_iter().map(|user| user.text("user_id"));
    users
        .flat_map(|user| COURSES.map(|course| (user.to_owned(), course)))
        .collect()
}

/// A connected company of which so many were there at its last import, and that has so many now, is imported.
async fn grown(company: &Company, before: u32, all: u32) {
    let (created_before, created) = (before.min(PLACES), all.min(PLACES));
    let (new, outside) = (created - created_before, all - created);
    company.employ(employees(1..=all)).await;
    let users_before = company.portal.users().await;
    let asked = company.asked(Route::Employees).await;
    let preview = company.preview().await;
    assert_eq!(preview["places_left"], PLACES - created_before);
    for (list, numbers) in [
        ("already_users", 1..=created_before),
        ("to_import", created_before + 1..=created),
        ("outside_places", created + 1..=all),
    ] {
        assert_eq!(shown_ids(&preview, list), ids(numbers), "{list} of {all}");
    }
    assert_eq!(preview["cannot_import"], json!([]));
    // Requirement 8 of docs/xero.md: the list, and nothing for each.
    let pages = usize::try_from(all / 100 + 1).unwrap();
    assert_eq!(company.asked(Route::Employees).await, asked + pages);

    let upload = company.import(json!({"assign_courses": false})).await;
    assert_eq!(company.asked(Route::Employees).await, asked + 2 * pages);
    let status = if outside == 0 {
        "completed"
    } else {
        "completed_with_problems"
    };
    assert_eq!(upload.status(), status);
    for (count, expected) in [
        ("total", all),
        ("created", new),
        ("updated", 0),
        ("unchanged", created_before),
        ("not_processed", outside),
    ] {
        assert_eq!(upload.rows(count), u64::from(expected), "{count} of {all}");
    }
    let users = company.portal.users().await;
    let emails: BTreeSet<String> = users.keys().cloned().collect();
    assert_eq!(emails, addresses(1..=created));
    for n in created_before + 1..=created {
        is_as_imported(&users[&format!("p{n}@x.example")], n, &upload);
    }
    for (email, user) in &users_before {
        assert_eq!(users[email], *user, "{email}");
    }
    // Who fell outside is who the preview said, in the report too.
    let report = company.portal.report(&upload).await;
    let outcome = |outcome: &str| -> Vec<&str> {
        let lines = report.iter().filter(|line| line["outcome"] == outcome);
        lines.map(|line| line["identity"].as_str()).collect()
    };
    let in_order = |numbers: RangeInclusive<u32>| -> Vec<String> {
        numbers.map(|n| format!("p{n}@x.example")).collect()
    };
    assert_eq!(outcome("created"), in_order(created_before + 1..=created));
    assert_eq!(outcome("not_processed"), in_order(created + 1..=all));
    let no_place = report.iter().filter(|line| line["code"] == "no_place_left");
    assert_eq!(no_place.count(), usize::try_from(outside).unwrap());

    // Of Xero nothing is left but who was imported, and how many.
    let kept = company.given_back().await;
    let known = kept.keys().filter(|sk| sk.starts_with("XERO_EMPLOYEE#"));
    let expected = ids(1..=created).into_iter();
    let expected: Vec<String> = expected.map(|id| format!("XERO_EMPLOYEE#{id}")).collect();
    assert_eq!(
        known.collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    let overview = company.overview().await;
    assert_eq!(overview["state"], "not_connected");
    assert_eq!(overview["imported"], created);
    assert_eq!(overview["places_left"], PLACES - created);
    assert_eq!(overview["places"], PLACES);
    assert_eq!(overview["last_import"]["upload_id"], upload.id());
    assert_eq!(overview["last_import"]["status"], status);
}

/// A new portal's company of so many is imported, and once more: nobody is created then, and nobody changed.
async fn of_so_many(all: u32) {
    let company = Company::employing(Vec::new()).await;
    grown(&company, 0, all).await;
    let users = company.portal.users().await;
    let mut kept = company.kept().await;
    company.connect().await;
    grown(&company, all, all).await;
    assert_eq!(company.portal.users().await, users);
    let mut kept_again = company.kept().await;
    // Which import was the last one.
    for kept in [&mut kept, &mut kept_again] {
        kept.remove("XERO_IMPORTED");
    }
    assert_eq!(kept_again, kept);
    assert_eq!(
        learning(&company).await,
        BTreeSet::new(),
        "nobody asked for courses"
    );
}

#[tokio::test]
async fn a_company_of_a_few_is_imported_and_again_nobody_is_changed() {
    join_all([0, 1, 101].map(of_so_many)).await;
}

#[tokio::test]
async fn a_company_of_more_than_there_are_places_is_imported_as_far_as_they_go() {
    of_so_many(350).await;
}

/// With every import of a company that grows: around whole pages of Xero's, and around the last place.
#[tokio::test]
async fn a_company_that_grows_is_imported_again_and_again_until_no_place_is_left() {
    let company = Company::employing(Vec::new()).await;
    let mut before = 0;
    for all in [99, 100, 150, 199, 200, 201, 350] {
        if before > 0 {
            company.connect().await;
        }
        grown(&company, before, all).await;
        before = all;
    }
}

/// Who is new comes before the others in Xero's order, and takes nobody's place.
#[tokio::test]
async fn a_later_import_fills_the_places_that_are_left_and_takes_no_more() {
    let company = Company::employing(employees(331..=350)).await;
    take_places(&company, 130).await;
    let first = company.import(json!({"assign_courses": false})).await;
    assert_eq!(first.rows("created"), 20);
    let before = company.portal.users().await;
    company.given_back().await;
    company.employ(employees(1..=350)).await;
    company.connect().await;
    let preview = company.preview().await;
    assert_eq!(preview["places_left"], 50);
    assert_eq!(shown_ids(&preview, "to_import"), ids(1..=50));
    assert_eq!(shown_ids(&preview, "outside_places"), ids(51..=330));
    assert_eq!(shown_ids(&preview, "already_users"), ids(331..=350));
    let second = company.import(json!({"assign_courses": false})).await;
    let counts = ["created", "unchanged", "not_processed"].map(|count| second.rows(count));
    assert_eq!(counts, [50, 20, 280]);
    let after = company.portal.users().await;
    let everybody = addresses((1..=50).chain(331..=350));
    assert_eq!(after.keys().cloned().collect::<BTreeSet<_>>(), everybody);
    for (email, user) in &before {
        assert_eq!(after[email], *user, "{email}");
    }
    company.given_back().await;
    assert_eq!(company.overview().await["places_left"], 0);
    assert_eq!(company.overview().await["imported"], 200);

    // With no place left nobody is created; who is a user is assigned courses all the same.
    company.connect().await;
    let chosen = [employee_id(50), employee_id(51)];
    let request = json!({"employee_ids": chosen, "assign_courses": true});
    let third = company.import(request).await;
    let counts = ["created", "unchanged", "not_processed"].map(|count| third.rows(count));
    assert_eq!(counts, [0, 1, 1]);
    assert_eq!(company.portal.users().await, after);
    assert_eq!(
        learning(&company).await,
        courses_of([&after["p50@x.example"]])
    );
}

/// Somebody who is erased leaves no place: 200 is what all imports may create.
#[tokio::test]
async fn a_place_is_taken_for_good() {
    let company = Company::employing(employees(1..=3)).await;
    take_places(&company, 198).await;
    let upload = company.import_all().await;
    assert_eq!(
        (upload.rows("created"), upload.rows("not_processed")),
        (2, 1)
    );
    assert_eq!(company.portal.users().await.len(), 2);
    company.given_back().await;
    let overview = company.overview().await;
    assert_eq!(
        (&overview["imported"], &overview["places_left"]),
        (&json!(200), &json!(0))
    );
    company.connect().await;
    let preview = company.preview().await;
    assert_eq!(shown_ids(&preview, "outside_places"), ids(3..=3));
    let again = company.import_all().await;
    assert_eq!((again.rows("created"), again.rows("unchanged")), (0, 2));
    assert_eq!(company.portal.users().await.len(), 2);
}

/// As if earlier imports had created so many.
async fn take_places(company: &Company, places: u32) {
    let stack = &company.portal.stack;
    let request = stack
        .dynamodb()
        .update_item()
        .table_name(stack.output("FeedTableName"));
    let request = request
        .key("pk", AttributeValue::S(company.portal.id.clone()))
        .key("sk", AttributeValue::S("XERO_IMPORTED".to_owned()))
        .update_expression("SET places_taken = :places")
        .expression_attribute_values(":places", AttributeValue::N(places.to_string()));
    request.send().await.unwrap();
}

#[tokio::test]
async fn of_two_administrators_who_import_at_once_one_is_told_that_the_other_does() {
    for _ in 0..3 {
        let company = Company::employing(employees(1..=12)).await;
        let (stack, portal) = (&company.portal.stack, company.portal.id.as_str());
        let one = Account::administrator(stack, portal).await;
        let attributes = [("custom:portal_id", portal)];
        let email = format!("second@{portal}.example");
        let other = Account::made(stack, email, "administrator", &attributes).await;
        let path = format!("/portals/{portal}/xero/import");
        let request = Some(json!({"assign_courses": true}));
        let (one, other) = tokio::join!(
            one.call("POST", &path, request.clone()),
            other.call("POST", &path, request)
        );
        let (begun, refused) = match one.status.as_u16() {
            202 => (one, other),
            _ => (other, one),
        };
        assert_eq!(refused.refused(409).0, "import_running");
        let id = begun.expect(202)["upload_id"].as_str().unwrap().to_owned();
        let upload = company.ended(&id).await;
        assert_eq!(upload.rows("created"), 12);
        let users = company.portal.users().await;
        assert_eq!(
            users.keys().cloned().collect::<BTreeSet<_>>(),
            addresses(1..=12)
        );
        assert_eq!(learning(&company).await, courses_of(users.values()));
        company.given_back().await;
        assert_eq!(company.overview().await["imported"], 12);
        assert_eq!(company.portal.uploads().await.len(), 1);
    }
}

#[tokio::test]
async fn those_who_are_chosen_are_imported_and_nobody_else() {
    let company = Company::employing(employees(1..=6)).await;
    let unknown = employee_id(99);
    let chosen = [
        employee_id(5).to_uppercase(),
        unknown.clone(),
        employee_id(2),
        employee_id(2),
    ];
    let request = json!({"employee_ids": chosen, "assign_courses": true});
    let upload = company.import(request).await;
    assert_eq!(upload.status(), "completed_with_problems");
    let users = company.portal.users().await;
    assert_eq!(
        users.keys().collect::<Vec<_>>(),
        ["p2@x.example", "p5@x.example"]
    );
    assert_eq!((upload.rows("total"), upload.rows("not_processed")), (3, 1));
    assert_eq!(learning(&company).await, courses_of(users.values()));
    let report = company.portal.report(&upload).await;
    let missing = report
        .iter()
        .find(|line| line["code"] == "employee_not_found");
    assert_eq!(missing.unwrap()["identity"], unknown);

    // Others may be chosen later.
    company.given_back().await;
    company.connect().await;
    let request = json!({"employee_ids": ids(5..=6), "assign_courses": true});
    let later = company.import(request).await;
    assert_eq!((later.rows("created"), later.rows("unchanged")), (1, 1));
    let after = company.portal.users().await;
    assert_eq!(after.len(), 3);
    for (email, user) in &users {
        assert_eq!(after[email], *user);
    }
}

#[tokio::test]
async fn a_choice_that_is_none_is_refused_and_nothing_begins() {
    let company = Company::employing(employees(1..=2)).await;
    let kept = company.kept().await;
    let ask = async |body: Value| company.call("POST", "/import", Some(body)).await;
    let of = |ids: Value| json!({"employee_ids": ids, "assign_courses": true});
    let too_many: Vec<String> = ids(1..=1_001);
    for (body, code) in [
        (of(json!([])), "invalid_value"),
        (of(json!(["x"])), "invalid_value"),
        (
            of(json!([
                employee_id(1),
                "00000000-0000-0000-0000-000000000000"
            ])),
            "invalid_value",
        ),
        (
            of(json!([format!("{{{}}}", employee_id(1))])),
            "invalid_value",
        ),
        (of(json!(too_many)), "invalid_value"),
        (of(json!([1])), "invalid_request"),
        (of(json!(null)), "invalid_request"),
        (of(json!(employee_id(1))), "invalid_request"),
        (json!({}), "invalid_request"),
        (json!({"assign_courses": "yes"}), "invalid_request"),
        (
            json!({"assign_courses": true, "courses": [1]}),
            "invalid_request",
        ),
    ] {
        assert_eq!(ask(body.clone()).await.refused(422).0, code, "{body}");
    }
    assert_eq!(company.kept().await, kept);
    assert_eq!(company.portal.uploads().await, Vec::<Value>::new());
    // A thousand are a choice.
    let upload = company.import(of(json!(too_many[1..]))).await;
    assert_eq!(
        (upload.rows("created"), upload.rows("not_processed")),
        (1, 999)
    );
    assert_eq!(
        company.portal.users().await.keys().collect::<Vec<_>>(),
        ["p2@x.example"]
    );
}

#[tokio::test]
async fn the_five_courses_are_assigned_once_each_and_later_to_those_who_lack_them() {
    let company = Company::employing(employees(1..=4)).await;
    let offered = company.overview().await["courses"].clone();
    let offered: Vec<u64> = offered
        .as_array()
        .unwrap()
        .iter()
        .map(|course| course["learning_id"].as_u64().unwrap())
        .collect();
    assert_eq!(offered, COURSES);
    let without = json!({"employee_ids": ids(1..=2), "assign_courses": false});
    company.import(without).await;
    assert_eq!(learning(&company).await, BTreeSet::new());

    company.given_back().await;
    company.connect().await;
    let with = json!({"employee_ids": ids(2..=3), "assign_courses": true});
    company.import(with).await;
    let users = company.portal.users().await;
    let of = |numbers: &[u32]| -> Vec<&StoredUser> {
        let users = numbers.iter().map(|n| &users[&format!("p{n}@x.example")]);
        users.collect()
    };
    assert_eq!(learning(&company).await, courses_of(of(&[2, 3])));
    let before = company.portal.assignments().await;

    company.given_back().await;
    company.connect().await;
    company.import_all().await;
    let users: Users = company.portal.users().await;
    assert_eq!(learning(&company).await, courses_of(users.values()));
    // What was assigned before is as it was, to the time.
    let after = company.portal.assignments().await;
    assert_eq!((before.len(), after.len()), (10, 20));
    for assignment in before {
        assert!(after.contains(&assignment), "{assignment:?}");
    }
}
