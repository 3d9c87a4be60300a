//! cargo's unit graph.
#![no_main]

use cargo_zbuild::cargo::{diagnostics, layout, messages};
use cargo_zbuild::cargo::unit_graph::UnitGraph;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(graph) = UnitGraph::parse(bytes) else {
        return;
    };
    if let Ok(order) = graph.order() {
        assert_eq!(order.len(), graph.units.len());
    }
    for unit in &graph.units {
        let _ = (layout::profile_dir(unit), layout::fingerprint_name(unit), layout::crate_name(unit));
        let _ = (messages::artifact_head(unit, "/m"), diagnostics::named(unit, "p"));
        let _ = layout::uplifted_name(unit, "liba-0123456789abcdef.rlib", "0123456789abcdef");
    }
});
