//! A disk on which the journal cannot be written: once, for a while or from then on.

use std::ops::Range;

use super::*;

/// Which writes fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Those that fail, counted from 0.
    full: Range<usize>,
    writes: usize,
    /// What the agent that runs has done and the disk does not say.
    unsaid: Vec<Entry>,
    /// A careless one: it decides the other way whether entries are awaited that say this.
    wrong_about: Option<&'static str>,
}

impl Disk {
    /// Whether the entry is written; an error: nothing that follows may be done.
    pub fn write(&mut self, journal: &mut Journal, entry: &Entry) -> Result<bool, String> {
        let fails = self.fails_next();
        self.writes += 1;
        if fails && self.awaits(entry) {
            return Err(format!("not without a word on the disk {entry}"));
        }
        self.unsaid.push(entry.clone());
        if !fails {
            *journal = self.known(journal);
            self.unsaid.clear();
        }
        Ok(!fails)
    }

    /// What the agent that runs knows.
    pub fn known(&self, journal: &Journal) -> Journal {
        self.unsaid.iter().fold(journal.clone(), Journal::after)
    }

    /// Whether a start may still have that to do, and everything is as it should be.
    pub fn excuses(&self, step: &Step) -> bool {
        self.full.end > 0 && matches!(step, Step::Record(_))
    }

    fn fails_next(&self) -> bool {
        self.full.contains(&self.writes)
    }

    fn awaits(&self, entry: &Entry) -> bool {
        entry.is_awaited() != self.wrong_about.is_some_and(|words| entry.to_string().starts_with(words))
    }
}

impl World {
    /// The agent has ended: what it knew is forgotten.
    pub fn ended(&self) -> Self {
        let mut world = self.clone();
        world.disk.unsaid.clear();
        world
    }

    /// What an agent does of these steps before an entry is awaited in vain, and which entry that is.
    fn until_refused(&mut self, steps: &[Step]) -> Result<(Vec<Step>, Option<Entry>), String> {
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Record(entry) if self.disk.fails_next() && self.disk.awaits(entry) => {
                    // Nobody does that step, so no write is counted for it.
                    self.disk.full.end -= 1;
                    return Ok((steps[..at].to_vec(), Some(entry.clone())));
                }
                step => self.perform(step)?,
            }
        }
        Ok((steps.to_vec(), None))
    }

    /// An agent begins a change, and gets that word on its trial. One that cannot be begun is none; one that cannot be committed is
    /// rolled back.
    fn change(&mut self, change: &Change, carried: &[Table], stays: bool) -> Result<Vec<Step>, String> {
        let recovery = self.recovery();
        let (mut steps, _) = self.until_refused(&recovery)?;
        let trying = plan::trying(change, &on(Programs::Of(OLD)), carried);
        let (tried, refused) = self.until_refused(&trying)?;
        steps.extend(tried);
        if refused.is_some() {
            return Ok(steps);
        }
        let links = self.kernel.links.clone();
        let committing = plan::committing(change, &links, carried);
        let back = plan::rolling_back(change, &links, carried, "connections failed");
        let (done, refused) = self.until_refused(if stays { &committing } else { &back })?;
        steps.extend(done);
        if refused == Some(Entry::Reached(Stage::Committed)) {
            steps.extend(self.until_refused(&back)?.0);
        }
        Ok(steps)
    }
}

/// A change, and the world that it begins in.
struct Case {
    world: World,
    change: Change,
    carried: &'static [Table],
}

impl Case {
    fn carrying(carried: &'static [Table]) -> Self {
        Self { world: World::with_a_generation(), change: change(), carried }
    }

    /// An older change between the same numbers has left that it was committed: what became of it then was not written down, and
    /// everything was removed and made anew since.
    fn after_an_older_one() -> Self {
        let mut case = Self::carrying(&[]);
        let said = [Entry::Begin(change()), Entry::Reached(Stage::Committed)];
        case.world.journal = said.iter().fold(Journal::default(), Journal::after);
        case
    }

    fn all() -> Vec<Self> {
        let kinds: [&[Table]; 3] = [&[], &Table::CARRIED, &Table::BROUGHT];
        let losing = loss::KINDS.map(|(gone, carried)| Self {
            world: loss::world(gone),
            change: loss::losing(gone),
            carried,
        });
        kinds.map(Self::carrying).into_iter().chain(losing).chain([Self::after_an_older_one()]).collect()
    }

    /// It is interrupted everywhere, and so is each recovery, while those writes fail.
    fn survives(&self, stays: bool, full: Range<usize>) -> Result<usize, String> {
        let mut begin = self.world.clone();
        begin.disk.full = full;
        let mut agent = begin.clone();
        let steps = agent.change(&self.change, self.carried, stays)?;
        begin.disk.full = agent.disk.full;
        survive(&begin, &steps)
    }

    fn careless(mut self, wrong_about: &'static str) -> Self {
        self.world.disk.wrong_about = Some(wrong_about);
        self
    }
}

/// A change has four, or a recovery in the place of the last.
const WRITES: usize = 5;

/// From each write on, for once and for ever.
fn disks() -> impl Iterator<Item = Range<usize>> {
    (0..WRITES).flat_map(|from| [from..from + 1, from..usize::MAX])
}

#[test]
fn a_change_survives_every_interruption_while_the_journal_cannot_be_written() {
    let mut moments = 0;
    for case in Case::all() {
        for full in disks() {
            for stays in [true, false] {
                let survived = case.survives(stays, full.clone());
                moments +=
                    survived.unwrap_or_else(|why| panic!("{:?}, {full:?}, {stays}: {why}", case.change));
            }
        }
    }
    assert!(moments > 10_000, "{moments}");
}

/// What a careless journal would do.
#[test]
fn entries_that_are_awaited_in_vain_or_not_at_all_are_noticed() {
    let fails = |case: &Case, stays| disks().any(|full| case.survives(stays, full).is_err());
    for stays in [true, false] {
        let begun = Case::after_an_older_one().careless("that generation 5 shall follow");
        assert!(fails(&begun, stays), "a change begins that is not written down");
    }
    let committed = Case::carrying(&[]).careless("that the change is committed");
    assert!(fails(&committed, true), "a generation stays, and that is not written down");
    for (stays, entry) in [
        (true, "that the change is over"),
        (false, "that the change is being rolled back"),
        (false, "that the change is undone"),
        // That of the recovery.
        (true, "that the change is undone"),
    ] {
        assert!(fails(&Case::carrying(&[]).careless(entry), stays), "{entry} is awaited");
    }
}
