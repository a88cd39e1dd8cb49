//! Connections, the organisation, its people. Only lists are asked for: an employee's own page has tax and bank
//! details, and takes a call for each.

use super::answers::{Connections, Employees, Organisations, Users};
use super::app::Xero;
use super::call::Repeat;
use super::failure::XeroFailure;
use super::ids::{AuthEventId, ConnectionId, TenantId};
use super::pages::Pages;
use mapping::import::{Employee, Source};
use oauth2::AccessToken;

const TENANT: &str = "Xero-Tenant-Id";

/// That our app may see an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What it is deleted by.
    pub id: ConnectionId,
    /// The organisation.
    pub tenant: TenantId,
    /// The consent in which it was made, or renewed last.
    pub auth_event: Option<AuthEventId>,
    /// The organisation's name.
    pub name: Option<String>,
}

/// A company, as it is in Xero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its name.
    pub name: Option<String>,
    /// ISO 3166-1, two letters: see [`Country::from_code`].
    pub country: Option<String>,
    /// Its status is ACTIVE. Not so: the company has left Xero, or is being taken in.
    pub active: bool,
}

/// A country whose companies can be imported from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Country {
    /// Xero has their payroll.
    Australia,
    /// Xero has no employees any more, only people with a login.
    UnitedStates,
}

impl Country {
    /// From an organisation's `CountryCode`. `None`: another country.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "AU" => Some(Country::Australia),
            "US" => Some(Country::UnitedStates),
            _ => None,
        }
    }

    /// What the people of such a company are to Xero.
    pub fn source(self) -> Source {
        match self {
            Country::Australia => Source::PayrollEmployees,
            Country::UnitedStates => Source::XeroUsers,
        }
    }
}

impl Xero {
    /// All connections to organisations that the token's owner has made to our app, for whichever portal.
    ///
    /// # Errors
    ///
    /// See [`XeroFailure`].
    pub async fn connections(&self, access: &AccessToken) -> Result<Vec<Connection>, XeroFailure> {
        let request = || self.http.get(self.at.connections.clone());
        let connections: Connections = self.get("connections", access, request).await?;
        Ok(connections.into_organisations())
    }

    /// Gives a connection back. One that is not there any more is no error.
    ///
    /// # Errors
    ///
    /// Xero has not confirmed it.
    pub async fn delete_connection(
        &self,
        access: &AccessToken,
        connection: &ConnectionId,
    ) -> Result<(), XeroFailure> {
        let mut url = self.at.connections.clone();
        url.set_path(&format!("{}/{connection}", self.at.connections.path()));
        let request = || self.http.delete(url.clone()).bearer_auth(access.secret());
        let answer = self.call(Repeat::Never, request).await?;
        match answer.success() {
            Ok(_) | Err(XeroFailure::NotFound) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// The organisation, whose country says whether [`Xero::staff`] may be asked.
    ///
    /// # Errors
    ///
    /// [`XeroFailure::NotAllowed`]: it was disconnected in Xero, among others.
    pub async fn organisation(
        &self,
        access: &AccessToken,
        tenant: &TenantId,
    ) -> Result<Organisation, XeroFailure> {
        let request = || {
            self.http
                .get(self.at.organisation.clone())
                .header(TENANT, tenant.to_string())
        };
        let organisations: Organisations = self.get("organisation", access, request).await?;
        organisations
            .first()
            .ok_or(XeroFailure::Malformed("organisation"))
    }

    /// Everybody of an organisation whom it employs (Australia), or who has a login to it (United States), as Xero has
    /// them. Takes one call for each 100 people. Payroll lists those who are employed; whom else it may list is told by
    /// their status.
    ///
    /// # Errors
    ///
    /// [`XeroFailure::NotAllowed`], [`XeroFailure::NotFound`]: either may also mean that payroll is not set up, or that
    /// who has consented is no administrator of it.
    pub async fn staff(
        &self,
        access: &AccessToken,
        tenant: &TenantId,
        country: Country,
    ) -> Result<Vec<Employee>, XeroFailure> {
        match country {
            Country::Australia => self.employees(access, tenant).await,
            Country::UnitedStates => self.users(access, tenant).await,
        }
    }

    async fn employees(
        &self,
        access: &AccessToken,
        tenant: &TenantId,
    ) -> Result<Vec<Employee>, XeroFailure> {
        let mut pages = Pages::default();
        loop {
            let page = pages.next().to_string();
            let request = || {
                self.http
                    .get(self.at.employees.clone())
                    .query(&[("page", &page)])
                    .header(TENANT, tenant.to_string())
            };
            let employees: Employees = self.get("employees", access, request).await?;
            if !pages.take(employees.into_people())? {
                return Ok(pages.into_people());
            }
        }
    }

    async fn users(
        &self,
        access: &AccessToken,
        tenant: &TenantId,
    ) -> Result<Vec<Employee>, XeroFailure> {
        let request = || {
            self.http
                .get(self.at.users.clone())
                .header(TENANT, tenant.to_string())
        };
        let users: Users = self.get("users", access, request).await?;
        Ok(users.into_people())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read_from_two_countries() {
        let source = |code: &str| Country::from_code(code).map(Country::source);
        assert_eq!(source("AU"), Some(Source::PayrollEmployees));
        assert_eq!(source("US"), Some(Source::XeroUsers));
        for other in ["NZ", "GB", "au", "", "AUS"] {
            assert_eq!(source(other), None, "{other}");
        }
    }
}
