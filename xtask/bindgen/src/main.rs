//! Turns a compiled wasm module into what a browser loads: `bindgen IN.wasm OUT_DIR`.
//! A crate of its own because its library takes minutes to build and `xtask` must start at once.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(out)) = (args.next(), args.next()) else {
        return Err("usage: bindgen IN.wasm OUT_DIR".into());
    };
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(&input).typescript(false).remove_name_section(true).remove_producers_section(true);
    bindgen.web(true)?;
    bindgen.generate(&out)?;
    Ok(())
}
