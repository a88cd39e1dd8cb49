//! A sample file, before there is a mapping: its columns with a few of their values, what they are likely to feed,
//! and what is wrong with the sample itself. How it is read is `file/sample.rs`, what is suggested `suggest.rs`.

use crate::fields::{Field, FieldCatalogue};
use crate::file::{Sample, SampleColumn};
use crate::problem::{Problem, shortened};
use crate::report::SHOWN_PROBLEMS;
use crate::suggest::{Column, Suggester, Suggestion};

/// How many values of a column are shown.
const SHOWN_VALUES: usize = 3;

/// What there is to say about a sample.
pub struct Inspection {
    /// In the file's order.
    pub columns: Vec<InspectedColumn>,
    /// In the order of the fields.
    pub suggested: Vec<Suggestion>,
    /// What would be said of a file like this, but for what a mapping has to do with.
    pub problems: Vec<Problem>,
}

/// A column of the sample.
#[derive(Debug, PartialEq, Eq)]
pub struct InspectedColumn {
    /// As the file has it, trimmed: by this name it is mapped.
    pub name: String,
    /// The first values: different ones, not blank, shortened.
    pub samples: Vec<String>,
}

/// Looks at the beginning of a file. `labels` are those of the portal's custom fields, by name.
pub fn inspect(bytes: &[u8], catalogue: &FieldCatalogue, labels: &[(&str, &str)]) -> Inspection {
    let suggester = Suggester::new(catalogue, labels);
    let mut sample = Sample::read(bytes, |names| suggester.count_known(names));
    let columns: Vec<Column<'_>> = sample
        .columns
        .iter()
        .map(|column| column_of(&sample, column))
        .collect();
    let suggested = suggester.suggest(&columns);
    let inspected = columns.iter().map(|column| InspectedColumn {
        name: column.name.to_owned(),
        samples: samples(&column.values),
    });
    let inspected = inspected.collect();
    let is_of_names = |column: &&SampleColumn| {
        let names = [Field::FirstName, Field::LastName];
        let of_column = |it: &Suggestion| it.column == column.name && names.contains(&it.field);
        suggested.iter().any(of_column)
    };
    let of_names: Vec<&SampleColumn> = sample.columns.iter().filter(is_of_names).collect();
    let damaged = sample.double_encoded(&of_names);
    let mut problems = std::mem::take(&mut sample.problems);
    problems.extend(damaged);
    problems.truncate(SHOWN_PROBLEMS);
    Inspection {
        columns: inspected,
        suggested,
        problems,
    }
}

fn column_of<'s>(sample: &'s Sample, column: &'s SampleColumn) -> Column<'s> {
    let values: Vec<&str> = sample.values(column).collect();
    Column {
        name: &column.name,
        has_blanks: values.len() < sample.row_count(),
        values,
    }
}

fn samples(values: &[&str]) -> Vec<String> {
    let mut samples: Vec<String> = Vec::new();
    for value in values {
        let value = shortened(value);
        if !samples.contains(&value) {
            samples.push(value);
        }
        if samples.len() == SHOWN_VALUES {
            break;
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::tests::catalogue;
    use crate::problem::SHOWN_VALUE_CHARS;

    fn look(file: &str) -> Inspection {
        inspect(file.as_bytes(), &catalogue(&["employee_id"]), &[])
    }

    fn codes(inspection: &Inspection) -> Vec<&'static str> {
        let problems = inspection.problems.iter();
        problems.map(|problem| problem.code.as_str()).collect()
    }

    fn fields(inspection: &Inspection) -> Vec<&str> {
        let suggested = inspection.suggested.iter();
        suggested.map(|it| it.field.as_str()).collect()
    }

    #[test]
    fn columns_are_shown_with_their_first_different_values() {
        let long = "x".repeat(500);
        let file = format!(
            "Work E-mail,Surname,Site\na@x.io,Lee, Perth \nb@x.io,Li,\nc@x.io,Lee,Perth\nd@x.io,Lo,{long}\ne@x.io,Lu,Cairns\n"
        );
        let seen = look(&file);
        let samples: Vec<&[String]> = seen.columns.iter().map(|it| &it.samples[..]).collect();
        assert_eq!(samples[0], ["a@x.io", "b@x.io", "c@x.io"]);
        assert_eq!(samples[1], ["Lee", "Li", "Lo"]);
        assert_eq!(samples[2][0], "Perth");
        assert_eq!(samples[2][1].chars().count(), SHOWN_VALUE_CHARS + 1);
        assert_eq!(samples[2][2], "Cairns");
        assert_eq!(fields(&seen), ["email", "last_name"]);
        assert_eq!(codes(&seen), [""; 0]);
    }

    #[test]
    fn a_header_alone_is_a_sample() {
        let seen = look("Emp ID,E-Mail Address,Surname,Given Name");
        assert_eq!(
            fields(&seen),
            ["email", "first_name", "last_name", "employee_id"]
        );
        assert!(seen.columns.iter().all(|column| column.samples.is_empty()));
        assert_eq!(codes(&seen), [""; 0]);
    }

    #[test]
    fn a_sample_that_cannot_be_read_says_why_and_suggests_nothing() {
        for (file, code) in [
            ("", "empty_file"),
            ("E-mail;Surname\na;b\n", "wrong_delimiter"),
            ("Surname\tE-mail, work\na\tb\n", "wrong_delimiter"),
        ] {
            let seen = look(file);
            assert_eq!(codes(&seen), [code], "{file:?}");
            assert!(seen.columns.is_empty() && seen.suggested.is_empty());
        }
    }

    #[test]
    fn of_duplicate_columns_none_is_suggested() {
        let seen = look("Email,Surname,E-mail address,surname\na@x.io,A,b@x.io,B\n");
        assert_eq!(fields(&seen), [""; 0]);
        assert_eq!(codes(&seen), ["duplicate_header"]);
        assert_eq!(seen.columns.len(), 4);
    }

    #[test]
    fn names_that_were_converted_twice_are_told() {
        let names = "Email,First Name,Last Name\na@x.io,JosÃ©,MÃ¼ller\nb@x.io,FranÃ§ois,Lee\n";
        assert_eq!(codes(&look(names)), ["double_encoded"]);
        let titles = "Email,First Name,Last Name,Job\na@x.io,A,B,CafÃ©\nb@x.io,C,D,MÃ¼ll\nc@x.io,E,F,FaÃ§ade\n";
        assert_eq!(codes(&look(titles)), [""; 0]);
    }

    #[test]
    fn a_sample_has_no_more_problems_than_somebody_reads() {
        let header: String = (0..100).map(|n| format!("c{n},C{n},")).collect();
        assert_eq!(look(&header).problems.len(), SHOWN_PROBLEMS);
    }
}
