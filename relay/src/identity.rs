//! The relay's Ed25519 key, kept in the data folder so that its addresses stay the same from run to run.
//!
//! A key that can't be read is never replaced: tabs remember relays by their peer id, so a silent new one would cut them
//! off. The operator decides.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use libp2p::identity::Keypair;
use thiserror::Error;

/// The name of the key file inside the data folder: a libp2p private key in its protobuf form.
pub const KEY_FILE: &str = "identity.key";

/// Why there is no identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The data folder or a file in it can't be used.
    #[error("can't use {}: {source}; name a folder that the relay may write with --data-dir", path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The key file holds something else than an Ed25519 key.
    #[error(
        "{} holds no Ed25519 key: put its backup back, or move the file away to start with a new identity",
        path.display()
    )]
    Corrupt {
        /// The key file.
        path: PathBuf,
    },
}

/// Reads the key in `data_dir`, or makes one there when there is none yet.
pub fn load_or_create(data_dir: &Path) -> Result<Keypair, IdentityError> {
    let path = data_dir.join(KEY_FILE);
    match fs::read(&path) {
        Ok(bytes) => decode(&bytes).ok_or(IdentityError::Corrupt { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(data_dir, &path),
        Err(source) => Err(IdentityError::Unusable { path, source }),
    }
}

fn decode(bytes: &[u8]) -> Option<Keypair> {
    let keypair = Keypair::from_protobuf_encoding(bytes).ok()?;
    (keypair.key_type() == libp2p::identity::KeyType::Ed25519).then_some(keypair)
}

fn create(data_dir: &Path, path: &Path) -> Result<Keypair, IdentityError> {
    let keypair = Keypair::generate_ed25519();
    let bytes = keypair.to_protobuf_encoding().expect("an Ed25519 key always has a protobuf form");
    let draft = data_dir.join(format!("{KEY_FILE}.{}", std::process::id()));
    fs::create_dir_all(data_dir)
        .map_err(|source| IdentityError::Unusable { path: data_dir.to_owned(), source })?;
    write_whole(&draft, path, &bytes)
        .map_err(|source| IdentityError::Unusable { path: path.to_owned(), source })?;
    tracing::info!(path = %path.display(), "made a new identity");
    Ok(keypair)
}

/// Writes a draft and then gives it its name, so that the name never stands for half a key. A link, not a rename: if
/// another relay made its key in the meantime, that one stays.
fn write_whole(draft: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = open_private(draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::hard_link(draft, path)
    });
    fs::remove_file(draft).or_else(|error| if written.is_err() { Ok(()) } else { Err(error) })?;
    written
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
