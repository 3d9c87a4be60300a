fn main() {
    println!("leaf.constant={}", leaf::CONSTANT);
    println!("mid.result={}", mid::result());
    println!("mid.data={}", mid::DATA.trim_end());
    println!("util.decimal={}", util::decimal(1234));
    println!("app.sample={}", option_env!("ZB_SAMPLE").unwrap_or("unset"));
}
