use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn found(last: u8) -> Family {
    Family::Found(vec![[192, 0, 2, last].into()])
}

fn outcome(v4: Family, v6: Family, seconds: u32) -> Outcome {
    Outcome { v4, v6, valid: SECOND * seconds }
}

fn names(names: &[&str]) -> Vec<SmolStr> {
    names.iter().map(|name| (*name).into()).collect()
}

fn hostnames(lookups: &[Lookup]) -> Vec<&str> {
    lookups.iter().map(|lookup| lookup.hostname.as_str()).collect()
}

fn told(schedule: &mut Schedule, outcome: Outcome, now: Instant) -> Option<(Vec<String>, bool)> {
    let lookup = schedule.start(now).remove(0);
    let answer = schedule.done(&lookup, outcome, now)?;
    Some((answer.addresses.iter().map(ToString::to_string).collect(), answer.is_whole))
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_asked_for_again_when_it_expires() {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    schedule.want(&names(&["a"]), now);
    let lookups = schedule.start(now);
    assert_eq!(hostnames(&lookups), ["a"]);
    assert_eq!((schedule.start(now).len(), schedule.next()), (0, None));
    schedule.done(&lookups[0], outcome(found(1), Family::Absent, 30), now);
    assert_eq!(schedule.next(), Some(now + 30 * SECOND));
    for (ttl, wait) in [(0, SHORTEST), (100_000, LONGEST)] {
        let mut schedule = Schedule::default();
        schedule.want(&names(&["a"]), now);
        told(&mut schedule, outcome(found(1), Family::Absent, ttl), now);
        assert_eq!(schedule.next(), Some(now + wait));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_nothing_and_is_tried_again_later_and_later() {
    let (mut schedule, mut now) = (Schedule::default(), Instant::now());
    schedule.want(&names(&["a"]), now);
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(told(&mut schedule, outcome(Family::Failed, Family::Failed, 30), now), None);
        let next = schedule.next().unwrap();
        waits.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_is_told_as_such_until_nobody_expects_the_other_half() {
    let (mut schedule, mut now) = (Schedule::default(), Instant::now());
    schedule.want(&names(&["a"]), now);
    for is_whole in [false, false, true, true] {
        let told = told(&mut schedule, outcome(found(1), Family::Failed, 300), now);
        assert_eq!(told, Some((vec!["192.0.2.1".into()], is_whole)));
        now = schedule.next().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_order_of_an_answer_does_not_matter_and_none_is_one() {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    schedule.want(&names(&["a"]), now);
    let two = Family::Found([2, 1, 2].map(|last| [192, 0, 2, last].into()).to_vec());
    let answer = told(&mut schedule, outcome(two, Family::Absent, 30), now);
    assert_eq!(answer, Some((vec!["192.0.2.1".into(), "192.0.2.2".into()], true)));
    let later = now + 60 * SECOND;
    assert_eq!(told(&mut schedule, outcome(Family::Absent, Family::Absent, 30), later), Some((vec![], true)));
}

#[tokio::test(start_paused = true)]
async fn who_is_wanted_no_more_is_not_told_and_few_are_looked_up_at_once() {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    let many: Vec<SmolStr> = (0..100).map(|n| format!("n{n:02}").into()).collect();
    schedule.want(&many, now);
    let first = schedule.start(now);
    assert_eq!((first.len(), schedule.start(now).len()), (AT_ONCE, 0));
    schedule.want(&many[1..], now);
    assert!(schedule.done(&first[0], outcome(found(1), found(2), 30), now).is_none());
    assert_eq!(hostnames(&schedule.start(now)), ["n32"]);
}

/// Looks up for a while, each lookup taking the time that the name's kind says, and says how late who answers was looked
/// up at worst.
fn worst(silent: usize, half: usize, good: usize, seconds: u32) -> Duration {
    let give_up = 10 * SECOND;
    let begin = Instant::now();
    let mut schedule = Schedule::default();
    let kinds = [("a-silent", silent), ("b-half", half), ("c-good", good)];
    let wanted: Vec<SmolStr> = kinds
        .iter()
        .flat_map(|(kind, count)| (0..*count).map(move |n| format!("{kind}-{n:04}").into()))
        .collect();
    schedule.want(&wanted, begin);
    let mut expected: BTreeMap<SmolStr, Instant> = wanted.iter().map(|name| (name.clone(), begin)).collect();
    let mut running: Vec<(Instant, Lookup)> = Vec::new();
    let (mut now, mut worst) = (begin, Duration::ZERO);
    while now < begin + seconds * SECOND {
        for lookup in schedule.start(now) {
            let is_good = lookup.hostname.starts_with("c-good");
            if is_good {
                worst = worst.max(now - expected[&lookup.hostname]);
            }
            let longest = lookup.longest.unwrap_or(give_up);
            running.push((now + if is_good { SECOND / 50 } else { longest }, lookup));
        }
        assert!(running.len() <= AT_ONCE);
        running.sort_by_key(|(end, _)| *end);
        let ends = running.first().map(|(end, _)| *end);
        now = ends.into_iter().chain(schedule.next()).min().unwrap().max(now);
        while running.first().is_some_and(|(end, _)| *end <= now) {
            let (_, lookup) = running.remove(0);
            let outcome = match &lookup.hostname[..1] {
                "a" => outcome(Family::Failed, Family::Failed, 30),
                "b" => outcome(found(1), Family::Failed, 30),
                _ => outcome(found(1), Family::Absent, 30),
            };
            schedule.done(&lookup, outcome, now);
            expected.insert(lookup.hostname, now + 30 * SECOND);
        }
    }
    worst
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_holds_up_nobody_who_answers() {
    // Who was never looked up may be anything, so that the very first round is as long as QUICK times the silent ones.
    for (silent, half) in [(32_usize, 0), (200, 0), (0, 200), (200, 200)] {
        let first = QUICK * u32::try_from((silent + half).div_ceil(AT_ONCE)).unwrap();
        let late = worst(silent, half, 100, 1_000);
        assert!(late <= first + SECOND, "{silent} silent and {half} half: {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_silent_is_waited_for_in_half_of_the_places() {
    let (mut schedule, now) = (Schedule::default(), Instant::now());
    let many: Vec<SmolStr> = (0..AT_ONCE).map(|n| format!("n{n:02}").into()).collect();
    schedule.want(&many, now);
    for lookup in schedule.start(now) {
        assert_eq!(lookup.longest, Some(QUICK));
        schedule.done(&lookup, outcome(Family::Failed, Family::Failed, 30), now);
    }
    let later = schedule.next().unwrap();
    let slow = schedule.start(later);
    assert_eq!((slow.len(), slow[0].longest), (SLOW_AT_ONCE, None));
    assert_eq!((schedule.start(later).len(), schedule.next()), (0, None));
    schedule.want(&[&many[..], &names(&["z"])].concat(), later);
    assert_eq!(hostnames(&schedule.start(later)), ["z"]);
}
