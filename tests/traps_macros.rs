//! Proc macros with inputs that nobody records: templates, migrations, `.env`.
//!
//! cargo itself is blind to them: it builds again when a recorded input of the
//! unit changes or is touched. Within one checkout zbuild is never worse than
//! that, and a state of the sources that was built before brings back nothing.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::{Checkout, Layout};

const MANIFEST: &str = "[package]\nname = \"NAME\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

/// Reads two directories and a file, as askama, sqlx and dotenvy do.
const LOOKS: &str = r#"use proc_macro::TokenStream;
#[proc_macro]
pub fn look(_: TokenStream) -> TokenStream {
    let top = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap());
    let mut seen = vec![format!(".env:{}", std::fs::read_to_string(top.join(".env")).unwrap())];
    for dir in ["templates", "migrations"] {
        for entry in std::fs::read_dir(top.join(dir)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            seen.push(format!("{name}:{}", std::fs::read_to_string(path).unwrap()));
        }
    }
    seen.sort();
    format!("{:?}", seen.join(" ")).parse().unwrap()
}
"#;

fn workspace(layout: Layout) -> Checkout {
    let manifest = |name: &str, rest: &str| MANIFEST.replace("NAME", name) + rest;
    let looks = manifest("looks", "[lib]\nproc-macro = true\n");
    let site = manifest("site", "[dependencies]\nlooks = { path = \"../looks\" }\n");
    let app = manifest("app", "[dependencies]\nsite = { path = \"../site\" }\n");
    Checkout::with_files(
        layout,
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"app\", \"looks\", \"site\"]\nresolver = \"2\"\n",
            ),
            ("looks/Cargo.toml", &looks),
            ("looks/src/lib.rs", LOOKS),
            ("site/Cargo.toml", &site),
            (
                "site/src/lib.rs",
                "pub const SEEN: &str = looks::look!();\npub const STATE: u32 = 0;\n",
            ),
            ("site/templates/a.html", "alpha"),
            ("site/migrations/1.sql", "one"),
            ("site/.env", "X=1"),
            ("app/Cargo.toml", &app),
            (
                "app/src/main.rs",
                "fn main() { println!(\"{} {}\", site::SEEN, site::STATE) }\n",
            ),
        ],
    )
}

type Edit = fn(&Checkout);

const STATE_1: Edit = |checkout| checkout.replace("site/src/lib.rs", "= 0;", "= 1;");
const STATE_0: Edit = |checkout| checkout.replace("site/src/lib.rs", "= 1;", "= 0;");

/// What happens, in this order: what cargo does not see, and then something
/// that it does.
const EDITS: &[Edit] = &[
    |checkout| checkout.write("site/templates/b.html", "beta"),
    |checkout| checkout.touch("site/src/lib.rs"),
    |checkout| checkout.write("site/migrations/2.sql", "two"),
    STATE_1,
    |checkout| checkout.write("site/.env", "X=2"),
    STATE_0,
    |checkout| checkout.remove("site/templates/b.html"),
    |checkout| checkout.append("app/src/main.rs", "\n"),
    STATE_1,
    |checkout| checkout.write("site/templates/a.html", "omega"),
    |checkout| checkout.append("looks/src/lib.rs", "// Another one.\n"),
    |checkout| checkout.write("site/.env", "X=3"),
    Checkout::remove_target,
    |checkout| checkout.write("site/.env", "X=4"),
    STATE_0,
];

fn within_one_checkout_it_is_as_with_cargo(layout: Layout) {
    let ours = workspace(layout);
    let cargos = ours.second("by-cargo");
    ours.build();
    cargos.cargo_build();
    for (number, edit) in EDITS.iter().enumerate() {
        edit(&ours);
        edit(&cargos);
        ours.build();
        ours.referee();
        cargos.cargo_build();
        let (printed, by_cargo) = (ours.run(), cargos.run());
        if printed != by_cargo {
            // Seeing more than cargo does is no harm.
            assert_eq!(printed, ours.oracle(), "edit {number}; cargo: {by_cargo}");
        }
    }
    assert!(
        ours.run()
            .contains(".env:X=4 1.sql:one 2.sql:two a.html:omega 0")
    );
}

/// What a macro saw in another checkout does not come along.
fn another_checkout_is_looked_at_anew(layout: Layout) {
    let first = workspace(layout);
    first.build();
    let second = first.second("second");
    second.write("site/templates/b.html", "beta");
    second.write("site/.env", "X=2");
    second.build();
    second.referee();
    assert_eq!(second.run(), second.oracle());
    first.remove_target();
    first.build();
    assert_eq!(first.run(), first.oracle());
}

in_both_layouts!(
    within_one_checkout_it_is_as_with_cargo,
    another_checkout_is_looked_at_anew,
);
