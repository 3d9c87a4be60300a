use std::{hint::black_box, panic};

fn main() {
    println!("debug_assertions={}", cfg!(debug_assertions));
    println!("overflow={}", overflow());
    println!("opt_level={}", env!("ZB_OPT_LEVEL"));
    println!("profile={}", env!("ZB_PROFILE"));
    println!("debug={}", env!("ZB_DEBUG"));
    println!("zb_flag={}", cfg!(zb_flag));
    println!("zb_conf={}", option_env!("ZB_CONF").unwrap_or("unset"));
}

/// What adding 1 to 255 does: with overflow checks it panics, without it wraps.
fn overflow() -> &'static str {
    panic::set_hook(Box::new(|_| {}));
    match panic::catch_unwind(|| black_box(255u8) + black_box(1)) {
        Ok(_) => "wraps",
        Err(_) => "panics",
    }
}
