use super::LINE_BYTES_MAX;

/// Cuts what arrives on a stream into lines, holding at most one unfinished line.
#[derive(Debug, Default)]
pub struct Lines {
    arrived: Vec<u8>,
}

/// More than [`LINE_BYTES_MAX`] bytes came without a line feed. The stream cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("a message is longer than {LINE_BYTES_MAX} bytes")]
pub struct LineTooLong;

impl Lines {
    /// Adds bytes; take all lines out before adding more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.arrived.extend_from_slice(bytes);
    }

    /// Takes out the next whole line, without its line feed.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        match self.arrived.iter().position(|&byte| byte == b'\n') {
            Some(end) if end <= LINE_BYTES_MAX => {
                let mut line: Vec<u8> = self.arrived.drain(..=end).collect();
                line.pop();
                Ok(Some(line))
            }
            None if self.arrived.len() <= LINE_BYTES_MAX => Ok(None),
            _ => Err(LineTooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_arrive(
            text in "[a-c\n]{0,60}",
            cuts in proptest::collection::vec(1usize..9, 1..9),
        ) {
            let mut cutter = Lines::default();
            let mut lines = Vec::new();
            let mut rest = text.as_bytes();
            for &cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                cutter.push(head);
                while let Some(line) = cutter.next_line().unwrap() {
                    lines.push(String::from_utf8(line).unwrap());
                }
                rest = tail;
            }
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let expected: Vec<_> = if text.contains('\n') { whole.split('\n').collect() } else { vec![] };
            prop_assert_eq!(lines, expected);
        }
    }

    #[test]
    fn a_line_without_end_is_an_error() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LINE_BYTES_MAX]);
        assert_eq!(lines.next_line().unwrap(), None);
        lines.push(b"x");
        lines.next_line().unwrap_err();
        lines.push(b"\n");
        lines.next_line().unwrap_err();
    }
}
