//! Contents and index entries: stored, shared, damaged.

use super::*;

fn blobs() -> (tempfile::TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().join("s")).unwrap();
    (dir, Blobs::new(root))
}

#[test]
fn stores_once_and_reads_back() {
    let (_dir, blobs) = blobs();
    let one = blobs.put(b"hello").unwrap();
    assert_eq!(blobs.put(b"hello").unwrap(), one);
    assert_eq!(blobs.read(&one).unwrap(), b"hello");
    assert!(blobs.has(&one));
}

#[test]
fn damage_is_noticed_and_repaired_by_storing_again() {
    let (_dir, blobs) = blobs();
    let blob = blobs.put(b"hello").unwrap();
    let path = blobs.path(&blob).unwrap();
    for damage in [&b"hellO"[..], b"hell", b"", b"hello, world"] {
        fs::write(&path, damage).unwrap();
        assert!(!blobs.has(&blob), "{damage:?}");
        assert!(!path.exists(), "a damaged blob is removed");
        assert_eq!(blobs.put(b"hello").unwrap(), blob);
        assert!(blobs.has(&blob));
    }
    fs::remove_file(&path).unwrap();
    assert!(!blobs.has(&blob));
}

#[test]
fn a_moved_time_alone_is_no_damage() {
    let (_dir, blobs) = blobs();
    let blob = blobs.put(b"hello").unwrap();
    let path = blobs.path(&blob).unwrap();
    filetime::set_file_mtime(&path, FileTime::now()).unwrap();
    assert!(blobs.has(&blob));
    assert!(blobs.is_intact(&blob), "sealed with its new time");
}

#[test]
fn an_adopted_file_is_shared_and_watched() {
    let (dir, blobs) = blobs();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let file = dir.join("lib.rlib");
    fs::write(&file, "hello").unwrap();
    let blob = blobs.adopt(&file, Content::of_bytes(b"hello")).unwrap();
    assert!(blobs.is_intact(&blob));
    // Written into through the tree's name.
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .write_all(b"J")
        .unwrap();
    assert!(!blobs.has(&blob));
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "Jello",
        "the tree keeps its file"
    );
}

#[test]
fn a_file_is_lent_to_one_tree_only() {
    let (dir, blobs) = blobs();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let blob = blobs.put(b"hello").unwrap();
    // Windows counts in steps of 100 ns.
    let time = FileTime::from_unix_time(1_700_000_000, 500);
    let (one, two) = (dir.join("one"), dir.join("two"));
    let names = |name: &Utf8PathBuf| BTreeSet::from([name.clone()]);
    let first = blobs.lend(&blob, &one, &names(&one), time).unwrap();
    assert!(first);
    assert!(!blobs.lend(&blob, &two, &names(&two), time).unwrap());
    // The one tree may have it again, at another time.
    let time = FileTime::from_unix_time(1_700_000_001, 500);
    assert!(blobs.lend(&blob, &one, &names(&one), time).unwrap());
    assert!(blobs.is_intact(&blob));
    // A third one wants it old: the first tree's file is left alone.
    let aged = blobs.aged(&blob).unwrap();
    let of = |path: &Utf8Path| FileTime::from_last_modification_time(&fs::metadata(path).unwrap());
    assert_eq!(of(&aged), stored_time());
    assert_eq!(of(&one), time);
}

#[test]
fn a_damaged_entry_is_begun_anew() {
    let (_dir, blobs) = blobs();
    blobs.set_entry("k", b"1").unwrap();
    let index = walkdir::WalkDir::new(blobs.root.join("index-v5"));
    let files = index.into_iter().flatten();
    let file = files.filter(|e| e.file_type().is_file()).last().unwrap();
    for damage in [&b"\0garbage\xff\n"[..], b"text\n", b"", b"\xff"] {
        fs::write(file.path(), damage).unwrap();
        assert_eq!(blobs.entry("k"), None, "{damage:?}");
        blobs.set_entry("k", b"2").unwrap();
        assert_eq!(blobs.entry("k").as_deref(), Some(&b"2"[..]), "{damage:?}");
    }
}

#[test]
fn hostile_names_lead_nowhere() {
    let (_dir, blobs) = blobs();
    let mut blob = blobs.put(b"hello").unwrap();
    let good = blob.name.clone();
    assert!(blobs.path(&blob).unwrap().exists());
    for name in [
        "",
        "xxh3-AAAA",
        &good[1..],
        "../../../../../../etc/passwd0123",
        &good.to_uppercase(),
        "é234567890123456789012345678901",
    ] {
        blob.name = name.to_owned();
        assert_eq!(blobs.path(&blob), None, "{name:?}");
        assert!(!blobs.has(&blob));
    }
    assert!(is_base64_of_16("AAAAAAAAAAAAAAAAAAAAAA=="));
    for text in [
        "",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAAAB==",
        "AAAAAAAAAAAA-AAAAAAAAA==",
        "AAAAAAAAAAAAAAAAAAAAAA=",
    ] {
        assert!(!is_base64_of_16(text), "{text:?}");
    }
}

#[test]
fn entries_are_replaced() {
    let (_dir, blobs) = blobs();
    assert_eq!(blobs.entry("a"), None);
    blobs.set_entry("a", b"1").unwrap();
    blobs.set_entry("a", b"2").unwrap();
    assert_eq!(blobs.entry("a").unwrap(), b"2");
}
