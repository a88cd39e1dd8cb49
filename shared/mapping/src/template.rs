//! A sample CSV of a portal's fields, with two people who do not exist. The feed itself would accept it, and so
//! would whoever takes it for the layout of an export.

use crate::fields::{Field, FieldCatalogue};
use crate::suggest::{Concept, concept_of_custom};

/// One manages the other, so that the cell of `manager` names somebody. The domain is nobody's (RFC 2606).
const EMAILS: [&str; 2] = ["alex.sample@example.com", "sam.sample@example.com"];

/// `template.csv`: the fields as columns, by their own names, and two lines of dummy data.
pub fn template(catalogue: &FieldCatalogue) -> Vec<u8> {
    let fields: Vec<Field> = catalogue.fields().collect();
    let people = [0, 1].map(|person| {
        let value = |field| value(field, person, catalogue);
        fields.iter().map(value).collect::<Vec<String>>()
    });
    let header = fields.iter().map(Field::to_string).collect();
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for line in [header].into_iter().chain(people) {
        // Writing into memory does not fail.
        let _ = writer.write_record(line);
    }
    writer.into_inner().unwrap_or_default()
}

fn value(field: &Field, person: usize, catalogue: &FieldCatalogue) -> String {
    let both = |values: [&str; 2]| values[person].to_owned();
    match field {
        Field::Email => both(EMAILS),
        Field::FirstName => both(["Alex", "Sam"]),
        Field::LastName => both(["Sample", "Sample"]),
        Field::ExternalId => both(["1001", "1002"]),
        Field::Status => both(["1", "1"]),
        Field::Role => both(["Learner", "Learner|Manager"]),
        // Another number would be no group of the portal.
        Field::Group => {
            let first = catalogue.groups.first();
            first.map_or_else(String::new, |group| group.id.to_string())
        }
        Field::Manager => both([EMAILS[1], ""]),
        Field::Custom(name) => match concept_of_custom(name.as_str()) {
            Some(Concept::ManagerEmail) => both([EMAILS[1], ""]),
            Some(Concept::EmployeeId) => both(["E1001", "E1002"]),
            Some(Concept::JobTitle) => both(["Sales Assistant", "Sales Manager"]),
            Some(Concept::HireDate) => both(["2026-02-02", "2019-07-01"]),
            _ => both(["Sample", "Sample"]),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Group, Groups};
    use crate::inspect::inspect;
    use crate::mapping::{FieldDraft, Mapping, MappingDraft};
    use crate::plan::testing::{Portal, as_planned};

    fn catalogue(custom: &[&str], external_id: bool, groups: &[u64]) -> FieldCatalogue {
        let group = |id: &u64| Group {
            id: *id,
            learning_ids: Vec::new(),
        };
        FieldCatalogue {
            custom: custom.iter().map(|name| name.parse().unwrap()).collect(),
            groups: Groups::new(groups.iter().map(group).collect()),
            external_id,
        }
    }

    /// Every field of the portal by the column of its name.
    fn mapping(catalogue: &FieldCatalogue) -> Mapping {
        let line = |field: Field| FieldDraft {
            field: field.to_string(),
            column: field.to_string(),
            on_empty: None,
        };
        let identity = if catalogue.external_id {
            "external_id"
        } else {
            "email"
        };
        let draft = MappingDraft {
            columns: Vec::new(),
            fields: catalogue.fields().map(line).collect(),
            identity: identity.to_owned(),
            auto_disable: false,
        };
        Mapping::check(&draft, catalogue).unwrap()
    }

    #[test]
    fn a_template_has_the_portals_fields_and_dummy_data() {
        let text = |catalogue: &FieldCatalogue| String::from_utf8(template(catalogue)).unwrap();
        assert_eq!(
            text(&catalogue(&["employee_id", "site"], false, &[])),
            "email,first_name,last_name,status,role,group,manager,employee_id,site\r\n\
             alex.sample@example.com,Alex,Sample,1,Learner,,sam.sample@example.com,E1001,Sample\r\n\
             sam.sample@example.com,Sam,Sample,1,Learner|Manager,,,E1002,Sample\r\n"
        );
        let with_ids = text(&catalogue(&[], true, &[20, 7]));
        assert!(with_ids.starts_with("email,first_name,last_name,external_id,status,"));
        assert!(with_ids.contains(",1001,1,Learner,7,"));
    }

    #[test]
    fn the_feed_accepts_its_own_template_without_a_warning() {
        let custom = [
            "employee_id",
            "job_title",
            "manager_email",
            "hire_date",
            "shoe_size",
        ];
        for catalogue in [
            catalogue(&custom, false, &[7, 20]),
            catalogue(&custom, true, &[7]),
            catalogue(&[], false, &[]),
        ] {
            let mapping = mapping(&catalogue);
            let file = template(&catalogue);
            let plan = Portal::of(&[]).plan_with(&mapping, std::str::from_utf8(&file).unwrap());
            let counts = plan.counts(as_planned());
            assert_eq!(
                (counts.rows.created, counts.rows.total, counts.warnings),
                (2, 2, 0)
            );
        }
    }

    #[test]
    fn our_own_template_is_understood_as_a_whole() {
        let custom = [
            "employee_id",
            "job_title",
            "manager_email",
            "hire_date",
            "e_mail",
            "work_email",
            "title",
        ];
        let catalogue = catalogue(&custom, true, &[7]);
        let seen = inspect(&template(&catalogue), &catalogue, &[]);
        let pairs = seen.suggested.iter();
        let pairs: Vec<(&str, &str)> = pairs
            .map(|it| (it.field.as_str(), it.column.as_str()))
            .collect();
        let fields: Vec<String> = catalogue.fields().map(|field| field.to_string()).collect();
        let expected: Vec<(&str, &str)> = fields
            .iter()
            .map(|name| (name.as_str(), name.as_str()))
            .collect();
        assert_eq!(pairs, expected);
        assert!(seen.problems.is_empty());
    }
}
