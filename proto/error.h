/* The one error type. 0 is success; the list with classes and sentences is error.def. */
#ifndef PROTO_ERROR_H
#define PROTO_ERROR_H

enum err {
    OK = 0,
#define ERROR(name, class, text) ERR_##name,
#include "proto/error.def"
#undef ERROR
    ERR_COUNT
};

enum err_class { ERR_CLASS_NONE, ERR_CLASS_PEER, ERR_CLASS_CALLER, ERR_CLASS_AGAIN, ERR_CLASS_ENV, ERR_CLASS_BUG };

#define MUST_USE __attribute__((warn_unused_result))

/* Returns the caller at once when `call` fails; only for functions that own nothing yet. */
#define TRY(call)                                                                              \
    do {                                                                                       \
        enum err try_err_ = (call);                                                            \
        if (try_err_ != OK) {                                                                  \
            return try_err_;                                                                   \
        }                                                                                      \
    } while (0)

const char *err_name(enum err e);
const char *err_text(enum err e);
enum err_class err_class(enum err e);
/* What the errno of a failed call on a file means: ERR_NO_SPACE (full, over quota) or ERR_IO. */
enum err err_of_errno(int number);

#endif
