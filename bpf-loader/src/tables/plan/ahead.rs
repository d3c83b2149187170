use std::{sync::mpsc, thread};

/// So many are made at once; fewer are not worth a thread.
const CHUNK: usize = 256;
/// So many chunks wait at most.
const WAITING: usize = 4;

/// Hands items on to `consume` while a thread of its own makes those that follow.
pub(super) fn made_ahead<T: Send, R>(
    mut items: impl Iterator<Item = T> + Send,
    consume: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    let first: Vec<T> = items.by_ref().take(CHUNK).collect();
    if first.len() < CHUNK {
        return consume(&mut first.into_iter());
    }
    thread::scope(|scope| {
        let (made, wanted) = mpsc::sync_channel(WAITING);
        scope.spawn(move || {
            loop {
                let chunk: Vec<T> = items.by_ref().take(CHUNK).collect();
                // Nobody wants more where the plan has failed.
                if chunk.is_empty() || made.send(chunk).is_err() {
                    return;
                }
            }
        });
        consume(&mut first.into_iter().chain(wanted.into_iter().flatten()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_in_their_order() {
        for count in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 20 * CHUNK] {
            let all: Vec<usize> = made_ahead(0..count, |items| items.collect());
            assert!(all.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn whoever_wants_no_more_is_not_waited_for() {
        assert_eq!(made_ahead(0.., |items| items.nth(3 * CHUNK)), Some(3 * CHUNK));
    }
}
