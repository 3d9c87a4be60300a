fn main() {
    println!("keeps_manifest_dir.dir={}", keeps_manifest_dir::DIR);
    println!("keeps_out_dir.out={}", keeps_out_dir::OUT);
    println!("includes_out_dir.generated={}", includes_out_dir::GENERATED);
    println!("tells_file.file={}", tells_file::FILE);
    println!("tells_file.location={}", tells_file::location());
    println!("tells_file.caller={}", tells_file::caller());
    println!("tells_generated_file.file={}", tells_generated_file::FILE);
    println!(
        "tells_generated_file.location={}",
        tells_generated_file::location()
    );
    println!("baked.dir={}", baked::DIR);
    println!("listed.templates={}", listed::TEMPLATES);
}
