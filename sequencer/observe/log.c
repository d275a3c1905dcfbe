/* The structured log. One line is composed in a buffer on the stack and leaves in one write(2), so
 * that lines of several threads never mix and a crash loses none that was written. */
#define _GNU_SOURCE
#include "sequencer/observe/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/bytes.h"
#include "proto/limits.h"

static const char *const level_name[] = {"error", "warn", "info", "debug"};
static const char *const level_color[] = {"\033[31m", "\033[33m", "\033[32m", "\033[2m"};

static struct {
    pthread_mutex_t lock;
    int fd;
    bool owned;
    bool human;
    bool color;
    enum log_level level;
    uint64_t lost; /* lines in a row that could not be written */
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .level = LOG_INFO};

/* One line in the making; what does not fit is cut, with room kept for the closing marks. */
struct line {
    char text[LIMIT_LOG_LINE];
    size_t n;
    size_t cap;
};

static void line_put(struct line *l, const char *text, size_t n)
{
    size_t room = l->cap - l->n;
    if (n > room) {
        n = room;
    }
    memcpy(l->text + l->n, text, n);
    l->n += n;
}

static void line_text(struct line *l, const char *text)
{
    line_put(l, text, strlen(text));
}

/* A character that must not stand as it is inside a JSON string. Whole escapes or nothing. */
static void line_escape(struct line *l, unsigned char c)
{
    char escape[8];
    int n = 0;
    if (c == '"' || c == '\\') {
        n = snprintf(escape, sizeof escape, "\\%c", c);
    } else if (c == '\n') {
        n = snprintf(escape, sizeof escape, "\\n");
    } else {
        n = snprintf(escape, sizeof escape, "\\u%04x", c);
    }
    if ((size_t)n <= l->cap - l->n) {
        line_put(l, escape, (size_t)n);
    }
}

/* Length of a well-formed UTF-8 sequence at `p`, 0 where there is none. */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = *p >= 0xf0 && *p < 0xf5 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc2 ? 2 : 0;
    if (n == 0 || *p >= 0xf5) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

static void line_string(struct line *l, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p != 0) {
        size_t n = *p < 0x80 ? 1 : utf8_length(p);
        if (n == 0 || *p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f) {
            line_escape(l, *p);
            p++;
            continue;
        }
        if (n > l->cap - l->n) {
            return;
        }
        line_put(l, (const char *)p, n);
        p += n;
    }
}

static void line_quoted(struct line *l, const char *text)
{
    line_text(l, "\"");
    line_string(l, text);
    line_text(l, "\"");
}

static void line_time(struct line *l, bool utc)
{
    struct timespec now;
    struct tm tm;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    if (utc) {
        gmtime_r(&now.tv_sec, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    } else {
        localtime_r(&now.tv_sec, &tm);
        strftime(text, sizeof text, "%H:%M:%S", &tm);
    }
    line_text(l, text);
    snprintf(text, sizeof text, ".%03ld%s", now.tv_nsec / 1000000, utc ? "Z" : "");
    line_text(l, text);
}

static void line_begin_json(struct line *l, enum log_level level, const char *room, const char *msg)
{
    line_text(l, "{\"ts\":\"");
    line_time(l, true);
    line_text(l, "\",\"level\":");
    line_quoted(l, level_name[level]);
    line_text(l, ",\"room\":");
    line_quoted(l, room);
    line_text(l, ",\"msg\":");
    line_quoted(l, msg);
}

static void line_begin_human(struct line *l, enum log_level level, const char *room,
                             const char *msg)
{
    char head[64];
    line_time(l, false);
    snprintf(head, sizeof head, " %s%-5s%s %-9s ", sink.color ? level_color[level] : "",
             level_name[level], sink.color ? "\033[0m" : "", room);
    line_text(l, head);
    line_string(l, msg);
}

static void line_key(struct line *l, const char *key)
{
    if (sink.human) {
        line_text(l, " ");
        line_string(l, key);
        line_text(l, "=");
        return;
    }
    line_text(l, ",");
    line_quoted(l, key);
    line_text(l, ":");
}

/* The value after its key; false: a kind that does not exist, nothing after it can be read. */
static bool line_value(struct line *l, int kind, va_list *fields)
{
    char text[72];
    switch (kind) {
    case LOG_KIND_STR: {
        const char *s = va_arg(*fields, const char *);
        if (sink.human) {
            line_string(l, s != NULL ? s : "");
        } else {
            line_quoted(l, s != NULL ? s : "");
        }
        return true;
    }
    case LOG_KIND_U64:
        snprintf(text, sizeof text, "%llu", (unsigned long long)va_arg(*fields, uint64_t));
        line_text(l, text);
        return true;
    case LOG_KIND_I64:
        snprintf(text, sizeof text, "%lld", (long long)va_arg(*fields, int64_t));
        line_text(l, text);
        return true;
    case LOG_KIND_HEX: {
        const struct hash *h = va_arg(*fields, const struct hash *);
        hex_encode(text, h->b, sizeof h->b);
        if (sink.human) {
            line_put(l, text, 10); /* eight digits tell blocks apart on a terminal */
        } else {
            line_quoted(l, text);
        }
        return true;
    }
    default:
        return false;
    }
}

/* Bytes that went out. */
static size_t write_all(int fd, const char *text, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(fd, text + done, len - done);
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    return done;
}

/* A file that takes half a line (a full disk) gets none of it: what follows stays readable. */
static bool write_whole(const char *text, size_t len)
{
    size_t done = write_all(sink.fd, text, len);
    off_t end = done > 0 && done < len ? lseek(sink.fd, 0, SEEK_END) : -1;
    if (end >= (off_t)done && ftruncate(sink.fd, end - (off_t)done) != 0) {
        return false;
    }
    return done == len;
}

/* The first line that can be written again tells how many could not. */
static bool tell_lost(void)
{
    char text[160];
    struct line l;
    if (sink.lost == 0) {
        return true;
    }
    l.n = 0;
    l.cap = sizeof l.text;
    (sink.human ? line_begin_human : line_begin_json)(&l, LOG_WARN, "log", "lines were lost");
    line_key(&l, "count");
    snprintf(text, sizeof text, "%llu%s", (unsigned long long)sink.lost, sink.human ? "\n" : "}\n");
    line_text(&l, text);
    if (!write_whole(l.text, l.n)) {
        return false;
    }
    sink.lost = 0;
    return true;
}

/* A log that cannot be written must not stop the node, and what matters must not be silent: it goes
 * to stderr, which is often the service manager's. */
static void line_leave(const struct line *l, enum log_level level)
{
    if (tell_lost() && write_whole(l->text, l->n)) {
        return;
    }
    sink.lost++;
    if (level <= LOG_WARN && sink.fd != STDERR_FILENO) {
        (void)write_all(STDERR_FILENO, l->text, l->n);
    }
}

void log_write(enum log_level level, const char *room, const char *msg, ...)
{
    if (level > sink.level || level > LOG_DEBUG) {
        return;
    }
    struct line l;
    l.n = 0;
    l.cap = sizeof l.text - 4; /* room for the closing quote, brace and newline */
    pthread_mutex_lock(&sink.lock);
    if (sink.human) {
        line_begin_human(&l, level, room, msg);
    } else {
        line_begin_json(&l, level, room, msg);
    }
    va_list fields;
    va_start(fields, msg);
    const char *key;
    while ((key = va_arg(fields, const char *)) != NULL) {
        size_t before = l.n;
        line_key(&l, key);
        bool known = line_value(&l, va_arg(fields, int), &fields);
        if (!known || l.n == l.cap) {
            l.n = before; /* a field that does not fit is left out whole: the line stays JSON */
            break;
        }
    }
    va_end(fields);
    l.cap = sizeof l.text;
    line_text(&l, sink.human ? "\n" : "}\n");
    line_leave(&l, level);
    pthread_mutex_unlock(&sink.lock);
}

int log_open(const char *path, enum log_level level)
{
    int fd = STDERR_FILENO;
    if (path != NULL) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0) {
            return -1;
        }
    }
    log_close();
    pthread_mutex_lock(&sink.lock);
    const char *no_color = getenv("NO_COLOR");
    sink.fd = fd;
    sink.owned = path != NULL;
    sink.human = isatty(fd) == 1;
    sink.color = sink.human && (no_color == NULL || *no_color == 0);
    sink.level = level;
    pthread_mutex_unlock(&sink.lock);
    return 0;
}

void log_close(void)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.owned) {
        close(sink.fd);
    }
    sink.fd = STDERR_FILENO;
    sink.owned = false;
    sink.human = false;
    sink.color = false;
    pthread_mutex_unlock(&sink.lock);
}

void log_set_level(enum log_level level)
{
    sink.level = level;
}

int log_level_parse(const char *text)
{
    for (int i = 0; i <= LOG_DEBUG; i++) {
        if (strcmp(text, level_name[i]) == 0) {
            return i;
        }
    }
    return -1;
}
