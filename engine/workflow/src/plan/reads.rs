//! Which inputs a planned task looks at: a result holds only as long as they are the same.

use super::types::{Each, PlannedKind, PlannedTask};
use crate::expr::{Expr, Template, references};

impl PlannedTask {
    /// Whether one of its expressions looks at an input of its file. For a task that runs another file this is about what it passes
    /// on: the tasks inside look at the inputs of that file.
    pub fn reads_input(&self, name: &str) -> bool {
        self.expressions()
            .into_iter()
            .any(|expr| references(expr).inputs.iter().any(|read| read.as_ref().is_none_or(|read| read == name)))
    }

    fn expressions(&self) -> Vec<&Expr> {
        let mut all: Vec<&Expr> = self.condition.iter().collect();
        let mut templates: Vec<&Template> = self.outputs.iter().flatten().map(|(_, template)| template).collect();
        if let Some(Each::Items(template)) = self.strategy.as_ref().map(|strategy| &strategy.each) {
            templates.push(template);
        }
        match &self.kind {
            PlannedKind::Plugin(plugin) => templates.push(&plugin.with),
            PlannedKind::Gate(gate) => all.extend(gate.checks().iter().map(|check| &check.assert)),
            PlannedKind::Approval(approval) => templates.push(&approval.prompt),
            PlannedKind::Workflow(nested) => templates.extend(nested.inputs.iter().map(|input| &input.value)),
        }
        templates.into_iter().for_each(|template| template.expressions(&mut all));
        all
    }
}
