/* The structured log: one JSON object a line {ts, level, room, msg, …} to a file, human text on a
 * terminal. Loop thread, or any other: lines are written whole under a lock. Never blocks longer
 * than a write to the page cache. Secrets are never passed here. */
#ifndef SEQUENCER_OBSERVE_LOG_H
#define SEQUENCER_OBSERVE_LOG_H

#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* `path` NULL: standard error. ERR as errno-free bool: 0 on success. */
int log_open(const char *path, enum log_level level);
void log_close(void);
void log_set_level(enum log_level level);
int log_level_parse(const char *text); /* -1: unknown */

/* Fields: alternating key, kind, value, closed by NULL:
 *   log_write(LOG_INFO, "node", "serving", LOG_STR("rpc", url), LOG_U64("height", h), NULL); */
enum log_kind { LOG_KIND_STR = 1, LOG_KIND_U64, LOG_KIND_I64, LOG_KIND_HEX };
#define LOG_STR(key, value)  (key), (int)LOG_KIND_STR, (const char *)(value)
#define LOG_U64(key, value)  (key), (int)LOG_KIND_U64, (uint64_t)(value)
#define LOG_I64(key, value)  (key), (int)LOG_KIND_I64, (int64_t)(value)
#define LOG_HASH(key, value) (key), (int)LOG_KIND_HEX, (const struct hash *)(value)
void log_write(enum log_level level, const char *room, const char *msg, ...)
    __attribute__((sentinel));

#endif
