/* Values from arguments and from URLs, for the examples that are servers. */

#ifndef EXAMPLES_VALUES_H
#define EXAMPLES_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* Returns the number in `text`, or exits with status 2. */
uint32_t number(const char *text, unsigned long most);

/* The value of a parameter of the path's query, percent-decoded. Returns 0 when it has none, or one
 * that doesn't fit. */
int query_value(const char *path, const char *name, char *value, size_t room);

#endif
