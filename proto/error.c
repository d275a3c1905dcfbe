#define _GNU_SOURCE /* EDQUOT */
#include "proto/error.h"

#include <errno.h>
#include <stddef.h>

struct error_entry {
    const char *name;
    const char *text;
    enum err_class class;
};

static const struct error_entry entries[ERR_COUNT] = {
    [OK] = {"OK", "no error", ERR_CLASS_NONE},
#define ERROR(name, class, text) [ERR_##name] = {#name, text, ERR_CLASS_##class},
#include "proto/error.def"
#undef ERROR
};

static const struct error_entry *entry(enum err e)
{
    /* A number from outside the list is a mistake of ours. */
    size_t i = (size_t)e;
    return &entries[i < ERR_COUNT ? i : ERR_INVARIANT];
}

const char *err_name(enum err e)
{
    return entry(e)->name;
}

const char *err_text(enum err e)
{
    return entry(e)->text;
}

enum err_class err_class(enum err e)
{
    return entry(e)->class;
}

enum err err_of_errno(int number)
{
    return number == ENOSPC || number == EDQUOT ? ERR_NO_SPACE : ERR_IO;
}
