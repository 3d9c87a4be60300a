use proc_macro::TokenStream;
use std::{env, fs, path::Path};

/// The names and contents of the files in `templates/` of the package that calls this, as a string literal.
#[proc_macro]
pub fn templates(_input: TokenStream) -> TokenStream {
    let directory = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("templates");
    let mut templates: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            format!(
                "{name}:{}",
                fs::read_to_string(entry.path()).unwrap().trim_end()
            )
        })
        .collect();
    templates.sort();
    format!("{:?}", templates.join(",")).parse().unwrap()
}
