//! A lock file: what is read and written is read as the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_fuzz::text;
use orch_registry::{LockFile, LockState};

fuzz_target!(|input: &[u8]| {
    let Some(text) = text(input) else { return };
    let Ok(lock) = LockFile::parse("orch-wasm.lock", text) else { return };
    let written = lock.text();
    let again = LockFile::parse("orch-wasm.lock", &written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again.text(), written);
    for plugin in again.plugins() {
        // Under one name and requirement, the same plugin from elsewhere may be locked, too.
        let state = again.compare(plugin);
        let same_reference = again.plugins().iter().filter(|other| other.name == plugin.name).count();
        assert!(same_reference > 1 || state == LockState::Same, "{state:?}\n{written}");
    }
});
