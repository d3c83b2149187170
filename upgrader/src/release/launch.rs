use std::path::{Path, PathBuf};

use super::{Digest, LedgerFile, SUPERVISOR, Source, Stamps, Store};

/// Whose supervisor is started when somebody outside starts one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    /// The launched release's own: it is committed, or is to be tried, or nothing else is known.
    Own,
    /// That of the committed release, which came by an upgrade.
    Committed {
        /// The program.
        supervisor: PathBuf,
        /// The launched release, for [`LAUNCHED_BY`](super::LAUNCHED_BY).
        launcher: Digest,
    },
    /// The launched release's own, because the committed one cannot be run, for this reason.
    InPlace(String),
}

/// Decides that for the release in the directory `own`. Changes nothing but what is known of unchanged files.
pub fn launch(state_dir: &Path, own: &Path) -> Launch {
    let store = Store::of(state_dir);
    let Ok(Some(ledger)) = LedgerFile::of(&store).read() else { return Launch::Own };
    let mut stamps = Stamps::load(store.dir());
    let Ok(own) = Source::measure(own, &mut stamps) else { return Launch::Own };
    let launcher = own.digest;
    let on_trial = ledger.candidate.as_ref().is_some_and(|candidate| candidate.release == launcher);
    if launcher == ledger.committed || launcher != ledger.launcher || on_trial {
        return Launch::Own;
    }
    let verified = store.verify(&ledger.committed, &mut stamps);
    stamps.save();
    match verified {
        Ok(_) => Launch::Committed { supervisor: store.place(&ledger.committed).join(SUPERVISOR), launcher },
        Err(error) => Launch::InPlace(error.to_string()),
    }
}
