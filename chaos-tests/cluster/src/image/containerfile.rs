use std::{fs, path::Path};

use crate::{Error, Result};

/// As much of a Containerfile as an image of static programs needs: `FROM scratch`, `COPY`, and the JSON forms of
/// `ENTRYPOINT` and `CMD`. Podman and Docker read the same file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Containerfile {
    pub copies: Vec<Copy>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
}

/// Files and where they go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub files: Vec<String>,
    pub to: String,
}

impl Containerfile {
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::path("read", path))?;
        Self::parse(&text).map_err(|(line, why)| Error::Containerfile { path: path.to_path_buf(), line, why })
    }

    /// What is wrong comes with the number of its line.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut parsed = Self::default();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if !line.is_empty() && !line.starts_with('#') {
                parsed.instruction(line).map_err(|why| (number, why))?;
            }
        }
        Ok(parsed)
    }

    fn instruction(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "FROM" if rest.trim() == "scratch" => {}
            "FROM" => return Err(format!("only `FROM scratch` is understood here, not `{line}`")),
            "COPY" => self.copies.push(copy(rest)?),
            "ENTRYPOINT" => self.entrypoint = list(rest)?,
            "CMD" => self.command = list(rest)?,
            _ => return Err(format!("`{word}` is not understood here: write FROM, COPY, ENTRYPOINT or CMD")),
        }
        Ok(())
    }
}

fn copy(rest: &str) -> Result<Copy, String> {
    let mut words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
    match words.pop() {
        Some(to) if !words.is_empty() && !words[0].starts_with('-') => Ok(Copy { files: words, to }),
        _ => Err(format!("write `COPY FILE... DESTINATION`, not `COPY {rest}`")),
    }
}

fn list(rest: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(rest)
        .map_err(|e| format!("write a list, such as [\"/bin/program\"], not `{rest}`: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_static_programs_is_understood() {
        let text = "# Ours.\nFROM scratch\n\nCOPY a b /bin/\nENTRYPOINT [\"/bin/a\"]\nCMD [\"--help\"]\n";
        let copy = Copy { files: vec!["a".into(), "b".into()], to: "/bin/".into() };
        let expected = Containerfile {
            copies: vec![copy],
            entrypoint: vec!["/bin/a".into()],
            command: vec!["--help".into()],
        };
        assert_eq!(Containerfile::parse(text), Ok(expected));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for text in
            ["FROM debian", "FROM scratch\nRUN true", "COPY a", "COPY --chmod=755 a /a", "ENTRYPOINT /bin/a"]
        {
            let (line, why) = Containerfile::parse(text).unwrap_err();
            assert_eq!(line, text.lines().count(), "{why}");
        }
    }
}
