/* The log, metrics, incidents and process figures. */
#define _GNU_SOURCE
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/bytes.h"
#include "proto/limits.h"
#include "sequencer/observe/incidents.h"
#include "sequencer/observe/log.h"
#include "sequencer/observe/process.h"

static char path[64];

/* The whole log, zero-terminated. */
static char *read_log(void)
{
    static char text[65536];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    return text;
}

static void open_log(enum log_level level)
{
    snprintf(path, sizeof path, "/tmp/baton-log-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(log_open(path, level), 0);
}

static void close_log(void)
{
    log_close();
    unlink(path);
}

static const char *text_of(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    assert_true(json_object_object_get_ex(o, key, &v));
    return json_object_get_string(v);
}

static void log_lines_are_json_objects(void **state)
{
    (void)state;
    struct hash h = {{0xab}};
    open_log(LOG_INFO);
    log_write(LOG_INFO, "node", "serving \"it\"", LOG_STR("rpc", "a\nb\x01\xff\\"),
              LOG_U64("height", UINT64_MAX), LOG_I64("delta", -5), LOG_HASH("block", &h),
              LOG_STR("none", NULL), NULL);
    struct json_object *o = json_tokener_parse(read_log());
    assert_non_null(o);
    assert_string_equal(text_of(o, "level"), "info");
    assert_string_equal(text_of(o, "room"), "node");
    assert_string_equal(text_of(o, "msg"), "serving \"it\"");
    assert_string_equal(text_of(o, "height"), "18446744073709551615");
    assert_string_equal(text_of(o, "delta"), "-5");
    assert_string_equal(text_of(o, "none"), "");
    assert_memory_equal(text_of(o, "block"), "0xab00", 6);
    assert_int_equal(text_of(o, "ts")[23], 'Z');
    assert_memory_equal(text_of(o, "rpc"), "a\nb\x01", 4);
    json_object_put(o);
    close_log();
}

static void log_levels_hold_back(void **state)
{
    (void)state;
    open_log(LOG_WARN);
    log_write(LOG_INFO, "node", "unseen", NULL);
    assert_string_equal(read_log(), "");
    log_set_level(LOG_DEBUG);
    log_write(LOG_DEBUG, "node", "seen", NULL);
    assert_non_null(strstr(read_log(), "\"msg\":\"seen\"}\n"));
    assert_int_equal(log_level_parse("warn"), LOG_WARN);
    assert_int_equal(log_level_parse("loud"), -1);
    close_log();
}

static void a_long_line_is_cut_and_stays_json(void **state)
{
    (void)state;
    char *big = malloc(100000);
    assert_non_null(big);
    memset(big, 'x', 99999);
    big[99999] = 0;
    open_log(LOG_INFO);
    log_write(LOG_INFO, "node", "long", LOG_U64("first", 1), LOG_STR("big", big),
              LOG_U64("after", 2), NULL);
    char *text = read_log();
    assert_true(strlen(text) <= LIMIT_LOG_LINE);
    struct json_object *o = json_tokener_parse(text);
    assert_non_null(o);
    assert_string_equal(text_of(o, "first"), "1");
    json_object_put(o);
    free(big);
    close_log();
}

/* ---- a file that takes nothing more ---------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Of a line that does not fit no byte stays; what matters goes to stderr; the loss is told. */
static void a_full_disk_leaves_no_half_line(void **state)
{
    (void)state;
    char other[] = "/tmp/baton-stderr-XXXXXX";
    char seen[4096] = "";
    int kept = dup(STDERR_FILENO);
    int fd = mkstemp(other);
    assert_true(kept >= 0 && fd >= 0);
    open_log(LOG_INFO);
    log_write(LOG_INFO, "node", "first", NULL);
    size_t whole = strlen(read_log());
    signal(SIGXFSZ, SIG_IGN);
    dup2(fd, STDERR_FILENO);
    limit_files(whole + 20);
    log_write(LOG_INFO, "node", "unimportant", NULL);
    log_write(LOG_WARN, "node", "grave", NULL);
    limit_files(RLIM_INFINITY);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(strlen(read_log()), whole);
    log_write(LOG_INFO, "node", "again", NULL);
    assert_non_null(strstr(read_log(), "\"msg\":\"lines were lost\",\"count\":2}\n{"));
    assert_non_null(strstr(read_log(), "\"msg\":\"again\"}\n"));
    assert_true(pread(fd, seen, sizeof seen - 1, 0) > 0);
    assert_non_null(strstr(seen, "grave"));
    assert_null(strstr(seen, "unimportant"));
    close(fd);
    unlink(other);
    close_log();
}

static void every_metric_stands_before_its_first_event(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    assert_non_null(m);
    size_t n = 0;
    char *text = metrics_text(m, &n);
    assert_non_null(text);
    assert_int_equal(strlen(text), n);
    for (int i = 0; i < METRIC_COUNT; i++) {
        char want[128];
        struct metric_description d = metrics_describe((enum metric)i);
        snprintf(want, sizeof want, "# TYPE baton_%s %s\n", d.name, d.type);
        assert_non_null(strstr(text, want));
    }
    assert_non_null(strstr(text, "\nbaton_slot 0\n"));
    free(text);
    metrics_destroy(m);
}

static void metrics_count_label_and_bucket(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    int odd = metrics_label(m, METRIC_PEER_UP, "a\"b\\c\nd");
    assert_int_equal(metrics_label(m, METRIC_PEER_UP, "a\"b\\c\nd"), odd);
    metrics_set(m, METRIC_PEER_UP, odd, 1);
    metrics_add(m, METRIC_L1_SPEND, 0, 2.5);
    metrics_add(m, METRIC_L1_SPEND, 0, 1);
    metrics_observe(m, METRIC_PERSIST_SECONDS, 0, 0.0004);
    metrics_observe(m, METRIC_PERSIST_SECONDS, 0, 0.003);
    metrics_observe(m, METRIC_PERSIST_SECONDS, 0, 99);
    assert_true(metrics_get(m, METRIC_L1_SPEND, 0) > 3.4);
    assert_true(metrics_get(m, METRIC_PERSIST_SECONDS, 0) > 2.9);
    size_t n;
    char *text = metrics_text(m, &n);
    assert_non_null(strstr(text, "baton_peer_up{peer=\"a\\\"b\\\\c\\nd\"} 1\n"));
    assert_non_null(strstr(text, "baton_persist_seconds_bucket{le=\"0.0005\"} 1\n"));
    assert_non_null(strstr(text, "baton_persist_seconds_bucket{le=\"0.005\"} 2\n"));
    assert_non_null(strstr(text, "baton_persist_seconds_bucket{le=\"30\"} 2\n"));
    assert_non_null(strstr(text, "baton_persist_seconds_bucket{le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "baton_persist_seconds_count 3\n"));
    free(text);
    metrics_set(m, METRIC_PEER_UP, 999, 1); /* no such label: nothing happens */
    metrics_destroy(m);
}

static void labels_are_bounded(void **state)
{
    (void)state;
    struct metrics *m = metrics_create();
    int last = 0;
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%d", i);
        last = metrics_label(m, METRIC_LIMIT_HITS, name);
    }
    assert_int_equal(last, 63);
    metrics_destroy(m);
}

static void incidents_are_a_bounded_ring(void **state)
{
    (void)state;
    struct incidents *s = incidents_create();
    for (uint64_t i = 0; i < LIMIT_INCIDENTS + 10; i++) {
        struct incident one = {.turn = i * 2, .from = 1, .to = 2, .reason = "silent"};
        assert_int_equal(incidents_add(s, &one), i);
    }
    assert_int_equal(incidents_total(s), LIMIT_INCIDENTS + 10);
    assert_null(incidents_at(s, 9));
    assert_int_equal(incidents_at(s, 10)->turn, 20);
    assert_null(incidents_find_turn(s, 0, 0));
    assert_int_equal(incidents_find_turn(s, 0, 40)->number, 20);
    struct json_object *a = incidents_json(s, 0, 20);
    assert_int_equal(json_object_array_length(a), 10); /* 10 … 19: what is forgotten is left out */
    json_object_put(a);
    a = incidents_json(s, UINT64_MAX, 3);
    assert_int_equal(json_object_array_length(a), 3);
    assert_string_equal(text_of(json_object_array_get_idx(a, 2), "turn"), "2066");
    json_object_put(a);
    a = incidents_json(s, UINT64_MAX - 1, UINT64_MAX);
    assert_int_equal(json_object_array_length(a), 0);
    json_object_put(a);
    incidents_destroy(s);
}

static void an_incident_says_who_saw_what_when(void **state)
{
    (void)state;
    struct incident i = {.turn = 5,
                         .from = 1,
                         .to = 2,
                         .from_name = "ann",
                         .to_name = "bob",
                         .reason = "silent",
                         .started_ms = 1000,
                         .final_ms = 1090,
                         .gap_ms = 90,
                         .signers = 0xd};
    struct json_object *o = incident_json(&i);
    struct json_object *seen = NULL;
    struct json_object *signers = NULL;
    assert_string_equal(text_of(o, "gapMs"), "90");
    assert_string_equal(text_of(o, "over"), "true");
    assert_true(json_object_object_get_ex(o, "seen", &seen));
    assert_string_equal(text_of(seen, "lastBlockMs"), "1000");
    assert_null(text_of(seen, "proposalMs"));
    assert_true(json_object_object_get_ex(o, "signers", &signers));
    assert_string_equal(json_object_to_json_string_ext(signers, JSON_C_TO_STRING_PLAIN), "[0,2,3]");
    json_object_put(o);
}

static void restored_incidents_keep_their_numbers(void **state)
{
    (void)state;
    struct incidents *s = incidents_create();
    incidents_restore(s, &(struct incident){.number = 7, .turn = 70});
    incidents_restore(s, &(struct incident){.number = 8, .turn = 80});
    incidents_restore(s, &(struct incident){.number = 8, .turn = 99});
    assert_int_equal(incidents_total(s), 9);
    assert_null(incidents_at(s, 6));
    assert_int_equal(incidents_at(s, 8)->turn, 80);
    assert_int_equal(incidents_add(s, &(struct incident){0}), 9);
    incidents_destroy(s);
}

static void the_process_uses_something(void **state)
{
    (void)state;
    struct process_usage u;
    process_usage(&u);
    assert_true(u.resident_bytes > 100000);
    assert_true(u.open_fds >= 3);
    assert_true(u.start_seconds > 1.6e9);
    struct metrics *m = metrics_create();
    process_metrics(m);
    assert_true(metrics_get(m, METRIC_RSS, 0) > 100000);
    metrics_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_lines_are_json_objects),
        cmocka_unit_test(log_levels_hold_back),
        cmocka_unit_test(a_long_line_is_cut_and_stays_json),
        cmocka_unit_test(a_full_disk_leaves_no_half_line),
        cmocka_unit_test(every_metric_stands_before_its_first_event),
        cmocka_unit_test(metrics_count_label_and_bucket),
        cmocka_unit_test(labels_are_bounded),
        cmocka_unit_test(incidents_are_a_bounded_ring),
        cmocka_unit_test(an_incident_says_who_saw_what_when),
        cmocka_unit_test(restored_incidents_keep_their_numbers),
        cmocka_unit_test(the_process_uses_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
