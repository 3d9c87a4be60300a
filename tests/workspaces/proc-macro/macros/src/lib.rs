use proc_macro::{TokenStream, TokenTree};

const VERSION: &str = "v1";

/// Adds `DESCRIPTION`, which holds the name of the type and `VERSION`.
#[proc_macro_derive(Describe)]
pub fn derive_describe(item: TokenStream) -> TokenStream {
    let mut words = item.into_iter().filter_map(|tree| match tree {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    });
    words.find(|word| word == "struct").expect("a struct");
    let name = words.next().expect("a name");
    format!("impl {name} {{ pub const DESCRIPTION: &'static str = \"{name} described by {VERSION}\"; }}")
        .parse()
        .unwrap()
}

/// A string literal made of the tokens given and `VERSION`.
#[proc_macro]
pub fn shout(input: TokenStream) -> TokenStream {
    format!(
        "{:?}",
        format!("{} shouted by {VERSION}", input.to_string().to_uppercase())
    )
    .parse()
    .unwrap()
}
