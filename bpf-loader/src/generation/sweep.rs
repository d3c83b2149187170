//! Leads one map to what another one says, while the programs of a bridge write both.

use std::{io, os::fd::BorrowedFd};

use evermesh_pins::sys::{self, Plain};

/// Who loses this often against programs leaves it to them: each of them does the same.
const ATTEMPTS: usize = 64;

/// Every key of `from`. A key that comes meanwhile is the programs' to carry.
pub fn all<K, V, L, W>(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()>
where
    K: Plain,
    V: Plain + PartialEq,
    L: Plain + From<K>,
    W: Plain + From<V>,
{
    for (key, _) in sys::map_pairs::<K, V>(from)? {
        one::<K, V, L, W>(from, to, key)?;
    }
    Ok(())
}

/// Until `from` was seen to say the same before and after.
fn one<K, V, L, W>(from: BorrowedFd<'_>, to: BorrowedFd<'_>, key: K) -> io::Result<()>
where
    K: Plain,
    V: Plain + PartialEq,
    L: Plain + From<K>,
    W: Plain + From<V>,
{
    let mut says = sys::map_lookup::<K, V>(from, &key)?;
    for _ in 0..ATTEMPTS {
        match says {
            Some(value) => sys::map_update(to, &L::from(key), &W::from(value))?,
            None => drop(sys::map_delete(to, &L::from(key))?),
        }
        let now = sys::map_lookup::<K, V>(from, &key)?;
        if now == says {
            break;
        }
        says = now;
    }
    Ok(())
}
