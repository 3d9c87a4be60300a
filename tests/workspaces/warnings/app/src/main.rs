use std::fmt::Debug;

const DEAD: u32 = 3;

fn main() {
    println!("noisy.number={}", noisy::number());
    println!("app.constant=4");
}
