/* Lines of standard input: with line editing on a terminal, where the build has it. */

#ifndef NSWS_TOOL_INPUT_H
#define NSWS_TOOL_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/* The library that edits lines, or "none". */
const char *input_editor(void);

/* Begins; the prompt is shown only on a terminal. */
void input_start(const char *prompt);
/* Whether a person types: standard input and output are a terminal. */
bool input_is_typed(void);
/* Reads what is there, once standard input can be read. */
void input_read(void);
/* The next whole line, without its end, or NULL. Free it with free(). It may hold NULs, and is
 * followed by one. */
char *input_line(size_t *out_length);
/* Whether the end was read. Lines may be left. */
bool input_ended(void);
/* Around output: takes the line that is being typed off the screen, and puts it back. */
void input_hide(void);
void input_show(void);
/* Gives the terminal back. */
void input_stop(void);
/* The same from a signal's handler, before the program ends. */
void input_restore_terminal(void);

#endif
