pub const FLAVOUR: &str = if cfg!(flavour = "sweet") {
    "sweet"
} else if cfg!(flavour = "sour") {
    "sour"
} else {
    "none"
};
