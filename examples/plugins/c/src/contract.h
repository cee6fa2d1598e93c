// One task for each part of the contract, the same in every language: the tests of the languages call them.
#ifndef CONTRACT_H
#define CONTRACT_H

#include "orch.h"

bool read_file(const char *path, orch_buffer *text);

orch_end echo(orch_text input);
orch_end read_task(orch_text input);
orch_end end_task(orch_text input);
orch_end say(orch_text input);
orch_end wait_task(orch_text input);
orch_end grow(orch_text input);

#endif
