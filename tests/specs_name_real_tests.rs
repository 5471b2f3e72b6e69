//! docs/specs.md names files and tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The names of all functions marked as tests in a source; those that proptest makes take arguments.
fn tests(source: &str) -> impl Iterator<Item = &str> {
    let mut marked = false;
    source.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
            return None;
        }
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
        std::mem::take(&mut marked).then(|| name.split(['(', '<']).next().unwrap_or(name))
    })
}

#[test]
fn every_file_and_test_that_the_table_of_specifications_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for dir in ["crates", "tests"] {
        sources(&root.join(dir), &mut files);
    }
    let texts: Vec<String> = files.iter().map(|f| fs::read_to_string(f).expect("a source")).collect();
    let known: BTreeSet<&str> = texts.iter().flat_map(|t| tests(t)).collect();

    let table = fs::read_to_string(root.join("docs/specs.md")).expect("docs/specs.md");
    let mut wrong = Vec::new();
    let mut rows = 0;
    for (number, line) in table.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let &[_, _, _, file, status, test, _, _] = cells.as_slice() else { continue };
        if !["done", "partly", "not"].contains(&status) {
            continue;
        }
        rows += 1;
        let mut complain = |what: String| wrong.push(format!("docs/specs.md:{}: {what}", number + 1));
        let (file, test) = (file.trim_matches('`'), test.trim_matches('`'));
        if status != "not" && (file.is_empty() || test.is_empty()) {
            complain(format!("{status}, but without a file or a test"));
        }
        let below = if file.starts_with("tests/") { root.to_owned() } else { root.join("crates") };
        if !file.is_empty() && !below.join(file).is_file() {
            complain(format!("there is no file {file}"));
        }
        if !test.is_empty() && !known.contains(test) {
            complain(format!("there is no test {test}"));
        }
    }
    assert!(rows > 50, "only {rows} rows were understood");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
