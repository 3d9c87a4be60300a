//! How much is said and in which colours: `-q`, `-v`, `--color`,
//! `CARGO_TERM_*`, `NO_COLOR`, and whether anybody looks.

use crate::cargo::args::Invocation;
use crate::report::human::Style;

/// The style, from the command line and `CARGO_TERM_*`, as cargo reads them.
pub fn style(inv: &Invocation) -> Style {
    let flag = |name: &str| std::env::var(name).is_ok_and(|value| value == "true");
    let quiet = inv.quiet || (inv.verbose == 0 && flag("CARGO_TERM_QUIET"));
    let verbose = match inv.verbose {
        0 if !quiet && flag("CARGO_TERM_VERBOSE") => 1,
        given => given,
    };
    let progress = std::env::var("CARGO_TERM_PROGRESS_WHEN");
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    let in_ci = std::env::var_os("CI").is_some();
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    Style {
        quiet,
        verbose,
        progress: match progress.as_deref() {
            Ok("never") => false,
            Ok("always") => true,
            _ => terminal && !dumb && !in_ci && verbose == 0,
        },
    }
}

/// `--color`, else `CARGO_TERM_COLOR`, else what the terminal and `NO_COLOR`
/// say (anstream).
pub fn choose_colours(inv: &Invocation) {
    let from_env = std::env::var("CARGO_TERM_COLOR").ok();
    let choice = match inv.color.as_deref().or(from_env.as_deref()) {
        Some("always") => anstream::ColorChoice::Always,
        Some("never") => anstream::ColorChoice::Never,
        _ => return,
    };
    choice.write_global();
}
