//! The verdicts, held: every way in which a unit can stand, and every way in
//! which a variant can differ.

use std::collections::HashMap;

use fs_err as fs;

use super::*;
use crate::cache::record::{Input, StoredFile};
use crate::plan::fixtures::{self, seen, unit_state, variant, write};
use crate::plan::state::SeenFile;
use crate::unit::Action;

const FUTURE: i64 = 32_000_000_000;

struct Bench {
    _guard: tempfile::TempDir,
    dirs: Dirs,
    store: Store,
}

impl Bench {
    fn new() -> Bench {
        let (guard, dir) = fixtures::dir();
        Bench {
            _guard: guard,
            dirs: fixtures::dirs(&dir.join("ws")),
            store: Store::open(&dir.join("cache")),
        }
    }

    fn variant(&self, output: &str) -> Variant {
        variant(output, &self.dirs, &self.store)
    }

    /// A source file that is long settled, and its digest as an input.
    fn source(&self, path: &str, recorded: &str) -> Input {
        let file = self.dirs.workspace.join(path);
        write(&file, "now");
        set_time(&file, 1_000_000_000);
        self.input(path, InputKind::File, recorded)
    }

    fn input(&self, path: &str, kind: InputKind, recorded: &str) -> Input {
        Input {
            path: self.dirs.rooted(&self.dirs.workspace.join(path)),
            kind,
            digest: Digest::of(recorded.as_bytes()),
        }
    }

    fn decide(&self, units: &[PlanUnit], states: &[Option<UnitState>]) -> Vec<Decision> {
        let plan = fixtures::plan(&self.dirs, units.to_vec());
        let state = State {
            plan: plan.clone(),
            watches: Vec::new(),
            digests: HashMap::new(),
            units: states.to_vec(),
        };
        let memo = Memo::default();
        decide(&plan, Some(&state), &memo, &Records::default(), &self.store)
    }

    /// What a unit without dependencies gets from these variants, the first
    /// being the newest.
    fn choose(&self, variants: Vec<Variant>, here: Option<&str>) -> Result<Digest, MissReason> {
        let plan = fixtures::plan(&self.dirs, vec![fixtures::unit("app", &self.dirs, &[])]);
        let here = here.map(|output| Digest::of(output.as_bytes()));
        let (unit, memo) = (&plan.units[0], Memo::default());
        choose(variants, here, &plan, unit, &[], &memo, &self.store).map(|v| v.output)
    }

    /// How a unit stands that was left like this; true: touched, or outdated.
    fn one(&self, unit: &PlanUnit, state: UnitState) -> (Verdict, bool, bool) {
        let decision = self.decide(std::slice::from_ref(unit), &[Some(state)]);
        let [decision] = <[Decision; 1]>::try_from(decision).unwrap();
        (decision.verdict, decision.touched, decision.outdated)
    }
}

fn set_time(file: &Utf8Path, seconds: i64) {
    filetime::set_file_mtime(file, filetime::FileTime::from_unix_time(seconds, 0)).unwrap();
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn run(unit: PlanUnit) -> PlanUnit {
    PlanUnit {
        action: Action::RunScript,
        ..unit
    }
}

#[test]
fn a_missing_source_makes_the_build_script_run() {
    let bench = Bench::new();
    let dirs = &bench.dirs;
    let units = [
        run(fixtures::unit("script", dirs, &[])),
        fixtures::unit("dep", dirs, &[]),
        fixtures::unit("app", dirs, &[0, 1]),
    ];
    let key = |name: &str| digest(name);
    let mut app = bench.variant("app");
    app.deps = vec![digest("script"), digest("dep")];
    app.inputs = vec![bench.input("app/gen.rs", InputKind::File, "old")];
    let all = ["script", "dep"].map(|name| (key(name), bench.variant(name)));
    bench.store.add(all.to_vec()).unwrap();
    bench.store.add(vec![(key("app"), app)]).unwrap();
    let verdicts = |states: &[Option<UnitState>]| {
        let decisions = bench.decide(&units, states);
        decisions.into_iter().map(|d| d.verdict).collect::<Vec<_>>()
    };

    let none = [None, None, None];
    let why = "may have written a source file that is missing";
    let missing = [
        Verdict::Miss(MissReason::Uncacheable(why.into())),
        Verdict::Hit,
        Verdict::Miss(MissReason::Dependency("script".into())),
    ];
    assert_eq!(verdicts(&none), missing);

    // One that is in place has its sources as it left them.
    let in_place = [Some(unit_state("script", Vec::new())), None, None];
    let changed = Verdict::Miss(MissReason::Input("app/gen.rs".into()));
    let expected = [Verdict::InPlace, Verdict::Hit, changed.clone()];
    assert_eq!(verdicts(&in_place), expected);

    // It is there, and changed: nothing that a script has to write again.
    write(&dirs.workspace.join("app/gen.rs"), "new");
    assert_eq!(verdicts(&none), [Verdict::Hit, Verdict::Hit, changed]);
}

#[test]
fn a_unit_in_place_counts_with_the_dependencies_it_was_built_against() {
    let bench = Bench::new();
    let dirs = &bench.dirs;
    let units = [
        fixtures::unit("dep", dirs, &[]),
        fixtures::unit("app", dirs, &[0]),
    ];
    for (recorded, verdict, outdated) in [
        ("dep", Verdict::InPlace, false),
        ("other", Verdict::Miss(MissReason::NeverSeen), true),
    ] {
        let mut app = unit_state("app", Vec::new());
        app.deps = vec![digest(recorded)];
        let states = [Some(unit_state("dep", Vec::new())), Some(app)];
        let decision = bench.decide(&units, &states).remove(1);
        assert_eq!(decision.verdict, verdict);
        assert_eq!(decision.outdated, outdated);
    }
    let decision = bench.decide(&units, &[None, None]).remove(0);
    assert_eq!(decision.verdict, Verdict::Miss(MissReason::NeverSeen));
    assert!(!decision.outdated, "nothing is known of it");
}

#[test]
fn what_is_older_than_a_dependency_in_place_is_behind() {
    let bench = Bench::new();
    let dirs = &bench.dirs;
    let units = [
        fixtures::unit("dep", dirs, &[]),
        fixtures::unit("app", dirs, &[0]),
    ];
    let state = |name: &str, time: i64| {
        let path = format!("d/lib{name}.rlib");
        let mut file = seen(dirs, &path, Role::Library);
        set_time(&dirs.build.join(&path), time);
        file.modified = time * 1_000_000_000;
        unit_state(name, vec![file])
    };
    for (time, behind) in [(1_000_000_001, true), (1_000_000_000, false)] {
        let mut app = state("app", 1_000_000_000);
        app.deps = vec![digest("dep")];
        let decision = bench.decide(&units, &[Some(state("dep", time)), Some(app)]);
        assert_eq!(decision[0].verdict, Verdict::InPlace);
        assert_eq!(decision[1].verdict, Verdict::InPlace);
        assert_eq!(decision[1].behind, behind);
    }
}

#[test]
fn a_touch_counts_from_the_record_that_cargo_compares_with() {
    let bench = Bench::new();
    let dirs = &bench.dirs;
    let compile = fixtures::unit("app", dirs, &[]);
    let script = run(compile.clone());
    let never = Verdict::Miss(MissReason::NeverSeen);
    let inputs = ["src/a.rs", "src/b.rs"].map(|path| bench.source(path, "now"));
    let file = |path: &str, role| {
        let mut file = seen(dirs, path, role);
        // The library's own time is not compared.
        let library = role == Role::Library;
        let time = 1_000_000_000 + if library { 400 } else { 500 };
        set_time(&dirs.build.join(path), time);
        file.modified = time * 1_000_000_000;
        file
    };
    let dep_info = || {
        vec![
            file("d/dep-app", Role::DepInfo),
            file("d/libapp.rlib", Role::Library),
        ]
    };
    let output = |name: &str| vec![file(name, Role::Text)];
    let touch = |times: [i64; 2]| {
        for (input, time) in inputs.iter().zip(times) {
            set_time(&dirs.absolute(&input.path), 1_000_000_000 + time);
        }
    };
    let left = |files: Vec<SeenFile>| {
        let mut state = unit_state("app", files);
        let known = |input: &Input| (dirs.absolute(&input.path), input.kind, input.digest);
        state.inputs = inputs.iter().map(known).collect();
        state
    };
    for (times, touched) in [
        ([0, 0], false),
        ([500, 0], false),
        ([501, 0], true),
        ([0, 501], true),
        ([501, 501], true),
    ] {
        touch(times);
        let expected = (Verdict::InPlace, touched, false);
        assert_eq!(bench.one(&compile, left(dep_info())), expected, "{times:?}");
        for name in ["app-1/output", "app/run/stdout"] {
            assert_eq!(bench.one(&script, left(output(name))), expected, "{name}");
        }
        // Not the file that cargo compares with.
        let other = left(output("app/stderr"));
        assert_eq!(bench.one(&script, other), (Verdict::InPlace, false, false));
        // A touch is how people tell of something that nobody sees.
        let mut unknown = left(dep_info());
        unknown.unknown_inputs = true;
        let expected = match touched {
            true => (never.clone(), false, true),
            false => (Verdict::InPlace, false, false),
        };
        assert_eq!(bench.one(&compile, unknown), expected, "{times:?}");
        // A package is compared by its times.
        let mut whole = left(dep_info());
        write(&compile.package_dir.join("a"), "a");
        let package = (compile.package_dir.clone(), InputKind::Package);
        let memo = Memo::default();
        let now = input_digest(&package.0, package.1, dirs, &compile, &memo).unwrap();
        whole.inputs = vec![(package.0, package.1, now)];
        assert_eq!(bench.one(&compile, whole), (Verdict::InPlace, false, false));
    }
    let mut changed = left(dep_info());
    changed.inputs[1].2 = digest("then");
    assert_eq!(bench.one(&compile, changed), (never.clone(), false, true));
    for (value, expected) in [
        (None, (Verdict::InPlace, true, false)),
        (Some(digest("x")), (never, false, true)),
    ] {
        let mut state = left(dep_info());
        state.env = vec![("ZBUILD_NOT_SET".into(), value)];
        assert_eq!(bench.one(&compile, state), expected);
    }
}

#[test]
fn an_output_changed_behind_cargo_is_told_from_one_built_anew() {
    let bench = Bench::new();
    let dirs = &bench.dirs;
    let unit = |mode: &str, kind: &str| {
        let mut unit = fixtures::unit("app", dirs, &[]);
        unit.graph = fixtures::graph_unit(mode, kind, &["lib"]);
        unit
    };
    let library = unit("build", "lib");
    for (unit, changed, outdated) in [
        (&library, "libapp.rlib", true),
        // cargo's record too: it was built anew.
        (&library, "dep-app", false),
        (&library, "fingerprint", false),
        // A program that was stripped is its owner's business.
        (&unit("build", "bin"), "libapp.rlib", false),
        (&unit("build", "example"), "libapp.rlib", false),
        (&unit("test", "lib"), "libapp.rlib", false),
        (&run(library.clone()), "libapp.rlib", false),
    ] {
        let files = [
            ("libapp.rlib", Role::Library),
            ("dep-app", Role::DepInfo),
            ("fingerprint", Role::Fingerprint),
        ];
        let files = files.map(|(path, role)| seen(dirs, path, role)).to_vec();
        let whole = bench.one(unit, unit_state("app", files.clone()));
        assert_eq!(whole, (Verdict::InPlace, false, false));
        write(&dirs.build.join(changed), "something else, and longer");
        let expected = (Verdict::Miss(MissReason::NeverSeen), false, outdated);
        let found = bench.one(unit, unit_state("app", files));
        assert_eq!(found, expected, "{changed} {}", unit.graph.mode);
    }
}

#[test]
fn inputs_are_digested_and_dated_by_their_kind() {
    let bench = Bench::new();
    let dirs = &bench.dirs;
    let (a, b) = (dirs.workspace.join("d/a"), dirs.workspace.join("d/b"));
    write(&a, "a");
    write(&b, "b");
    let top = dirs.workspace.join("d");
    set_time(&a, 5);
    set_time(&b, 7);
    set_time(&top, 6);
    let second = 1_000_000_000;
    let gone = dirs.workspace.join("gone");
    assert_eq!(newest(&a), 5 * second);
    assert_eq!(newest(&top), 7 * second);
    assert_eq!(newest(&gone), i64::MAX);

    let unit = fixtures::unit("app", dirs, &[]);
    let memo = Memo::default();
    let time = |path, kind| Some(look(path, kind, dirs, &unit, &memo).ok()?.1);
    assert_eq!(time(&a, InputKind::File), Some(5 * second));
    assert_eq!(time(&top, InputKind::Tree), Some(7 * second));
    assert_eq!(time(&gone, InputKind::File), None);
    assert_eq!(time(&gone, InputKind::Tree), None);
    assert_eq!(time(&gone, InputKind::Absent), Some(i64::MIN));
    assert_eq!(time(&top, InputKind::Libraries), Some(i64::MIN));
    write(&unit.package_dir.join("src/lib.rs"), "");
    assert_eq!(time(&unit.package_dir, InputKind::Package), Some(i64::MIN));
    let absent = |path| input_digest(path, InputKind::Absent, dirs, &unit, &memo).ok();
    assert_eq!(absent(&gone), Some(digest("absent")));
    assert_eq!(absent(&a), None);
}

#[test]
fn what_was_here_goes_first_and_then_what_was_built_here() {
    let bench = Bench::new();
    let away = |output: &str, change: fn(&mut Variant)| {
        let mut away = bench.variant(output);
        change(&mut away);
        away
    };
    let build: fn(&mut Variant) = |v| v.home.build = "/elsewhere".into();
    let workspace: fn(&mut Variant) = |v| v.home.workspace = "/elsewhere".into();
    for change in [build, workspace] {
        let both = || vec![away("away", change), bench.variant("home")];
        assert_eq!(bench.choose(both(), None), Ok(digest("home")));
        assert_eq!(bench.choose(both(), Some("away")), Ok(digest("away")));
        // What names its home is of no use elsewhere.
        let mut bound = both();
        bound.truncate(1);
        bound[0].bound = Some("a path".into());
        let why = Err(MissReason::Bound("a path".into()));
        assert_eq!(bench.choose(bound, Some("away")), why);
    }
    let mut bound = bench.variant("home");
    bound.bound = Some("a path".into());
    assert_eq!(bench.choose(vec![bound], None), Ok(digest("home")));
    assert_eq!(bench.choose(Vec::new(), None), Err(MissReason::NeverSeen));
}

#[test]
fn every_difference_is_a_miss_with_its_reason() {
    let bench = Bench::new();
    let soon = bench.dirs.workspace.join("soon.rs");
    let changed: Vec<(Variant, MissReason)> = {
        let with = |change: &dyn Fn(&mut Variant)| {
            let mut variant = bench.variant("v");
            change(&mut variant);
            variant
        };
        let input = bench.source("a.rs", "then");
        let dated = bench.source("soon.rs", "now");
        set_time(&soon, FUTURE);
        let gone = StoredFile {
            path: "libapp.rlib".into(),
            role: Role::Library,
            executable: false,
            blob: bench.store.blobs().put(b"gone").unwrap(),
        };
        bench.store.blobs().discard(&gone.blob);
        let kept = bench.store.blobs().put(b"kept").unwrap();
        let files = vec![
            StoredFile {
                path: "kept".into(),
                blob: kept,
                ..gone.clone()
            },
            gone,
        ];
        let no_pack = bench.store.blobs().put(b"no pack").unwrap();
        bench.store.blobs().discard(&no_pack);
        let env = |value: Option<Digest>| vec![("ZBUILD_NOT_SET".to_owned(), value)];
        let path = std::env::var("PATH").unwrap();
        vec![
            (with(&|v| v.distrusted = true), MissReason::Quarantined),
            (with(&|v| v.deps = vec![digest("d")]), MissReason::NeverSeen),
            (
                with(&|v| v.inputs = vec![input.clone()]),
                MissReason::Input("a.rs".into()),
            ),
            (
                with(&|v| v.inputs = vec![bench.input("libs", InputKind::Libraries, "others")]),
                MissReason::Input("the list of libraries in libs".into()),
            ),
            (
                with(&|v| v.inputs = vec![dated.clone()]),
                MissReason::Input(format!("the time of {soon}")),
            ),
            (
                with(&|v| v.env = env(Some(digest("x")))),
                MissReason::Env("ZBUILD_NOT_SET".into()),
            ),
            (
                with(&|v| v.env = vec![("PATH".into(), Some(digest(&format!("{path}+"))))]),
                MissReason::Env("PATH".into()),
            ),
            (
                with(&|v| v.unknown_inputs = Some("m".into())),
                MissReason::Uncacheable("m".into()),
            ),
            (
                with(&|v| v.files = files.clone()),
                MissReason::Damaged("libapp.rlib".into()),
            ),
            (
                with(&|v| v.pack = no_pack.clone()),
                MissReason::Damaged("the unit's small files".into()),
            ),
        ]
    };
    for (variant, reason) in &changed {
        assert_eq!(
            bench.choose(vec![variant.clone()], None),
            Err(reason.clone())
        );
        // It costs no other variant its chance.
        let both = vec![variant.clone(), bench.variant("good")];
        assert_eq!(bench.choose(both, None), Ok(digest("good")));
    }
    // The reason that came closest is told, in whatever order; of two that are
    // alike, that of the newer variant.
    let (input, env) = (&changed[2], &changed[4]);
    for pair in [[input, env], [env, input]] {
        let both = pair.map(|(variant, _)| variant.clone()).to_vec();
        assert_eq!(bench.choose(both, None), Err(env.1.clone()));
    }
    let mut other = input.0.clone();
    other.inputs = vec![bench.source("b.rs", "then")];
    let both = vec![input.0.clone(), other];
    assert_eq!(bench.choose(both, None), Err(input.1.clone()));
}

#[test]
fn what_is_as_it_was_is_a_hit() {
    let bench = Bench::new();
    let dirs = &bench.dirs;
    let tree = dirs.workspace.join("tree");
    write(&tree.join("a"), "a");
    // Only a file's own time is compared.
    set_time(&tree, FUTURE);
    let memo = Memo::default();
    let unit = fixtures::unit("app", dirs, &[]);
    let mut variant = bench.variant("app");
    variant.inputs = vec![
        bench.source("a.rs", "now"),
        bench.input("gone.rs", InputKind::Absent, "absent"),
        Input {
            digest: input_digest(&tree, InputKind::Tree, dirs, &unit, &memo).unwrap(),
            ..bench.input("tree", InputKind::Tree, "")
        },
    ];
    let path = std::env::var("PATH").unwrap();
    variant.env = vec![
        ("PATH".into(), Some(digest(&path))),
        ("ZBUILD_NOT_SET".into(), None),
    ];
    assert_eq!(bench.choose(vec![variant.clone()], None), Ok(digest("app")));
    fs::write(dirs.workspace.join("gone.rs"), "").unwrap();
    let reason = MissReason::Input("gone.rs".into());
    assert_eq!(bench.choose(vec![variant], None), Err(reason));
}

#[test]
fn a_dependency_counts_by_its_bytes() {
    let bench = Bench::new();
    let units = [
        fixtures::unit("dep", &bench.dirs, &[]),
        fixtures::unit("app", &bench.dirs, &[0]),
    ];
    for (recorded, expected) in [
        ("dep", Verdict::Hit),
        (
            "other",
            Verdict::Miss(MissReason::DependencyBytes("dep".into())),
        ),
    ] {
        let mut app = bench.variant(&format!("app with {recorded}"));
        app.deps = vec![digest(recorded)];
        let unit = PlanUnit {
            key: Ok(digest(recorded)),
            ..units[1].clone()
        };
        bench.store.add(vec![(digest(recorded), app)]).unwrap();
        let states = [Some(unit_state("dep", Vec::new())), None];
        let decisions = bench.decide(&[units[0].clone(), unit], &states);
        assert_eq!(decisions[1].verdict, expected);
        let output = (expected == Verdict::Hit).then(|| digest("app with dep"));
        assert_eq!(decisions[1].output, output);
    }
}
