use std::{fmt, fs, io, path::PathBuf, str::FromStr, time::Duration};

use tonic::{
    metadata::{AsciiMetadataValue, errors::InvalidMetadataValue},
    transport::{self, Certificate, Channel, ClientTlsConfig, Endpoint, Uri},
};

use super::Config;
use crate::message;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A control plane whose machine is gone is noticed after both.
const PING_EVERY: Duration = Duration::from_secs(10);
const PONG_MAX: Duration = Duration::from_secs(10);
/// A hundred thousand resources in one response take some 40 MB.
const WINDOW_BYTES: u32 = 8 << 20;

/// Where a control plane is: `HOST:PORT` or `https://HOST:PORT` for TLS, `http://HOST:PORT` for plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    uri: Uri,
}

/// Why a text is no address of a control plane.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a control plane: write HOST:PORT, or http://HOST:PORT for plain text")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: Uri = full.parse().map_err(|_| wrong())?;
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().is_some_and(|host| !host.is_empty());
        let whole = scheme && host && uri.port_u16().is_some_and(|port| port > 0) && uri.path() == "/";
        if whole { Ok(Self { uri }) } else { Err(wrong()) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map(ToString::to_string).unwrap_or_default();
        match self.is_tls() {
            true => f.write_str(&authority),
            false => write!(f, "http://{authority}"),
        }
    }
}

impl Address {
    fn is_tls(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }
}

/// Who vouches for a control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those that this system trusts.
    #[default]
    System,
    /// The certificates in this PEM file, read at each connection.
    File(PathBuf),
}

/// Why a control plane is not reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file that is needed for it.
    #[error("cannot read {what} `{}`: {source}", path.display())]
    File {
        /// What it holds.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A token that no header can hold.
    #[error("the token in `{}` holds bytes that no token has: {source}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InvalidMetadataValue,
    },
    /// A connection, and no stream.
    #[error("the control plane refused the stream: {}: {}", status.code(), status.message())]
    Refused {
        /// Why.
        status: Box<tonic::Status>,
    },
    /// No connection. tonic's errors keep what happened in their sources.
    #[error("cannot connect: {}", message::of(source))]
    Connect {
        /// Why.
        source: transport::Error,
    },
}

/// A connection to the control plane.
pub(super) async fn connect(config: &Config) -> Result<Channel, ConnectError> {
    let failed = |source| ConnectError::Connect { source };
    let mut endpoint = Endpoint::from(config.address.uri.clone())
        .connect_timeout(CONNECT_MAX)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_MAX)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .tcp_nodelay(true);
    if config.address.is_tls() {
        endpoint = endpoint.tls_config(tls(&config.roots)?).map_err(failed)?;
    }
    endpoint.connect().await.map_err(failed)
}

fn tls(roots: &Roots) -> Result<ClientTlsConfig, ConnectError> {
    let tls = ClientTlsConfig::new();
    match roots {
        Roots::System => Ok(tls.with_native_roots()),
        Roots::File(path) => {
            let pem = fs::read(path).map_err(|source| unreadable("the root certificates", path)(source))?;
            Ok(tls.ca_certificate(Certificate::from_pem(pem)))
        }
    }
}

/// The value of the `authorization` header, as the file says now: tokens are replaced while the node runs.
pub(super) fn authorization(config: &Config) -> Result<Option<AsciiMetadataValue>, ConnectError> {
    let Some(path) = &config.token else { return Ok(None) };
    let token = fs::read_to_string(path).map_err(|source| unreadable("the token", path)(source))?;
    let value = format!("Bearer {}", token.trim()).parse();
    let mut value: AsciiMetadataValue =
        value.map_err(|source| ConnectError::Token { path: path.clone(), source })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn unreadable(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> ConnectError {
    let path = path.to_owned();
    move |source| ConnectError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_whether_it_is_spoken_to_by_tls() {
        for (text, shown) in [
            ("istiod.istio-system.svc:15012", "istiod.istio-system.svc:15012"),
            ("https://10.0.0.1:15012", "10.0.0.1:15012"),
            ("http://[fd00::1]:15010", "http://[fd00::1]:15010"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_said() {
        for text in ["", "istiod", "ftp://a:1", "a:0", "a:99999", "http://a:1/path", ":15012"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.to_string().contains("write HOST:PORT"), "{text}: {error}");
        }
    }
}
