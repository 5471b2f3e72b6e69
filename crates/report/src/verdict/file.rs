//! Requirements from a file.

use super::requirement::{Requirement, RequirementError};
use toml::{Table, Value};

/// Reads requirements from TOML: for each metric what it must be, `video.psnr_db = ">= 30"`, or several of it in a
/// list. Metrics may stand in tables (`[video]`, `psnr_db = ">= 30"`); a statistic beside its metric is quoted:
/// `"video.latency_ms.p95" = "<= 200 ms"`.
///
/// # Errors
///
/// What is wrong and where, in words.
pub fn read_thresholds(text: &str) -> Result<Vec<Requirement>, RequirementError> {
    let table: Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map(|span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
        let at = line.map_or_else(String::new, |line| format!("line {line}: "));
        RequirementError(format!("{at}{}", e.message()))
    })?;
    let mut found = Vec::new();
    for (name, value) in &table {
        collect(name, value, &mut found)?;
    }
    Ok(found)
}

fn collect(name: &str, value: &Value, found: &mut Vec<Requirement>) -> Result<(), RequirementError> {
    match value {
        Value::String(limit) => found.push(format!("{name} {limit}").parse()?),
        Value::Array(limits) => {
            for limit in limits {
                collect(name, limit, found)?;
            }
        }
        Value::Table(table) => {
            for (last, value) in table {
                collect(&format!("{name}.{last}"), value, found)?;
            }
        }
        other => {
            let example = match other {
                Value::Integer(number) => format!(">= {number}"),
                Value::Float(number) => format!(">= {number}"),
                _ => ">= 30".into(),
            };
            return Err(RequirementError(format!(
                "{name}: write what it must be as a text, for instance {name} = \"{example}\""
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_read_flat_in_tables_and_in_lists() {
        let text = r#"
            # What our product promises.
            setup_ms = "< 500"
            video.psnr_db = ">= 30"
            "video.latency_ms.p95" = "<= 200 ms"
            [audio]
            loss = "< 1%"
            tone_hz = [">= 995", "<= 999"]
        "#;
        let mut found: Vec<String> = read_thresholds(text).unwrap().iter().map(ToString::to_string).collect();
        found.sort();
        assert_eq!(
            found,
            [
                "audio.loss < 1 %",
                "audio.tone_hz <= 999 Hz",
                "audio.tone_hz >= 995 Hz",
                "setup_ms < 500 ms",
                "video.latency_ms.p95 <= 200 ms",
                "video.psnr_db >= 30 dB"
            ]
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_says_where() {
        let error = |text: &str| read_thresholds(text).unwrap_err().to_string();
        assert!(error("a = \"< 1\"\nb b").starts_with("line 2: "), "{}", error("a = \"< 1\"\nb b"));
        assert!(error("video.psnr_db = 30").contains("\">= 30\""));
        assert!(error("[video]\npsnr = \">= 30\"").contains("did you mean video.psnr_db?"));
        assert!(error("[video]\npsnr_db = \"30\"").contains("no comparison"));
    }
}
