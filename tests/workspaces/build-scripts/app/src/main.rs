fn main() {
    println!("gen.template={}", gen::TEMPLATE);
    println!("envy.envy={}", envy::ENVY);
    println!("plain.data={}", plain::PLAIN);
    println!("watchdir.assets={}", watchdir::ASSETS);
    println!("native.metadata={}", native::ANSWER);
    println!("native.c={}", native::number());
    println!("warns.warns={}", warns::WARNS);
    println!("cfgs.flavour={}", cfgs::FLAVOUR);
}
