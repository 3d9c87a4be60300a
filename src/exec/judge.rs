//! Compares what cargo made of a unit in a scratch directory with its record.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::audit::AuditError;
use super::compare::Comparer;
use super::run::Built;
use super::scratch::Held;
use crate::cache::record::{StoredFile, Variant, decode_pack};
use crate::cache::{CacheError, Store};
use crate::cargo::layout::Scan;
use crate::event::{Audited, Likeness};
use crate::plan::{Dirs, Plan};
use crate::unit::Role;

/// A file of a record.
pub struct Item<'a> {
    /// Below the build directory.
    pub path: String,
    content: Content<'a>,
}

enum Content<'a> {
    Stored(&'a StoredFile),
    /// A script's stdout, or rustc's dep-info, without the names of directories.
    Text(Vec<u8>),
}

/// Everything of a record that is made anew by whoever builds the unit.
///
/// # Errors
/// When the record cannot be read.
pub fn items<'a>(store: &Store, variant: &'a Variant) -> Result<Vec<Item<'a>>, CacheError> {
    let stored = variant.files.iter().map(|file| Item {
        path: file.path.clone(),
        content: Content::Stored(file),
    });
    let pack = decode_pack(&store.blobs().read(&variant.pack)?);
    let texts = pack.into_iter().flat_map(|pack| pack.files);
    // cargo shows a script's stderr if it fails, and reads it no more.
    let counts = |path: &str| Utf8Path::new(path).file_name() != Some("stderr");
    let texts = texts.filter(|file| file.role == Role::Text && counts(&file.path));
    let texts = texts.map(|file| Item {
        path: file.path,
        content: Content::Text(file.content),
    });
    Ok(stored.chain(texts).collect())
}

impl Item<'_> {
    /// What is recorded.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn recorded(&self, store: &Store) -> Result<Vec<u8>, CacheError> {
        match &self.content {
            Content::Stored(file) => store.blobs().read(&file.blob),
            Content::Text(text) => Ok(text.clone()),
        }
    }

    /// What there is now; none if it is not made.
    pub fn made(&self, dirs: &Dirs) -> Option<Vec<u8>> {
        let bytes = fs::read(self.place(dirs)).ok()?;
        Some(match &self.content {
            Content::Stored(_) => bytes,
            Content::Text(_) => dirs.unroot_text(&bytes),
        })
    }

    fn place(&self, dirs: &Dirs) -> Utf8PathBuf {
        dirs.build.join(&self.path)
    }

    /// Whether whoever built it left it as it was.
    pub fn is_left(&self, dirs: &Dirs, held: &Held) -> bool {
        matches!(self.content, Content::Stored(_)) && held.is_untouched(&self.place(dirs))
    }
}

/// What compares files made in these directories with this record.
pub fn comparer(dirs: &Dirs, variant: &Variant) -> Comparer {
    Comparer::new(&[
        (&dirs.build, Utf8Path::new(&variant.home.build)),
        (&dirs.workspace, Utf8Path::new(&variant.home.workspace)),
    ])
}

/// Compares a unit with its record. What is made of a file that is in question
/// goes to `question`, with the number of the file among the [`items`].
///
/// # Errors
/// When a file of the record or the outputs cannot be read.
pub fn judge(
    store: &Store,
    plan: &Plan,
    at: usize,
    variant: &Variant,
    built: &Built,
    held: &Held,
    question: &dyn Fn(usize, &[u8]) -> std::io::Result<()>,
) -> Result<Audited, AuditError> {
    let (unit, dirs) = (&plan.units[at], &plan.dirs);
    let mut found = Audited {
        title: unit.title.clone(),
        differences: Vec::new(),
    };
    let Some(place) = &built.places[at] else {
        return Ok(found);
    };
    let comparer = comparer(dirs, variant);
    let items = items(store, variant)?;
    for (number, item) in items.iter().enumerate() {
        let likeness = match item.made(dirs) {
            None => Likeness::Real("it is not made".to_owned()),
            // A script finds what its run before left.
            Some(_) if unit.is_run() && item.is_left(dirs, held) => {
                Likeness::Unproven("the script left it as it was".to_owned())
            }
            Some(new) => {
                let likeness = comparer.files(&item.path, &item.recorded(store)?, &new);
                if likeness.is_in_question() {
                    question(number, &new)?;
                }
                likeness
            }
        };
        if likeness != Likeness::Same {
            found.differences.push((item.path.clone(), likeness));
        }
    }
    let made = Scan::new(&dirs.build).files(&unit.graph, place)?;
    for file in made.into_iter().filter(|file| !file.role.is_packed()) {
        if !variant.files.iter().any(|known| known.path == file.path) {
            let likeness = Likeness::Real("it is not recorded".to_owned());
            found.differences.push((file.path, likeness));
        }
    }
    Ok(found)
}
