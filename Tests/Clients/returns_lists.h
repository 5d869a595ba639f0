/* The "Returns" lists of das3.h, and which of their statuses a test has seen. */
#ifndef RETURNS_LISTS_H
#define RETURNS_LISTS_H

#include <das3.h>
#include <stdio.h>
#include <string.h>

enum { STATUSES = 10, FUNCTIONS = 64 };

typedef struct function {
  char name[64];
  unsigned listed, seen; /* a bit for each status; OK is bit 0 */
} function;

/* Set while the process has no memory left: any function may return DAS3_E_MEMORY then. */
static int is_exhausted;

static function functions[FUNCTIONS];
static int function_count, mistakes;

/* Reads the lists of a header: each goes from "Returns" to "Since" in the comment before each
 * declaration. */
static void read_lists(char *header) {
  static const char start[] = "DAS3_API das3_status ";
  for (char *at = strstr(header, start); at != NULL; at = strstr(at + 1, start)) {
    function *f = &functions[function_count++];
    sscanf(at + strlen(start), "%63[a-z0-9_]", f->name);
    *at = '\0'; /* ends the text before it */
    char *comment = header, *list = NULL;
    for (char *next; (next = strstr(comment + 1, "/**")) != NULL;) comment = next;
    for (char *next = comment; (next = strstr(next, "Returns ")) != NULL; next++) list = next;
    char *end = strstr(comment, "*/");
    if (list != NULL && end != NULL && end[2 + strspn(end + 2, " \n")] == '\0') {
      end = strstr(list, "Since ") != NULL ? strstr(list, "Since ") : end;
      for (char *name = list; (name = strstr(name, "DAS3_")) != NULL && name < end; name++) {
        for (int i = 0; i < STATUSES; i++) {
          const char *known = das3_status_name(-i);
          if (strncmp(name, known, strlen(known)) == 0) f->listed |= 1u << i;
        }
      }
    }
    if ((f->listed & 1u) == 0) {
      fprintf(stderr, "%s: no list of what it returns\n", f->name);
      mistakes++;
    }
    *at = start[0];
  }
}

/* Compares what a call has returned with what was expected and with the function's list. */
static void judge(const char *name, das3_status expected, das3_status status, int line) {
  function *f = functions;
  while (f < functions + function_count && strcmp(f->name, name) != 0) f++;
  const char *problem = NULL;
  if (f == functions + function_count || status > 0 || status <= -STATUSES) {
    problem = "unknown function or status";
  } else if (status != expected) {
    problem = "another status than expected";
  } else if (!(f->listed >> -status & 1u) && !is_exhausted) {
    problem = "not in its list";
  } else if ((status != DAS3_OK) != (das3_last_error()[0] != '\0')) {
    problem = "a failure has a message, a success none";
  } else {
    f->seen |= 1u << -status;
  }
  if (problem == NULL) return;
  fprintf(stderr, "line %d: %s: %s instead of %s (%s): %s\n", line, name, das3_status_name(status),
          das3_status_name(expected), problem, das3_last_error());
  mistakes++;
}

/* Calls a function, which must return `expected`. */
#define CASE(expected, name, ...) judge(#name, expected, name(__VA_ARGS__), __LINE__)

/* Names the listed statuses that no case has returned. The result is 0 where nothing is wrong. */
static int sum_up(void) {
  int cases = 0;
  for (const function *f = functions; f < functions + function_count; f++) {
    for (int i = 0; i < STATUSES; i++) {
      cases += (int)((f->listed & f->seen) >> i & 1u);
      if ((f->listed & ~f->seen) >> i & 1u) {
        fprintf(stderr, "%s: no case of %s\n", f->name, das3_status_name(-i));
        mistakes++;
      }
    }
  }
  printf("%d functions returned %d of the statuses that their lists name\n", function_count, cases);
  return mistakes != 0;
}

#endif /* RETURNS_LISTS_H */
