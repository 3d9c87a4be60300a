use std::hash::Hasher;

fn main() {
    println!("foo.constant={}", foo::CONSTANT);
    println!("hyphen_ated.constant={}", hyphen_ated::CONSTANT);
    println!("hyphen_ated.extra={}", hyphen_ated::EXTRA);
    println!("under_scored.function={}", under_scored::function());
    println!("app.extra={}", cfg!(feature = "extra"));
    println!("itoa.new={}", itoa::Buffer::new().format(1));

    // `itoa::fmt` went away with 1.0, so this line compiles with 0.4 only.
    let mut old = String::new();
    itoa_old::fmt(&mut old, 4).unwrap();
    println!("itoa.old={old}");

    let mut hasher = fnv::FnvHasher::default();
    hasher.write(b"zbuild");
    println!("fnv.hash={}", hasher.finish());
}
