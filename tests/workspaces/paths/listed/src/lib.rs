pub const TEMPLATES: &str = listing::templates!();
