use orch_core::{Blobs, Digest, UpstreamArtifact};
use orch_store::{FolderBlobs, StateFolder};
use std::path::Path;

fn blobs(folder: &Path) -> FolderBlobs {
    FolderBlobs::new(StateFolder::open(&folder.join("state")).unwrap())
}

fn store(blobs: &FolderBlobs, content: &[u8]) -> Digest {
    let mut writer = blobs.create().unwrap();
    content.chunks(3).for_each(|chunk| writer.write(chunk).unwrap());
    writer.finish().unwrap()
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_blob_is_found_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let digest = store(&blobs, b"hello blob");
    assert_eq!(digest, Digest::of(b"hello blob"));
    assert_eq!(blobs.read(&digest).unwrap(), b"hello blob");
    assert!(blobs.read(&Digest::of(b"other")).is_err());
}

#[test]
fn an_unfinished_blob_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let mut writer = blobs.create().unwrap();
    writer.write(b"half").unwrap();
    assert_eq!(files_in(&folder.path().join("state/work")), 1);
    drop(writer);
    assert_eq!(files_in(&folder.path().join("state/work")), 0);
}

#[test]
fn a_changed_blob_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let digest = store(&blobs, b"hello");
    let hex = digest.hex();
    std::fs::write(folder.path().join("state/blobs/sha256").join(&hex[..2]).join(&hex), "jello").unwrap();
    assert!(blobs.read(&digest).unwrap_err().to_string().contains("not what its name says"));
}

#[test]
fn a_staged_folder_goes_away_and_takes_nothing_else_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let canary = folder.path().join("canary");
    std::fs::create_dir(&canary).unwrap();
    std::fs::write(canary.join("file"), "alive").unwrap();
    let digest = store(&blobs, b"content");
    let file = UpstreamArtifact { task: "scan".parse().unwrap(), name: "a.json".parse().unwrap(), digest };
    let staged = blobs.stage(&[file]).unwrap();
    let place = staged.path().to_owned();
    assert_eq!(std::fs::read(place.join("scan/a.json")).unwrap(), b"content");
    // What a task that can write there may plant.
    std::os::unix::fs::symlink(&canary, place.join("link")).unwrap();
    std::os::unix::fs::symlink(canary.join("file"), place.join("scan/file")).unwrap();
    drop(staged);
    assert!(!place.exists());
    assert_eq!(std::fs::read(canary.join("file")).unwrap(), b"alive");
}

#[test]
fn changing_a_staged_file_does_not_change_the_blob() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let digest = store(&blobs, b"content");
    let file = UpstreamArtifact { task: "scan".parse().unwrap(), name: "a.json".parse().unwrap(), digest };
    let staged = blobs.stage(&[file]).unwrap();
    std::fs::write(staged.path().join("scan/a.json"), "changed").unwrap();
    assert_eq!(blobs.read(&digest).unwrap(), b"content");
}

#[test]
fn what_a_killed_process_left_is_swept_away_and_what_a_live_one_has_stays() {
    let folder = tempfile::tempdir().unwrap();
    let first = blobs(folder.path());
    let mut writer = first.create().unwrap();
    writer.write(b"mine").unwrap();
    let work = folder.path().join("state/work");
    let canary = folder.path().join("canary");
    std::fs::write(&canary, "alive").unwrap();
    // No process has so large a number (the kernel's limit is 2^22).
    std::fs::create_dir_all(work.join("stage-4194999-0/scan")).unwrap();
    std::os::unix::fs::symlink(&canary, work.join("stage-4194999-0/link")).unwrap();
    std::fs::write(work.join("blob-4194999-1"), "half").unwrap();
    std::os::unix::fs::symlink(&canary, work.join("blob-4194999-2")).unwrap();
    blobs(folder.path());
    assert_eq!(files_in(&work), 1, "only the live process's blob is left");
    assert_eq!(std::fs::read(canary).unwrap(), b"alive");
    assert!(writer.finish().is_ok());
}

#[test]
fn bytes_are_stored_once() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let digest = blobs.put(b"component").unwrap();
    assert_eq!(blobs.read(&digest).unwrap(), b"component");
    let place = folder.path().join("state/blobs/sha256").join(&digest.hex()[..2]).join(digest.hex());
    let first = std::fs::metadata(&place).unwrap().ino();
    assert_eq!(blobs.put(b"component").unwrap(), digest);
    assert_eq!(std::fs::metadata(&place).unwrap().ino(), first);
    // One that was cut short is made whole.
    std::fs::write(&place, "comp").unwrap();
    assert_eq!(blobs.put(b"component").unwrap(), digest);
    assert_eq!(blobs.read(&digest).unwrap(), b"component");
    assert_eq!(files_in(&folder.path().join("state/work")), 0);
}

#[test]
fn artifacts_are_laid_out_by_task_and_item() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    let digest = blobs.put(b"content").unwrap();
    let files = ["scan", "build/test[0]", "build/test[17]"].map(|task| UpstreamArtifact {
        task: task.parse().unwrap(),
        name: "a.json".parse().unwrap(),
        digest,
    });
    let staged = blobs.stage(&files).unwrap();
    for place in ["scan/a.json", "test/0/a.json", "test/17/a.json"] {
        assert_eq!(std::fs::read(staged.path().join(place)).unwrap(), b"content", "{place}");
    }
}
