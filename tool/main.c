/* nsws: WebSocket from the command line, on the public header of netstack-websocket alone. */

#include "commands.h"
#include "exits.h"
#include "input.h"
#include "news.h"
#include "options.h"

#include <locale.h>
#include <string.h>

static int print_version(void) {
    printf("nsws %d.%d.%d (library %s, ABI %u; line editing: %s)\n", NSWS_VERSION_MAJOR,
           NSWS_VERSION_MINOR, NSWS_VERSION_PATCH, nsws_version(), (unsigned)nsws_abi_version(),
           input_editor());
    return EXIT_OK;
}

static int help(int argc, char **argv) {
    const char *topic = argc > 2 ? argv[2] : NULL;
    if (topic != NULL && strcmp(topic, "--table") == 0) {
        print_table();
        return EXIT_OK;
    }
    if (!print_help(stdout, topic)) {
        fprintf(stderr, "nsws: there is no help about %s; see nsws --help\n", topic);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

int main(int argc, char **argv) {
    struct options options;
    setlocale(LC_CTYPE, ""); /* for the line editor */
    if (argc < 2) {
        print_help(stderr, NULL);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0) {
        return help(argc, argv);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help(stdout, NULL);
        return EXIT_OK;
    }
    if (strcmp(name, "--version") == 0) {
        return print_version();
    }
    const struct command *command = find_command(name);
    if (command == NULL) {
        fprintf(stderr, "nsws: no such command: %s; see nsws --help\n", name);
        return EXIT_USAGE;
    }
    int status = parse_options(&options, command, argc - 2, argv + 2);
    if (status == EXIT_HELP) {
        print_help(stdout, name);
        return EXIT_OK;
    }
    if (status != 0) {
        return status;
    }
    if (!news_start()) {
        perror("nsws: pipe");
        return EXIT_FAILED;
    }
    return command->run(&options);
}
