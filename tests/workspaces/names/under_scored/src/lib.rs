pub fn function() -> &'static str {
    // Allowed by the `[workspace.lints]` table.
    let unused = 1;
    "underscore"
}
