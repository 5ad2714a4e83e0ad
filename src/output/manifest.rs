//! `manifest.jsonl`: the pictures of a folder, one line each, in the order in which they were made.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::write_whole;

const NAME: &str = "manifest.jsonl";

/// A manifest that is being written.
#[derive(Debug)]
pub struct Manifest {
    path: PathBuf,
    file: File,
    /// Length up to its last whole line.
    whole: u64,
}

impl Manifest {
    /// The lines of the manifest in `dir`, none if there is no such file. A last line that was broken off is left out.
    ///
    /// # Errors
    /// If the file cannot be read, or another line is no JSON object.
    pub fn read(dir: &Path) -> Result<Vec<Value>> {
        let path = dir.join(NAME);
        let name = path.display();
        let bytes = match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
            Ok(about) if !about.is_file() => bail!("`{name}` is no file; choose another folder"),
            _ => fs::read(&path).with_context(|| format!("cannot read `{name}`"))?,
        };
        let mut lines = Vec::new();
        for (i, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            match serde_json::from_slice::<Value>(line) {
                Ok(value) if value.is_object() => lines.push(value),
                _ if !line.ends_with(b"\n") => {}
                _ => bail!(
                    "line {} of `{name}` is no JSON object; choose another folder, or delete that file",
                    i + 1
                ),
            }
        }
        Ok(lines)
    }

    /// Begins the manifest of `dir` with `lines`; what the file held before is gone.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin(dir: &Path, lines: &[Value]) -> Result<Self> {
        let path = dir.join(NAME);
        let text = text(lines);
        write_whole(&path, text.as_bytes())?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Self { path, file, whole: text.len() as u64 })
    }

    /// Adds lines: all of them, or none if there is no room.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, lines: &[Value]) -> Result<()> {
        let text = text(lines);
        self.file
            .write_all(text.as_bytes())
            .inspect_err(|_| {
                let _ = self.file.set_len(self.whole); // half a line would spoil all others for a reader
            })
            .with_context(|| format!("cannot write `{}`", self.path.display()))?;
        self.whole += text.len() as u64;
        Ok(())
    }
}

/// In one piece: written bit by bit, it would cost a system call for each word.
fn text(lines: &[Value]) -> String {
    lines.iter().fold(String::new(), |text, line| text + &line.to_string() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_come_back_but_for_one_that_was_broken_off() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), [] as [Value; 0]);
        let lines = [json!({"image": 0}), json!({"image": 3, "file": "000003.png", "model": "Größe"})];
        let mut manifest = Manifest::begin(dir.path(), &lines[..1]).unwrap();
        manifest.add(&lines[1..]).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), lines);
        let path = dir.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        for broken in [&b"{\"image\": 4, \"fi"[..], b"{\"image\": 4, \"model\": \"Gr\xc3"] {
            fs::write(&path, [text.as_bytes(), broken].concat()).unwrap();
            assert_eq!(Manifest::read(dir.path()).unwrap(), lines);
        }
        fs::write(&path, format!("nonsense\n{text}")).unwrap();
        let error = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("line 1 of"), "{error}");
    }
}
