//! What an import does to one person after the other: creates a user, or remembers who they are, and assigns the courses.
//! Each step finds what was done before, so that an attempt that died is followed by another.

use crate::failure::Failure;
use crate::run::Run;
use mapping::fields::Status;
use mapping::identity::{EmailKey, Identity, UserId};
use mapping::import::{Decision, EmployeeId, Instead, PlannedPerson};
use mapping::problem::ProblemCode;
use platform::directory::NewUser;
use platform::feed::Assignment;
use platform::feed::xero::{ImportedEmployee, Joined};
use std::collections::{HashMap, HashSet};

/// What is done to one person after the other.
pub(crate) struct Apply<'a, 'r> {
    pub(crate) run: &'a mut Run<'r>,
    remembered: &'a HashMap<EmployeeId, ImportedEmployee>,
    gone: &'a HashMap<EmployeeId, UserId>,
    active: &'a HashSet<UserId>,
    /// Who was to be created and was not.
    pub(crate) instead: HashMap<EmployeeId, Instead>,
}

impl<'a, 'r> Apply<'a, 'r> {
    /// Before the first of them.
    pub(crate) fn new(
        run: &'a mut Run<'r>,
        remembered: &'a HashMap<EmployeeId, ImportedEmployee>,
        gone: &'a HashMap<EmployeeId, UserId>,
        active: &'a HashSet<UserId>,
    ) -> Self {
        Apply {
            run,
            remembered,
            gone,
            active,
            instead: HashMap::new(),
        }
    }

    /// `was_created`: in an attempt before this one.
    pub(crate) async fn person(
        &mut self,
        person: &PlannedPerson,
        was_created: bool,
    ) -> Result<(), Failure> {
        let Some(employee_id) = person.employee_id else {
            return Ok(());
        };
        let user_id = match &person.decision {
            Decision::Create if was_created => {
                self.remembered.get(&employee_id).map(|it| it.user_id)
            }
            Decision::Create => self.create(employee_id, person).await?,
            Decision::AlreadyUser(user_id) => {
                self.recognise(employee_id, *user_id).await?;
                Some(*user_id).filter(|user_id| self.active.contains(user_id))
            }
            Decision::NoPlace | Decision::Cannot(_) => None,
        };
        match user_id {
            Some(user_id) => Ok(self.assign(user_id).await?),
            None => Ok(()),
        }
    }

    /// The user, created now or by somebody else in between, if they are active; `None`: there is no place left.
    async fn create(
        &mut self,
        employee_id: EmployeeId,
        person: &PlannedPerson,
    ) -> Result<Option<UserId>, Failure> {
        let Run {
            context,
            import,
            record,
            lease,
            came_forward,
        } = &mut *self.run;
        let (portal, upload_id) = (record.portal_id, import.upload_id);
        let identity = Identity::Email(&person.email);
        let mut user_id = UserId::of(portal, &identity, 0);
        loop {
            let user = NewUser {
                user_id,
                email: person.email.clone(),
                first_name: person.first_name.clone(),
                last_name: person.last_name.clone(),
                source: "xero",
                upload_id,
            };
            let creation = context.users.creation(portal, &user, (context.clock)())?;
            let imported = ImportedEmployee {
                employee_id,
                user_id,
                created_by: Some(upload_id),
            };
            let gone = self.gone.get(&employee_id).copied();
            let feed = &context.feed;
            match feed
                .create_imported(portal, &imported, gone, creation, lease)
                .await?
            {
                Joined::Created => {
                    if !*came_forward {
                        feed.import_came_forward(portal, import).await?;
                        *came_forward = true;
                    }
                    return Ok(Some(user_id));
                }
                Joined::LeaseLost => return Err(Failure::LeaseLost),
                Joined::NoPlace => {
                    self.instead.insert(employee_id, Instead::NoPlace);
                    return Ok(None);
                }
                Joined::Exists => {}
            }
            match context.users.user(portal, user_id).await? {
                Some(found) if EmailKey::of(&found.values.email) == EmailKey::of(&person.email) => {
                    self.recognise(employee_id, user_id).await?;
                    self.instead
                        .insert(employee_id, Instead::AlreadyUser(user_id));
                    let is_active = found.values.status == Status::Active;
                    return Ok(Some(user_id).filter(|_| is_active));
                }
                // Somebody who had this address once.
                Some(_) => user_id = user_id.next(portal, &identity),
                None => return Err(Failure::because(ProblemCode::Conflict)),
            }
        }
    }

    /// Remembers who somebody is who was a user before.
    async fn recognise(&self, employee_id: EmployeeId, user_id: UserId) -> Result<(), Failure> {
        if self.remembered.contains_key(&employee_id) {
            return Ok(());
        }
        let imported = ImportedEmployee {
            employee_id,
            user_id,
            created_by: None,
        };
        let gone = self.gone.get(&employee_id).copied();
        let run = &self.run;
        let feed = &run.context.feed;
        let portal = run.record.portal_id;
        match feed
            .recognise_employee(portal, &imported, gone, run.lease)
            .await?
        {
            true => Ok(()),
            false => Err(Failure::LeaseLost),
        }
    }

    /// Each course once, whatever was assigned before.
    async fn assign(&self, user_id: UserId) -> Result<(), Failure> {
        let run = &self.run;
        if !run.import.request.assign_courses {
            return Ok(());
        }
        let courses = run.context.app()?.courses.all().iter();
        let learning: Vec<Assignment> = courses
            .map(|course| Assignment {
                user_id,
                learning_id: course.learning_id,
                group_id: None,
            })
            .collect();
        let (portal, upload_id) = (run.record.portal_id, run.import.upload_id);
        let now = (run.context.clock)();
        let feed = &run.context.feed;
        feed.assign_by_import(portal, upload_id, now, &learning)
            .await?;
        Ok(())
    }
}
