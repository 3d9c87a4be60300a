//! Text that is made from a project: linker scripts, headers, pages.

use std::sync::LazyLock;

use anyhow::{ensure, Context as _, Result};
use fb_config::Project;
use fb_core_types::{Describe as _, RELEASE_NAME};
use fb_macros::Describe;
use minijinja::{context, Environment};
use regex::Regex;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use tera::Tera;

/// The memory of a board, as a linker wants it.
#[derive(Clone, Copy, Debug, Serialize, Describe)]
pub struct Memory {
    pub flash: u64,
    pub ram: u64,
}

const LINKER_SCRIPT: &str = "\
/* {{ release }}: {{ fields }} */
MEMORY {
  flash (rx)  : ORIGIN = 0x0, LENGTH = {{ memory.flash // 1024 }}K
  ram   (rwx) : ORIGIN = 0x20000000, LENGTH = {{ memory.ram // 1024 }}K
}
";

const PAGE: &str = "\
# {{ project.name | title }}
{% for name, env in project.env %}
- {{ name }}: {{ env.board }} ({{ env.platform }}){% for p, v in env.requires %}, {{ p }} {{ v }}{% endfor %}
{%- endfor %}
";

static LEFT_OVER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{.*?\}\}|\{%.*?%\}").expect("the pattern is valid"));

pub fn linker_script(memory: Memory) -> Result<String> {
    let mut environment = Environment::new();
    environment.add_template("linker", LINKER_SCRIPT)?;
    let text = environment.get_template("linker")?.render(context! {
        release => RELEASE_NAME,
        fields => Memory::summary(),
        memory,
    })?;
    complete(text)
}

pub fn project_page(project: &Project) -> Result<String> {
    let mut context = tera::Context::new();
    context.insert("project", project);
    complete(Tera::one_off(PAGE, &context, false).context("the page's template is wrong")?)
}

/// Refuses a text in which a placeholder was left.
fn complete(text: String) -> Result<String> {
    let rest = LEFT_OVER.find(&text).map(|m| m.as_str());
    ensure!(rest.is_none(), "unfilled placeholder {}", rest.unwrap_or_default());
    Ok(text)
}

/// How many lines were added and removed.
pub fn changed_lines(old: &str, new: &str) -> (usize, usize) {
    let diff = TextDiff::from_lines(old, new);
    let count = |tag| diff.iter_all_changes().filter(|c| c.tag() == tag).count();
    (count(ChangeTag::Insert), count(ChangeTag::Delete))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_filled_in() {
        let old = linker_script(Memory { flash: 64 << 10, ram: 20 << 10 }).unwrap();
        let new = linker_script(Memory { flash: 128 << 10, ram: 20 << 10 }).unwrap();
        assert!(old.contains("LENGTH = 64K"));
        assert_eq!(changed_lines(&old, &new), (1, 1));
    }

    #[test]
    fn pages_name_every_environment() {
        let project = Project::from_toml(fb_config::SAMPLE).unwrap();
        let page = project_page(&project).unwrap();
        assert!(page.starts_with("# Blink\n"), "{page}");
        assert!(page.contains("- uno: uno (avr), servo >=2, <4, wiring ^1.2"), "{page}");
    }
}
