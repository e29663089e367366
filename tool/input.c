#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#ifdef NSWS_WITH_LIBEDIT
#include <editline/readline.h>
#endif

static char *text; /* what was read and isn't a line yet, or lines that nobody took yet */
static size_t length, room, taken;
static size_t scanned; /* no line ends before it */
static bool ended, editing;
static struct termios found_terminal; /* as it was before lines were edited */

bool input_is_typed(void) {
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool input_ended(void) {
    return ended;
}

static void make_room(size_t more) {
    if (taken > 0) {
        memmove(text, text + taken, length - taken);
        length -= taken;
        scanned -= taken;
        taken = 0;
    }
    while (room - length < more) {
        room = room * 2 + 8192;
        text = realloc(text, room);
        if (text == NULL) {
            abort();
        }
    }
}

#ifdef NSWS_WITH_LIBEDIT
const char *input_editor(void) {
    return "libedit";
}

static const char *shown_prompt;

static void on_line(char *line);

/* Shows the prompt and begins a line. */
static void edit_line(void) {
    rl_callback_handler_install(shown_prompt, on_line);
}

/* Called by the library for a whole line; NULL at the end. */
static void on_line(char *line) {
    if (line == NULL) {
        ended = true;
        rl_callback_handler_remove();
        editing = false;
        return;
    }
    size_t size = strlen(line);
    if (size > 0) {
        add_history(line);
    }
    make_room(size + 1);
    memcpy(text + length, line, size);
    text[length + size] = '\n';
    length += size + 1;
    free(line);
    edit_line(); /* libedit forgets the line only so */
}

static void start_editing(const char *prompt) {
    editing = true;
    shown_prompt = prompt;
    rl_catch_signals = 0; /* Ctrl-C is the program's */
    edit_line();
}

static void edit(void) {
    rl_callback_read_char();
}

static void hide(void) {
    fputs("\r\033[K", stdout);
    fflush(stdout);
}

static void show(void) {
    rl_forced_update_display();
}

static void stop_editing(void) {
    rl_callback_handler_remove();
}
#else
const char *input_editor(void) {
    return "none";
}

static void start_editing(const char *prompt) {
    (void)prompt;
}

static void edit(void) {}

static void hide(void) {}

static void show(void) {}

static void stop_editing(void) {}
#endif

void input_start(const char *prompt) {
    const char *terminal = getenv("TERM");
    if (input_is_typed() && tcgetattr(STDIN_FILENO, &found_terminal) == 0 && terminal != NULL &&
        strcmp(terminal, "dumb") != 0) {
        start_editing(prompt);
    }
}

void input_read(void) {
    if (editing) {
        edit();
        return;
    }
    make_room(65536);
    ssize_t got = read(STDIN_FILENO, text + length, room - length - 2);
    if (got > 0) {
        length += (size_t)got;
    } else {
        ended = true;
        if (length > taken && text[length - 1] != '\n') { /* a last line without its end */
            text[length++] = '\n';
        }
    }
}

char *input_line(size_t *out_length) {
    char *newline = length > scanned ? memchr(text + scanned, '\n', length - scanned) : NULL;
    if (newline == NULL) {
        scanned = length;
        return NULL;
    }
    size_t size = (size_t)(newline - text) - taken;
    char *line = malloc(size + 1);
    if (line == NULL) {
        abort();
    }
    memcpy(line, text + taken, size);
    line[size] = '\0';
    taken += size + 1;
    scanned = taken;
    *out_length = size;
    return line;
}

void input_hide(void) {
    if (editing) {
        hide();
    }
}

void input_show(void) {
    if (editing) {
        show();
    }
}

void input_stop(void) {
    if (editing) {
        hide();
        stop_editing();
        editing = false;
    }
}

void input_restore_terminal(void) {
    if (editing) {
        tcsetattr(STDIN_FILENO, TCSANOW, &found_terminal);
    }
}
