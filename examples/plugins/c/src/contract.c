#include "contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

orch_end echo(orch_text input) { return orch_succeeded(input); }

orch_end read_task(orch_text input) {
  orch_buffer path = {0}, text = {0}, output = {0};
  if (!orch_string(orch_member(input, "path"), &path)) return orch_invalid_input("path: a text is missing");
  if (!read_file(path.at, &text)) return orch_denied(orch_literal("fs"), orch_of(&path));
  orch_addf(&output, "{\"text\":");
  orch_add_json(&output, orch_of(&text));
  orch_addf(&output, "}");
  return orch_succeeded(orch_of(&output));
}

orch_end end_task(orch_text input) {
  orch_buffer text = {0};
  orch_string(orch_member(input, "how"), &text);
  orch_text how = orch_of(&text);
  if (orch_equal(how, "rejected")) return orch_rejected(orch_literal("{\"no\":true}"));
  if (orch_equal(how, "skipped")) return orch_skipped(orch_literal("nothing to do"));
  if (orch_equal(how, "invalid-input")) return orch_invalid_input("how: é is no way");
  if (orch_equal(how, "dependency")) return orch_dependency(orch_literal("service"), orch_literal("it is away"), true);
  if (orch_equal(how, "failed")) return orch_failed("it broke");
  if (orch_equal(how, "trap")) {
    fputs("a bug\n", stderr);
    abort();
  }
  return orch_invalid_input("how: unknown");
}

orch_end say(orch_text input) {
  orch_buffer text = {0};
  orch_string(orch_member(input, "text"), &text);
  const char *levels[] = {"trace", "debug", "info", "warn", "error"};
  for (int level = 0; level < 5; level++)
    orch_log_field((orch_level)level, orch_of(&text), orch_literal("level"), orch_literal(levels[level]));
  puts("printed");
  fflush(stdout);
  return orch_succeeded(orch_literal("null"));
}

orch_end wait_task(orch_text input) {
  (void)input;
  orch_log(ORCH_INFO, "started");
  while (!orch_is_cancelled()) {
  }
  return orch_cancelled();
}

orch_end grow(orch_text input) {
  (void)input;
  // Each piece holds on to the one before: what nobody could read, the compiler would leave out.
  for (void *volatile last = NULL;;) {
    void **more = malloc(1 << 20);
    if (more == NULL) abort();
    memset(more, 1, 1 << 20);
    *more = last;
    last = more;
  }
}
