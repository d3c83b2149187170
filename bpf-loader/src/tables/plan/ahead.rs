use std::{
    collections::BTreeMap,
    iter,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

/// So many are made at once; fewer are not worth a thread.
const CHUNK: usize = 256;
/// So many chunks of the other thread wait at most.
const WAITING: usize = 4;

/// Who has made a chunk, and drops it: freed by another thread than the one that allocated it, memory is fought for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    Caller,
    Other,
}

/// Calls `each` with what `make` makes of one item after the other, in their order. Where there are many, two make it: a thread
/// of its own, and the caller's while nothing is ready for it.
pub(super) fn made_ahead<R: Send, T: Send, E>(
    mut items: impl Iterator<Item = R> + Send,
    make: impl Fn(R) -> T + Sync,
    mut each: impl FnMut(&mut T) -> Result<(), E>,
) -> Result<(), E> {
    let first: Vec<R> = items.by_ref().take(CHUNK).collect();
    if first.len() < CHUNK {
        return first.into_iter().map(make).try_for_each(|mut item| each(&mut item));
    }
    let more = || Some(items.by_ref().take(CHUNK).collect()).filter(|chunk: &Vec<R>| !chunk.is_empty());
    let chunks = Mutex::new(iter::once(first).chain(iter::from_fn(more)).enumerate());
    let make_next = || {
        let (number, chunk) = chunks.lock().unwrap_or_else(PoisonError::into_inner).next()?;
        Some((number, chunk.into_iter().map(&make).collect::<Vec<T>>()))
    };
    thread::scope(|scope| {
        let (made, ready) = mpsc::sync_channel(WAITING);
        let (used, unwanted) = mpsc::channel::<Vec<T>>();
        let make_all = || {
            let (made, unwanted) = (made, unwanted);
            // Nobody wants more where the plan has failed.
            while make_next().is_some_and(|chunk| made.send(chunk).is_ok()) {
                unwanted.try_iter().for_each(drop);
            }
        };
        // Where no thread is to be had, the caller makes all.
        thread::Builder::new().spawn_scoped(scope, make_all).ok();
        let mut waiting = BTreeMap::new();
        let mut chunk = |number| loop {
            if let Some(chunk) = waiting.remove(&number) {
                return Some(chunk);
            }
            let (number, made) = match ready.try_recv() {
                Ok((number, chunk)) => (number, (Maker::Other, chunk)),
                Err(_) => match make_next() {
                    Some((number, chunk)) => (number, (Maker::Caller, chunk)),
                    None => ready.recv().map(|(number, chunk)| (number, (Maker::Other, chunk))).ok()?,
                },
            };
            waiting.insert(number, made);
        };
        for (maker, mut chunk) in (0..).map_while(&mut chunk) {
            chunk.iter_mut().try_for_each(&mut each)?;
            if maker == Maker::Other {
                // The last chunks find the thread gone, and are dropped here.
                used.send(chunk).ok();
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Barrier};

    use super::*;

    #[test]
    fn all_come_in_their_order() {
        for count in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 20 * CHUNK] {
            let mut all = Vec::new();
            let each = |item: &mut usize| -> Result<(), ()> {
                all.push(*item);
                Ok(())
            };
            made_ahead(0..count, |item| item + 1, each).unwrap();
            assert!(all.into_iter().eq(1..=count), "{count}");
        }
    }

    #[test]
    fn both_make_some() {
        let (makers, both) = (Mutex::new(HashSet::new()), Barrier::new(2));
        let make = |item: usize| {
            let is_first = makers.lock().unwrap().insert(thread::current().id());
            if is_first {
                both.wait();
            }
            item
        };
        made_ahead(0..20 * CHUNK, make, |_| Ok::<_, ()>(())).unwrap();
        assert_eq!(makers.lock().unwrap().len(), 2);
    }

    #[test]
    fn whoever_wants_no_more_is_not_waited_for() {
        let each = |item: &mut usize| if *item < 3 * CHUNK { Ok(()) } else { Err(*item) };
        assert_eq!(made_ahead(0.., |item| item, each), Err(3 * CHUNK));
    }
}
