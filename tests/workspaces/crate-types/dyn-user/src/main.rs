fn main() {
    println!("bin=dyn-user");
    println!("dyn_lib.constant={}", dyn_lib::constant());
}
