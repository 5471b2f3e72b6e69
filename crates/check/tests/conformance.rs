//! Every case passes a correct agent, and fails at least one that does wrong just what the case is about.

mod uas;

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use uas::mischief::Mischief;
use uas::{Manners, Uas, misdeeds};
use visavis_check::{CaseResult, Options, Peer, Verdict, all, run};

/// Agents at one time: few enough that a slow machine answers them in time.
const AT_ONCE: usize = 6;

/// What becomes of one case against one agent.
async fn tried(case: &'static str, manners: Manners, mischief: Mischief) -> CaseResult {
    let uas = Uas::start(manners, mischief).await;
    let peer =
        Peer { uri: format!("sip:uas@{}", uas.address), address: uas.address, local: [127, 0, 0, 1].into() };
    let mut options = Options::new(peer);
    options.only = vec![case.into()];
    options.patience = Duration::from_millis(2500);
    options.wait = Duration::from_millis(100);
    match run(options, |_| {}).await {
        Ok(run) => run.cases.into_iter().next().expect("one case"),
        Err(error) => panic!("{case}: {error}"),
    }
}

/// All cases, each against an agent of its own; those whose verdict is not as expected.
async fn all_against(
    agents: fn(&'static str) -> (Manners, Mischief),
    expected: fn(&Verdict) -> bool,
) -> Vec<String> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = Vec::new();
    for case in all() {
        let places = Arc::clone(&places);
        tasks.push(tokio::spawn(async move {
            let _place = places.acquire().await;
            let (manners, mischief) = agents(case.name);
            tried(case.name, manners, mischief).await
        }));
    }
    let mut odd = Vec::new();
    for task in tasks {
        let result = task.await.expect("no case panics");
        if std::env::var_os("CHECK_VERBOSE").is_some() {
            eprintln!("{:34} {:?} {:.1} s", result.name, result.verdict, result.took_s);
        }
        if !expected(&result.verdict) {
            odd.push(format!("{}: {:?}\n{}", result.name, result.verdict, result.exchange));
        }
    }
    odd
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correct_agent_passes_every_case() {
    let right = |case: &'static str| (misdeeds::manners(case), misdeeds::right(case));
    let odd = all_against(right, |verdict| *verdict == Verdict::Pass).await;
    assert!(odd.is_empty(), "{} cases do not pass:\n{}", odd.len(), odd.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_each_case_there_is_an_agent_that_fails_it() {
    let wrong = |case: &'static str| (misdeeds::wrong_manners(case), misdeeds::wrong(case));
    let odd = all_against(wrong, |verdict| matches!(verdict, Verdict::Fail(_))).await;
    assert!(odd.is_empty(), "{} cases do not fail:\n{}", odd.len(), odd.join("\n"));
}

#[test]
fn there_are_many_cases_and_each_names_its_source() {
    let cases = all();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut names: Vec<&str> = cases.iter().map(|c| c.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    for case in cases {
        assert!(
            case.name.contains('.') && case.rfc.starts_with("RFC ") && !case.section.is_empty(),
            "{case:?}"
        );
        let requirement = case.requirement;
        assert!(requirement.len() < 140 && requirement.ends_with(['.', '"']), "{requirement}");
    }
}
