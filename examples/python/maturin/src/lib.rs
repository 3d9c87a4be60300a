use pyo3::prelude::*;

#[pyfunction]
fn hello(name: &str) -> String {
    format!("hello {name}, {} bytes", name.len())
}

#[pymodule]
fn hello_maturin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hello, module)?)
}
