//! JUnit XML, in the form that CI systems read: a suite for each task, a case for each finding or check.

use crate::view::{RunView, TaskRow, TaskState};
use orch_core::{CheckVerdict, Finding, FindingStatus, TaskOutcome, visible_multiline};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// A run as JUnit XML.
pub fn junit(view: &RunView) -> String {
    let mut report = Report::new(view.workflow.as_str());
    report.set_time(Duration::from_millis(view.elapsed_ms()));
    let waived = view.waived();
    for task in view.rows() {
        let mut suite = TestSuite::new(task.id.as_str());
        suite.set_time(Duration::from_millis(task.usage.wall_ms));
        suite.add_test_case(task_case(task));
        for finding in &task.findings {
            suite.add_test_case(finding_case(task, finding, waived.contains(finding.fingerprint.as_str())));
        }
        for check in task.decision.iter().flat_map(|decision| &decision.checks) {
            let status = match check.verdict {
                CheckVerdict::Passed => TestCaseStatus::success(),
                CheckVerdict::Failed => broken(NonSuccessKind::Failure, &check.assert, check.detail.as_deref()),
                CheckVerdict::Errored => broken(NonSuccessKind::Error, &check.assert, check.detail.as_deref()),
                CheckVerdict::Warned => skipped(check.detail.as_deref().unwrap_or("does not hold, and only warns")),
            };
            suite.add_test_case(case(&format!("check {}", check.id), task.id.as_str(), status));
        }
        report.add_test_suite(suite);
    }
    let text = report.to_string().unwrap_or_else(|error| format!("<!-- the report cannot be written: {error} -->"));
    // The writer takes out what XML forbids; what acts and is allowed is made visible here, names and times included.
    visible_multiline(&text).into_owned()
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(visible_multiline(name).into_owned(), status);
    case.set_classname(visible_multiline(class).into_owned());
    case
}

fn broken(kind: NonSuccessKind, message: &str, detail: Option<&str>) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(visible_multiline(message).into_owned());
    if let Some(detail) = detail {
        status.set_description(visible_multiline(detail).into_owned());
    }
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(visible_multiline(message).into_owned());
    status
}

/// The task itself, so that one that broke before it found anything is seen.
fn task_case(task: &TaskRow) -> TestCase {
    let reason = task.failure.as_ref().map(|failure| failure.message.as_str()).or(task.reason.as_deref());
    let status = match &task.state {
        TaskState::Done { outcome } => match outcome {
            TaskOutcome::Succeeded => TestCaseStatus::success(),
            TaskOutcome::Skipped | TaskOutcome::Unreachable | TaskOutcome::Cancelled => {
                skipped(reason.unwrap_or(outcome.word()))
            }
            // The gate's checks are cases of their own.
            TaskOutcome::Blocked => TestCaseStatus::success(),
            TaskOutcome::Failed | TaskOutcome::Rejected => broken(NonSuccessKind::Failure, outcome.word(), reason),
            TaskOutcome::Errored | TaskOutcome::TimedOut => broken(NonSuccessKind::Error, outcome.word(), reason),
        },
        TaskState::Waiting
        | TaskState::Running { .. }
        | TaskState::Retrying { .. }
        | TaskState::Asking { .. }
        | TaskState::Unknown => skipped("not finished"),
    };
    let mut case = case("task", task.id.as_str(), status);
    case.set_time(Duration::from_millis(task.usage.wall_ms));
    case
}

fn finding_case(task: &TaskRow, finding: &Finding, waived: bool) -> TestCase {
    let place = finding.location.as_ref().map_or_else(String::new, |at| match at.line {
        Some(line) => format!(" {}:{line}", at.path),
        None => format!(" {}", at.path),
    });
    let status = match finding.status {
        FindingStatus::Open if waived => skipped("waived"),
        FindingStatus::Open => {
            let message = format!("{}: {}", finding.severity, finding.title);
            let mut detail = finding.detail.clone().unwrap_or_default();
            if let Some(remediation) = &finding.remediation {
                detail = format!("{detail}\n{remediation}").trim().to_owned();
            }
            broken(NonSuccessKind::Failure, &message, Some(detail.as_str()).filter(|text| !text.is_empty()))
        }
        FindingStatus::Passed => TestCaseStatus::success(),
        FindingStatus::NotApplicable => skipped("not applicable"),
        FindingStatus::Error => broken(NonSuccessKind::Error, &finding.title, finding.detail.as_deref()),
    };
    case(&format!("{}{place}", finding.rule), task.id.as_str(), status)
}
