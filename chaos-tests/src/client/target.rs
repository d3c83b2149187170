use std::{fmt, net::SocketAddr, str::FromStr};

use super::Expectation;
use crate::{Error, server::Name};

/// Where an attempt goes, and what should come of it. As text: `ADDRESS:PORT=NAME,NAME` for who may answer, and
/// `ADDRESS:PORT` alone for what must be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// What should come of it.
    pub expected: Expectation,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        match &self.expected {
            Expectation::Refused => Ok(()),
            Expectation::Answer(names) => {
                let names: Vec<String> = names.iter().map(Name::to_string).collect();
                write!(f, "={}", names.join(","))
            }
        }
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (address, names) =
            text.split_once('=').map_or((text, None), |(address, names)| (address, Some(names)));
        let expected = match names {
            None => Expectation::Refused,
            Some(names) => {
                Expectation::Answer(names.split(',').map(Name::from_str).collect::<Result<_, _>>()?)
            }
        };
        let address = address.parse().map_err(|source| Error::Target { text: text.to_owned(), source })?;
        Ok(Self { address, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_survives_its_text() {
        for text in ["10.96.0.10:80=web-1,web-2", "[fd00:96::a]:7", "[::ffff:10.96.0.10]:7=web"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "10.96.0.10", "10.96.0.10:80=", "web:80=web"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
