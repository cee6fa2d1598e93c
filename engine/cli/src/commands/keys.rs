//! `keys`: this installation's signing key, and whose plugins it trusts.

use crate::args::{Format, KeysVerb};
use crate::failure::Failure;
use crate::prepare::trusted_keys;
use crate::{places, terminal};
use orch_core::{Code, Exit};
use orch_registry::{PublicKey, SigningKey};
use orch_report::Table;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub(crate) fn run(verb: &KeysVerb) -> anyhow::Result<Exit> {
    match verb {
        KeysVerb::New { out } => new(out.as_deref()),
        KeysVerb::List { format } => list(*format),
        KeysVerb::Trust { file } => trust(file),
        KeysVerb::Show => {
            let key = own()?.public();
            terminal::print(&format!("{key}\n"))?;
            terminal::talk(&format!("signer id {}", key.id()));
            Ok(Exit::Succeeded)
        }
    }
}

/// This installation's signing key.
fn own() -> Result<SigningKey, Failure> {
    load(None)
}

/// A signing key: the given file, else this installation's.
pub(crate) fn load(given: Option<&Path>) -> Result<SigningKey, Failure> {
    let path = given.map_or_else(places::signing_key, |given| Ok(given.to_owned()))?;
    if !path.exists() {
        let message = format!("there is no signing key at `{}`", path.display());
        return Err(Failure::new(Code::KeyUnusable, message).help("`orch-wasm keys new` makes one"));
    }
    Ok(SigningKey::load(&path)?)
}

fn private_folder(path: &Path) -> anyhow::Result<()> {
    Ok(DirBuilder::new().recursive(true).mode(0o700).create(path)?)
}

fn new(out: Option<&Path>) -> anyhow::Result<Exit> {
    let path = out.map_or_else(places::signing_key, |out| Ok(out.to_owned()))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder(folder)?;
    }
    let public = path.with_extension("pub");
    if public.symlink_metadata().is_ok() {
        // Seen before the secret half is written: a key without its public half would only be in the way.
        let message = format!("the key file `{}` is already there, and a key is never overwritten", public.display());
        return Err(Failure::new(Code::KeyUnusable, message)
            .help("choose another path, or move the old key away")
            .into());
    }
    let key = SigningKey::generate().map_err(Failure::from)?;
    key.save(&path).map_err(Failure::from)?;
    // The public half lies beside it, so that trusting one's own plugins needs no secret.
    key.public().save(&public).map_err(Failure::from)?;
    terminal::print(&format!("{}\n", key.public().id()))?;
    terminal::talk(&format!("signing key in `{}`, public key in `{}`", path.display(), public.display()));
    Ok(Exit::Succeeded)
}

fn list(format: Format) -> anyhow::Result<Exit> {
    let keys: Vec<(PathBuf, PublicKey)> = trusted_keys()?;
    if format == Format::Json {
        let line = |(path, key): &(PathBuf, PublicKey)| {
            serde_json::json!({ "signer": key.id(), "key": key.to_string(), "file": path.display().to_string() })
                .to_string()
                + "\n"
        };
        terminal::print(&keys.iter().map(line).collect::<String>())?;
        return Ok(Exit::Succeeded);
    }
    let mut table = Table::new(["signer", "key", "file"]);
    for (path, key) in &keys {
        table.row([key.id().as_str(), &key.to_string(), &path.display().to_string()]);
    }
    terminal::print(&table.render(usize::MAX, ""))?;
    Ok(Exit::Succeeded)
}

fn trust(file: &Path) -> anyhow::Result<Exit> {
    let key = PublicKey::load(file).map_err(Failure::from)?;
    let folder = places::trusted_keys()?;
    private_folder(&folder)?;
    let place = folder.join(format!("{}.pub", key.id()));
    if place.exists() {
        terminal::talk(&format!("{} is trusted already", key.id()));
        return Ok(Exit::Succeeded);
    }
    key.save(&place).map_err(Failure::from)?;
    terminal::print(&format!("{}\n", key.id()))?;
    terminal::talk("plugins signed by this key now run where no policy file says otherwise");
    Ok(Exit::Succeeded)
}
