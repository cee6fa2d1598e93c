// Write an orch-wasm plugin in C: a task is a function from JSON text to JSON text.
//
//   static orch_end greet(orch_text input) { return orch_succeeded(orch_literal("{\"message\":\"hello\"}")); }
//   const orch_task orch_tasks[] = {{"greet", greet, "true", "true"}};
//   const size_t orch_task_count = 1;
#ifndef ORCH_H
#define ORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Text in UTF-8, not terminated.
typedef struct {
  const char *at;
  size_t length;
} orch_text;

orch_text orch_literal(const char *terminated);
bool orch_equal(orch_text text, const char *terminated);

// Text that grows. Start with {0}; orch_discard gives it back. Running out of memory is a trap.
typedef struct {
  char *at;
  size_t length, room;
} orch_buffer;

void orch_add(orch_buffer *buffer, orch_text text);
void orch_addf(orch_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Adds text as a JSON string, with its quotes.
void orch_add_json(orch_buffer *buffer, orch_text text);
orch_text orch_of(const orch_buffer *buffer);
void orch_discard(orch_buffer *buffer);

// How a task ended. The texts are copied when it is made.
typedef struct {
  enum {
    ORCH_SUCCEEDED, ORCH_REJECTED, ORCH_SKIPPED, ORCH_INVALID_INPUT, ORCH_DENIED, ORCH_DEPENDENCY, ORCH_FAILED, ORCH_CANCELLED
  } how;
  orch_text text, more;
  bool retryable;
} orch_end;

// The task did its work; the text is its output, as JSON.
orch_end orch_succeeded(orch_text json);
// It ran well and its answer is no.
orch_end orch_rejected(orch_text json);
// There was nothing to do.
orch_end orch_skipped(orch_text reason);
// The input does not fit: where and why.
orch_end orch_invalid_input(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Something that was not granted was needed.
orch_end orch_denied(orch_text capability, orch_text target);
// Something outside the plugin broke.
orch_end orch_dependency(orch_text target, orch_text message, bool retryable);
// Anything else.
orch_end orch_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
// The host asked the task to stop, and it did.
orch_end orch_cancelled(void);

// A task with its JSON Schemas (draft 2020-12). The plugin defines orch_tasks.
typedef struct {
  const char *name;
  orch_end (*run)(orch_text input);
  const char *input, *output;
} orch_task;

extern const orch_task orch_tasks[];
extern const size_t orch_task_count;

typedef enum { ORCH_TRACE, ORCH_DEBUG, ORCH_INFO, ORCH_WARN, ORCH_ERROR } orch_level;

// Writes a log line. What is printed goes to the log too.
void orch_log(orch_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same with one field.
void orch_log_field(orch_level level, orch_text message, orch_text name, orch_text value);
// Says how far the work is; a total of 0 is not known.
void orch_progress(uint64_t done, uint64_t total, orch_text note);
// Whether the host wants the task to stop; it is ended soon after. Long loops ask now and then.
bool orch_is_cancelled(void);
// Whether something was granted: `fs:<mount>`, `env:<NAME>`. A mount is the folder `/<mount>`: use fopen below it.
bool orch_has_capability(const char *name);

typedef enum { ORCH_HARMLESS, ORCH_LOW, ORCH_MEDIUM, ORCH_HIGH, ORCH_CRITICAL } orch_severity;
typedef enum { ORCH_OPEN, ORCH_PASSED, ORCH_NOT_APPLICABLE, ORCH_UNCHECKED } orch_status;

// One result of one rule. Text of length 0 and a line of 0 are none. The fingerprint names the same problem from run to run: make it
// of rule, path and content, never of a line number alone.
typedef struct {
  orch_text rule;
  orch_severity severity;
  orch_status status;
  orch_text title, detail, fingerprint, path;
  uint32_t line, column;
  orch_text remediation;
  orch_text data; // JSON
} orch_finding;

// Adds a finding to the run. False when the task's limit on findings is reached: then end the task.
bool orch_emit(const orch_finding *finding);

// JSON, read where it stands: nothing is built. The host has checked the input against the schema and that it is JSON.
// The value of a member of an object; of length 0 if there is none.
orch_text orch_member(orch_text object, const char *name);
// Goes through an array: start with {0}, false at its end.
typedef struct {
  size_t next;
} orch_cursor;
bool orch_next(orch_text array, orch_cursor *cursor, orch_text *item);
// Adds a JSON string to a buffer, as text. False if it is no string.
bool orch_string(orch_text json, orch_buffer *text);

#endif
