fn main() {
    println!("neighbour.constant={}", neighbour::CONSTANT);
    println!("shared_gen.source={}", shared_gen::SOURCE);
}
