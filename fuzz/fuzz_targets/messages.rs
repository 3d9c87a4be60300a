//! cargo's JSON messages.
#![no_main]

use cargo_zbuild::cargo::layout;
use cargo_zbuild::cargo::messages::{self, Message};

libfuzzer_sys::fuzz_target!(|text: &str| {
    for line in text.lines() {
        match messages::parse(line) {
            Some(Message::Artifact(artifact)) => {
                for file in &artifact.filenames {
                    let _ = layout::place_of(file, "debug", "p");
                }
            }
            Some(Message::Script(script)) => {
                let again = messages::parse(&messages::script_line(&script));
                assert!(matches!(again, Some(Message::Script(again)) if again == script));
            }
            Some(Message::Diagnostic(_) | Message::Other) | None => {}
        }
    }
    let _ = layout::place_of(text, "debug", "p");
});
