# The strict set that gcc 12 and clang 14 both know; our own files only.
set(BATON_WARNINGS
    -Wall -Wextra -Wpedantic -Werror
    -Wconversion -Wsign-conversion  # a silent change of a number's value or sign
    -Wshadow                        # two things of one name in one scope
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wswitch-enum                   # a new enumerator must be handled everywhere
    -Wenum-conversion               # error lists and kinds must not mix
    -Wimplicit-fallthrough
    -Wcast-align -Wcast-qual        # no cast hides constness or alignment
    -Wundef -Wvla -Wformat=2 -Wwrite-strings -Wdouble-promotion
    -Wnull-dereference -Wunused-result)
