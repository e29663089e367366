/* Prints the page of an error code, out of docs/errors.md, which the build puts into the program:
 * nsws explain. */

#include "commands.h"
#include "errors_page.h"
#include "exits.h"
#include "json.h"
#include "options.h"
#include "show.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A section: "## NAME (NUMBER)", then its text until the next heading. */
struct section {
    const char *name, *number, *text, *end;
    size_t name_length;
};

static const char *page(void) {
    return (const char *)errors_page;
}

/* The next section from `*at` on. */
static bool next_section(const char **at, struct section *out) {
    const char *heading = strstr(*at, "\n## NSWS_");
    if (heading == NULL) {
        return false;
    }
    out->name = heading + 4;
    out->name_length = strcspn(out->name, " ");
    out->number = out->name + out->name_length + 2;
    out->text = strchr(out->name, '\n');
    out->end = strstr(out->text, "\n#");
    out->end = out->end != NULL ? out->end : out->text + strlen(out->text);
    *at = out->end;
    return true;
}

static bool is_number(const char *text) {
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static bool same_in_any_case(const char *left, const char *right, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (toupper((unsigned char)left[i]) != toupper((unsigned char)right[i])) {
            return false;
        }
    }
    return true;
}

/* By number, by name, or by the name without NSWS_ERR_ or NSWS_DETAIL_, in any case. */
static bool matches(const struct section *section, const char *asked) {
    static const char *const prefixes[] = {"", "NSWS_ERR_", "NSWS_DETAIL_"};
    size_t length = strlen(asked);
    if (is_number(asked)) {
        return strncmp(section->number, asked, length) == 0 && section->number[length] == ')';
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t before = strlen(prefixes[i]);
        if (section->name_length == before + length &&
            strncmp(section->name, prefixes[i], before) == 0 &&
            same_in_any_case(section->name + before, asked, length)) {
            return true;
        }
    }
    return false;
}

static void print_section(const struct section *section, bool as_json) {
    const char *start = section->text + strspn(section->text, "\n"), *end = section->end;
    int32_t number = (int32_t)atol(section->number);
    while (end > start && end[-1] == '\n') {
        end--;
    }
    if (as_json) {
        json_begin("explain");
        json_number("code", number);
        json_bytes_as_text("name", section->name, section->name_length);
        json_text("summary", nsws_error_message(number));
        json_bytes_as_text("text", start, (size_t)(end - start));
        json_end();
        return;
    }
    printf("%s%.*s%s (%" PRId32 ")\n%s\n\n", show_style("\033[1m"), (int)section->name_length,
           section->name, show_style("\033[0m"), number, nsws_error_message(number));
    bool bold = false;
    for (const char *at = start; at < end; at++) { /* no marks of Markdown */
        if (*at == '*' && at[1] == '*') {
            at++;
            bold = !bold;
            fputs(show_style(bold ? "\033[1m" : "\033[0m"), stdout);
        } else if (*at != '`') {
            putchar(*at);
        }
    }
    putchar('\n');
}

static int list_all(bool as_json) {
    struct section section;
    const char *at = page();
    while (next_section(&at, &section)) {
        int32_t number = (int32_t)atol(section.number);
        if (as_json) {
            print_section(&section, true);
        } else {
            printf("%7" PRId32 "  %-32.*s %s\n", number, (int)section.name_length, section.name,
                   nsws_error_message(number));
        }
    }
    return EXIT_OK;
}

int run_explain(struct options *options) {
    const char *asked = options->operands[0];
    struct section section;
    const char *at = page();
    if (!show_start(options)) {
        return EXIT_FAILED;
    }
    if (strcmp(asked, "all") == 0) {
        return list_all(options->json);
    }
    while (next_section(&at, &section)) {
        if (matches(&section, asked)) {
            print_section(&section, options->json);
            return EXIT_OK;
        }
    }
    uint32_t code;
    if (parse_number(asked, 1000, 4999, &code)) {
        show_failure("\"%s\" is not an error code (close codes such as %" PRIu32
                     " are in RFC 6455, section 7.4); \"nsws explain all\" lists the error codes",
                     asked, code);
    } else {
        show_failure("\"%s\" is not an error code; \"nsws explain all\" lists the error codes",
                     asked);
    }
    return EXIT_USAGE;
}
