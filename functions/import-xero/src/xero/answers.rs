//! What of Xero's answers is read, and no more: a page of employees carries birth dates and telephone numbers.
//!
//! One value that is `null`, of another type, or not what it should be, costs that value and not the answer; but a
//! status that nobody knows stops somebody from being imported, whatever its type.

use super::api::{Connection, Organisation};
use super::ids::{AuthEventId, ConnectionId, TenantId};
use mapping::import::{Employee, EmployeeId};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value that may be anything.
#[derive(Deserialize)]
#[serde(untagged)]
enum Perhaps<T> {
    Read(T),
    Odd(IgnoredAny),
}

impl<T> Perhaps<T> {
    fn read(self) -> Option<T> {
        match self {
            Perhaps::Read(value) => Some(value),
            Perhaps::Odd(_) => None,
        }
    }
}

fn perhaps<'de, D, T>(json: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Perhaps::deserialize(json).map(Perhaps::read)
}

/// A status. One that is no text is a status that we do not know, and not as if there were none.
fn status<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(json)? {
        Value::Null => None,
        Value::String(status) => Some(status),
        odd => Some(odd.to_string()),
    })
}

/// A list that may be `null`, but not absent: an answer without it is another answer.
fn list<'de, D, T>(json: D) -> Result<Vec<Perhaps<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(json).map(Option::unwrap_or_default)
}

/// `GET /connections`: a bare list. Its timestamps have no zone and seven digits; they are not read.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Connections(Vec<Perhaps<ConnectionItem>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionItem {
    #[serde(default, deserialize_with = "perhaps")]
    id: Option<ConnectionId>,
    #[serde(default, deserialize_with = "perhaps")]
    tenant_id: Option<TenantId>,
    #[serde(default, deserialize_with = "perhaps")]
    tenant_type: Option<String>,
    #[serde(default, deserialize_with = "perhaps")]
    tenant_name: Option<String>,
    #[serde(default, deserialize_with = "perhaps")]
    auth_event_id: Option<AuthEventId>,
}

impl Connections {
    /// Those to organisations. The other kind is to accountants' practices, which have no employees for us.
    pub(super) fn into_organisations(self) -> Vec<Connection> {
        self.0
            .into_iter()
            .filter_map(Perhaps::read)
            .filter(|item| item.tenant_type.as_deref() == Some("ORGANISATION"))
            .filter_map(|item| {
                Some(Connection {
                    id: item.id?,
                    tenant: item.tenant_id?,
                    auth_event: item.auth_event_id,
                    name: item.tenant_name,
                })
            })
            .collect()
    }
}

/// `GET /api.xro/2.0/Organisation`: a list of the one organisation.
#[derive(Deserialize)]
pub(super) struct Organisations {
    #[serde(rename = "Organisations", deserialize_with = "list")]
    organisations: Vec<Perhaps<OrganisationItem>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OrganisationItem {
    #[serde(default, deserialize_with = "perhaps")]
    name: Option<String>,
    #[serde(default, deserialize_with = "perhaps")]
    country_code: Option<String>,
    #[serde(default, deserialize_with = "perhaps")]
    organisation_status: Option<String>,
}

impl Organisations {
    /// `None`: there is none in the answer.
    pub(super) fn first(self) -> Option<Organisation> {
        let item = self.organisations.into_iter().find_map(Perhaps::read)?;
        Some(Organisation {
            name: item.name,
            country: item.country_code,
            active: item.organisation_status.as_deref() == Some("ACTIVE"),
        })
    }
}

/// `GET /payroll.xro/1.0/Employees`: one page.
#[derive(Deserialize)]
pub(super) struct Employees {
    #[serde(rename = "Employees", deserialize_with = "list")]
    employees: Vec<Perhaps<EmployeeItem>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EmployeeItem {
    #[serde(rename = "EmployeeID", default, deserialize_with = "perhaps")]
    id: Option<EmployeeId>,
    #[serde(default, deserialize_with = "perhaps")]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "perhaps")]
    last_name: Option<String>,
    #[serde(default, deserialize_with = "perhaps")]
    email: Option<String>,
    #[serde(default, deserialize_with = "status")]
    status: Option<String>,
}

impl Employees {
    /// As many as there are in the answer.
    pub(super) fn into_people(self) -> Vec<Employee> {
        let person = |item: Perhaps<EmployeeItem>| {
            let item = item.read().unwrap_or_default();
            Employee {
                id: item.id,
                first_name: item.first_name,
                last_name: item.last_name,
                email: item.email,
                status: item.status,
            }
        };
        self.employees.into_iter().map(person).collect()
    }
}

/// `GET /api.xro/2.0/Users`: all of them. They have no status.
#[derive(Deserialize)]
pub(super) struct Users {
    #[serde(rename = "Users", deserialize_with = "list")]
    users: Vec<Perhaps<UserItem>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserItem {
    #[serde(rename = "UserID", default, deserialize_with = "perhaps")]
    id: Option<EmployeeId>,
    #[serde(default, deserialize_with = "perhaps")]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "perhaps")]
    last_name: Option<String>,
    #[serde(default, deserialize_with = "perhaps")]
    email_address: Option<String>,
}

impl Users {
    /// As many as there are in the answer.
    pub(super) fn into_people(self) -> Vec<Employee> {
        let person = |item: Perhaps<UserItem>| {
            let item = item.read().unwrap_or_default();
            Employee {
                id: item.id,
                first_name: item.first_name,
                last_name: item.last_name,
                email: item.email_address,
                status: None,
            }
        };
        self.users.into_iter().map(person).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;

    const A: &str = "cdfb8371-0b21-4b8a-8903-1024df6c391e";
    const B: &str = "39b7357d-3ef8-4ac0-9ea5-7cb4fcd9f3c1";

    fn read<T: DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).unwrap()
    }

    fn employees(json: &str) -> Vec<Employee> {
        read::<Employees>(&format!(r#"{{"Employees":{json}}}"#)).into_people()
    }

    /// Id, first name, last name, address, status.
    type Line = [Option<String>; 5];

    fn lines(people: Vec<Employee>) -> Vec<Line> {
        let line = |person: Employee| {
            [
                person.id.map(String::from),
                person.first_name,
                person.last_name,
                person.email,
                person.status,
            ]
        };
        people.into_iter().map(line).collect()
    }

    fn line(values: [Option<&str>; 5]) -> Line {
        values.map(|value| value.map(str::to_owned))
    }

    #[test]
    fn of_a_page_of_employees_names_address_and_status_are_read_as_they_were_sent() {
        let json = format!(
            r#"{{
                "Id": "1fc0d5e2-8a6c-4d3f-9c0e-8d8e5a0f2f11",
                "Status": "OK",
                "ProviderName": "Go1",
                "DateTimeUTC": "/Date(1795344000000)/",
                "Employees": [{{
                    "EmployeeID": "{A}",
                    "FirstName": " Zoë ",
                    "MiddleNames": "Q",
                    "LastName": "Ørsted",
                    "Status": "ACTIVE",
                    "Email": "zoe@example.com",
                    "DateOfBirth": "/Date(-572313600000+0000)/",
                    "Gender": "N",
                    "Phone": "0400-000-123",
                    "StartDate": "not a date",
                    "IsSTP2Qualified": null
                }}]
            }}"#
        );
        let people = read::<Employees>(&json).into_people();
        let zoe = [
            Some(A),
            Some(" Zoë "),
            Some("Ørsted"),
            Some("zoe@example.com"),
            Some("ACTIVE"),
        ];
        assert_eq!(lines(people), [line(zoe)]);
    }

    #[test]
    fn requirement_10_an_odd_value_costs_that_value_and_nobody_else() {
        let none = || line([None; 5]);
        let cases = [
            ("{}", none()),
            ("null", none()),
            ("17", none()),
            (r#"["x"]"#, none()),
            (
                r#"{"EmployeeID":null,"FirstName":null,"LastName":null,"Email":null,"Status":null}"#,
                none(),
            ),
            (
                r#"{"EmployeeID":"7","FirstName":{"x":1},"LastName":[2],"Email":3,"Status":true}"#,
                line([None, None, None, None, Some("true")]),
            ),
            (
                r#"{"FirstName":"Ann","Email":"","Status":"ON_LEAVE"}"#,
                line([None, Some("Ann"), None, Some(""), Some("ON_LEAVE")]),
            ),
            (
                r#"{"Email":"a@example.com","Email":"b@example.com"}"#,
                none(),
            ),
        ];
        for (odd, expected) in cases {
            let people = employees(&format!(
                r#"[{{"EmployeeID":"{A}"}},{odd},{{"EmployeeID":"{B}"}}]"#
            ));
            let before = line([Some(A), None, None, None, None]);
            let after = line([Some(B), None, None, None, None]);
            assert_eq!(lines(people), [before, expected, after], "{odd}");
        }
    }

    #[test]
    fn no_list_is_nobody_but_another_answer_is_not() {
        assert!(employees("null").is_empty());
        assert!(employees("[]").is_empty());
        for other in [
            "",
            "{}",
            "null",
            "[]",
            r#"{"Employees":{}}"#,
            r#"{"employees":[]}"#,
            r#"{"Employees":[{"EmployeeID""#,
            "<Response><Employees/></Response>",
        ] {
            assert!(
                serde_json::from_str::<Employees>(other).is_err(),
                "{other:?}"
            );
        }
    }

    #[test]
    fn users_have_an_address_of_another_name_and_no_status() {
        let json = format!(
            r#"{{"Users":[{{
                "UserID": "{A}",
                "EmailAddress": "ann@example.com",
                "FirstName": "API ",
                "LastName": "Smith",
                "Status": "ACTIVE",
                "UpdatedDateUTC": "/Date(1573693740000+0000)/",
                "IsSubscriber": false,
                "OrganisationRole": "SOMETHINGNEW"
            }}, null]}}"#
        );
        let ann = [
            Some(A),
            Some("API "),
            Some("Smith"),
            Some("ann@example.com"),
            None,
        ];
        assert_eq!(
            lines(read::<Users>(&json).into_people()),
            [line(ann), line([None; 5])]
        );
    }

    #[test]
    fn connections_are_those_to_organisations_whatever_their_times_look_like() {
        let json = format!(
            r#"[
                {{"id":"{A}","authEventId":"{B}","tenantId":"{B}","tenantType":"ORGANISATION","tenantName":"Demo",
                  "createdDateUtc":"2020-03-18T21:20:07.7179250","updatedDateUtc":"yesterday"}},
                {{"id":"{B}","tenantId":"{A}","tenantType":"ORGANISATION","tenantName":null,"authEventId":"?"}},
                {{"id":"{B}","tenantId":"{A}","tenantType":"PRACTICE"}},
                {{"id":"{B}","tenantId":"{A}","tenantType":"SOMETHINGNEW"}},
                {{"id":"{B}","tenantId":"{A}"}},
                {{"id":"{B}","tenantType":"ORGANISATION"}},
                {{"tenantId":"{A}","tenantType":"ORGANISATION"}},
                null
            ]"#
        );
        let demo = Connection {
            id: A.parse().unwrap(),
            tenant: B.parse().unwrap(),
            auth_event: Some(B.parse().unwrap()),
            name: Some("Demo".to_owned()),
        };
        let nameless = Connection {
            id: B.parse().unwrap(),
            tenant: A.parse().unwrap(),
            auth_event: None,
            name: None,
        };
        let read_ones = read::<Connections>(&json).into_organisations();
        assert_eq!(read_ones, [demo, nameless]);
        assert!(read::<Connections>("[]").into_organisations().is_empty());
        assert!(serde_json::from_str::<Connections>("{}").is_err());
    }

    #[test]
    fn an_organisation_is_active_only_if_it_says_so() {
        let of = |fields: &str| {
            read::<Organisations>(&format!(r#"{{"Organisations":[{{{fields}}}]}}"#)).first()
        };
        let demo = of(
            r#""Name":"Demo (AU)","CountryCode":"AU","OrganisationStatus":"ACTIVE","Version":"AUONRAMP","CreatedDateUTC":1"#,
        );
        let expected = Organisation {
            name: Some("Demo (AU)".to_owned()),
            country: Some("AU".to_owned()),
            active: true,
        };
        assert_eq!(demo, Some(expected));
        for status in [r#""ARCHIVED""#, r#""NEW""#, "null", "1"] {
            let there = of(&format!(r#""OrganisationStatus":{status}"#)).unwrap();
            let none = (None, None);
            assert_eq!((there.name, there.country), none);
            assert!(!there.active, "{status}");
        }
        assert_eq!(
            read::<Organisations>(r#"{"Organisations":[]}"#).first(),
            None
        );
    }
}
