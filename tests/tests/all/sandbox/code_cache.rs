//! Poisoned entries of the code cache (S19). The oracle is what runs: a good guest says `good`, and the machine code of the other says
//! `evil`; and how often the compiler was started.

use orch_core::NoFaults;
use orch_host::{CacheStats, CodeCache};
use orch_tests::{Call, CountingCompiler, Guest, Sandbox, compiler, guest_returning};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A cache folder that holds the code of a good guest.
struct Cache {
    folder: tempfile::TempDir,
    compiler: CountingCompiler,
    good: Guest,
    evil: Guest,
    entry: PathBuf,
}

impl Cache {
    fn new() -> Cache {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let mut cache = Cache {
            folder,
            compiler: CountingCompiler::new(&compiler(&[])),
            good: guest_returning("good"),
            evil: guest_returning("evil"),
            entry: PathBuf::new(),
        };
        assert_eq!(cache.run().0, "good");
        cache.entry = entries(cache.folder.path()).remove(0);
        assert_eq!(cache.run(), ("good".to_owned(), CacheStats { hits: 1, misses: 0, rejected: 0 }), "it is kept");
        assert_eq!(cache.compiler.starts(), 1);
        cache
    }

    fn open(&self) -> CodeCache {
        CodeCache::open(self.folder.path(), 1 << 30).unwrap()
    }

    /// Runs the good guest in a fresh host: what it said, and what the cache did.
    fn run(&self) -> (String, CacheStats) {
        let sandbox = Sandbox::with(Some(self.open()), self.compiler.compiler.clone(), Arc::new(NoFaults));
        let ended = sandbox.run(&self.good, Call::new("run", Value::Null));
        assert_eq!(ended.seen.logs.len(), 1);
        assert_eq!(ended.output(), ended.seen.logs[0].1.as_str());
        (ended.seen.logs[0].1.clone(), sandbox.host.cache_stats().unwrap())
    }

    /// The entry of the hostile component, made by our own compiler in a cache of this folder's key.
    fn evil_entry(&self) -> PathBuf {
        let sandbox = Sandbox::with(Some(self.open()), compiler(&[]), Arc::new(NoFaults));
        sandbox.load(&self.evil).unwrap();
        entries(self.folder.path()).into_iter().find(|path| *path != self.entry).unwrap()
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().is_some_and(|name| name.len() == 64)).collect()
}

/// After `poison` the good guest still says `good`: it was compiled anew, the entry was rejected once, and the next run finds a
/// good entry again.
#[track_caller]
fn check(poison: impl FnOnce(&Cache)) {
    let cache = Cache::new();
    poison(&cache);
    let (said, stats) = cache.run();
    assert_eq!(said, "good");
    assert_eq!((stats.rejected, stats.hits), (1, 0));
    assert_eq!(cache.compiler.starts(), 2);
    assert_eq!(cache.run(), ("good".to_owned(), CacheStats { hits: 1, misses: 0, rejected: 0 }));
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Where the payload begins: magic, kind, component, length, authentication code.
const HEADER: usize = 8 + 1 + 32 + 8 + 32;

#[test]
fn s19_a_flipped_bit_in_any_part() {
    for at in [0, 7, 8, 9, 40, 41, 48, 49, 80, HEADER, HEADER + 1] {
        check(|cache| change(&cache.entry, |bytes| bytes[at] ^= 1));
    }
    for part in [3, 5, 7] {
        check(|cache| {
            change(&cache.entry, |bytes| {
                let at = HEADER + (bytes.len() - HEADER) / part;
                bytes[at] ^= 0x80;
            });
        });
    }
    check(|cache| change(&cache.entry, |bytes| *bytes.last_mut().unwrap() ^= 1));
}

#[test]
fn s19_cut_off_and_lengthened() {
    check(|cache| change(&cache.entry, Vec::clear));
    check(|cache| change(&cache.entry, |bytes| bytes.truncate(HEADER - 1)));
    check(|cache| change(&cache.entry, |bytes| bytes.truncate(HEADER)));
    check(|cache| change(&cache.entry, |bytes| bytes.truncate(bytes.len() - 1)));
    check(|cache| change(&cache.entry, |bytes| bytes.push(0)));
    // A sparse file of a tebibyte must not even be read.
    check(|cache| fs::File::options().write(true).open(&cache.entry).unwrap().set_len(1 << 40).unwrap());
}

#[test]
fn s19_code_of_another_component() {
    // Valid code, by our compiler, with our key: of the wrong component.
    check(|cache| fs::copy(cache.evil_entry(), &cache.entry).map(drop).unwrap());
    check(|cache| fs::rename(cache.evil_entry(), &cache.entry).unwrap());
    // The header of the good one, the code of the other.
    check(|cache| {
        let evil = fs::read(cache.evil_entry()).unwrap();
        change(&cache.entry, |bytes| {
            bytes.truncate(HEADER);
            bytes.extend_from_slice(&evil[HEADER..]);
        });
    });
    // The same with the right length.
    check(|cache| {
        let evil = fs::read(cache.evil_entry()).unwrap();
        change(&cache.entry, |bytes| {
            bytes.truncate(HEADER);
            bytes.extend_from_slice(&evil[HEADER..]);
            bytes[41..49].copy_from_slice(&((evil.len() - HEADER) as u64).to_be_bytes());
        });
    });
}

#[test]
fn s19_an_entry_made_with_another_key() {
    check(|cache| {
        let other = Cache::new();
        fs::copy(&other.entry, &cache.entry).unwrap();
    });
    // Under a name that is our own, since engine and component are the same.
    let (one, other) = (Cache::new(), Cache::new());
    assert_eq!(one.entry.file_name(), other.entry.file_name());
}

#[test]
fn s19_an_entry_that_others_may_write_or_that_is_no_file() {
    check(|cache| fs::set_permissions(&cache.entry, Permissions::from_mode(0o666)).unwrap());
    check(|cache| fs::set_permissions(&cache.entry, Permissions::from_mode(0o620)).unwrap());
    // A link, even to the valid entry itself.
    check(|cache| {
        let moved = cache.folder.path().join("moved");
        fs::rename(&cache.entry, &moved).unwrap();
        symlink(&moved, &cache.entry).unwrap();
    });
    check(|cache| {
        fs::remove_file(&cache.entry).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &cache.entry,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from(0o600),
            0,
        )
        .unwrap();
    });
    if rustix::process::geteuid().is_root() {
        check(|cache| std::os::unix::fs::chown(&cache.entry, Some(65_534), None).unwrap());
    }
}

#[test]
fn s19_a_folder_in_the_place_of_an_entry_costs_time_only() {
    let cache = Cache::new();
    fs::remove_file(&cache.entry).unwrap();
    fs::create_dir(&cache.entry).unwrap();
    for _ in 0..2 {
        let (said, stats) = cache.run();
        assert_eq!((said.as_str(), stats.rejected, stats.hits), ("good", 1, 0));
    }
    assert_eq!(cache.compiler.starts(), 3);
}

#[test]
fn s19_a_key_that_others_can_read_is_replaced() {
    let cache = Cache::new();
    let key = cache.folder.path().join("key");
    let before = fs::read(&key).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let (said, stats) = cache.run();
    assert_eq!((said.as_str(), stats.rejected), ("good", 1), "what the old key signed counts no more");
    assert_ne!(fs::read(&key).unwrap(), before);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    // Known to an attacker, cut short, or a link to what an attacker knows: never used.
    for poison in [
        |key: &Path| fs::write(key, [7; 31]).unwrap(),
        |key: &Path| fs::write(key, [7; 33]).unwrap(),
        |key: &Path| fs::set_permissions(key, Permissions::from_mode(0o604)).unwrap(),
    ] {
        let cache = Cache::new();
        poison(&cache.folder.path().join("key"));
        let (said, stats) = cache.run();
        assert_eq!((said.as_str(), stats.rejected), ("good", 1));
    }
    let cache = Cache::new();
    let key = cache.folder.path().join("key");
    fs::remove_file(&key).unwrap();
    let known = cache.folder.path().join("known");
    fs::write(&known, [7; 32]).unwrap();
    symlink(&known, &key).unwrap();
    assert!(CodeCache::open(cache.folder.path(), 1 << 30).is_err());
}

#[test]
fn s19_a_folder_that_others_may_write_is_refused() {
    let cache = Cache::new();
    for mode in [0o777, 0o770, 0o720, 0o702] {
        fs::set_permissions(cache.folder.path(), Permissions::from_mode(mode)).unwrap();
        let error = CodeCache::open(cache.folder.path(), 1 << 30).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
    }
    fs::set_permissions(cache.folder.path(), Permissions::from_mode(0o700)).unwrap();
    let link = cache.folder.path().join("link");
    symlink(cache.folder.path(), &link).unwrap();
    assert!(CodeCache::open(&link, 1 << 30).is_err(), "a link to a folder");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(cache.folder.path(), Some(65_534), None).unwrap();
        let error = CodeCache::open(cache.folder.path(), 1 << 30).unwrap_err().to_string();
        assert!(error.contains("belongs to user 65534"), "{error}");
    }
}

#[test]
fn many_threads_open_and_fill_one_cache_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let cache = CodeCache::open(folder.path(), 1 << 30).unwrap();
                let sandbox = Sandbox::with(Some(cache), compiler(&[]), Arc::new(NoFaults));
                assert_eq!(sandbox.run(&guest_returning("good"), Call::new("run", Value::Null)).output(), "good");
                assert_eq!(sandbox.host.cache_stats().unwrap().rejected, 0);
            });
        }
    });
    let cache = CodeCache::open(folder.path(), 1 << 30).unwrap();
    assert_eq!(cache.verify().unwrap(), Vec::<String>::new());
    assert_eq!(cache.entries().unwrap().len(), 1);
}

#[test]
fn s19_verify_deletes_what_is_poisoned() {
    let cache = Cache::new();
    let evil = cache.evil_entry();
    change(&evil, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let broken = cache.open().verify().unwrap();
    assert_eq!(broken, [evil.file_name().unwrap().to_string_lossy()]);
    assert!(!evil.exists() && cache.entry.exists());
}
