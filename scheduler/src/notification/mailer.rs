//! Sends one mail over SMTP and says how sure the outcome is. Who gets which mail is decided before.

use super::Sending;
use crate::{
    address::Person,
    letter::{Rendered, one_line},
};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        PoolConfig,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use std::{fmt, sync::Arc, time::Duration};

/// How long the mail server may take for each step.
const STEP_WAIT_MAX: Duration = Duration::from_secs(15);
/// How many connections to the mail server are kept.
const CONNECTIONS_MAX: u32 = super::sender::SENT_AT_ONCE as u32;

/// The mailer cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// Not an address such as `smtp://127.0.0.1:2525`.
    #[error("not the address of a mail server")]
    Url(#[source] lettre::transport::smtp::Error),
    /// Not certificates in PEM.
    #[error("not the certificate of an authority")]
    Authority(#[source] lettre::transport::smtp::Error),
    /// Not a sender such as `bookings@astro.example`.
    #[error("not the address of a sender")]
    Sender(#[source] lettre::address::AddressError),
}

/// Sends through one mail server. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    site: Arc<str>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("site", &self.site).finish_non_exhaustive()
    }
}

impl Mailer {
    /// Sends through the server at `url` (`smtp://host:port`, `smtps://user:password@host`), as `from`; links lead to `site`. With an
    /// `authority` (PEM) always encrypted, and only to a server that has its certificate from it.
    pub fn new(url: &str, from: &str, site: &str, authority: Option<&[u8]>) -> Result<Self, MailerError> {
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(MailerError::Url)?;
        if let Some(authority) = authority {
            let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
            let place = rest.split(['/', '?']).next().unwrap_or_default();
            let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
            let host = place.rsplit_once(':').map_or(place, |(host, _)| host).trim_matches(['[', ']']);
            let parameters = TlsParameters::builder(host.to_owned())
                .certificate_store(CertificateStore::None)
                .add_root_certificate(Certificate::from_pem(authority).map_err(MailerError::Authority)?)
                .build()
                .map_err(MailerError::Authority)?;
            transport = transport.tls(if url.starts_with("smtps://") { Tls::Wrapper(parameters) } else { Tls::Required(parameters) });
        }
        let transport = transport.timeout(Some(STEP_WAIT_MAX)).pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX)).build();
        let address: Address = from.parse().map_err(MailerError::Sender)?;
        Ok(Self { transport, from: Mailbox::new(Some("Astro Bookings".to_owned()), address), site: site.trim_end_matches('/').into() })
    }

    /// Where links lead.
    #[must_use]
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Whether the mail server answers, over a connection as safe as it must be.
    pub async fn answers(&self) -> bool {
        matches!(self.transport.test_connection().await, Ok(true))
    }

    pub(crate) async fn send(&self, person: &Person, mail: Rendered, message_id: &str) -> Sending {
        let Ok(address) = person.email.parse::<Address>() else { return Sending::Hopeless("the address cannot be written to".to_owned()) };
        let name = one_line(&person.name);
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new((!name.is_empty()).then_some(name), address))
            .subject(mail.subject)
            .message_id(Some(format!("<{message_id}>")))
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html));
        let message = match message {
            Ok(message) => message,
            Err(error) => return Sending::Hopeless(format!("the mail cannot be written: {error}")),
        };
        // As long as no mail was begun, a failure is a clean one.
        match self.transport.test_connection().await {
            Ok(true) => {}
            Ok(false) => return Sending::Failed("the mail server is not ready".to_owned()),
            Err(error) => return Sending::Failed(format!("the mail server cannot be reached: {error}")),
        }
        match self.transport.send(message).await {
            Ok(_) => Sending::Sent,
            Err(error) if error.is_transient() => Sending::Failed(format!("not now: {}", code(&error))),
            Err(error) if error.is_permanent() => Sending::Hopeless(format!("refused: {}", code(&error))),
            Err(error) if error.is_client() => Sending::Hopeless("the mail cannot be sent through this server".to_owned()),
            Err(error) if error.is_timeout() => Sending::Uncertain("the mail server stopped answering".to_owned()),
            Err(_) => Sending::Uncertain("the connection to the mail server broke".to_owned()),
        }
    }
}

/// The server's words may repeat the recipient's address; its code does not.
fn code(error: &lettre::transport::smtp::Error) -> String {
    error.status().map_or_else(|| "no code".to_owned(), |code| format!("code {code}"))
}
