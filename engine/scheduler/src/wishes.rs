//! What people want of a run, taken into its log.

use crate::dispatch::{RunError, Running};
use crate::state::RunState;
use crate::status::Status;
use orch_core::{Answer, CancelReason, Digest, Event, Person, StepId, Timestamp, Wish};
use orch_workflow::PlannedKind;

impl Running<'_> {
    /// Takes up what people want and the log does not have yet.
    pub(crate) fn take_wishes(&mut self) -> Result<(), RunError> {
        for (number, wish) in self.dispatcher.store.wishes(&self.run)? {
            match wish {
                Wish::Cancel { by, undo } => self.cancel(CancelReason::Requested, Some(by), undo)?,
                Wish::Answer { task, answer, by, plan_hash, comment, at } => {
                    match self.state.refuses(&task, answer, &by, &plan_hash, at) {
                        None => self.happened(Event::TaskAnswered { task, answer, by, comment })?,
                        Some(reason) => self.happened(Event::AnswerRefused { task, by, reason })?,
                    }
                }
            }
            self.wished = Some(number);
        }
        Ok(())
    }
}

impl RunState {
    /// Why an answer that is given at a time would not count, if so.
    pub fn refuses(
        &self,
        task: &StepId,
        answer: Answer,
        by: &Person,
        plan_hash: &Digest,
        at: Timestamp,
    ) -> Option<String> {
        if *plan_hash != self.plan.hash() {
            return Some("it is an answer to another plan".to_owned());
        }
        let Some(step) = self.find(task) else {
            return Some("there is no such task in this run".to_owned());
        };
        match (self.step(step).status, answer) {
            (Status::Asking, Answer::Approve | Answer::Reject) => {
                let PlannedKind::Approval(approval) = &self.plan.tasks()[step.task].kind else { return None };
                if self.tasks[step.task].expires.is_some_and(|expires| at > expires) {
                    return Some("it came too late: the time to answer is over".to_owned());
                }
                if let Err(reason) = approval.may_answer(by, self.requester.as_ref()) {
                    return Some(reason);
                }
                let twice = self.tasks[step.task].answers.iter().any(|(other, _)| other.name == by.name);
                twice.then(|| format!("`{}` has answered already", by.name))
            }
            (Status::Unknown { .. }, Answer::Again | Answer::Succeeded | Answer::Failed) => None,
            (Status::Asking, _) => Some("it waits to be approved or rejected".to_owned()),
            (Status::Unknown { .. }, _) => Some("its end is unknown: it waits to be settled".to_owned()),
            (status, _) => Some(format!("it does not wait for an answer: it is {}", status.words())),
        }
    }
}
