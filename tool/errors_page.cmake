# Writes the file FROM as a C array of bytes, errors_page, with a NUL at its end, into TO.
file(READ "${FROM}" bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${TO}" "/* Made of docs/errors.md. */\n#include <stdint.h>\nstatic const uint8_t errors_page[] = {\n${bytes}0x00};\n")
