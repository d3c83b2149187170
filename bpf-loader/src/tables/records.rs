use evermesh_abi::Endpoint;
use evermesh_pins::sys;

/// The records of endpoints by their ids, as the table holds them.
#[derive(Clone, Debug)]
pub(super) struct Records {
    /// A free id has a record of service 0.
    by_id: Vec<Endpoint>,
    len: usize,
}

impl Records {
    /// For ids below `ids`.
    pub fn new(ids: u32) -> Self {
        Self { by_id: sys::with_huge_pages(ids as usize), len: 0 }
    }

    pub fn get(&self, id: u32) -> Option<&Endpoint> {
        self.by_id.get(id as usize).filter(|record| record.service != 0)
    }

    pub fn insert(&mut self, id: u32, record: Endpoint) {
        let at = id as usize;
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, Endpoint::default());
        }
        self.len += usize::from(self.by_id[at].service == 0);
        self.by_id[at] = record;
    }

    pub fn remove(&mut self, id: u32) {
        if let Some(record) = self.by_id.get_mut(id as usize).filter(|record| record.service != 0) {
            *record = Endpoint::default();
            self.len -= 1;
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &Endpoint)> {
        (0..).zip(&self.by_id).filter(|(_, record)| record.service != 0)
    }
}
