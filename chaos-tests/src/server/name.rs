use std::{fmt, str::FromStr};

use crate::Error;

/// Bytes of a [`Name`].
pub const NAME_LEN: usize = 16;

/// A server's name as it goes over the wire: up to 16 bytes, the rest zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name([u8; NAME_LEN]);

impl Name {
    /// As it came over the wire.
    pub fn from_bytes(bytes: [u8; NAME_LEN]) -> Self {
        Self(bytes)
    }

    /// As it goes over the wire.
    pub fn as_bytes(&self) -> &[u8; NAME_LEN] {
        &self.0
    }

    fn text(&self) -> String {
        let used = self.0.iter().position(|&b| b == 0).unwrap_or(NAME_LEN);
        String::from_utf8_lossy(&self.0[..used]).into_owned()
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut name = [0; NAME_LEN];
        match name.get_mut(..text.len()) {
            Some(used) if !text.is_empty() => used.copy_from_slice(text.as_bytes()),
            _ => return Err(Error::Name { name: text.to_owned(), max: NAME_LEN }),
        }
        Ok(Self(name))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_the_wire() {
        let name: Name = "web-1".parse().unwrap();
        assert_eq!(Name::from_bytes(*name.as_bytes()).to_string(), "web-1");
    }

    #[test]
    fn a_name_must_fit() {
        assert!("".parse::<Name>().is_err());
        assert!("x".repeat(17).parse::<Name>().is_err());
        assert!("x".repeat(16).parse::<Name>().is_ok());
    }
}
