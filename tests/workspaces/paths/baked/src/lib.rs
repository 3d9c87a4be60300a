pub const DIR: &str = bake::manifest_dir!();
