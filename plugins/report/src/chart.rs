//! Charts in SVG. Each says in words what it shows, for those who cannot see it; numbers stand beside the bars.

use crate::markup::{Text, short};
use crate::task::{Group, SEVERITIES, counts};
use crate::trend::{Counts, Point};
use std::fmt::Write;

/// Width of a chart in its own units; the page scales it.
const WIDTH: usize = 640;
const ROW: usize = 26;
/// Where bars begin, right of their names, and how long the longest one is, left of its number.
const LEFT: usize = 150;
const LONGEST: usize = WIDTH - LEFT - 50;

/// Names in a chart are cut here; the table has them whole.
const LONGEST_NAME: usize = 20;

/// Open findings by severity, the worst first.
pub(crate) fn severities(open: &Counts) -> String {
    let most = open.iter().copied().max().unwrap_or(0);
    let rows = SEVERITIES.iter().zip(open).rev().map(|((_, name), &count)| (*name, vec![(*name, count)]));
    bars("Open findings by severity", rows.collect::<Vec<_>>().as_slice(), most)
}

/// Open findings by task, each bar in the colours of its severities.
pub(crate) fn tasks(groups: &[Group]) -> String {
    let rows: Vec<(&str, Vec<(&str, usize)>)> = groups
        .iter()
        .map(|group| {
            let open = counts(&group.findings);
            let parts = SEVERITIES.iter().zip(open).rev().map(|((_, name), count)| (*name, count));
            (group.task.as_str(), parts.collect())
        })
        .collect();
    let most = rows.iter().map(|(_, parts)| sum(parts)).max().unwrap_or(0);
    bars("Open findings by task", &rows, most)
}

fn sum(parts: &[(&str, usize)]) -> usize {
    parts.iter().map(|(_, count)| count).sum()
}

fn bars(title: &str, rows: &[(&str, Vec<(&str, usize)>)], most: usize) -> String {
    let height = rows.len() * ROW + 4;
    let mut svg = begin(title, height);
    for (number, (name, parts)) in rows.iter().enumerate() {
        let top = number * ROW + 4;
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" class=\"name\">{}</text>",
            LEFT - 8,
            top + 15,
            Text(&short(name, LONGEST_NAME))
        );
        let mut left = LEFT;
        for (class, count) in parts.iter().filter(|(_, count)| *count > 0) {
            // What is there is seen, however little it is beside the rest.
            let width = (count * LONGEST / most.max(1)).max(2);
            let _ = write!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{}\" class=\"{class}\"><title>{class}: {count}</title></rect>",
                ROW - 6
            );
            left += width;
        }
        let _ = write!(svg, "<text x=\"{}\" y=\"{}\">{}</text>", left + 6, top + 15, sum(parts));
    }
    svg.push_str("</svg>");
    svg
}

/// Open findings of the runs before and of this one, the oldest at the left.
pub(crate) fn trend(points: &[Point]) -> String {
    const HEIGHT: usize = 180;
    const FOOT: usize = 20;
    let most = points.iter().map(|point| point.open.iter().sum::<usize>()).max().unwrap_or(0).max(1);
    let mut svg = begin("Open findings of the runs, the oldest at the left", HEIGHT + FOOT);
    let step = (WIDTH / points.len().max(1)).min(60);
    for (number, point) in points.iter().enumerate() {
        let total: usize = point.open.iter().sum();
        let left = number * step;
        let mut bottom = HEIGHT;
        for ((_, name), count) in SEVERITIES.iter().zip(point.open).filter(|(_, count)| *count > 0) {
            let height = (count * (HEIGHT - 20) / most).max(1);
            bottom = bottom.saturating_sub(height);
            let _ = write!(
                svg,
                "<rect x=\"{left}\" y=\"{bottom}\" width=\"{}\" height=\"{height}\" class=\"{name}\"><title>{}: {count} {name}</title></rect>",
                step - 4,
                Text(&point.at)
            );
        }
        let _ = write!(svg, "<text x=\"{}\" y=\"{}\">{total}</text>", left, bottom.saturating_sub(4).max(10));
    }
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        let bottom = HEIGHT + FOOT - 4;
        let _ = write!(svg, "<text x=\"0\" y=\"{bottom}\">{}</text>", Text(&first.at));
        if points.len() > 4 {
            let right = (points.len() * step).min(WIDTH);
            let _ = write!(svg, "<text x=\"{right}\" y=\"{bottom}\" class=\"name\">{}</text>", Text(&last.at));
        }
    }
    svg.push_str("</svg>");
    svg
}

fn begin(title: &str, height: usize) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">")
}
