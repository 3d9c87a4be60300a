//! Sources as a dependent's build compiles them: without their modules of tests.
//!
//! Tests start programs, read clocks and write files; a macro of which only the
//! tests do that is no less harmless. Only what surely is not compiled may go:
//! whatever is cut here and was compiled would be a macro that nobody examined.

use std::ops::Range;

use proc_macro2::{Delimiter, TokenStream, TokenTree, extra};

/// The text without the modules of a file that are marked `#[cfg(test)]`.
///
/// A file that cannot be read as Rust, a module within another item and one with
/// an attribute in front of `#[cfg(test)]`, which would see the module before it
/// goes, stay as they are.
pub fn without_tests(text: &str) -> String {
    if !text.contains("cfg(test)") {
        return text.to_owned();
    }
    let Ok(tokens) = text.parse::<TokenStream>() else {
        return text.to_owned();
    };
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = String::with_capacity(text.len());
    let mut end = 0;
    for at in 0..tokens.len() {
        if let Some(cut) = module_of_tests(&tokens, at)
            && let (Some(before), true) = (text.get(end..cut.start), text.is_char_boundary(cut.end))
        {
            kept.push_str(before);
            end = cut.end;
        }
    }
    kept.push_str(&text[end..]);
    // The positions of a text are kept until they are given back.
    extra::invalidate_current_thread_spans();
    kept
}

/// The bytes of the module whose `#[cfg(test)]` begins at this token.
fn module_of_tests(tokens: &[TokenTree], at: usize) -> Option<Range<usize>> {
    if at > 0 && bracketed(&tokens[at - 1]).is_some() {
        return None;
    }
    let [hash, attribute, after @ ..] = &tokens[at..] else {
        return None;
    };
    let mut rest = after;
    if !is_punct(hash, '#') || bracketed(attribute)? != "cfg(test)" {
        return None;
    }
    while let [hash, attribute, after @ ..] = rest
        && is_punct(hash, '#')
        && bracketed(attribute).is_some()
    {
        rest = after;
    }
    let [keyword, TokenTree::Ident(_), TokenTree::Group(body), ..] = rest else {
        return None;
    };
    let is_module = matches!(keyword, TokenTree::Ident(word) if word == "mod");
    (is_module && body.delimiter() == Delimiter::Brace)
        .then(|| hash.span().byte_range().start..body.span_close().byte_range().end)
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// What is in a pair of brackets, without spaces.
fn bracketed(token: &TokenTree) -> Option<String> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            let text = group.stream().to_string();
            Some(text.chars().filter(|c| !c.is_whitespace()).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_tests_go() {
        for (text, left) in [
            (
                "fn a() {}\n#[cfg(test)]\nmod tests { fs() }\nfn b() {}",
                "fn a() {}\n\nfn b() {}",
            ),
            (
                "é #[ cfg(test) ] #[allow(x)] mod t { \"}\" '}' /* } */ }é",
                "é é",
            ),
            ("x; #[cfg(test)] mod t {} #[cfg(test)] mod u {} y", "x;   y"),
        ] {
            assert_eq!(without_tests(text), left);
        }
    }

    #[test]
    fn whatever_may_be_compiled_stays() {
        for text in [
            "#[cfg(not(test))] mod a { fs() }",
            "#[cfg(any(test, unix))] mod a { fs() }",
            "#[cfg_attr(test, x)] mod a { fs() }",
            "#[cfg(test)] mod a; mod b { fs() }",
            "#[cfg(test)] fn a() { fs() }",
            "#[cfg(test)] struct A { fs: () }",
            "x[cfg(test)] mod a { fs() }",
            "#[cfg(test)] use x; mod a { fs() }",
            "#[keeps] #[cfg(test)] mod a { fs() }",
            "#![inner] #[cfg(test)] mod a { fs() }",
            "given! { #[cfg(test)] mod a { fs() } }",
            "macro_rules! m { () => { #[cfg(test)] mod a { fs() } } }",
            "const A: &str = \"#[cfg(test)] mod a {\"; fs(); const B: &str = \"}\";",
            "const A: &str = r#\"\n#[cfg(test)] mod a {\"#; fs(); // }",
            "// #[cfg(test)] mod a {\nfs() // }",
            "#[cfg(test)] mod a { fs()",
        ] {
            assert_eq!(without_tests(text), text);
        }
    }
}
