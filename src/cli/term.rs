//! How much is said and in which colours: `-q`, `-v`, `--color`,
//! `CARGO_TERM_*`, `NO_COLOR`, `[term]` in cargo's configuration, and whether
//! anybody looks.

use crate::cargo::args::Invocation;
use crate::plan::Term;
use crate::report::human::Style;

/// The style, from the command line, `CARGO_TERM_*` and the configuration, in
/// this order, as cargo reads them (cargo: `GlobalContext::configure`).
pub fn style(inv: &Invocation, configured: &Term) -> Style {
    let flag = |name: &str| std::env::var(name).ok().map(|value| value == "true");
    let quiet = flag("CARGO_TERM_QUIET").or(configured.quiet);
    let verbose = flag("CARGO_TERM_VERBOSE").or(configured.verbose);
    let given = inv.quiet || inv.verbose > 0;
    let verbose = match inv.verbose {
        0 if !given && verbose == Some(true) => 1,
        count => count,
    };
    let when = std::env::var("CARGO_TERM_PROGRESS_WHEN").ok();
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    let in_ci = std::env::var_os("CI").is_some();
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    Style {
        quiet: inv.quiet || (!given && verbose == 0 && quiet == Some(true)),
        verbose,
        progress: match when.as_deref().or(configured.progress.as_deref()) {
            Some("never") => false,
            Some("always") => true,
            _ => terminal && !dumb && !in_ci && verbose == 0,
        },
    }
}

/// `--color`, else `CARGO_TERM_COLOR`, else `term.color`, else what the
/// terminal and `NO_COLOR` say (anstream).
pub fn choose_colours(inv: &Invocation, configured: &Term) {
    let from_env = std::env::var("CARGO_TERM_COLOR").ok();
    let given = inv.color.as_deref().or(from_env.as_deref());
    let choice = match given.or(configured.color.as_deref()) {
        Some("always") => anstream::ColorChoice::Always,
        Some("never") => anstream::ColorChoice::Never,
        _ => return,
    };
    choice.write_global();
}
