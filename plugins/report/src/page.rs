//! The page itself: what changed, charts, and a table of the findings.

use crate::chart;
use crate::markup::{Text, short};
use crate::task::{Contents, SEVERITIES, word};
use orch_sdk::{Finding, Status};
use std::fmt::Write;

/// Texts of findings are cut here.
const LONGEST_TITLE: usize = 300;
const LONGEST_DETAIL: usize = 4_000;
const MOST_REFERENCES: usize = 10;

/// Colours that can be told apart without seeing red or green, with enough contrast on both backgrounds.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
h1{margin-bottom:0}.at{opacity:.7;margin-top:0}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1.5rem}\
svg{width:100%;height:auto;font-size:13px;fill:currentColor}.name{text-anchor:end}svg .name{text-anchor:end}\
.critical{fill:#7b1fa2;background:#7b1fa2}.high{fill:#d32f2f;background:#d32f2f}.medium{fill:#ef8c00;background:#b36800}\
.low{fill:#1e88e5;background:#1669ad}.info{fill:#78909c;background:#546e7a}\
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #8884}\
td.where,td.rule{overflow-wrap:anywhere;font-family:ui-monospace,monospace;font-size:13px}\
.tag{color:#fff;border-radius:.3rem;padding:.05rem .45rem;white-space:nowrap}.new{background:#00796b}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}";

/// The whole page.
pub(crate) fn page(contents: &Contents<'_>) -> String {
    let title = Text(&contents.input.title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}</h1>\n<p class=\"at\">{} UTC</p>\n",
        Text(&contents.at)
    );
    if !contents.input.description.is_empty() {
        let _ = writeln!(html, "<p>{}</p>", Text(&contents.input.description));
    }
    summary(&mut html, contents);
    html.push_str("<div class=\"charts\">\n");
    figure(&mut html, "By severity", &chart::severities(&contents.open));
    if !contents.groups.is_empty() {
        figure(&mut html, "By task", &chart::tasks(contents.groups));
    }
    if contents.points.len() > 1 {
        figure(&mut html, "Trend", &chart::trend(&contents.points));
    }
    html.push_str("</div>\n");
    tables(&mut html, contents);
    html.push_str("</body>\n</html>\n");
    html
}

fn figure(html: &mut String, caption: &str, svg: &str) {
    let _ = writeln!(html, "<figure><figcaption>{caption}</figcaption>{svg}</figure>");
}

fn summary(html: &mut String, contents: &Contents<'_>) {
    html.push_str("<p>");
    if let Some(outcome) = &contents.input.outcome {
        let _ = write!(html, "The run <strong>{}</strong>. ", Text(&short(outcome, LONGEST_TITLE)));
    }
    let open: usize = contents.open.iter().sum();
    let _ = write!(html, "{open} open");
    for (status, count) in contents.by_status.iter().filter(|(status, _)| *status != "open") {
        let _ = write!(html, ", {count} {}", Text(status));
    }
    html.push('.');
    if let Some(since) = contents.since {
        let _ = write!(
            html,
            " Since the last run: <strong>{} new</strong>, {} fixed, {} as before.",
            since.new, since.fixed, since.same
        );
    }
    html.push_str("</p>\n");
}

/// Open ones first and the worst first; then what could not be looked at, what does not apply, and what holds.
fn tables(html: &mut String, contents: &Contents<'_>) {
    let order = |finding: &Finding| match finding.status {
        Status::Open => 0,
        Status::Error => 1,
        Status::NotApplicable => 2,
        Status::Passed => 3,
    };
    let mut all: Vec<(&str, &Finding)> = contents
        .groups
        .iter()
        .flat_map(|group| group.findings.iter().map(|finding| (group.task.as_str(), finding)))
        .collect();
    all.sort_by_key(|(_, finding)| (order(finding), std::cmp::Reverse(finding.severity)));
    if all.is_empty() {
        html.push_str("<p>Nothing was found.</p>\n");
        return;
    }
    html.push_str(
        "<table>\n<thead><tr><th>severity</th><th>status</th><th>task</th><th>rule</th><th>where</th><th>what</th></tr></thead>\n<tbody>\n",
    );
    for (task, finding) in all.iter().take(contents.most_listed) {
        row(html, task, finding, contents);
    }
    html.push_str("</tbody>\n</table>\n");
    if all.len() > contents.most_listed {
        let _ = writeln!(html, "<p>{} more are counted and not listed.</p>", all.len() - contents.most_listed);
    }
}

fn row(html: &mut String, task: &str, finding: &Finding, contents: &Contents<'_>) {
    let severity = SEVERITIES[finding.severity as usize].1;
    let is_new = finding.status == Status::Open && contents.fresh.contains(finding.fingerprint.as_str());
    let new = if is_new { " <span class=\"tag new\">new</span>" } else { "" };
    let place = finding.location.as_ref().map_or_else(String::new, |at| match at.line {
        Some(line) => format!("{}:{line}", at.path),
        None => at.path.clone(),
    });
    let _ = write!(
        html,
        "<tr><td><span class=\"tag {severity}\">{severity}</span></td><td>{}{new}</td><td>{}</td><td class=\"rule\">{}</td>\
         <td class=\"where\">{}</td><td>{}",
        word(finding.status),
        Text(&short(task, LONGEST_TITLE)),
        Text(&short(&finding.rule, LONGEST_TITLE)),
        Text(&short(&place, LONGEST_TITLE)),
        Text(&short(&finding.title, LONGEST_TITLE)),
    );
    more(html, finding);
    html.push_str("</td></tr>\n");
}

/// What is folded away until somebody wants it.
fn more(html: &mut String, finding: &Finding) {
    // An address of another kind (`javascript:`, `data:`) would run or show something of the guest's.
    let is_address = |address: &&String| address.starts_with("https://") || address.starts_with("http://");
    let references: Vec<&String> = finding.references.iter().take(MOST_REFERENCES).collect();
    if finding.detail.is_none() && finding.remediation.is_none() && references.is_empty() {
        return;
    }
    html.push_str("<details><summary>more</summary>");
    if let Some(detail) = &finding.detail {
        let _ = write!(html, "<pre>{}</pre>", Text(&short(detail, LONGEST_DETAIL)));
    }
    if let Some(remediation) = &finding.remediation {
        let _ = write!(html, "<p><strong>Fix:</strong> {}</p>", Text(&short(remediation, LONGEST_DETAIL)));
    }
    if !references.is_empty() {
        html.push_str("<ul>");
        for reference in references {
            let shown = Text(reference);
            if is_address(&reference) {
                let _ = write!(html, "<li><a rel=\"noopener noreferrer\" href=\"{shown}\">{shown}</a></li>");
            } else {
                let _ = write!(html, "<li>{shown}</li>");
            }
        }
        html.push_str("</ul>");
    }
    html.push_str("</details>");
}
