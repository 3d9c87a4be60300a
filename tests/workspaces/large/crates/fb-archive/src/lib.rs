//! Packs folders, unpacks packages, and says whether a package is what it claims to be.

use std::fs::{self, File};
use std::io::{self, Read, Write};

use anyhow::{bail, Context, Result};
use base64::prelude::{Engine, BASE64_STANDARD};
use camino::{Utf8Path, Utf8PathBuf};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use fb_core_types::RELEASE_NAME;
use fb_paths::Layout;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use flate2::Compression;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    TarGz,
    TarZstd,
    Zip,
}

impl Format {
    pub const ALL: [Format; 3] = [Self::TarGz, Self::TarZstd, Self::Zip];

    pub fn extension(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarZstd => "tar.zst",
            Self::Zip => "zip",
        }
    }
}

/// Writes everything below `root` into one archive beside it.
pub fn pack(root: &Utf8Path, format: Format) -> Result<Utf8PathBuf> {
    let target = Utf8PathBuf::from(format!("{root}.{}", format.extension()));
    let file = File::create(&target).with_context(|| format!("cannot create {target}"))?;
    match format {
        Format::TarGz => {
            let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
            tar.append_dir_all(".", root)?;
            tar.into_inner()?.finish()?;
        }
        Format::TarZstd => {
            let mut tar = tar::Builder::new(zstd::Encoder::new(file, 3)?);
            tar.append_dir_all(".", root)?;
            tar.into_inner()?.finish()?;
        }
        Format::Zip => {
            let mut zip = zip::ZipWriter::new(file);
            zip.set_comment(RELEASE_NAME);
            for path in Layout::new(root).sources(&["**"])? {
                zip.start_file(path.as_str(), SimpleFileOptions::default())?;
                io::copy(&mut File::open(root.join(&path))?, &mut zip)?;
            }
            zip.finish()?.flush()?;
        }
    }
    Ok(target)
}

pub fn unpack(archive: &Utf8Path, into: &Utf8Path) -> Result<()> {
    fs::create_dir_all(into)?;
    let file = File::open(archive).with_context(|| format!("cannot open {archive}"))?;
    match archive.as_str() {
        name if name.ends_with(".tar.gz") => tar::Archive::new(GzDecoder::new(file)).unpack(into)?,
        name if name.ends_with(".tar.zst") => {
            tar::Archive::new(zstd::Decoder::new(file)?).unpack(into)?;
        }
        name if name.ends_with(".zip") => zip::ZipArchive::new(file)?.extract(into)?,
        _ => bail!("{archive} has an unknown format"),
    }
    Ok(())
}

/// The two digests of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    pub sha256: String,
    pub blake3: String,
}

pub fn digests(path: &Utf8Path) -> Result<Digests> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(Digests {
        sha256: hex::encode(Sha256::digest(&bytes)),
        blake3: blake3::hash(&bytes).to_hex().to_string(),
    })
}

/// One digest for a whole folder, the same on every machine.
pub fn tree_digest(root: &Utf8Path) -> Result<String> {
    let files = Layout::new(root).sources(&["**"])?;
    let lines = files
        .par_iter()
        .map(|path| Ok(format!("{path} {}\n", digests(&root.join(path))?.blake3)))
        .collect::<Result<Vec<_>>>()?;
    Ok(blake3::hash(lines.concat().as_bytes()).to_hex().to_string())
}

/// Signs for the tests and the demonstration; real keys never come from a phrase.
pub fn sign(phrase: &str, bytes: &[u8]) -> (VerifyingKey, String) {
    let key = SigningKey::from_bytes(&Sha256::digest(phrase).into());
    (key.verifying_key(), BASE64_STANDARD.encode(key.sign(bytes).to_bytes()))
}

pub fn verify(key: &VerifyingKey, bytes: &[u8], signature: &str) -> Result<()> {
    let signature = Signature::from_slice(&BASE64_STANDARD.decode(signature)?)?;
    key.verify(bytes, &signature).context("the signature belongs to something else")
}

/// A folder that is removed with the value.
pub fn scratch() -> Result<(tempfile::TempDir, Utf8PathBuf)> {
    let dir = tempfile::Builder::new().prefix("fbuild-").tempdir()?;
    let path = Utf8PathBuf::try_from(dir.path().to_owned())?;
    Ok((dir, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_gives_back_what_it_took() {
        let (_keep, root) = scratch().unwrap();
        let source = root.join("in");
        fs::create_dir_all(source.join("src")).unwrap();
        fs::write(source.join("src/main.c"), "int main(void) { return 0; }\n").unwrap();
        for format in Format::ALL {
            let out = root.join(format.extension());
            unpack(&pack(&source, format).unwrap(), &out).unwrap();
            assert_eq!(tree_digest(&source).unwrap(), tree_digest(&out).unwrap());
        }
    }

    #[test]
    fn signatures_are_bound_to_the_bytes() {
        let (key, signature) = sign("demo", b"firmware");
        assert!(verify(&key, b"firmware", &signature).is_ok());
        assert!(verify(&key, b"malware", &signature).is_err());
    }
}
