#include "proto/system.h"

#include "proto/limits.h"
#include "proto/rlp.h"

static enum err take_u8(struct rlp_in *in, uint8_t *out)
{
    uint64_t v;
    TRY(rlp_u64(in, &v));
    *out = (uint8_t)v;
    return v <= UINT8_MAX ? OK : ERR_MALFORMED;
}

static enum err ended(const struct rlp_in *in)
{
    return rlp_at_end(in) ? OK : ERR_MALFORMED;
}

static enum err take_skipped(struct rlp_in *in, struct skipped_turn *out)
{
    struct rlp_in item;
    TRY(rlp_list(in, &item));
    TRY(rlp_u64(&item, &out->turn));
    TRY(rlp_u64(&item, &out->slot));
    return ended(&item);
}

static enum err take_notice(struct rlp_in *in, struct ready_notice *out)
{
    struct rlp_in item;
    TRY(rlp_list(in, &item));
    TRY(rlp_u64(&item, &out->epoch));
    TRY(take_u8(&item, &out->member));
    TRY(rlp_u64(&item, &out->slot));
    TRY(rlp_fixed(&item, out->block.b, sizeof out->block.b));
    TRY(rlp_fixed(&item, out->signature.b, sizeof out->signature.b));
    return ended(&item);
}

static enum err take_leave(struct rlp_in *in, struct leave_notice *out)
{
    struct rlp_in item;
    TRY(rlp_list(in, &item));
    TRY(rlp_u64(&item, &out->epoch));
    TRY(take_u8(&item, &out->member));
    TRY(rlp_u64(&item, &out->from_turn));
    TRY(rlp_fixed(&item, out->signature.b, sizeof out->signature.b));
    return ended(&item);
}

static enum err take_evidence(struct rlp_in *in, struct evidence *out)
{
    struct rlp_in item;
    TRY(rlp_list(in, &item));
    TRY(take_u8(&item, &out->member));
    TRY(rlp_u64(&item, &out->slot));
    TRY(take_u8(&item, &out->attempt));
    TRY(take_u8(&item, &out->first_kind));
    TRY(take_u8(&item, &out->second_kind));
    TRY(rlp_fixed(&item, out->first.b, sizeof out->first.b));
    TRY(rlp_fixed(&item, out->second.b, sizeof out->second.b));
    TRY(rlp_fixed(&item, out->first_signature.b, sizeof out->first_signature.b));
    TRY(rlp_fixed(&item, out->second_signature.b, sizeof out->second_signature.b));
    return ended(&item);
}

static enum err check_skipped(struct rlp_in *in)
{
    struct skipped_turn ignored;
    return take_skipped(in, &ignored);
}

static enum err check_notice(struct rlp_in *in)
{
    struct ready_notice ignored;
    return take_notice(in, &ignored);
}

static enum err check_leave(struct rlp_in *in)
{
    struct leave_notice ignored;
    return take_leave(in, &ignored);
}

static enum err check_evidence(struct rlp_in *in)
{
    struct evidence ignored;
    return take_evidence(in, &ignored);
}

/* One inner list: every entry by its check; the payload and the count go out. */
static enum err take_list(struct rlp_in *in, enum err (*check)(struct rlp_in *), struct bytes *out,
                          uint32_t *out_n)
{
    struct rlp_in list;
    TRY(rlp_list(in, &list));
    *out = bytes_of(list.p, list.n);
    *out_n = 0;
    while (!rlp_at_end(&list)) {
        TRY(check(&list));
        (*out_n)++;
    }
    return OK;
}

enum err system_decode(struct system_section *out, struct bytes in)
{
    struct rlp_in all = {in.p, in.n};
    struct rlp_in part;
    if (in.n > LIMIT_SYSTEM_BYTES) {
        return ERR_TOO_LARGE;
    }
    memset(out, 0, sizeof *out);
    out->raw = in;
    TRY(rlp_list(&all, &part));
    TRY(ended(&all));
    TRY(take_list(&part, check_skipped, &out->skipped, &out->skipped_n));
    TRY(take_list(&part, check_notice, &out->notices, &out->notices_n));
    TRY(take_list(&part, check_leave, &out->leaves, &out->leaves_n));
    TRY(take_list(&part, check_evidence, &out->evidence, &out->evidence_n));
    TRY(rlp_string(&part, &out->record));
    return ended(&part);
}

static struct rlp_in rest_of(struct bytes list, size_t at)
{
    return (struct rlp_in){list.p + at, list.n - at};
}

bool system_next_skipped(const struct system_section *s, size_t *at, struct skipped_turn *out)
{
    struct rlp_in in = rest_of(s->skipped, *at);
    if (rlp_at_end(&in) || take_skipped(&in, out) != OK) {
        return false;
    }
    *at = s->skipped.n - in.n;
    return true;
}

bool system_next_notice(const struct system_section *s, size_t *at, struct ready_notice *out)
{
    struct rlp_in in = rest_of(s->notices, *at);
    if (rlp_at_end(&in) || take_notice(&in, out) != OK) {
        return false;
    }
    *at = s->notices.n - in.n;
    return true;
}

bool system_next_leave(const struct system_section *s, size_t *at, struct leave_notice *out)
{
    struct rlp_in in = rest_of(s->leaves, *at);
    if (rlp_at_end(&in) || take_leave(&in, out) != OK) {
        return false;
    }
    *at = s->leaves.n - in.n;
    return true;
}

bool system_next_evidence(const struct system_section *s, size_t *at, struct evidence *out)
{
    struct rlp_in in = rest_of(s->evidence, *at);
    if (rlp_at_end(&in) || take_evidence(&in, out) != OK) {
        return false;
    }
    *at = s->evidence.n - in.n;
    return true;
}

static void put_skipped(struct rlp_out *out, const struct skipped_turn *t)
{
    size_t mark = rlp_list_begin(out);
    rlp_put_u64(out, t->turn);
    rlp_put_u64(out, t->slot);
    rlp_list_end(out, mark);
}

static void put_notice(struct rlp_out *out, const struct ready_notice *r)
{
    size_t mark = rlp_list_begin(out);
    rlp_put_u64(out, r->epoch);
    rlp_put_u64(out, r->member);
    rlp_put_u64(out, r->slot);
    rlp_put_string(out, r->block.b, sizeof r->block.b);
    rlp_put_string(out, r->signature.b, sizeof r->signature.b);
    rlp_list_end(out, mark);
}

static void put_leave(struct rlp_out *out, const struct leave_notice *l)
{
    size_t mark = rlp_list_begin(out);
    rlp_put_u64(out, l->epoch);
    rlp_put_u64(out, l->member);
    rlp_put_u64(out, l->from_turn);
    rlp_put_string(out, l->signature.b, sizeof l->signature.b);
    rlp_list_end(out, mark);
}

static void put_evidence(struct rlp_out *out, const struct evidence *e)
{
    size_t mark = rlp_list_begin(out);
    rlp_put_u64(out, e->member);
    rlp_put_u64(out, e->slot);
    rlp_put_u64(out, e->attempt);
    rlp_put_u64(out, e->first_kind);
    rlp_put_u64(out, e->second_kind);
    rlp_put_string(out, e->first.b, sizeof e->first.b);
    rlp_put_string(out, e->second.b, sizeof e->second.b);
    rlp_put_string(out, e->first_signature.b, sizeof e->first_signature.b);
    rlp_put_string(out, e->second_signature.b, sizeof e->second_signature.b);
    rlp_list_end(out, mark);
}

static void put_lists(struct rlp_out *out, const struct system_parts *parts)
{
    size_t skipped = rlp_list_begin(out);
    for (size_t i = 0; i < parts->skipped_n; i++) {
        put_skipped(out, &parts->skipped[i]);
    }
    rlp_list_end(out, skipped);
    size_t notices = rlp_list_begin(out);
    for (size_t i = 0; i < parts->notices_n; i++) {
        put_notice(out, &parts->notices[i]);
    }
    rlp_list_end(out, notices);
    size_t leaves = rlp_list_begin(out);
    for (size_t i = 0; i < parts->leaves_n; i++) {
        put_leave(out, &parts->leaves[i]);
    }
    rlp_list_end(out, leaves);
    size_t evidence = rlp_list_begin(out);
    for (size_t i = 0; i < parts->evidence_n; i++) {
        put_evidence(out, &parts->evidence[i]);
    }
    rlp_list_end(out, evidence);
}

enum err system_encode(uint8_t *out, size_t cap, size_t *out_n, const struct system_parts *parts)
{
    struct rlp_out rlp = {.p = out, .cap = cap < LIMIT_SYSTEM_BYTES ? cap : LIMIT_SYSTEM_BYTES};
    size_t all = rlp_list_begin(&rlp);
    put_lists(&rlp, parts);
    rlp_put_string(&rlp, NULL, 0); /* no record */
    rlp_list_end(&rlp, all);
    *out_n = rlp.n;
    return rlp_finish(&rlp);
}
