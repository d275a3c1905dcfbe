/* The status page: page.html as bytes, made by the build. */
#ifndef SEQUENCER_RPC_PAGE_H
#define SEQUENCER_RPC_PAGE_H

#include <stddef.h>

extern const unsigned char page_html[];
extern const size_t page_html_len;

#endif
