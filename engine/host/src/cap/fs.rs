//! `fs`: granted folders, and nothing above, beside or through them.
//!
//! `wasmtime-wasi` keeps paths inside a folder (openat2, or a walk by hand where the kernel lacks it) and refuses changes to a
//! read-only one. What is added here: the folders are handles that we opened ourselves; FIFOs, sockets and devices are refused
//! before they are opened, since opening one can hang or act; uses and refusals are recorded.

use crate::guest::{Audit, Guest};
use crate::mounts::OpenMount;
use crate::tape::{Links, Tape, Touch, Unrecorded};
use orch_core::{Access, RefusedBy};
use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Weak};
use types::{ErrorCode, HostDescriptor, HostDirectoryEntryStream};
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};
use wasmtime_wasi::{FsPerms, OpenMode};

/// Files and folders that one attempt has open at once. A process may often have no more than 1,024, the engine's own among them.
const MOST_OPEN: usize = 256;
/// Listings of folders that one attempt has open at once. Each keeps the names of the whole folder in memory, which is not the
/// guest's.
const MOST_LISTINGS: usize = 64;

/// More than may be open at once. The attempt ends.
#[derive(Debug, thiserror::Error)]
#[error("more than {most} {what} at once")]
pub(crate) struct TooManyOpen {
    /// What the limit is called.
    pub(crate) what: &'static str,
    /// Its value.
    pub(crate) most: usize,
}

struct Fs;

pub(crate) struct FsView<'a> {
    inner: WasiFilesystemCtxView<'a>,
    audit: &'a mut Audit,
    mounts: &'a [OpenMount],
    opened: &'a mut HashMap<u32, usize>,
    files: &'a mut Vec<Weak<File>>,
    listings: &'a mut usize,
    tape: &'a Tape,
}

impl HasData for Fs {
    type Data<'a> = FsView<'a>;
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    fn view(guest: &mut Guest) -> FsView<'_> {
        // Destructured, because the view of WASI borrows a part of the guest and the rest is needed beside it.
        let Guest { table, wasi, audit, mounts, opened, files, listings, facts, .. } = guest;
        FsView {
            inner: WasiFilesystemCtxView { ctx: wasi.filesystem(), table },
            audit,
            mounts,
            opened,
            files,
            listings,
            tape: &facts.tape,
        }
    }
    types::add_to_linker::<Guest, Fs>(linker, view)?;
    preopens::add_to_linker::<Guest, Fs>(linker, view)
}

/// What a call wants of its folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Look,
    Change,
}

/// Whether a call means a link or what it leads to.
fn links(flags: types::PathFlags) -> Links {
    if flags.contains(types::PathFlags::SYMLINK_FOLLOW) { Links::Followed } else { Links::Kept }
}

impl FsView<'_> {
    fn mount(&self, folder: &Resource<Descriptor>) -> Option<usize> {
        self.opened.get(&folder.rep()).copied()
    }

    /// Tells a recording what is about to be touched; on replay, whether it is known.
    fn touch(&self, folder: &Resource<Descriptor>, path: &str, touch: Touch) -> FsResult<()> {
        if self.tape.is_off() {
            return Ok(());
        }
        let Some(mount) = self.mount(folder).and_then(|index| self.mounts.get(index)) else { return Ok(()) };
        // A path below a file is refused by the call itself.
        let Descriptor::Dir(folder) = self.inner.table.get(folder).map_err(FsError::trap)? else { return Ok(()) };
        let touched = self.tape.touch(mount, &folder.dir, std::path::Path::new(path), touch);
        touched.map_err(|Unrecorded| ErrorCode::NoEntry.into())
    }

    fn room_for_one_more(&mut self) -> Result<(), TooManyOpen> {
        if self.files.len() >= MOST_OPEN {
            self.files.retain(|file| file.strong_count() > 0);
        }
        let what = "open files";
        if self.files.len() < MOST_OPEN { Ok(()) } else { Err(TooManyOpen { what, most: MOST_OPEN }) }
    }

    /// Counts a file for as long as anything holds it: also a stream of it that stays when its descriptor is dropped.
    fn count(&mut self, opened: &Resource<Descriptor>) -> wasmtime::Result<()> {
        self.files.push(match self.inner.table.get(opened)? {
            Descriptor::File(file) => Arc::downgrade(&file.file),
            Descriptor::Dir(folder) => Arc::downgrade(&folder.dir),
        });
        Ok(())
    }

    /// Records the use of a mount, or the refusal of it, according to how a call ended.
    fn settle<T>(&mut self, mount: Option<usize>, want: Want, path: &str, result: FsResult<T>) -> FsResult<T> {
        let Some((index, mount)) = mount.and_then(|index| Some((index, self.mounts.get(index)?))) else {
            return result;
        };
        let denied = match &result {
            Ok(_) => false,
            Err(error) => matches!(error.downcast_ref(), Some(ErrorCode::NotPermitted | ErrorCode::ReadOnly)),
        };
        if !denied {
            let access = if want == Want::Change { Access::Write } else { Access::Read };
            // Said once: a scan makes this call for each of its files.
            if self.audit.first_use(index, access) {
                self.audit.used(&format!("fs {} {}", mount.name, access.min(mount.access)));
            }
        } else if want == Want::Change && mount.granted == Access::Write && mount.access == Access::Read {
            let target = format!("{} write: {path}", mount.name);
            self.audit.refuse("fs", &target, RefusedBy::Engine, "this is a dry run: nothing is written", None);
        } else if want == Want::Change && mount.access == Access::Read {
            let target = format!("{} write: {path}", mount.name);
            let fix = format!(
                "add to the task: permissions: {{ fs: [{{ mount: {}, path: …, access: write }}] }}; the plugin must ask for it too",
                mount.name
            );
            self.audit.refuse("fs", &target, RefusedBy::Workflow, "the mount is granted for reading", Some(fix));
        } else {
            let target = format!("{}: {path}", mount.name);
            self.audit.refuse(
                "fs",
                &target,
                RefusedBy::Engine,
                "the path leads out of its mount or may not be touched",
                None,
            );
        }
        result
    }

    /// Refuses what is no file, folder or link. Without this an `open` of a FIFO would wait for its other end.
    async fn refuse_special(
        &mut self,
        folder: &Resource<Descriptor>,
        flags: types::PathFlags,
        path: &str,
    ) -> FsResult<()> {
        let found = self.inner.stat_at(Resource::new_borrow(folder.rep()), flags, path.to_owned()).await;
        let special = matches!(&found, Ok(stat) if matches!(
            stat.type_,
            types::DescriptorType::Fifo
                | types::DescriptorType::Socket
                | types::DescriptorType::BlockDevice
                | types::DescriptorType::CharacterDevice
                | types::DescriptorType::Unknown
        ));
        if !special {
            return Ok(());
        }
        if let Some(mount) = self.mount(folder).and_then(|index| self.mounts.get(index)) {
            let target = format!("{}: {path}", mount.name);
            self.audit.refuse("fs", &target, RefusedBy::Engine, "it is a FIFO, a socket or a device", None);
        }
        Err(ErrorCode::Access.into())
    }
}

impl preopens::Host for FsView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut folders = Vec::with_capacity(self.mounts.len());
        for (index, mount) in self.mounts.iter().enumerate() {
            let (perms, mode) = match mount.access {
                Access::Read => (FsPerms::ReadOnly, OpenMode::READ),
                Access::Write => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
            };
            let mut folder = Dir::new(mount.folder.try_clone()?, perms, mode, true);
            folder.dir = Arc::clone(&mount.folder);
            let folder = self.inner.table.push(Descriptor::Dir(folder))?;
            self.opened.insert(folder.rep(), index);
            folders.push((folder, mount.guest_path.clone()));
        }
        Ok(folders)
    }
}

impl types::Host for FsView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.filesystem_error_code(error)
    }
}

impl HostDescriptor for FsView<'_> {
    async fn open_at(
        &mut self,
        folder: Resource<Descriptor>,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let mount = self.mount(&folder);
        let changes = types::DescriptorFlags::WRITE | types::DescriptorFlags::MUTATE_DIRECTORY;
        let creates = types::OpenFlags::CREATE | types::OpenFlags::TRUNCATE;
        let want = if flags.intersects(changes) || open_flags.intersects(creates) { Want::Change } else { Want::Look };
        self.room_for_one_more().map_err(FsError::trap)?;
        let may_write =
            mount.and_then(|index| self.mounts.get(index)).is_some_and(|mount| mount.access == Access::Write);
        let replaces = may_write && open_flags.contains(types::OpenFlags::TRUNCATE);
        let touch = if replaces { Touch::Replace } else { Touch::Open };
        self.touch(&folder, &path, touch(links(path_flags)))?;
        self.refuse_special(&folder, path_flags, &path).await?;
        let opened = self.inner.open_at(folder, path_flags, path.clone(), open_flags, flags).await;
        let opened = self.settle(mount, want, &path, opened)?;
        self.count(&opened).map_err(FsError::trap)?;
        match mount {
            Some(mount) => self.opened.insert(opened.rep(), mount),
            // The table reuses its indices, so what stood there before must go.
            None => self.opened.remove(&opened.rep()),
        };
        Ok(opened)
    }

    async fn stat_at(
        &mut self,
        folder: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        let mount = self.mount(&folder);
        self.touch(&folder, &path, Touch::Look(links(flags)))?;
        let found = self.inner.stat_at(folder, flags, path.clone()).await;
        self.settle(mount, Want::Look, &path, found)
    }

    async fn readlink_at(&mut self, folder: Resource<Descriptor>, path: String) -> FsResult<String> {
        let mount = self.mount(&folder);
        self.touch(&folder, &path, Touch::Look(Links::Kept))?;
        let target = self.inner.readlink_at(folder, path.clone()).await;
        self.settle(mount, Want::Look, &path, target)
    }

    async fn read_directory(
        &mut self,
        folder: Resource<Descriptor>,
    ) -> FsResult<Resource<types::DirectoryEntryStream>> {
        let mount = self.mount(&folder);
        if *self.listings >= MOST_LISTINGS {
            return Err(FsError::trap(TooManyOpen { what: "open listings", most: MOST_LISTINGS }));
        }
        self.touch(&folder, ".", Touch::List)?;
        let entries = self.inner.read_directory(folder).await;
        *self.listings += usize::from(entries.is_ok());
        self.settle(mount, Want::Look, ".", entries)
    }

    async fn metadata_hash_at(
        &mut self,
        folder: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        let mount = self.mount(&folder);
        self.touch(&folder, &path, Touch::Look(links(flags)))?;
        let hash = self.inner.metadata_hash_at(folder, flags, path.clone()).await;
        self.settle(mount, Want::Look, &path, hash)
    }

    async fn create_directory_at(&mut self, folder: Resource<Descriptor>, path: String) -> FsResult<()> {
        let mount = self.mount(&folder);
        self.touch(&folder, &path, Touch::Look(Links::Kept))?;
        let done = self.inner.create_directory_at(folder, path.clone()).await;
        self.settle(mount, Want::Change, &path, done)
    }

    async fn set_times_at(
        &mut self,
        folder: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
        access: types::NewTimestamp,
        modification: types::NewTimestamp,
    ) -> FsResult<()> {
        let mount = self.mount(&folder);
        self.touch(&folder, &path, Touch::Look(links(flags)))?;
        let done = self.inner.set_times_at(folder, flags, path.clone(), access, modification).await;
        self.settle(mount, Want::Change, &path, done)
    }

    async fn link_at(
        &mut self,
        folder: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
        new_folder: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        // A link shares the inode: from a mount for reading into one for writing it would make its content writable.
        let (from, to) = (self.mount(&folder), self.mount(&new_folder));
        // What is linked can be read by its new name. What goes is looked at first: it stays if the call fails.
        self.touch(&folder, &path, Touch::Open(links(flags)))?;
        self.touch(&new_folder, &new_path, Touch::Open(Links::Kept))?;
        let done = self.inner.link_at(folder, flags, path.clone(), new_folder, new_path.clone()).await;
        self.settle_both(from, &path, to, &new_path, done)
    }

    async fn rename_at(
        &mut self,
        folder: Resource<Descriptor>,
        path: String,
        new_folder: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let (from, to) = (self.mount(&folder), self.mount(&new_folder));
        self.touch(&folder, &path, Touch::Move)?;
        self.touch(&new_folder, &new_path, Touch::Open(Links::Kept))?;
        let done = self.inner.rename_at(folder, path.clone(), new_folder, new_path.clone()).await;
        self.settle_both(from, &path, to, &new_path, done)
    }

    async fn symlink_at(&mut self, folder: Resource<Descriptor>, target: String, path: String) -> FsResult<()> {
        let mount = self.mount(&folder);
        self.touch(&folder, &path, Touch::Look(Links::Kept))?;
        let done = self.inner.symlink_at(folder, target, path.clone()).await;
        self.settle(mount, Want::Change, &path, done)
    }

    async fn unlink_file_at(&mut self, folder: Resource<Descriptor>, path: String) -> FsResult<()> {
        let mount = self.mount(&folder);
        self.touch(&folder, &path, Touch::Open(Links::Kept))?;
        let done = self.inner.unlink_file_at(folder, path.clone()).await;
        self.settle(mount, Want::Change, &path, done)
    }

    async fn remove_directory_at(&mut self, folder: Resource<Descriptor>, path: String) -> FsResult<()> {
        let mount = self.mount(&folder);
        self.touch(&folder, &path, Touch::Look(Links::Kept))?;
        let done = self.inner.remove_directory_at(folder, path.clone()).await;
        self.settle(mount, Want::Change, &path, done)
    }

    async fn set_size(&mut self, file: Resource<Descriptor>, size: u64) -> FsResult<()> {
        let mount = self.mount(&file);
        let done = self.inner.set_size(file, size).await;
        self.settle(mount, Want::Change, "an open file", done)
    }

    async fn set_times(
        &mut self,
        file: Resource<Descriptor>,
        access: types::NewTimestamp,
        modification: types::NewTimestamp,
    ) -> FsResult<()> {
        let mount = self.mount(&file);
        let done = self.inner.set_times(file, access, modification).await;
        self.settle(mount, Want::Change, "an open file", done)
    }

    async fn write(&mut self, file: Resource<Descriptor>, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        let mount = self.mount(&file);
        let done = self.inner.write(file, bytes, offset).await;
        self.settle(mount, Want::Change, "an open file", done)
    }

    fn write_via_stream(&mut self, file: Resource<Descriptor>, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        let mount = self.mount(&file);
        let stream = self.inner.write_via_stream(file, offset);
        self.settle(mount, Want::Change, "an open file", stream)
    }

    fn append_via_stream(&mut self, file: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        let mount = self.mount(&file);
        let stream = self.inner.append_via_stream(file);
        self.settle(mount, Want::Change, "an open file", stream)
    }

    // What follows works on something that is open already, so its grant was checked and its use recorded when it was opened.

    fn read_via_stream(&mut self, file: Resource<Descriptor>, offset: u64) -> FsResult<Resource<DynInputStream>> {
        self.inner.read_via_stream(file, offset)
    }

    async fn read(&mut self, file: Resource<Descriptor>, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        self.inner.read(file, length, offset).await
    }

    async fn advise(
        &mut self,
        file: Resource<Descriptor>,
        offset: u64,
        length: u64,
        advice: types::Advice,
    ) -> FsResult<()> {
        self.inner.advise(file, offset, length, advice).await
    }

    async fn sync_data(&mut self, file: Resource<Descriptor>) -> FsResult<()> {
        self.inner.sync_data(file).await
    }

    async fn sync(&mut self, file: Resource<Descriptor>) -> FsResult<()> {
        self.inner.sync(file).await
    }

    async fn get_flags(&mut self, file: Resource<Descriptor>) -> FsResult<types::DescriptorFlags> {
        self.inner.get_flags(file).await
    }

    async fn get_type(&mut self, file: Resource<Descriptor>) -> FsResult<types::DescriptorType> {
        self.inner.get_type(file).await
    }

    async fn stat(&mut self, file: Resource<Descriptor>) -> FsResult<types::DescriptorStat> {
        self.inner.stat(file).await
    }

    async fn is_same_object(&mut self, a: Resource<Descriptor>, b: Resource<Descriptor>) -> wasmtime::Result<bool> {
        self.inner.is_same_object(a, b).await
    }

    async fn metadata_hash(&mut self, file: Resource<Descriptor>) -> FsResult<types::MetadataHashValue> {
        self.inner.metadata_hash(file).await
    }

    fn drop(&mut self, file: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.opened.remove(&file.rep());
        HostDescriptor::drop(&mut self.inner, file)
    }
}

impl FsView<'_> {
    /// A change that touches two folders is recorded for both.
    fn settle_both(
        &mut self,
        from: Option<usize>,
        path: &str,
        to: Option<usize>,
        new_path: &str,
        done: FsResult<()>,
    ) -> FsResult<()> {
        let done = self.settle(from, Want::Change, path, done);
        if from == to { done } else { self.settle(to, Want::Change, new_path, done) }
    }
}

impl HostDirectoryEntryStream for FsView<'_> {
    async fn read_directory_entry(
        &mut self,
        entries: Resource<types::DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        self.inner.read_directory_entry(entries).await
    }

    fn drop(&mut self, entries: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.inner, entries)?;
        *self.listings -= 1;
        Ok(())
    }
}
