/// How one entry of the secondary comes to be what the primary's is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settling<V> {
    led_to: Option<Option<V>>,
}

/// What to do after a look at the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn<'a, V> {
    /// Write this to the secondary, or delete the entry there, and look again.
    Lead(Option<&'a V>),
    /// Nothing: it is there.
    Agreed,
}

impl<V> Default for Settling<V> {
    fn default() -> Self {
        Self { led_to: None }
    }
}

impl<V: PartialEq> Settling<V> {
    /// The primary says this.
    pub fn look(&mut self, primary: Option<V>) -> Turn<'_, V> {
        if self.led_to.as_ref() == Some(&primary) {
            return Turn::Agreed;
        }
        Turn::Lead(self.led_to.insert(primary).as_ref())
    }
}
