//! Whom Xero has, before anybody is imported: each person is in one list, with everything that is wrong with them; and
//! what is said while Xero does not answer as it should.

use end_to_end::{Answer, Company, employee, employee_id};
use fake_xero::wire::{NewOrganisation, Person, Quirks, Route, Scripted};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What is shown of somebody who cannot be imported: first name, and code and field of each problem.
fn refused(preview: &Value) -> Vec<String> {
    let people = preview["cannot_import"].as_array().unwrap().iter();
    people
        .map(|person| {
            let problems = person["problems"].as_array().unwrap().iter();
            let problems = problems
                .map(|it| format!(" {} {}", text(&it["code"]), text(&it["field"])))
                .collect::<String>();
            format!("{}{problems}", text(&person["first_name"]))
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The first names of a list.
fn names<'p>(preview: &'p Value, list: &str) -> Vec<&'p str> {
    let people = preview[list].as_array().unwrap().iter();
    people.map(|person| text(&person["first_name"])).collect()
}

/// The employee with this number and first name, otherwise like others.
fn called(n: u32, name: &str) -> Person {
    employee(n).with("first_name", name)
}

async fn wait_of_two_seconds(company: &Company) -> Duration {
    let limit = Scripted::status(429)
        .header("Retry-After", "2")
        .header("X-Rate-Limit-Problem", "minute");
    company.script(Route::Employees, vec![limit]).await;
    let begun = Instant::now();
    let preview = company.preview().await;
    assert_eq!(names(&preview, "to_import"), ["P1", "P2"]);
    begun.elapsed()
}

/// Requirement 10 of `docs/xero.md`.
#[tokio::test]
async fn everybody_is_in_one_list_and_what_is_odd_about_one_is_one_line_about_them() {
    let odd = vec![
        called(1, "Ann"),
        called(2, "Empty").with("email", ""),
        called(3, "Blank").with("email", " \t"),
        called(4, "Null").with("email", Value::Null),
        called(5, "Absent").without("email"),
        called(6, "Number").with("email", 7),
        called(7, "Bad").with("email", "bad at x.example"),
        called(8, "Two").with("email", "a@x.example, b@x.example"),
        // In other letters, and with spaces: another employee's.
        called(9, "Second").with("email", "  P1@X.EXAMPLE "),
        called(10, "Gone").with("status", "TERMINATED"),
        called(11, "Away").with("status", "ON_LEAVE"),
        called(12, "Odd").with("status", json!({"of": "Xero's"})),
        called(13, "").with("last_name", "  "),
        called(14, "Zoe").with("id", "not a GUID"),
        called(15, "Yan").with("id", Value::Null),
        called(17, "Zero").with("id", "00000000-0000-0000-0000-000000000000"),
        called(18, "Line\nBreak"),
        called(19, &"L".repeat(1_001)),
        called(20, " Bo ").with("email", "\u{a0}p20@x.example\r\n"),
        called(21, "No").with("last_name", Value::Null),
    ];
    let company = Company::of(NewOrganisation {
        quirks: Quirks {
            ignores_where: true,
            ..Quirks::default()
        },
        ..australian(odd)
    })
    .await;
    let preview = company.preview().await;
    assert_eq!(names(&preview, "to_import"), ["Ann", "Bo"]);
    let bo = &preview["to_import"][1];
    assert_eq!(
        *bo,
        json!({"employee_id": employee_id(20), "first_name": "Bo", "last_name": "Lee", "email": "p20@x.example"})
    );
    let long = "L".repeat(1_001);
    let expected = [
        "Empty missing_value email",
        "Blank missing_value email",
        "Null missing_value email",
        "Absent missing_value email",
        "Number missing_value email",
        "Bad invalid_email email",
        "Two invalid_email email",
        "Second duplicate_employee email",
        "Gone employee_terminated status",
        "Away employee_status_unknown status",
        "Odd employee_status_unknown status",
        " missing_value first_name missing_value last_name",
        "Line\nBreak forbidden_character first_name",
        &format!("{long} value_too_long first_name"),
        "No missing_value last_name",
        // Those without an id, by name.
        "Yan missing_value employee_id",
        "Zero missing_value employee_id",
        "Zoe missing_value employee_id",
    ];
    assert_eq!(refused(&preview), expected);
    let second = &preview["cannot_import"][7]["problems"][0];
    assert_eq!(second["message"], "Email: the same address as Ann Lee.");
    for list in ["already_users", "outside_places"] {
        assert_eq!(preview[list], json!([]), "{list}");
    }
    assert_eq!(preview["source"], "payroll_employees");
    assert_eq!(company.portal.users().await.len(), 0, "nobody is changed");

    // The import says the same of the same people, and imports the two.
    let upload = company.import_all().await;
    assert_eq!(upload.status(), "completed_with_problems");
    let users = company.portal.users().await;
    assert_eq!(
        users.keys().collect::<Vec<_>>(),
        ["p1@x.example", "p20@x.example"]
    );
    assert_eq!((upload.rows("created"), upload.rows("total")), (2, 20));
    assert_eq!(upload.rows("not_processed"), 18);
    let lines = company.portal.report(&upload).await;
    let codes = lines.iter().filter(|line| line["outcome"] != "created");
    let codes: Vec<&str> = codes.map(|line| line["code"].as_str()).collect();
    let people = preview["cannot_import"].as_array().unwrap().iter();
    let shown: Vec<&str> = people.map(|it| text(&it["problems"][0]["code"])).collect();
    assert_eq!(codes, shown);
    let rejected = company.portal.rejected(&upload).await;
    assert_eq!(rejected.len(), 18);
    assert_eq!(rejected[0]["employee_id"], employee_id(2));
    assert_eq!(rejected[0]["first_name"], "Empty");

    // Once more: nobody is created, and nobody changed.
    company.given_back().await;
    company.connect().await;
    let again = company.import_all().await;
    assert_eq!((again.rows("created"), again.rows("unchanged")), (0, 2));
    assert_eq!(company.portal.users().await, users);
}

fn australian(employees: Vec<Person>) -> NewOrganisation {
    NewOrganisation {
        name: Some("Harbour Café".to_owned()),
        country: "AU".into(),
        status: "ACTIVE".into(),
        owner: Uuid::nil(),
        employees,
        users: Vec::new(),
        quirks: Quirks::default(),
    }
}

#[tokio::test]
async fn names_of_all_scripts_arrive_as_they_are() {
    let names = [
        ("小明", "王"),
        ("محمد", "العربي"),
        ("สมชาย", "ใจดี"),
        ("👩‍🍳", "Bäcker 🥐"),
        // Decomposed, and composed: neither is made the other.
        ("Zoe\u{308}", "Bjo\u{308}rk"),
        ("Zoë", "Björk"),
        ("O'Brien–Ó", "=1+1"),
    ];
    let people = names.iter().zip(1..).map(|((first, last), n)| {
        let person = Person::named(first, last, &format!("p{n}@bücher.example"));
        person.with("id", employee_id(n))
    });
    let company = Company::employing(people.collect()).await;
    let preview = company.preview().await;
    let shown = preview["to_import"].as_array().unwrap().iter();
    let shown = shown.map(|it| (text(&it["first_name"]), text(&it["last_name"])));
    assert_eq!(shown.collect::<Vec<_>>(), names);
    let upload = company.import_all().await;
    assert_eq!(upload.status(), "completed");
    let users = company.portal.users().await;
    for ((first, last), n) in names.iter().zip(1..) {
        let user = &users[&format!("p{n}@bücher.example")];
        assert_eq!(
            (user.text("first_name"), user.text("last_name")),
            (*first, *last)
        );
    }
    // As the portal shows them.
    let listed = company.portal.call("GET", "/users", None).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), names.len());
}

/// Xero has no employees of American organisations: it is said whom it has instead, and not made to look like more.
#[tokio::test]
async fn of_an_american_organisation_those_who_sign_in_are_shown_and_said_to_be_that() {
    let person = |n: u32, name: &str, role: &str| {
        let person = Person::named(name, "Lee", &format!("p{n}@x.example"));
        person.with("id", employee_id(n)).with("role", role)
    };
    let company = Company::of(NewOrganisation {
        country: "US".into(),
        users: vec![
            person(1, "Ann", "STANDARD"),
            person(2, "Adviser", "FINANCIALADVISER"),
            person(3, "New", "A_ROLE_OF_TOMORROW"),
            person(4, "Nobody", "READONLY").with("email", Value::Null),
        ],
        // Nobody may ask for these.
        employees: vec![called(9, "Employee")],
        ..australian(Vec::new())
    })
    .await;
    let preview = company.preview().await;
    assert_eq!(preview["source"], "xero_users");
    let note = text(&preview["source_note"]);
    for part in [
        "Xero does not offer the employees",
        "accountants and other advisers",
        "not all employees",
    ] {
        assert!(note.contains(part), "{note}");
    }
    assert_eq!(names(&preview, "to_import"), ["Ann", "Adviser", "New"]);
    assert_eq!(refused(&preview), ["Nobody missing_value email"]);
    let upload = company.import_all().await;
    assert_eq!((upload.rows("created"), upload.rows("total")), (3, 4));
    assert_eq!(company.portal.users().await.len(), 3);
    assert_eq!(company.asked(Route::Employees).await, 0);
    assert_eq!(company.asked(Route::Users).await, 2);
}

/// Requirement 9 of `docs/xero.md`.
#[tokio::test]
async fn a_server_that_ignores_the_page_is_asked_twice_and_not_for_ever() {
    let company = Company::of(NewOrganisation {
        quirks: Quirks {
            ignores_page: true,
            ..Quirks::default()
        },
        ..australian((1..=150).map(employee).collect())
    })
    .await;
    let preview = company.preview().await;
    assert_eq!(names(&preview, "to_import").len(), 100);
    assert_eq!(company.asked(Route::Employees).await, 2);
}

#[tokio::test]
async fn only_employees_are_read_and_of_them_only_what_becomes_a_user() {
    let company = Company::employing(vec![employee(1)]).await;
    company.preview().await;
    let upload = company.import_all().await;
    company.given_back().await;
    let calls = company.xero.calls_about(company.tenant).await.calls;
    let paths: Vec<&str> = calls.iter().map(|call| call.path.as_str()).collect();
    let employees = "/payroll.xro/1.0/Employees";
    assert_eq!(
        paths,
        ["/api.xro/2.0/Organisation", employees, employees],
        "nobody is asked for alone"
    );
    for call in &calls {
        assert_eq!(call.headers["accept"], "application/json");
    }
    // Xero's list has more than we are to know: it is nowhere.
    let traces = end_to_end::Traces::of(&company.portal.stack, &company.portal.id).await;
    let logs = company.printed_with(&upload).await;
    for foreign in [
        "Robin",
        "-148089600000",
        "5550 1234",
        "0491 570",
        "ab874dfb",
    ] {
        assert!(traces.with(foreign).is_empty(), "{foreign}");
        assert!(!logs.contains(foreign), "{foreign}");
    }
}

/// Requirement 7 of `docs/xero.md`.
#[tokio::test]
async fn a_short_limit_is_waited_for_and_a_long_one_is_told() {
    let company = Company::employing(vec![employee(1), employee(2)]).await;
    let waited = wait_of_two_seconds(&company).await;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    assert!(waited < Duration::from_secs(10), "{waited:?}");

    let limit = |problem: &str, seconds: &str| {
        Scripted::status(429)
            .header("Retry-After", seconds)
            .header("X-Rate-Limit-Problem", problem)
    };
    for (problem, seconds, at_least, at_most) in [
        ("minute", "40", 30, 41),
        ("day", "66975", 66_960, 66_976),
        // Of the day's limit nobody waits for, however short that is.
        ("day", "3", 1, 4),
    ] {
        company.after_the_limit().await;
        company
            .script(Route::Employees, vec![limit(problem, seconds)])
            .await;
        let asked = company.asked(Route::Employees).await;
        let told = company.call("GET", "/preview", None).await;
        let (after, message) = busy(told);
        assert!((at_least..=at_most).contains(&after), "{problem}: {after}");
        assert!(message.contains(" Try again at 20"), "{message}");
        assert_eq!(company.asked(Route::Employees).await, asked + 1);
    }
    // Until then nobody asks, for whichever portal: neither a preview nor another choice.
    company.after_the_limit().await;
    company
        .script(Route::Employees, vec![limit("minute", "40")])
        .await;
    busy(company.call("GET", "/preview", None).await);
    let asked = company.asked(Route::Employees).await;
    let (after, _) = busy(company.call("GET", "/preview", None).await);
    assert!((20..=41).contains(&after), "{after}");
    let choice = json!({"tenant_id": company.tenant});
    busy(company.call("PUT", "/organisation", Some(choice)).await);
    assert_eq!(company.asked(Route::Employees).await, asked);
    company.after_the_limit().await;
    assert_eq!(names(&company.preview().await, "to_import"), ["P1", "P2"]);
}

/// Seconds to wait, and what is said.
#[track_caller]
fn busy(answer: Answer) -> (u64, String) {
    let after = answer.retry_after.parse().unwrap_or_default();
    let message = answer.body["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert_eq!(answer.refused(429).0, "xero_busy");
    (after, message)
}

#[tokio::test]
async fn what_xero_does_not_say_is_told_as_what_it_means() {
    let company = Company::employing(vec![employee(1)]).await;
    let denied =
        json!({"Title": "Unauthorized", "Status": 401, "Detail": "AuthorizationUnsuccessful"});
    for answer in [
        Scripted::status(401).body(denied),
        Scripted::status(403).body("<ApiException>not a payroll administrator</ApiException>"),
        Scripted::status(404),
    ] {
        company.script(Route::Employees, vec![answer]).await;
        let told = company.call("GET", "/preview", None).await;
        assert_eq!(told.refused(409).0, "xero_payroll_unavailable");
    }
    for answers in [
        vec![Scripted::status(500), Scripted::status(503)],
        vec![Scripted::reset(), Scripted::lost()],
        vec![Scripted::malformed()],
        vec![Scripted::status(200).body("<html>down for maintenance</html>")],
        vec![Scripted::status(200).body(json!({"Employees": "none"}))],
        vec![Scripted::status(302).header("Location", "http://127.0.0.1:1/")],
        vec![Scripted::status(400).body(json!({"ErrorNumber": 16}))],
    ] {
        let all = answers.len();
        let asked = company.asked(Route::Employees).await;
        company.script(Route::Employees, answers).await;
        let told = company.call("GET", "/preview", None).await;
        assert_eq!(told.refused(503).0, "xero_unavailable");
        assert_eq!(company.asked(Route::Employees).await, asked + all);
    }
    // The connection stays; one that does not answer once is asked again, and then all is well.
    for answer in [
        Scripted::status(502),
        Scripted::reset(),
        Scripted::delay_ms(1_500),
    ] {
        company.script(Route::Employees, vec![answer]).await;
        assert_eq!(names(&company.preview().await, "to_import"), ["P1"]);
    }
    assert_eq!(company.overview().await["state"], "connected");
}

#[tokio::test]
async fn who_answers_too_late_is_asked_once_more() {
    let company = Company::employing(vec![employee(1)]).await;
    let late = Scripted::delay_ms(11_000);
    company.script(Route::Employees, vec![late]).await;
    assert_eq!(names(&company.preview().await, "to_import"), ["P1"]);
    assert_eq!(company.asked(Route::Employees).await, 2);
}

/// Requirement 7 of `docs/xero.md`.
#[tokio::test]
async fn an_organisation_is_asked_one_thing_at_a_time_whoever_asks() {
    let company = Company::employing((1..=101).map(employee).collect()).await;
    let slow = |calls: u32| (0..calls).map(|_| Scripted::delay_ms(400)).collect();
    company.script(Route::Employees, slow(8)).await;
    for preview in join_all((0..4).map(|_| company.preview())).await {
        assert_eq!(names(&preview, "to_import").len(), 101);
    }
    assert_eq!(company.asked(Route::Employees).await, 8);
    // One of them imports, and then gives the connection back. Whoever looks too late is told just that.
    company.script(Route::Employees, slow(8)).await;
    let looks = join_all((0..3).map(|_| company.call("GET", "/preview", None)));
    let import = company.import(json!({"employee_ids": [employee_id(1)], "assign_courses": false}));
    let (looks, upload) = tokio::join!(looks, import);
    assert_eq!(upload.rows("created"), 1);
    for look in looks {
        if look.status == 200 {
            let all =
                names(&look.body, "to_import").len() + names(&look.body, "already_users").len();
            assert_eq!(all, 101);
        } else {
            assert_eq!(look.refused(409).0, "xero_not_connected");
        }
    }
    assert_eq!(company.most_at_once().await, 1);
}

/// Requirement 5 of `docs/xero.md`: payroll is not to blame.
#[tokio::test]
async fn who_is_disconnected_in_xero_while_they_look_is_told_so() {
    let company = Company::employing(vec![employee(1)]).await;
    company
        .script(Route::Employees, vec![Scripted::delay_ms(2_000)])
        .await;
    let look = company.call("GET", "/preview", None);
    let disconnect = async {
        while company.asked(Route::Employees).await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        company.xero.disconnect(company.tenant).await;
    };
    let (told, ()) = tokio::join!(look, disconnect);
    assert_eq!(told.refused(409).0, "xero_reconnect_needed");
    let overview = company.overview().await;
    assert_eq!(overview["state"], "reconnect_needed");
}
