"""What the component exports. It imports the plugin's own module, `app`, whose tasks register themselves."""

import app  # noqa: F401
import orch
from componentize_py_types import Err
from wit_world.imports import task_types as types


class Runner:
    def run(self, task: str, input: str) -> types.Outcome:
        try:
            result = orch.dispatch(task, input)
            if isinstance(result, orch.Skipped):
                return types.Outcome_Skipped(result.reason)
            try:
                if isinstance(result, orch.Rejected):
                    return types.Outcome_Rejected(orch.encode(result.output))
                return types.Outcome_Succeeded(orch.encode(result))
            except (TypeError, ValueError) as error:
                raise orch.Failed(f"the output is no JSON: {error}") from None
        except orch.InvalidInput as error:
            raise Err(types.TaskError_InvalidInput(str(error))) from None
        except orch.Denied as error:
            raise Err(types.TaskError_Denied(types.Denial(error.capability, error.target))) from None
        except orch.Dependency as error:
            raise Err(types.TaskError_Dependency(types.Fault(error.target, error.message, error.retryable))) from None
        except orch.Cancelled:
            raise Err(types.TaskError_Cancelled()) from None
        except orch.TaskError as error:
            raise Err(types.TaskError_Failed(str(error))) from None
