/* Help that fits a screen of 24 lines and 80 columns, and the table for the man page and the
 * completions. */

#include "exits.h"
#include "options.h"

#include <string.h>

static void print_row(FILE *out, const struct option_row *row) {
    char word[40];
    snprintf(word, sizeof word, "%s%s%s", row->name, row->value != NULL ? " " : "",
             row->value != NULL ? row->value : "");
    if (row->letter != 0) {
        fprintf(out, "  -%c, --%-22s %s\n", row->letter, word, row->text);
    } else {
        fprintf(out, "      --%-22s %s\n", word, row->text);
    }
}

static void print_group(FILE *out, unsigned group) {
    for (size_t i = 0; i < option_row_count; i++) {
        if (option_rows[i].belongs & group) {
            print_row(out, &option_rows[i]);
        }
    }
}

static void print_overview(FILE *out) {
    fputs("usage: nsws COMMAND [OPTIONS] ARGUMENTS\n\nTalk WebSocket from the command line.\n\n",
          out);
    for (size_t i = 0; i < command_count; i++) {
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].text);
    }
    fputs("\n"
          "  nsws COMMAND --help        what a command takes\n"
          "  nsws help connecting       the options of connections\n"
          "  nsws help serving          the options of servers\n"
          "  nsws help exits            the exit codes\n"
          "  nsws --version             the version\n",
          out);
}

static void print_command(FILE *out, const struct command *command) {
    fprintf(out, "usage: nsws %s [OPTIONS] %s\n\n%s\n\n", command->name, command->operands,
            command->text);
    print_group(out, command->bit);
    fprintf(out, "\n%s\n", command->more);
    if (command->groups & CONNECTING) {
        fputs("Also takes the options of \"nsws help connecting\": TLS, proxy, headers and more.\n",
              out);
    }
    if (command->groups & SERVING) {
        fputs("Also takes the options of \"nsws help serving\": TLS, limits, origins and more.\n",
              out);
    }
}

static void print_exits(FILE *out) {
    fputs("Exit codes of nsws:\n\n", out);
    for (const struct exit_row *row = exit_rows; row->text != NULL; row++) {
        fprintf(out, "  %3d  %s\n", row->code, row->text);
    }
}

bool print_help(FILE *out, const char *topic) {
    if (topic == NULL) {
        print_overview(out);
        return true;
    }
    const struct command *command = find_command(topic);
    if (command != NULL) {
        print_command(out, command);
    } else if (strcmp(topic, "connecting") == 0) {
        fputs("Options of connect, send, chat, bench, ping and cert:\n\n", out);
        print_group(out, CONNECTING);
        fputs("\nTIME: 500ms, 30s, 2m. NSWS_KEY_PASSWORD (environment) opens an encrypted key.\n",
              out);
    } else if (strcmp(topic, "serving") == 0) {
        fputs("Options of listen, echo and chat:\n\n", out);
        print_group(out, SERVING);
        fputs("\nWith --cert the server speaks wss. TIME: 500ms, 30s, 2m. SIZE: 100, 64K, 16M.\n",
              out);
    } else if (strcmp(topic, "exits") == 0) {
        print_exits(out);
    } else {
        return false;
    }
    return true;
}

static void print_as_one_line(const char *text) {
    for (; *text != '\0'; text++) {
        putchar(*text == '\n' ? ' ' : *text);
    }
}

void print_table(void) {
    for (size_t i = 0; i < command_count; i++) {
        const struct command *it = &commands[i];
        printf("command\t%s\t%s\t%s\t", it->name, it->operands, it->text);
        print_as_one_line(it->more);
        putchar('\n');
    }
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        printf("option\t%.1s\t%s\t%s\t%s\t", &row->letter, row->name,
               row->value != NULL ? row->value : "", row->text);
        for (size_t k = 0; k < command_count; k++) {
            if (has_option(&commands[k], row)) {
                printf("%s ", commands[k].name);
            }
        }
        printf("\t%s%s\n", row->belongs & CONNECTING ? "connecting " : "",
               row->belongs & SERVING ? "serving" : "");
    }
    for (const struct exit_row *row = exit_rows; row->text != NULL; row++) {
        printf("exit\t%d\t%s\n", row->code, row->text);
    }
}
