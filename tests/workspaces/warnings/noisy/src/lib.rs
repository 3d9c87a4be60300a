pub fn number() -> u32 {
    let mut number = 2;
    number
}

fn dead() {}
