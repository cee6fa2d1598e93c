// Reads JSON where it stands. Wrong text ends the reading early; nothing is read behind its end, and nothing calls itself.

#include "orch.h"

#include <string.h>

static size_t space(orch_text text, size_t at) {
  while (at < text.length && strchr(" \t\r\n", text.at[at]) != NULL && text.at[at] != 0) at++;
  return at;
}

// The place behind a string that begins here.
static size_t string_end(orch_text text, size_t at) {
  for (at++; at < text.length && text.at[at] != '"'; at++)
    if (text.at[at] == '\\') at++;
  return at < text.length ? at + 1 : text.length;
}

// The place behind a value that begins here.
static size_t value_end(orch_text text, size_t at) {
  size_t depth = 0;
  while (at < text.length) {
    char byte = text.at[at];
    if (byte == '"') at = string_end(text, at);
    else if (byte == '{' || byte == '[') depth++, at++;
    else if (byte == '}' || byte == ']') {
      if (depth == 0) return at;
      depth--, at++;
    } else if (depth == 0) {
      while (at < text.length && strchr(",]} \t\r\n:", text.at[at]) == NULL) at++;
      return at;
    } else at++;
    if (depth == 0) return at;
  }
  return at;
}

// The next value from a place on: passes over what separates values.
static bool value(orch_text text, size_t *at, orch_text *found) {
  size_t begin = space(text, *at);
  if (begin < text.length && (text.at[begin] == ',' || text.at[begin] == ':')) begin = space(text, begin + 1);
  size_t end = value_end(text, begin);
  *found = (orch_text){text.at + begin, end - begin};
  *at = end;
  return end > begin;
}

orch_text orch_member(orch_text object, const char *name) {
  size_t at = space(object, 0);
  orch_text key, found;
  if (at >= object.length || object.at[at] != '{') return (orch_text){0};
  for (at++; value(object, &at, &key) && value(object, &at, &found);) {
    orch_buffer text = {0};
    bool same = orch_string(key, &text) && orch_equal(orch_of(&text), name);
    orch_discard(&text);
    if (same) return found;
  }
  return (orch_text){0};
}

bool orch_next(orch_text array, orch_cursor *cursor, orch_text *item) {
  size_t at = cursor->next;
  if (at == 0) {
    at = space(array, 0);
    if (at >= array.length || array.at[at] != '[') return false;
    at++;
  }
  bool found = value(array, &at, item);
  cursor->next = at;
  return found;
}

static int hex(orch_text text, size_t at) {
  int code = 0;
  for (size_t end = at + 4; at < end; at++) {
    const char *digits = "0123456789abcdef";
    const char *digit = at < text.length && text.at[at] != 0 ? strchr(digits, text.at[at] | 32) : NULL;
    if (digit == NULL) return -1;
    code = code * 16 + (int)(digit - digits);
  }
  return code;
}

static void add_scalar(orch_buffer *text, uint32_t code) {
  char bytes[4];
  size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t at = length; at-- > 1; code >>= 6) bytes[at] = (char)(0x80 | (code & 63));
  const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  bytes[0] = (char)(leads[length] | code);
  orch_add(text, (orch_text){bytes, length});
}

bool orch_string(orch_text json, orch_buffer *text) {
  if (json.length < 2 || json.at[0] != '"') return false;
  orch_add(text, (orch_text){"", 0});
  for (size_t at = 1; at + 1 < json.length; at++) {
    if (json.at[at] != '\\') {
      orch_add(text, (orch_text){json.at + at, 1});
      continue;
    }
    const char *escapes = "b\bf\fn\nr\rt\t";
    char kind = json.at[++at];
    const char *escape = strchr(escapes, kind);
    if (kind == 'u') {
      int code = hex(json, at + 1);
      if (code < 0) return false;
      at += 4;
      if (code >= 0xd800 && code < 0xdc00 && at + 6 < json.length && json.at[at + 1] == '\\' && json.at[at + 2] == 'u') {
        int low = hex(json, at + 3);
        if (low >= 0xdc00 && low < 0xe000) code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), at += 6;
      }
      add_scalar(text, code >= 0xd800 && code < 0xe000 ? 0xfffd : (uint32_t)code);
    } else if (escape != NULL && kind >= 'b') orch_add(text, (orch_text){escape + 1, 1});
    else orch_add(text, (orch_text){&kind, 1});
  }
  return true;
}
