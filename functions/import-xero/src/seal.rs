//! Tokens are sealed by KMS before they are stored, each to its portal and its use: the encryption context that opens
//! one opens no other (`docs/xero.md`, "Tokens").

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mapping::identity::PortalId;
use platform::failure::CallFailed;
use platform::feed::xero::Sealed;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Calls to Xero.
    Access,
    /// Getting other tokens.
    Refresh,
}

impl Use {
    fn as_str(self) -> &'static str {
        match self {
            Use::Access => "xero-access-token",
            Use::Refresh => "xero-refresh-token",
        }
    }
}

/// The key that seals.
#[derive(Clone)]
pub struct Seal {
    client: Client,
    key_id: String,
}

impl Seal {
    /// The key of this id or ARN.
    pub fn new(config: &SdkConfig, key_id: String) -> Self {
        Seal {
            client: Client::new(config),
            key_id,
        }
    }

    /// Seals a secret of up to 4,096 bytes (KMS, `Encrypt`); Xero's tokens have some 1,500.
    pub(crate) async fn seal(
        &self,
        portal: PortalId,
        for_use: Use,
        secret: &str,
    ) -> Result<Sealed, CallFailed> {
        const WHAT: &str = "seal a token";
        let sealed = self
            .client
            .encrypt()
            .key_id(&self.key_id)
            .plaintext(Blob::new(secret))
            .encryption_context("portal_id", portal.to_string())
            .encryption_context("use", for_use.as_str())
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let sealed = sealed
            .ciphertext_blob
            .ok_or_else(|| CallFailed::malformed(WHAT)(()))?;
        Ok(Sealed(STANDARD.encode(sealed)))
    }

    /// Opens what was sealed for this portal and this use, and nothing else.
    pub(crate) async fn open(
        &self,
        portal: PortalId,
        for_use: Use,
        sealed: &Sealed,
    ) -> Result<String, CallFailed> {
        const WHAT: &str = "open a token";
        let bytes = STANDARD
            .decode(&sealed.0)
            .map_err(CallFailed::malformed(WHAT))?;
        let opened = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .ciphertext_blob(Blob::new(bytes))
            .encryption_context("portal_id", portal.to_string())
            .encryption_context("use", for_use.as_str())
            .send()
            .await
            .map_err(CallFailed::sdk(WHAT))?;
        let secret = opened.plaintext.map(Blob::into_inner).unwrap_or_default();
        String::from_utf8(secret).map_err(CallFailed::malformed(WHAT))
    }
}
