//! The five courses that imported people are assigned: configuration of the stack (template.yaml, `XeroCourses`).

use serde::{Deserialize, Serialize};
use std::str::FromStr;
use thiserror::Error;
use utoipa::ToSchema;

/// How many there are, as the product promises.
const COURSES: usize = 5;

/// A course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// What is assigned.
    #[schema(minimum = 1)]
    pub learning_id: u64,
    /// As people read it.
    pub title: String,
}

/// The five.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Courses([Course; COURSES]);

/// The text does not name five courses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a JSON list of five courses, each with its own learning_id and a title")]
pub struct NotFiveCourses;

impl Courses {
    /// All of them.
    pub fn all(&self) -> &[Course] {
        &self.0
    }
}

impl FromStr for Courses {
    type Err = NotFiveCourses;

    fn from_str(text: &str) -> Result<Self, NotFiveCourses> {
        let courses: [Course; COURSES] = serde_json::from_str(text).map_err(|_| NotFiveCourses)?;
        let fine = |(at, course): (usize, &Course)| {
            let same = |other: &Course| other.learning_id == course.learning_id;
            course.learning_id > 0
                && !course.title.trim().is_empty()
                && !courses[..at].iter().any(same)
        };
        match courses.iter().enumerate().all(fine) {
            true => Ok(Courses(courses)),
            false => Err(NotFiveCourses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn list(ids: &[u64]) -> Value {
        ids.iter()
            .map(|id| json!({"learning_id": id, "title": format!("Course {id}")}))
            .collect()
    }

    #[test]
    fn there_are_five_different_courses() {
        let courses: Courses = list(&[7, 2, 3, 4, 5]).to_string().parse().unwrap();
        assert_eq!(courses.all().len(), 5);
        assert_eq!(courses.all()[0].learning_id, 7);
        for wrong in [
            list(&[1, 2, 3, 4]),
            list(&[1, 2, 3, 4, 5, 6]),
            list(&[1, 2, 3, 4, 1]),
            list(&[0, 2, 3, 4, 5]),
            json!({}),
        ] {
            assert_eq!(
                wrong.to_string().parse::<Courses>(),
                Err(NotFiveCourses),
                "{wrong}"
            );
        }
    }
}
