//! Lines about the index itself: that it ends here, and that a key hands over to another. Both sign the hash of the line before
//! them, and with it everything that came before.

use crate::index::{Index, Line, LineKind};
use crate::publish::still_signs;
use crate::{Error, FolderRegistry, PublicKey, Published, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_core::{PluginName, Timestamp};

impl FolderRegistry {
    /// Says that the index of a plugin ends here, and when: for policies that do not want to be shown an old one.
    ///
    /// # Errors
    /// When there is no such plugin, or the folder cannot be written.
    pub fn confirm(&self, name: &PluginName, key: &SigningKey, time: Timestamp) -> Result<Published, Error> {
        self.known_index(name)?;
        let _lock = self.lock()?;
        let index = self.index(name)?;
        index.intact()?;
        still_signs(&index, &key.public().id(), name.as_str())?;
        let line = last(&index)?;
        self.sign_and_append(&index, Line { kind: LineKind::Confirm, time, ..line }, key)
    }

    /// Hands a plugin over to another key: from here on this one signs nothing more of it. What it signed stays valid. Doing it again
    /// does nothing.
    ///
    /// # Errors
    /// When there is no such plugin, the key never signed a version of it or has handed over to another one, or the folder cannot be
    /// written.
    pub fn rotate(
        &self,
        name: &PluginName,
        successor: &PublicKey,
        key: &SigningKey,
        time: Timestamp,
    ) -> Result<Published, Error> {
        self.known_index(name)?;
        let _lock = self.lock()?;
        let index = self.index(name)?;
        index.intact()?;
        let (from, to) = (key.public().id(), successor.id());
        let line = Line { kind: LineKind::Rotate, time, successor: Some(successor.to_string()), ..last(&index)? };
        if let Some(before) = index.handover(&from).filter(|before| before.successor() == Some(to.clone())) {
            return self.finish(&index, before.clone(), true);
        }
        still_signs(&index, &from, name.as_str())?;
        let refuse = |reason: String, help: &str| {
            Err(Error::Untrusted { what: name.to_string(), reason, help: Some(help.to_owned()) })
        };
        if !index.may_sign(&from) {
            return refuse(
                format!("`{from}` never signed a version of it and cannot hand it over"),
                "use the publisher's key, with --key",
            );
        }
        if from == to || index.handover(&to).is_some() {
            return refuse(
                format!("`{to}` is this key itself, or handed over before"),
                "make a new key: `orch-wasm keys new --out FILE`",
            );
        }
        self.write_key(successor)?;
        self.sign_and_append(&index, line, key)
    }

    fn sign_and_append(&self, index: &Index, line: Line, key: &SigningKey) -> Result<Published, Error> {
        self.write_key(&key.public())?;
        let mut line = Line { signer: key.public().id(), prev: index.head(), ..line };
        line.signature = STANDARD.encode(key.sign(&line.statement()));
        self.finish(index, line, false)
    }
}

/// The last publication, which such a line repeats.
fn last(index: &Index) -> Result<Line, Error> {
    index
        .of(LineKind::Publish)
        .last()
        .cloned()
        .ok_or_else(|| Error::damaged(Index::path(&index.name), "it has no version"))
}
