// Finds TODO and FIXME marks in the files that the input names. The tasks in contract.c are for the tests of the contract.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"

static const char input_schema[] =
    "{\"type\":\"object\",\"properties\":{\"files\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
    "\"description\":\"files below the mount `source`\"}},\"required\":[\"files\"],\"additionalProperties\":false}";
static const char output_schema[] =
    "{\"type\":\"object\",\"properties\":{\"files\":{\"type\":\"integer\"},\"marks\":{\"type\":\"integer\"}},"
    "\"required\":[\"files\",\"marks\"],\"additionalProperties\":false}";

bool read_file(const char *path, orch_buffer *text) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  char chunk[4096];
  for (size_t count; (count = fread(chunk, 1, sizeof chunk, file)) > 0;) orch_add(text, (orch_text){chunk, count});
  int broken = ferror(file);
  fclose(file);
  return !broken;
}

static orch_text trimmed(orch_text line) {
  while (line.length > 0 && (unsigned char)line.at[0] <= ' ') line.at++, line.length--;
  while (line.length > 0 && (unsigned char)line.at[line.length - 1] <= ' ') line.length--;
  return line;
}

static bool has_mark(orch_text line) {
  for (size_t at = 0; at < line.length; at++)
    if ((line.length - at >= 4 && memcmp(line.at + at, "TODO", 4) == 0) ||
        (line.length - at >= 5 && memcmp(line.at + at, "FIXME", 5) == 0))
      return true;
  return false;
}

static bool emit_mark(orch_text name, orch_text title, uint32_t line) {
  orch_buffer fingerprint = {0};
  orch_addf(&fingerprint, "open-mark:%.*s:%.*s", (int)name.length, name.at, (int)title.length, title.at);
  orch_finding finding = {
      .rule = orch_literal("open-mark"), .severity = ORCH_LOW, .title = title, .fingerprint = orch_of(&fingerprint),
      .path = name, .line = line};
  bool taken = orch_emit(&finding);
  orch_discard(&fingerprint);
  return taken;
}

// What could not be read is said, never passed over.
static bool emit_unread(orch_text name, const char *reason) {
  orch_buffer fingerprint = {0};
  orch_addf(&fingerprint, "unread-file:%.*s", (int)name.length, name.at);
  orch_finding finding = {
      .rule = orch_literal("unread-file"), .severity = ORCH_MEDIUM, .status = ORCH_UNCHECKED, .title = orch_literal(reason),
      .fingerprint = orch_of(&fingerprint), .path = name};
  bool taken = orch_emit(&finding);
  orch_discard(&fingerprint);
  return taken;
}

static bool scan_text(orch_text name, orch_text text, unsigned *marks) {
  for (uint32_t line = 1; text.length > 0; line++) {
    const char *end = memchr(text.at, '\n', text.length);
    size_t length = end == NULL ? text.length : (size_t)(end - text.at);
    orch_text whole = {text.at, length};
    if (has_mark(whole)) {
      if (!emit_mark(name, trimmed(whole), line)) return false;
      ++*marks;
    }
    size_t passed = length + (end != NULL);
    text.at += passed, text.length -= passed;
  }
  return true;
}

static orch_end scan(orch_text input) {
  orch_text files = orch_member(input, "files");
  if (files.length == 0 || files.at[0] != '[') return orch_invalid_input("files: a list of paths is missing");
  if (!orch_has_capability("fs:source")) return orch_denied(orch_literal("fs"), orch_literal("source"));
  unsigned count = 0, marks = 0, total = 0;
  orch_text item;
  for (orch_cursor cursor = {0}; orch_next(files, &cursor, &item);) total++;
  for (orch_cursor cursor = {0}; orch_next(files, &cursor, &item); count++) {
    if (orch_is_cancelled()) return orch_cancelled();
    orch_buffer name = {0}, path = {0}, text = {0};
    if (!orch_string(item, &name) || name.length == 0) return orch_invalid_input("files[%u]: a path is missing", count);
    orch_addf(&path, "/source/%s", name.at);
    bool taken;
    if (read_file(path.at, &text)) taken = scan_text(orch_of(&name), orch_of(&text), &marks);
    else if (errno == EPERM || errno == EACCES) return orch_denied(orch_literal("fs"), orch_of(&name));
    else taken = emit_unread(orch_of(&name), strerror(errno));
    if (!taken) return orch_failed("files[%u]: there are too many findings", count);
    orch_progress(count + 1, total, orch_of(&name));
    orch_discard(&name), orch_discard(&path), orch_discard(&text);
  }
  orch_buffer output = {0};
  orch_addf(&output, "{\"files\":%u,\"marks\":%u}", count, marks);
  orch_log(ORCH_INFO, "scanned");
  return orch_succeeded(orch_of(&output));
}

const orch_task orch_tasks[] = {
    {"scan", scan, input_schema, output_schema}, {"echo", echo, "true", "true"}, {"read", read_task, "true", "true"},
    {"end", end_task, "true", "true"},           {"say", say, "true", "true"},   {"wait", wait_task, "true", "true"},
    {"grow", grow, "true", "true"},
};
const size_t orch_task_count = sizeof orch_tasks / sizeof *orch_tasks;
