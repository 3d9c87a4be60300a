#[derive(macros::Describe)]
struct Local;

fn main() {
    println!("shapes.derive={}", shapes::Circle::DESCRIPTION);
    println!("app.derive={}", Local::DESCRIPTION);
    println!("app.function_like={}", macros::shout!(hello));
}
