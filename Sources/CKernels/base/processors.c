/* Affinity and quotas -> how many processors this process may use. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/internal.h"

enum { path_bytes = 4096 };

/* The numbers of a file; -1 for what it has no number of. */
static void read_numbers(const char *path, int64_t *numbers, int32_t count) {
  FILE *file = fopen(path, "re");
  for (int32_t i = 0; i < count; i++) {
    long long number;
    if (!file || fscanf(file, "%lld", &number) != 1) number = -1;
    numbers[i] = number;
  }
  if (file) fclose(file);
}

/* Processors that one group may use, rounded up; INT32_MAX = as many as there are. */
static int32_t quota_of_group(const char *folder, int32_t is_v2) {
  char path[path_bytes];
  int64_t numbers[2] = {-1, -1}; /* microseconds of computing; in so many of the clock */
  if (is_v2) {
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    read_numbers(path, numbers, 2); /* "max 100000" where there is no limit */
  } else {
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    read_numbers(path, numbers, 1);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    read_numbers(path, numbers + 1, 1);
  }
  if (numbers[0] <= 0 || numbers[1] <= 0) return INT32_MAX;
  return (int32_t)d3k_min(INT32_MAX, d3k_ceil_div(numbers[0], numbers[1]));
}

/* The least of a group and those that it is in. `folder` ends where the mount does, at `least`. */
static int32_t quota_of_path(char *folder, size_t least, int32_t is_v2) {
  int32_t found = INT32_MAX;
  for (;;) {
    found = (int32_t)d3k_min(found, quota_of_group(folder, is_v2));
    char *slash = strrchr(folder + least, '/');
    if (!slash) return found;
    *slash = 0;
  }
}

int32_t d3k_processor_quota(const char *groups, const char *mount) {
  FILE *file = fopen(groups, "re");
  if (!file) return INT32_MAX;
  int32_t found = INT32_MAX;
  char line[path_bytes], folder[2 * path_bytes];
  while (fgets(line, sizeof line, file)) { /* number:controllers:path */
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':'),
         *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) continue;
    *path++ = 0;
    controllers++;
    const int32_t is_v2 = *controllers == 0;
    if (!is_v2 && strcmp(controllers, "cpu") && strcmp(controllers, "cpu,cpuacct")) continue;
    const int32_t least = snprintf(folder, sizeof folder, "%s%s", mount, is_v2 ? "" : "/cpu");
    snprintf(folder + least, sizeof folder - (size_t)least, "%s", path);
    found = (int32_t)d3k_min(found, quota_of_path(folder, (size_t)least, is_v2));
  }
  fclose(file);
  return found;
}

int32_t d3k_processor_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int32_t is_known = sched_getaffinity(0, sizeof set, &set) == 0;
  const int32_t count = is_known ? (int32_t)d3k_max(1, CPU_COUNT(&set)) : 1;
  return (int32_t)d3k_min(count, d3k_processor_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
}
