/* /proc/self, read anew at every call: three small files, about 20 microseconds. */
#define _GNU_SOURCE
#include "sequencer/observe/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL) {
        return 0;
    }
    unsigned long long total = 0;
    unsigned long long resident = 0;
    int n = fscanf(f, "%llu %llu", &total, &resident);
    fclose(f);
    return n == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static double cpu_seconds(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0) {
        return 0;
    }
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint32_t open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL) {
        return 0;
    }
    uint32_t n = 0;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n > 0 ? n - 1 : 0; /* not the directory just opened */
}

/* Field 22 of stat: clock ticks between boot and our start. The command's name before it may hold
 * any character, so the fields are counted from its closing bracket. */
static double started_after_boot(void)
{
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "re");
    if (f == NULL) {
        return 0;
    }
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *p = strrchr(text, ')');
    for (int field = 2; p != NULL && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }
    return p == NULL ? 0 : (double)strtoull(p, NULL, 10) / (double)sysconf(_SC_CLK_TCK);
}

static double start_seconds(void)
{
    struct timespec wall;
    struct timespec boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    double up = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
    return (double)wall.tv_sec + (double)wall.tv_nsec / 1e9 - up + started_after_boot();
}

void process_usage(struct process_usage *out)
{
    static double started; /* does not change; computed once so that it does not jitter */
    if (started <= 0) {
        started = start_seconds();
    }
    out->resident_bytes = resident_bytes();
    out->cpu_seconds = cpu_seconds();
    out->open_fds = open_fds();
    out->start_seconds = started;
}

void process_metrics(struct metrics *m)
{
    struct process_usage u;
    process_usage(&u);
    metrics_set(m, METRIC_RSS, 0, (double)u.resident_bytes);
    metrics_set(m, METRIC_CPU, 0, u.cpu_seconds);
    metrics_set(m, METRIC_OPEN_FDS, 0, u.open_fds);
    metrics_set(m, METRIC_START_TIME, 0, u.start_seconds);
}
