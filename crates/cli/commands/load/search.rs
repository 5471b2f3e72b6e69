//! The highest clean rate, step by step.

use super::table::{self, Table, millis};
use super::{follow, view};
use crate::Failure;
use crate::args::{LoadArgs, Rates, SearchArgs};
use crate::output::Output;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;
use visavis::load::{Clean, Load, Plan, Ramp, Search, Tally};

/// What peer and machine have between two steps.
const REST: Duration = Duration::from_secs(1);

pub(super) async fn run(
    args: &LoadArgs,
    between: Rates,
    plan: Plan,
    output: &Output,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), Failure> {
    let SearchArgs { step, precision, tries, .. } = args.search;
    if between.from > between.to || !(0.1..=100.0).contains(&precision) {
        return Err(Failure::Usage("--search goes from a low rate up to a high one, 10..1000, to a --precision of 0.1 to 100 per cent".into()));
    }
    let clean = Clean {
        success: args.search.clean_success / 100.0,
        retransmissions: args.search.clean_retransmissions / 100.0,
        ..Clean::default()
    };
    let mut table = args.csv.as_deref().map(|p| Table::create(p, &table::STEP)).transpose()?;
    let mut search = Search::new(between.from, between.to, precision / 100.0, tries);
    output.say(format!(
        "looking for the highest clean rate to {}, {} to {} calls a second, in steps of {} s",
        args.uri,
        between.from,
        between.to,
        step.as_secs_f64()
    ));
    while let Some(rate) = search.next() {
        let calls = Search::calls(rate, step);
        let plan = Plan { ramp: Ramp::steady(rate), calls, rows: false, ..plan.clone() };
        let ran = follow(Load::start(plan)?, output, stop, |_, _| {}).await;
        if ran.interrupted {
            break;
        }
        let objection = clean.objection(rate, &ran.tally);
        say(output, rate, &ran.tally, objection.as_deref());
        if let Some(table) = &mut table {
            table.add(row(rate, &ran.tally, objection.as_deref()));
        }
        search.took(objection.is_none());
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    let (highest, complete) = (search.highest(), search.next().is_none());
    output.event("load-search", || {
        json!({
            "target": args.uri, "highest_clean_rate": highest, "complete": complete,
            "precision": precision / 100.0, "step_s": step.as_secs_f64(),
        })
    });
    if let Some(table) = table {
        output.say(format!("  {}", table.finish()?));
    }
    let stopped = if complete { "" } else { " so far: the search was stopped" };
    match highest {
        Some(rate) => {
            output.say(format!("highest clean rate: {rate:.1} calls a second{stopped}"));
            Ok(())
        }
        None => {
            output.say(format!("highest clean rate: none{stopped}"));
            Err(Failure::Bad)
        }
    }
}

fn say(output: &Output, rate: f64, tally: &Tally, objection: Option<&str>) {
    output.event("load-step", || {
        let mut event = view::figures(tally);
        event.insert("step_rate".into(), json!(rate));
        event.insert("clean".into(), json!(objection.is_none()));
        event.insert("objection".into(), json!(objection));
        Value::Object(event)
    });
    let p99 = millis(tally.answer.quantile(0.99));
    let p99 = if p99.is_empty() { "unknown".into() } else { format!("{p99} ms") };
    let word = objection.map_or_else(|| "clean".into(), |why| format!("not clean: {why}"));
    output
        .say(format!("  {rate:>9.1} a second, {:>6} calls, answered within p99 {p99}: {word}", tally.placed));
}

fn row(rate: f64, tally: &Tally, objection: Option<&str>) -> [String; 7] {
    [
        format!("{rate:.3}"),
        tally.placed.to_string(),
        tally.good.to_string(),
        tally.retransmissions.to_string(),
        tally.rate().map_or_else(String::new, |rate| format!("{rate:.3}")),
        millis(tally.answer.quantile(0.99)),
        objection.unwrap_or_default().to_owned(),
    ]
}
