//! Small files that are whole or not there, whoever reads them and whenever the power goes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Whether a file may take the place of one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It takes its place.
    Replace,
    /// It does not: that is [`io::ErrorKind::AlreadyExists`].
    Keep,
}

/// Writes a file under another name, waits until the disk has it, and gives it its own name: nobody ever reads
/// half of it. Its owner alone may read it.
pub(crate) fn write_whole(path: &Path, data: &[u8], existing: Existing) -> io::Result<()> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::Builder::new().prefix(".part-").tempfile_in(dir)?;
    part.write_all(data)?;
    part.as_file().sync_all()?;
    match existing {
        Existing::Replace => part.persist(path),
        Existing::Keep => part.persist_noclobber(path),
    }?;
    sync(dir)
}

/// Waits until the disk has the names in a directory.
#[cfg(unix)]
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Reads a file of at most `most` octets; `None` where there is none.
pub(crate) fn read_small(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut data = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut data)?;
    if data.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {most} octets")));
    }
    Ok(Some(data))
}

/// Makes a directory, and those above it, that its owner alone may enter. One that is there stays as it is.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_or_kept_as_asked_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_whole(&path, b"one", Existing::Keep).unwrap();
        let refused = write_whole(&path, b"two", Existing::Keep).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_small(&path, 3).unwrap().unwrap(), b"one");
        write_whole(&path, b"three", Existing::Replace).unwrap();
        assert_eq!(read_small(&path, 5).unwrap().unwrap(), b"three");
        assert_eq!(read_small(&path, 4).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(read_small(&dir.path().join("none"), 1).unwrap(), None);
    }
}
