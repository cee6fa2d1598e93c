// The contract in the words of C: see orch.h.

#include "orch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/task.h"

// The bindings want an object beside them that carries the world's type; `plugin build` puts the type in by itself.
void __component_type_object_force_link_task(void) {}

orch_text orch_literal(const char *terminated) { return (orch_text){terminated, strlen(terminated)}; }

bool orch_equal(orch_text text, const char *terminated) {
  return text.length == strlen(terminated) && memcmp(text.at, terminated, text.length) == 0;
}

orch_text orch_of(const orch_buffer *buffer) { return (orch_text){buffer->at, buffer->length}; }

void orch_discard(orch_buffer *buffer) {
  free(buffer->at);
  *buffer = (orch_buffer){0};
}

// The byte behind the text is always there and zero, so that it can be a path.
void orch_add(orch_buffer *buffer, orch_text text) {
  if (buffer->room - buffer->length <= text.length) {
    size_t room = buffer->room * 2 > buffer->length + text.length + 1 ? buffer->room * 2 : buffer->length + text.length + 1;
    char *grown = realloc(buffer->at, room);
    if (grown == NULL) abort();
    buffer->at = grown, buffer->room = room;
  }
  if (text.length > 0) memcpy(buffer->at + buffer->length, text.at, text.length);
  buffer->length += text.length;
  buffer->at[buffer->length] = 0;
}

static void addv(orch_buffer *buffer, const char *format, va_list values) {
  va_list again;
  va_copy(again, values);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  char *text = malloc((size_t)length + 1);
  if (length < 0 || text == NULL) abort();
  vsnprintf(text, (size_t)length + 1, format, values);
  orch_add(buffer, (orch_text){text, (size_t)length});
  free(text);
}

void orch_addf(orch_buffer *buffer, const char *format, ...) {
  va_list values;
  va_start(values, format);
  addv(buffer, format, values);
  va_end(values);
}

void orch_add_json(orch_buffer *buffer, orch_text text) {
  orch_add(buffer, orch_literal("\""));
  for (size_t at = 0; at < text.length; at++) {
    unsigned char byte = (unsigned char)text.at[at];
    if (byte == '"' || byte == '\\') orch_addf(buffer, "\\%c", byte);
    else if (byte < 0x20) orch_addf(buffer, "\\u%04x", byte);
    else orch_add(buffer, (orch_text){text.at + at, 1});
  }
  orch_add(buffer, orch_literal("\""));
}

static orch_text copy(orch_text text) {
  orch_buffer own = {0};
  orch_add(&own, text);
  return orch_of(&own);
}

orch_end orch_succeeded(orch_text json) { return (orch_end){.how = ORCH_SUCCEEDED, .text = copy(json)}; }
orch_end orch_rejected(orch_text json) { return (orch_end){.how = ORCH_REJECTED, .text = copy(json)}; }
orch_end orch_skipped(orch_text reason) { return (orch_end){.how = ORCH_SKIPPED, .text = copy(reason)}; }
orch_end orch_cancelled(void) { return (orch_end){.how = ORCH_CANCELLED}; }

orch_end orch_denied(orch_text capability, orch_text target) {
  return (orch_end){.how = ORCH_DENIED, .text = copy(capability), .more = copy(target)};
}

orch_end orch_dependency(orch_text target, orch_text message, bool retryable) {
  return (orch_end){.how = ORCH_DEPENDENCY, .text = copy(target), .more = copy(message), .retryable = retryable};
}

orch_end orch_invalid_input(const char *format, ...) {
  orch_buffer text = {0};
  va_list values;
  va_start(values, format);
  addv(&text, format, values);
  va_end(values);
  return (orch_end){.how = ORCH_INVALID_INPUT, .text = orch_of(&text)};
}

orch_end orch_failed(const char *format, ...) {
  orch_buffer text = {0};
  va_list values;
  va_start(values, format);
  addv(&text, format, values);
  va_end(values);
  return (orch_end){.how = ORCH_FAILED, .text = orch_of(&text)};
}

// The bindings only read what they are given for an import.
static task_string_t bound(orch_text text) { return (task_string_t){(uint8_t *)text.at, text.length}; }

void orch_log(orch_level level, const char *format, ...) {
  orch_buffer text = {0};
  va_list values;
  va_start(values, format);
  addv(&text, format, values);
  va_end(values);
  task_string_t message = bound(orch_of(&text));
  task_list_tuple2_string_string_t none = {NULL, 0};
  orch_task_report_log((uint8_t)level, &message, &none);
  orch_discard(&text);
}

void orch_log_field(orch_level level, orch_text message, orch_text name, orch_text value) {
  task_string_t text = bound(message);
  task_tuple2_string_string_t field = {bound(name), bound(value)};
  task_list_tuple2_string_string_t fields = {&field, 1};
  orch_task_report_log((uint8_t)level, &text, &fields);
}

void orch_progress(uint64_t done, uint64_t total, orch_text note) {
  task_string_t text = bound(note);
  orch_task_report_progress(done, total == 0 ? NULL : &total, note.length == 0 ? NULL : &text);
}

bool orch_is_cancelled(void) { return orch_task_context_is_cancelled(); }

bool orch_has_capability(const char *name) {
  task_string_t text = bound(orch_literal(name));
  return orch_task_context_has_capability(&text);
}

static task_option_string_t optional(orch_text text) { return (task_option_string_t){text.length > 0, bound(text)}; }
static task_option_u32_t number(uint32_t value) { return (task_option_u32_t){value > 0, value}; }

bool orch_emit(const orch_finding *finding) {
  orch_task_findings_location_t place = {bound(finding->path), number(finding->line), number(finding->column), number(0)};
  orch_task_findings_finding_t one = {
      .rule = bound(finding->rule),
      .severity = (uint8_t)finding->severity,
      .status = (uint8_t)finding->status,
      .title = bound(finding->title),
      .detail = optional(finding->detail),
      .fingerprint = bound(finding->fingerprint),
      .location = {finding->path.length > 0, place},
      .remediation = optional(finding->remediation),
      .references = {NULL, 0},
      .data = {finding->data.length > 0, bound(finding->data)},
  };
  orch_task_findings_list_finding_t all = {&one, 1};
  uint32_t held;
  task_string_t refused;
  if (orch_task_findings_emit(&all, &held, &refused)) return true;
  orch_log(ORCH_ERROR, "%.*s", (int)refused.len, (const char *)refused.ptr);
  task_string_free(&refused);
  return false;
}

static orch_end described(void) {
  orch_buffer all = {0};
  for (size_t task = 0; task < orch_task_count; task++) {
    orch_addf(&all, "%s", task == 0 ? "{" : ",");
    orch_add_json(&all, orch_literal(orch_tasks[task].name));
    orch_addf(&all, ":{\"input\":%s,\"output\":%s}", orch_tasks[task].input, orch_tasks[task].output);
  }
  orch_addf(&all, "}");
  return (orch_end){.how = ORCH_SUCCEEDED, .text = orch_of(&all)};
}

static orch_end dispatch(orch_text name, orch_text input) {
  if (orch_equal(name, "orch:describe")) return described();
  for (size_t task = 0; task < orch_task_count; task++)
    if (orch_equal(name, orch_tasks[task].name)) return orch_tasks[task].run(input);
  return orch_invalid_input("no task `%.*s` in this plugin", (int)name.length, name.at);
}

bool exports_orch_task_runner_run(
    task_string_t *task, exports_orch_task_runner_json_t *input, exports_orch_task_runner_outcome_t *outcome,
    exports_orch_task_runner_task_error_t *error) {
  orch_end end = dispatch((orch_text){(char *)task->ptr, task->len}, (orch_text){(char *)input->ptr, input->len});
  task_string_free(task);
  task_string_free(input);
  task_string_t text = bound(end.text), more = bound(end.more);
  switch (end.how) {
    case ORCH_SUCCEEDED: outcome->tag = ORCH_TASK_TASK_TYPES_OUTCOME_SUCCEEDED, outcome->val.succeeded = text; return true;
    case ORCH_REJECTED: outcome->tag = ORCH_TASK_TASK_TYPES_OUTCOME_REJECTED, outcome->val.rejected = text; return true;
    case ORCH_SKIPPED: outcome->tag = ORCH_TASK_TASK_TYPES_OUTCOME_SKIPPED, outcome->val.skipped = text; return true;
    case ORCH_INVALID_INPUT:
      error->tag = ORCH_TASK_TASK_TYPES_TASK_ERROR_INVALID_INPUT, error->val.invalid_input = text;
      return false;
    case ORCH_DENIED:
      error->tag = ORCH_TASK_TASK_TYPES_TASK_ERROR_DENIED;
      error->val.denied = (orch_task_task_types_denial_t){text, more};
      return false;
    case ORCH_DEPENDENCY:
      error->tag = ORCH_TASK_TASK_TYPES_TASK_ERROR_DEPENDENCY;
      error->val.dependency = (orch_task_task_types_fault_t){text, more, end.retryable};
      return false;
    case ORCH_CANCELLED: error->tag = ORCH_TASK_TASK_TYPES_TASK_ERROR_CANCELLED; return false;
    case ORCH_FAILED: break;
  }
  error->tag = ORCH_TASK_TASK_TYPES_TASK_ERROR_FAILED, error->val.failed = text;
  return false;
}
