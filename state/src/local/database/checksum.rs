use xxhash_rust::xxh3::Xxh3;

const LENGTH: usize = size_of::<u64>();

/// The value with its checksum, which the key is part of: a value in the place of another one is noticed.
pub(super) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&checksum(key, value).to_le_bytes(), value].concat()
}

/// The value, if the checksum is right.
pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (sum, value) = sealed.split_at_checked(LENGTH)?;
    (sum == checksum(key, value).to_le_bytes()).then_some(value)
}

fn checksum(key: &[u8], value: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&(key.len() as u64).to_le_bytes());
    hash.update(key);
    hash.update(value);
    hash.digest()
}

/// What all records add up to, in whatever order: one that is missing, or that is older than the others, is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    count: u64,
    checksums: u64,
}

impl Sum {
    pub fn add(&mut self, sealed: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.checksums = self.checksums.wrapping_add(of(sealed));
    }

    pub fn remove(&mut self, sealed: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.checksums = self.checksums.wrapping_sub(of(sealed));
    }

    pub fn to_bytes(self) -> Vec<u8> {
        [self.count.to_le_bytes(), self.checksums.to_le_bytes()].concat()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, checksums) = bytes.split_at_checked(LENGTH)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
        Some(Self { count: number(count)?, checksums: number(checksums)? })
    }
}

fn of(sealed: &[u8]) -> u64 {
    let sum = sealed.get(..LENGTH).and_then(|sum| sum.try_into().ok());
    sum.map(u64::from_le_bytes).unwrap_or_default()
}
