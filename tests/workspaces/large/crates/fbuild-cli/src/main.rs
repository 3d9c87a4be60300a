//! `fbuild-cli`: the program on top of all the other crates.

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use fb_args::{boards_with, Cli, Color, Command};
use fb_buildinfo::{banner, board};
use fb_config::{registry_schema, set_requirement, Project, SAMPLE};
use fb_core_types::{Describe, Name, Platform};
use fb_daemon::{greet, polite_board, Daemon};
use fb_events::{BuildId, Event};
use fb_packages::{lock_lines, Index, Manifest, SAMPLE_INDEX, SAMPLE_MANIFEST};
use fb_paths::Layout;
use fb_report::Reporter;
use fb_storage::Store;
use fb_telemetry::{HostFacts, Sink, Telemetry};
use fb_templates::{changed_lines, linker_script, project_page, Memory};
use fb_toolchain::{largest_sections, Compiler};
use tokio_util::sync::CancellationToken;
use tracing::info;

#[tokio::main]
async fn main() -> Result<()> {
    match run(&mut io::stdout()).await {
        // The reader had enough, as with `fbuild-cli | head -1`.
        Err(e) if e.downcast_ref().is_some_and(|e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe) => {
            Ok(())
        }
        result => result,
    }
}

async fn run(out: &mut impl Write) -> Result<()> {
    let cli = Cli::parse();
    let sink = cli.common.log_dir.as_ref().map_or(Sink::Stderr, |d| Sink::JsonFiles(d.as_std_path()));
    let telemetry = Telemetry::init(&cli.common.log, sink)?;
    let report = Reporter::new(cli.common.color == Color::Always);

    writeln!(out, "{}", report.title(&banner()))?;
    match cli.chosen() {
        Command::Build { environment } => build(&cli, &report, &environment, out).await?,
        Command::Boards { memory } => boards(&report, memory, out)?,
        Command::Doctor => doctor(&report, out)?,
        Command::Schema => writeln!(out, "{}", registry_schema()?)?,
        Command::Serve { listen } => {
            let (_keep, daemon) = daemon(&cli)?;
            let stop = CancellationToken::new();
            let stop_later = stop.clone();
            tokio::spawn(async move {
                let _ = tokio::signal::ctrl_c().await;
                stop_later.cancel();
            });
            let changed = || info!("sources changed");
            tokio::try_join!(daemon.serve(listen, stop.clone()), daemon.watch(stop, changed))?;
        }
    }
    for (name, value) in telemetry.counters() {
        writeln!(out, "{name}: {value}")?;
    }
    Ok(())
}

/// The project that was asked for, or the sample in a folder of its own.
fn daemon(cli: &Cli) -> Result<(tempfile::TempDir, Daemon)> {
    let (keep, scratch) = fb_archive::scratch()?;
    let layout = match &cli.common.project {
        Some(root) => Layout::new(root),
        None => {
            let layout = Layout::new(scratch.join("blink"));
            fs::create_dir_all(layout.root.join("src"))?;
            fs::write(layout.config_file(), SAMPLE)?;
            fs::write(layout.root.join("src/blink.c"), "int main(void) { for (;;) {} }\n")?;
            layout
        }
    };
    let store = Store::open(scratch.join("events.sqlite").as_std_path())?;
    let project = Project::load(&layout)?;
    Ok((keep, Daemon::new(project, layout, store)?))
}

async fn build(cli: &Cli, report: &Reporter, environment: &Name, out: &mut impl Write) -> Result<()> {
    let (_keep, daemon) = daemon(cli)?;
    let index = Index::from_csv(SAMPLE_INDEX)?;
    let found = daemon.project.environments.get(environment).context("no such environment")?;

    write!(out, "{}", project_page(&daemon.project)?)?;
    writeln!(out, "{}", report.packages(&index.resolve(found)?))?;
    let manifest = Manifest::from_xml(SAMPLE_MANIFEST)?;
    writeln!(out, "{} by {}: {}", manifest.name, manifest.author, manifest.header.join(", "))?;

    for result in daemon.build(environment, &index).await? {
        writeln!(out, "step: {result}")?;
    }
    let events = daemon.store.events(BuildId::for_build(found.platform, environment))?;
    writeln!(out, "{} ({})", report.summary(&events), Event::summary())?;
    let (status, health) = fb_web::ask(fb_web::router(daemon.site()), "/health").await?;
    writeln!(out, "health: {status} {health}")?;

    let edited = set_requirement(SAMPLE, environment, "servo", "^3")?;
    writeln!(out, "an edit changes {:?} lines", changed_lines(SAMPLE, &edited))?;
    if let Some(board) = board(&found.board) {
        writeln!(out, "{}", linker_script(Memory { flash: board.flash, ram: board.memory })?)?;
    }
    if cli.common.project.is_none() {
        pack_all(&daemon, out)?;
    }

    let (near, far) = tokio::io::duplex(1024);
    let talk = async { tokio::join!(greet(near), polite_board(far)) };
    let (version, board) = tokio::time::timeout(Duration::from_secs(5), talk).await?;
    board?;
    writeln!(out, "the board speaks protocol {}", version?)?;
    if let Some(readings) = fb_serial::readings("temp=21.5, light=80") {
        writeln!(out, "the board reads {readings:?}")?;
    }
    Ok(())
}

/// Packs the sample in every format; only the sample, as the archives are put beside it.
fn pack_all(daemon: &Daemon, out: &mut impl Write) -> Result<()> {
    let tree = fb_archive::tree_digest(&daemon.layout.root)?;
    writeln!(out, "sources: {} ({} bytes)", &tree[..16], fb_paths::tree_size(&daemon.layout.root))?;
    let names = fb_archive::Format::ALL.map(|f| Name::new(f.extension().replace('.', "-")));
    let bar = fb_report::progress(&names.into_iter().collect::<Result<Vec<_>, _>>()?);
    for format in bar.wrap_iter(fb_archive::Format::ALL.into_iter()) {
        let archive = fb_archive::pack(&daemon.layout.root, format)?;
        let copy = archive.with_extension("out");
        fb_archive::unpack(&archive, &copy)?;
        let same = fb_archive::tree_digest(&copy)? == tree;
        writeln!(out, "{}: same after a round trip: {same}", format.extension())?;
    }
    let (key, signature) = fb_archive::sign("demonstration", tree.as_bytes());
    fb_archive::verify(&key, tree.as_bytes(), &signature)?;
    let digests = fb_archive::digests(&daemon.layout.config_file())?;
    let locked = [(daemon.project.name.clone(), (fb_buildinfo::version(), digests))].into();
    writeln!(out, "{}", lock_lines(&locked).join("\n"))?;
    writeln!(out, "{}", daemon.fetcher.address(&daemon.project.name, "1.0.0")?)?;
    Ok(())
}

fn boards(report: &Reporter, memory: u64, out: &mut impl Write) -> Result<()> {
    let row = |name: &str| {
        let board = board(name)?;
        Some(vec![name.into(), board.platform.to_string(), format!("{} MHz", board.mhz)])
    };
    writeln!(out, "{}", report.rows(&["board", "platform", "clock"], boards_with(memory).filter_map(row)))?;
    Ok(())
}

fn doctor(report: &Reporter, out: &mut impl Write) -> Result<()> {
    let host = HostFacts::collect();
    writeln!(out, "{}: {} cores, {} MiB", host.system, host.cores, host.memory_mib)?;
    writeln!(out, "cache: {}", fb_paths::user_cache()?)?;
    let row = |platform: Platform| match Compiler::find(platform) {
        Ok(found) => vec![platform.to_string(), found.version.to_string(), found.path.to_string()],
        Err(error) => vec![platform.to_string(), "-".to_owned(), error.to_string()],
    };
    writeln!(out, "{}", report.rows(&["platform", "version", "compiler"], Platform::ALL.map(row)))?;
    let own = fs::read(std::env::current_exe()?)?;
    for (section, size) in largest_sections(&own, 3)? {
        writeln!(out, "{section}: {size}")?;
    }
    Ok(())
}
