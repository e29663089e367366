/* What the stand-in for hilog has printed. */
#ifndef HILOG_H
#define HILOG_H

struct printed {
    int type, level;
    unsigned domain;
    char tag[32], format[32], text[512];
};

int printed_lines(struct printed *out, int most);

#endif
