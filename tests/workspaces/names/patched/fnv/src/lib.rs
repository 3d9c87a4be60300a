/// Stands in for the real `fnv::FnvHasher`: the same interface, a hash that gives it away.
#[derive(Default)]
pub struct FnvHasher;

impl std::hash::Hasher for FnvHasher {
    fn write(&mut self, _bytes: &[u8]) {}

    fn finish(&self) -> u64 {
        99
    }
}
