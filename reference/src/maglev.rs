use std::net::IpAddr;

use xxhash_rust::xxh3::xxh3_64;

use crate::{Endpoint, Ratio, whole_numbers};

/// Who takes which clients: the look-up table of Maglev's consistent hashing (Eisenbud et al., NSDI 2016, section 3.4).
#[derive(Clone, Debug)]
pub struct Maglev<'a> {
    table: Vec<Endpoint<'a>>,
}

/// Somebody who takes turns at the places of the table.
struct Player<'a> {
    endpoint: Endpoint<'a>,
    weight: u128,
    name: u64,
    turns: u128,
    /// How many places of its permutation it has looked at.
    seen: u64,
}

impl<'a> Maglev<'a> {
    /// `None`: the shares have no proportion in whole numbers of reasonable size.
    pub fn of(endpoints: &[Endpoint<'a>]) -> Option<Self> {
        let shares: Vec<Ratio> = endpoints.iter().map(|endpoint| endpoint.share).collect();
        let weights = whole_numbers(&shares)?;
        let players = endpoints.iter().zip(weights).map(|(endpoint, weight)| Player::new(*endpoint, weight));
        let table = play(players.collect(), table_size(endpoints.len()))?;
        Some(Self { table })
    }

    /// Whom a client is led to that is known by this address: its IPv4 address, if it has one.
    pub fn pick(&self, client: IpAddr) -> &Endpoint<'a> {
        let place = client_number(client) % self.table.len() as u64;
        &self.table[usize::try_from(place).unwrap_or_default()]
    }
}

impl<'a> Player<'a> {
    fn new(endpoint: Endpoint<'a>, weight: u128) -> Self {
        let name = xxh3_64(endpoint.workload.uid.as_str().as_bytes()).max(1);
        Self { endpoint, weight, name, turns: 0, seen: 0 }
    }

    /// Its next place of preference in a table of this size.
    fn next_place(&mut self, size: u64) -> u64 {
        let (offset, skip) = ((self.name >> 32) % size, (self.name & 0xffff_ffff) % (size - 1) + 1);
        self.seen += 1;
        (offset + (self.seen - 1) * skip) % size
    }
}

/// In each round everyone in the order of the names takes the free place that it prefers, if it is its turn: the heaviest
/// has one in every round, one that weighs half of that in every other.
fn play(mut players: Vec<Player<'_>>, size: u64) -> Option<Vec<Endpoint<'_>>> {
    players.sort_by_key(|player| player.name);
    let heaviest = players.iter().map(|player| player.weight).max()?;
    let mut table: Vec<Option<Endpoint<'_>>> = (0..size).map(|_| None).collect();
    let (mut round, mut free) = (0, size);
    while free > 0 {
        round += 1;
        for player in &mut players {
            if free > 0 && player.turns * heaviest <= round * player.weight {
                player.turns += 1;
                free -= 1;
                take(player, &mut table)?;
            }
        }
    }
    table.into_iter().collect()
}

fn take<'a>(player: &mut Player<'a>, table: &mut [Option<Endpoint<'a>>]) -> Option<()> {
    loop {
        let place = usize::try_from(player.next_place(table.len() as u64)).ok()?;
        if table[place].is_none() {
            table[place] = Some(player.endpoint);
            return Some(());
        }
    }
}

/// The largest prime below a power of two from 2^8 to 2^16 of which each endpoint gets 400 places; the last one for more.
fn table_size(endpoints: usize) -> u64 {
    let wanted = 400 * endpoints as u64;
    let mut sizes = (8..=16).map(|bits| largest_prime_below(1 << bits));
    sizes.find(|size| *size >= wanted).unwrap_or_else(|| largest_prime_below(1 << 16))
}

fn largest_prime_below(end: u64) -> u64 {
    let is_prime =
        |number: &u64| (2..*number).take_while(|d| d * d <= *number).all(|d| !number.is_multiple_of(d));
    (2..end).rev().find(is_prime).unwrap_or(2)
}

/// The two halves of the address, IPv4 in IPv6 spelling, as numbers: the first is stirred, the second mixed in, and all stirred
/// again. The same on every node.
fn client_number(client: IpAddr) -> u64 {
    let address = match client {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let [a, b, c, d, e, f, g, h] = address.segments().map(u64::from);
    let first = a << 48 | b << 32 | c << 16 | d;
    let second = e << 48 | f << 32 | g << 16 | h;
    stirred(stirred(first) ^ second)
}

/// The finalizer of MurmurHash3.
fn stirred(number: u64) -> u64 {
    let folded = |number: u64| number ^ (number >> 33);
    let once = folded(number).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let twice = folded(once).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    folded(twice)
}

#[cfg(test)]
mod tests {
    use evermesh_model::{Workload, WorkloadUid};

    use super::*;

    fn workloads(count: u32) -> Vec<Workload> {
        let named = |n| Workload { uid: WorkloadUid::new(format!("demo/w{n}")), ..Workload::default() };
        (0..count).map(named).collect()
    }

    fn maglev(workloads: &[Workload]) -> Maglev<'_> {
        let share = Ratio::new(1, workloads.len() as u128);
        let endpoint = |workload| Endpoint {
            workload,
            address: IpAddr::from([10, 0, 0, 1]),
            port: 80,
            revision: Ratio::new(1, 1),
            share,
        };
        Maglev::of(&workloads.iter().map(endpoint).collect::<Vec<_>>()).unwrap()
    }

    fn clients() -> impl Iterator<Item = IpAddr> {
        (0..20_000u32).map(|n| IpAddr::from((0x0af4_0000 + n).to_be_bytes()))
    }

    /// In percent.
    fn moved(before: &[Workload], after: &[Workload]) -> f64 {
        let (was, is) = (maglev(before), maglev(after));
        let moves = |client: &IpAddr| was.pick(*client).workload.uid != is.pick(*client).workload.uid;
        clients().filter(moves).count() as f64 * 100.0 / clients().count() as f64
    }

    #[test]
    fn one_of_a_hundred_that_changes_moves_under_two_percent_of_the_clients() {
        let all = workloads(101);
        for changed in [0, 42, 99] {
            let mut others = all[..100].to_vec();
            others.remove(changed);
            assert!((0.5..2.0).contains(&moved(&all[..100], &others)), "{changed} goes");
            assert!((0.5..2.0).contains(&moved(&others, &all[..100])), "{changed} comes");
        }
        assert_eq!(moved(&all, &all), 0.0);
    }

    /// One goes and one comes: at most what both move.
    #[test]
    fn one_of_a_hundred_that_is_replaced_moves_under_four_percent_of_the_clients() {
        let all = workloads(101);
        for replaced in [0, 42, 99] {
            let mut others = all[..100].to_vec();
            others[replaced] = all[100].clone();
            assert!((0.5..4.0).contains(&moved(&all[..100], &others)), "{replaced} is replaced");
        }
    }

    #[test]
    fn clients_are_shared_out() {
        let all = workloads(10);
        let maglev = maglev(&all);
        for workload in &all {
            let taken = clients().filter(|client| maglev.pick(*client).workload.uid == workload.uid).count();
            assert!((1800..2200).contains(&taken), "{}: {taken} of 20000", workload.uid);
        }
    }

    #[test]
    fn tables_are_primes_with_room_for_everyone() {
        assert_eq!([1, 2, 10, 100, 1_000_000].map(table_size), [509, 1021, 4093, 65_521, 65_521]);
    }
}
