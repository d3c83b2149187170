use std::{iter, sync::mpsc, thread};

/// So many are made at once; fewer are not worth a thread.
const CHUNK: usize = 256;
/// So many chunks wait at most.
const WAITING: usize = 4;

/// Calls `each` with one item after the other, while a thread of its own makes those that follow, and drops those that
/// went before: freed by another thread than the one that allocated it, memory is fought for.
pub(super) fn made_ahead<T: Send, E>(
    mut items: impl Iterator<Item = T> + Send,
    mut each: impl FnMut(&mut T) -> Result<(), E>,
) -> Result<(), E> {
    let mut first: Vec<T> = items.by_ref().take(CHUNK).collect();
    if first.len() < CHUNK {
        return first.iter_mut().try_for_each(each);
    }
    thread::scope(|scope| {
        let (made, wanted) = mpsc::sync_channel(WAITING);
        let (used, unwanted) = mpsc::channel::<Vec<T>>();
        scope.spawn(move || {
            loop {
                unwanted.try_iter().for_each(drop);
                let chunk: Vec<T> = items.by_ref().take(CHUNK).collect();
                // Nobody wants more where the plan has failed.
                if chunk.is_empty() || made.send(chunk).is_err() {
                    return;
                }
            }
        });
        for mut chunk in iter::once(first).chain(wanted) {
            chunk.iter_mut().try_for_each(&mut each)?;
            // The last chunks find the thread gone, and are dropped here.
            used.send(chunk).ok();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_in_their_order() {
        for count in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 20 * CHUNK] {
            let mut all = Vec::new();
            let each = |item: &mut usize| -> Result<(), ()> {
                all.push(*item);
                Ok(())
            };
            made_ahead(0..count, each).unwrap();
            assert!(all.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn whoever_wants_no_more_is_not_waited_for() {
        let each = |item: &mut usize| if *item < 3 * CHUNK { Ok(()) } else { Err(*item) };
        assert_eq!(made_ahead(0.., each), Err(3 * CHUNK));
    }
}
