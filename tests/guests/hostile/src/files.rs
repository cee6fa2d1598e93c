//! Paths and operations as a script, straight to WASI: the standard library would refuse some of these paths itself.

use crate::{Answer, done, number, text};
use orch_sdk::Host;
use serde_json::{Value, json};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

/// Runs `steps` in order, each to its end whatever the others gave, and answers with a word for each: `ok`, `ok: …` or the name of the error.
pub fn script(input: Value, _host: &dyn Host) -> Answer {
    let mounts = get_directories();
    let steps = input["steps"].as_array().cloned().unwrap_or_default();
    let answers: Vec<String> = steps
        .iter()
        .map(|step| match run(&mounts, step) {
            Ok(text) if text.is_empty() => "ok".to_owned(),
            Ok(text) => format!("ok: {text}"),
            Err(error) => error.name().to_owned(),
        })
        .collect();
    done(json!(answers))
}

/// The names of the folders that the host hands out.
pub fn preopens(_input: Value, _host: &dyn Host) -> Answer {
    done(json!(get_directories().into_iter().map(|(_, name)| name).collect::<Vec<_>>()))
}

fn mount<'a>(mounts: &'a [(Descriptor, String)], name: &str) -> Result<&'a Descriptor, ErrorCode> {
    mounts.iter().find(|(_, path)| path == name).map(|(folder, _)| folder).ok_or(ErrorCode::BadDescriptor)
}

fn follow(step: &Value) -> PathFlags {
    if step["nofollow"] == true { PathFlags::empty() } else { PathFlags::SYMLINK_FOLLOW }
}

fn run(mounts: &[(Descriptor, String)], step: &Value) -> Result<String, ErrorCode> {
    let folder = mount(mounts, text(step, "mount"))?;
    let (path, to) = (text(step, "path"), text(step, "to"));
    let read = DescriptorFlags::READ;
    let write = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let none = OpenFlags::empty();
    let nothing = String::new();
    Ok(match text(step, "op") {
        "read" => {
            let file = folder.open_at(follow(step), path, none, read)?;
            let (bytes, _) = file.read(4096, 0)?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        "write" => {
            let file = folder.open_at(follow(step), path, none, write)?;
            file.write(b"changed by a guest", 0)?.to_string()
        }
        "write-open-for-reading" => {
            let file = folder.open_at(follow(step), path, none, read)?;
            file.write(b"changed by a guest", 0)?.to_string()
        }
        "stream" => {
            let file = folder.open_at(follow(step), path, none, write)?;
            let stream = file.write_via_stream(0)?;
            stream.blocking_write_and_flush(b"changed by a guest").map_err(|_| ErrorCode::Io)?;
            nothing
        }
        "append" => {
            let file = folder.open_at(follow(step), path, none, write)?;
            let stream = file.append_via_stream()?;
            stream.blocking_write_and_flush(b"changed by a guest").map_err(|_| ErrorCode::Io)?;
            nothing
        }
        "stream-open-for-reading" => {
            let file = folder.open_at(follow(step), path, none, read)?;
            let stream = file.write_via_stream(0)?;
            stream.blocking_write_and_flush(b"changed by a guest").map_err(|_| ErrorCode::Io)?;
            nothing
        }
        "create" => {
            let file = folder.open_at(follow(step), path, OpenFlags::CREATE, write)?;
            file.write(b"made by a guest", 0)?.to_string()
        }
        "create-new" => {
            folder.open_at(follow(step), path, OpenFlags::CREATE | OpenFlags::EXCLUSIVE, write)?;
            nothing
        }
        "truncate" => {
            folder.open_at(follow(step), path, OpenFlags::TRUNCATE, write)?;
            nothing
        }
        "truncate-open-for-reading" => {
            folder.open_at(follow(step), path, OpenFlags::TRUNCATE, read)?;
            nothing
        }
        "set-size" => {
            folder.open_at(follow(step), path, none, write)?.set_size(0)?;
            nothing
        }
        "set-size-open-for-reading" => {
            folder.open_at(follow(step), path, none, read)?.set_size(0)?;
            nothing
        }
        "open-folder" => {
            let inner = folder.open_at(follow(step), path, OpenFlags::DIRECTORY, read)?;
            names(&inner)?
        }
        "open-folder-to-change" => {
            let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
            let inner = folder.open_at(follow(step), path, OpenFlags::DIRECTORY, flags)?;
            inner.create_directory_at("made-by-a-guest")?;
            nothing
        }
        "list" => names(folder)?,
        "stat" => {
            let found = folder.stat_at(follow(step), path)?;
            format!("{:?} {}", found.type_, found.size)
        }
        // Everything that a guest can ask about a file.
        "facts" => {
            let found = folder.stat_at(follow(step), path)?;
            let times = [found.data_access_timestamp, found.data_modification_timestamp, found.status_change_timestamp];
            let known = times.iter().filter(|time| time.is_some()).count();
            format!("{:?} size {} links {} times {known}", found.type_, found.size, found.link_count)
        }
        "hash-value" => {
            let hash = folder.metadata_hash_at(follow(step), path)?;
            format!("{} {}", hash.lower, hash.upper)
        }
        // A folder in a folder, and so on.
        "deepen" => {
            let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
            let mut here = folder.open_at(follow(step), path, OpenFlags::DIRECTORY, flags)?;
            for _ in 0..number(step, "length") {
                here.create_directory_at("d")?;
                here = here.open_at(PathFlags::empty(), "d", OpenFlags::DIRECTORY, flags)?;
            }
            nothing
        }
        "fill" => {
            for at in 0..number(step, "length") {
                folder.open_at(follow(step), &format!("{path}/f{at}"), OpenFlags::CREATE, write)?;
            }
            nothing
        }
        "hash" => {
            folder.metadata_hash_at(follow(step), path)?;
            nothing
        }
        "readlink" => folder.readlink_at(path)?,
        "mkdir" => {
            folder.create_directory_at(path)?;
            nothing
        }
        "rmdir" => {
            folder.remove_directory_at(path)?;
            nothing
        }
        "unlink" => {
            folder.unlink_file_at(path)?;
            nothing
        }
        "rename" => {
            folder.rename_at(path, mount(mounts, text(step, "to-mount"))?, to)?;
            nothing
        }
        "link" => {
            // Following a link's last part is for nobody: WASI refuses the flag.
            let flags = if step["follow"] == true { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() };
            folder.link_at(flags, path, mount(mounts, text(step, "to-mount"))?, to)?;
            nothing
        }
        "symlink" => {
            folder.symlink_at(to, path)?;
            nothing
        }
        "set-times" => {
            let when = NewTimestamp::Timestamp(wasip2::clocks::wall_clock::Datetime { seconds: 1, nanoseconds: 0 });
            folder.set_times_at(follow(step), path, when, when)?;
            nothing
        }
        "set-times-of-open-file" => {
            let when = NewTimestamp::Timestamp(wasip2::clocks::wall_clock::Datetime { seconds: 1, nanoseconds: 0 });
            folder.open_at(follow(step), path, none, read)?.set_times(when, when)?;
            nothing
        }
        "read-at" => {
            let file = folder.open_at(follow(step), path, none, read)?;
            let (bytes, _) = file.read(number(step, "length"), number(step, "offset"))?;
            bytes.len().to_string()
        }
        "write-at" => {
            let file = folder.open_at(follow(step), path, none, write)?;
            file.write(b"changed by a guest", number(step, "offset"))?.to_string()
        }
        "resize" => {
            folder.open_at(follow(step), path, none, write)?.set_size(number(step, "length"))?;
            nothing
        }
        _ => return Err(ErrorCode::Unsupported),
    })
}

fn names(folder: &Descriptor) -> Result<String, ErrorCode> {
    let entries = folder.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry()? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names.join(" "))
}
