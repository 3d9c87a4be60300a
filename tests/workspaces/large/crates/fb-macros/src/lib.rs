//! `#[derive(Describe)]`: implements `fb_core_types::Describe` for structs and enums.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{parse_macro_input, Data, DeriveInput, Error, Fields};

#[proc_macro_derive(Describe)]
pub fn derive_describe(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<Tokens, Error> {
    let names: Vec<String> = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) => {
                named.named.iter().filter_map(|f| f.ident.as_ref().map(ToString::to_string)).collect()
            }
            Fields::Unnamed(fields) => (0..fields.unnamed.len()).map(|i| i.to_string()).collect(),
            Fields::Unit => Vec::new(),
        },
        Data::Enum(data) => data.variants.iter().map(|v| v.ident.to_string()).collect(),
        Data::Union(data) => {
            return Err(Error::new_spanned(data.union_token, "Describe cannot be derived for unions"))
        }
    };
    let ident = &input.ident;
    let title = ident.to_string();
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::fb_core_types::Describe for #ident #arguments #bounds {
            const NAME: &'static str = #title;
            const FIELDS: &'static [&'static str] = &[#(#names),*];
        }
    })
}
