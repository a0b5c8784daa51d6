//! Turns compiled wasm modules into what browsers load: glue and module per app, the assets, each also compressed.
//! A crate of its own because its library takes minutes to build and `xtask` must start at once. Compiles nothing itself.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use clap::Parser;

/// Brotli's window, as a power of two: the largest that every browser takes.
const BROTLI_WINDOW: i32 = 22;
/// What is worth compressing; fonts and pictures are compressed already.
const COMPRESSIBLE: [&str; 7] = ["wasm", "js", "css", "svg", "html", "json", "txt"];

/// Binds and compresses web apps
#[derive(Debug, Parser)]
struct Options {
    /// Folder to make: <out>/<app>/<app>.js and <app>_bg.wasm, <out>/assets
    #[arg(long)]
    out: PathBuf,
    /// Brotli's quality, 11 is its best
    #[arg(long, default_value_t = 11)]
    quality: i32,
    /// Folder of files that go along as they are
    #[arg(long)]
    assets: Option<PathBuf>,
    /// Compiled modules, <app>.wasm each
    #[arg(required = true)]
    modules: Vec<PathBuf>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    thread::scope(|scope| {
        let apps: Vec<_> = options.modules.iter().map(|module| scope.spawn(|| bind(module, &options))).collect();
        if let Some(assets) = &options.assets {
            copy(assets, &options.out.join("assets"), options.quality)?;
        }
        apps.into_iter().try_for_each(|app| app.join().map_err(|_| anyhow!("binding panicked"))?)
    })
}

fn bind(module: &Path, options: &Options) -> Result<()> {
    let app = module.file_stem().with_context(|| format!("{} has no name", module.display()))?;
    let out = options.out.join(app);
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(module).typescript(false).remove_name_section(true).remove_producers_section(true);
    bindgen.web(true).and_then(|bindgen| bindgen.generate(&out)).with_context(|| format!("binding {}", module.display()))?;
    compress_all(&out, options.quality)
}

fn copy(from: &Path, to: &Path, quality: i32) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, quality)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("copying {}", entry.path().display()))?;
            compress(&target, quality)?;
        }
    }
    Ok(())
}

/// Also what is in folders: bindgen puts snippets into some.
fn compress_all(dir: &Path, quality: i32) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { compress_all(&entry.path(), quality)? } else { compress(&entry.path(), quality)? }
    }
    Ok(())
}

/// Writes `<file>.br` and `<file>.gz` beside a file that is worth it.
fn compress(file: &Path, quality: i32) -> Result<()> {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !COMPRESSIBLE.contains(&ending) {
        return Ok(());
    }
    let bytes = fs::read(file)?;
    let beside = |more: &str| -> io::Result<BufWriter<File>> {
        let mut name = file.as_os_str().to_owned();
        name.push(more);
        File::create(name).map(BufWriter::new)
    };
    let size_hint = bytes.len();
    let settings = brotli::enc::BrotliEncoderParams { quality, lgwin: BROTLI_WINDOW, size_hint, ..Default::default() };
    let mut out = beside(".br")?;
    brotli::BrotliCompress(&mut bytes.as_slice(), &mut out, &settings)?;
    out.flush()?;
    let level = if quality == 11 { flate2::Compression::best() } else { flate2::Compression::fast() };
    let mut gzip = flate2::write::GzEncoder::new(beside(".gz")?, level);
    gzip.write_all(&bytes)?;
    gzip.finish()?.flush()?;
    Ok(())
}
