/* Time for the core: a tick is given when its deadline has passed, but only after every socket
 * that was readable in this turn of the loop has been read (CONSENSUS 6). libuv's timers count
 * milliseconds; the core's deadlines are microseconds, hence a timerfd. */
#define _GNU_SOURCE
#include <sys/timerfd.h>
#include <unistd.h>

#include "sequencer/node/parts.h"

static void timer_fired(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct node *n = poll->data;
    uint64_t count;
    ssize_t got = read(n->driver.timer_fd, &count, sizeof count);
    (void)got; /* the check below looks at the clock itself */
}

static void arm(struct node *n)
{
    struct driver *d = &n->driver;
    uint64_t deadline = core_deadline(d->core);
    if (deadline == d->deadline_us && driver_now() < deadline) {
        return; /* armed for that already */
    }
    d->deadline_us = deadline;
    struct itimerspec at = {0};
    if (deadline != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(deadline / 1000000);
        at.it_value.tv_nsec = (long)(deadline % 1000000 * 1000);
        if (deadline == 0) {
            at.it_value.tv_nsec = 1;
        }
    }
    timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Before the loop sleeps: how long was it busy, and when must it wake. */
static void before_sleep(uv_prepare_t *prepare)
{
    struct node *n = prepare->data;
    struct driver *d = &n->driver;
    arm(n);
    uint64_t now = driver_now();
    uint64_t idle = uv_metrics_idle_time(&n->loop);
    if (d->turn_started_us != 0) {
        uint64_t slept = (idle - d->turn_idle_ns) / 1000;
        uint64_t whole = now - d->turn_started_us;
        uint64_t busy = whole > slept ? whole - slept : 0;
        metrics_observe(n->metrics, METRIC_LOOP_BLOCKED, 0, (double)busy / 1e6);
        d->loop_turns++;
        d->loop_late += busy > LOOP_LATE_US;
        d->loop_worst_us = busy > d->loop_worst_us ? busy : d->loop_worst_us;
    }
    d->turn_started_us = now;
    d->turn_idle_ns = idle;
}

static void after_sockets(uv_check_t *check)
{
    struct node *n = check->data;
    struct driver *d = &n->driver;
    uint64_t now = driver_now();
    if (now >= d->deadline_us || d->messages) {
        uint64_t late = now > d->deadline_us ? now - d->deadline_us : 0;
        d->messages = false;
        driver_tick(n, late);
    }
    intake_turn(n);
    health_turn(n);
    net_flush(n);
}

enum err time_open(struct node *n)
{
    struct driver *d = &n->driver;
    d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (d->timer_fd < 0) {
        return ERR_IO;
    }
    d->deadline_us = UINT64_MAX;
    d->timer.data = d->check.data = d->prepare.data = n;
    if (uv_poll_init(&n->loop, &d->timer, d->timer_fd) != 0 ||
        uv_check_init(&n->loop, &d->check) != 0 || uv_prepare_init(&n->loop, &d->prepare) != 0) {
        return ERR_IO;
    }
    if (uv_poll_start(&d->timer, UV_READABLE, timer_fired) != 0 ||
        uv_check_start(&d->check, after_sockets) != 0 ||
        uv_prepare_start(&d->prepare, before_sleep) != 0) {
        return ERR_IO;
    }
    return OK;
}

void time_close(struct node *n)
{
    struct driver *d = &n->driver;
    if (d->timer_fd < 0) {
        return;
    }
    uv_close((uv_handle_t *)&d->timer, NULL);
    uv_close((uv_handle_t *)&d->check, NULL);
    uv_close((uv_handle_t *)&d->prepare, NULL);
    close(d->timer_fd);
    d->timer_fd = -1;
}
