//! What a task runs for: combinations of a matrix are made here, a list is left to the run.

use super::file::{Call, Known, Planner, Readiness};
use super::types::{Each, Strategy};
use crate::read::{Reader, shown};
use crate::workflow::{self, AxisValues, EachWritten, Matrix, Task};
use orch_core::{Code, Diagnostic, visible};
use serde_json::Value;

/// Bytes of the combinations of one matrix.
const LARGEST: usize = 4 << 20;
/// Bytes of all combinations of a plan.
const LARGEST_OF_ALL: usize = 16 << 20;

/// What is left for combinations.
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Budget {
        Budget(LARGEST_OF_ALL)
    }
}

impl Planner<'_> {
    /// What a task runs for; `None` when that cannot be known.
    pub(super) fn strategy(
        &mut self,
        reader: &mut Reader<'_>,
        call: &Call<'_>,
        task: &Task,
        written: &workflow::Strategy,
        too_late: &mut Vec<(String, String)>,
    ) -> Option<Strategy> {
        let each = match &written.each {
            EachWritten::Items { list, .. } => Each::Items(list.clone()),
            EachWritten::Matrix(matrix) => Each::Matrix(self.combinations(reader, call, task, matrix, too_late)?),
            EachWritten::Unknown => return None,
        };
        Some(Strategy { each, max_parallel: written.max_parallel, fail_fast: written.fail_fast })
    }

    fn combinations(
        &mut self,
        reader: &mut Reader<'_>,
        call: &Call<'_>,
        task: &Task,
        matrix: &Matrix,
        too_late: &mut Vec<(String, String)>,
    ) -> Option<Vec<Value>> {
        let mut axes = Vec::with_capacity(matrix.axes.len());
        let mut complete = true;
        for axis in &matrix.axes {
            let both = match &axis.values {
                AxisValues::Literal(values) => {
                    axes.push((axis.name.clone(), values.clone()));
                    continue;
                }
                AxisValues::Expression(both) => both,
            };
            complete &= match call.known.readiness([&both.1]) {
                Readiness::Wrong => false,
                Readiness::Late(input) => {
                    too_late.push((input, format!("the axis `{}` of its task `{}`", axis.name, task.id)));
                    false
                }
                Readiness::Ready => match Known::render(&both.0, &call.known.values) {
                    Ok(Value::Array(values)) => {
                        axes.push((axis.name.clone(), values));
                        true
                    }
                    Ok(other) => {
                        let other = shown(&other.to_string());
                        let message = format!("the axis `{}` is a list, and this is `{other}`", axis.name);
                        reader.error(Code::WrongType, &axis.span, message);
                        false
                    }
                    Err(error) => {
                        let message = visible(&error.message).into_owned();
                        reader.error(Code::InvalidExpression, &axis.span, message);
                        false
                    }
                },
            };
        }
        if !complete {
            return None;
        }
        let made = match matrix.combinations(&axes, LARGEST.min(self.budget.0)) {
            Ok(made) => made,
            Err((code, message)) => {
                reader.error(code, &matrix.span, message);
                return None;
            }
        };
        self.budget.0 = self.budget.0.saturating_sub(made.weight);
        for index in made.useless {
            let message = format!("this `exclude` of the task `{}` takes nothing away", task.id);
            let span = matrix.exclude[index].1.clone();
            reader.push(Diagnostic::warning(Code::Contradiction, &reader.source.name, span, message));
        }
        Some(made.all)
    }
}
