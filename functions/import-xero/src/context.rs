//! What everything here is given: tables, keys, our Xero app, the clock, names and randomness. Nothing is decided here.

use crate::courses::Courses;
use crate::failure::Failure;
use crate::seal::Seal;
use crate::xero::{Xero, XeroApp};
use aws_config::SdkConfig;
use mapping::identity::PortalId;
use mapping::problem::ProblemCode;
use oauth2::ClientSecret;
use platform::accounts::Accounts;
use platform::clock::Clock;
use platform::directory::Directory;
use platform::failure::CallFailed;
use platform::feed::{Action, Entry, FeedTable, Portal};
use platform::objects::ReportsBucket;
use platform::wake::{ImportXero, ProcessUpload};
use platform::web::{Caller, Refusal};
use std::sync::Arc;
use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

/// What everything here is given.
#[derive(Clone)]
pub struct Context {
    /// The users table.
    pub users: Directory,
    /// The feed table.
    pub feed: FeedTable,
    /// Where reports go.
    pub reports: ReportsBucket,
    /// What tokens are sealed by.
    pub seal: Seal,
    /// Our app at Xero; `None`: the stack has none, and offers no import.
    pub app: Option<App>,
    /// `None`: those who sign in have accounts of another identity provider, and nobody signs up here.
    pub accounts: Option<Accounts>,
    /// For files that came while the lease was held here, and for what is to be told.
    pub process_upload: ProcessUpload,
    /// This function itself.
    pub import_xero: ImportXero,
    /// Where the administrators' page is, if there is one.
    pub portal_url: Option<Url>,
    /// The time.
    pub clock: Clock,
    /// A name that nothing else has.
    pub new_id: fn() -> Uuid,
    /// What nobody can guess.
    pub random: fn() -> Result<[u8; 32], CallFailed>,
}

/// Our app at Xero. Its secret is read when it is first needed.
#[derive(Clone)]
pub struct App {
    /// How it is registered, but for the secret.
    pub registered: XeroApp,
    /// The five courses.
    pub courses: Courses,
    secrets: aws_sdk_secretsmanager::Client,
    secret_id: String,
    ready: Arc<OnceCell<Xero>>,
}

impl App {
    /// The app whose secret is the one of this name.
    pub fn new(
        config: &SdkConfig,
        secret_id: String,
        registered: XeroApp,
        courses: Courses,
    ) -> Self {
        App {
            registered,
            courses,
            secrets: aws_sdk_secretsmanager::Client::new(config),
            secret_id,
            ready: Arc::default(),
        }
    }

    /// Xero, as this app calls it.
    pub(crate) async fn xero(&self, clock: Clock) -> Result<&Xero, CallFailed> {
        self.ready.get_or_try_init(|| self.set_up(clock)).await
    }

    async fn set_up(&self, clock: Clock) -> Result<Xero, CallFailed> {
        const WHAT: &str = "read the secret of the Xero app";
        let secret = self.secrets.get_secret_value().secret_id(&self.secret_id);
        let secret = secret.send().await.map_err(CallFailed::sdk(WHAT))?;
        let secret = secret
            .secret_string
            .ok_or_else(|| CallFailed::malformed(WHAT)(()))?;
        let app = XeroApp {
            client_secret: ClientSecret::new(secret),
            ..self.registered.clone()
        };
        Xero::new(app, clock).map_err(CallFailed::to("set Xero up"))
    }
}

impl Context {
    /// The portal, or the refusal that there is none.
    pub(crate) async fn portal(&self, portal_id: PortalId) -> Result<Portal, Refusal> {
        self.feed
            .portal(portal_id)
            .await?
            .ok_or_else(|| Refusal::new(ProblemCode::PortalNotFound))
    }

    /// Our app, or the refusal that there is none.
    pub(crate) fn app(&self) -> Result<&App, Failure> {
        self.app
            .as_ref()
            .ok_or_else(|| Failure::because(ProblemCode::XeroNotOffered))
    }

    /// Xero, or the refusal that there is no app.
    pub(crate) async fn xero(&self) -> Result<&Xero, Failure> {
        Ok(self.app()?.xero(self.clock).await?)
    }

    /// The audit entry of what the caller does now.
    pub(crate) fn entry(
        &self,
        portal_id: PortalId,
        caller: &Caller,
        action: Action,
    ) -> Result<Entry, CallFailed> {
        let deed = caller.does(portal_id, action, (self.clock)());
        self.feed.entry(portal_id, deed)
    }

    /// Has something of the portal done by an invocation of its own. Should that fail, the sweep comes.
    pub(crate) async fn wake(&self, portal_id: PortalId) {
        if let Err(error) = self.import_xero.wake(portal_id).await {
            tracing::warn!(%portal_id, ?error, "not woken");
        }
    }

    /// For `map_err`: as the API answers it.
    pub(crate) fn refuse(&self) -> impl Fn(Failure) -> Refusal + use<> {
        let clock = self.clock;
        move |failure| failure.refusal(clock)
    }
}
