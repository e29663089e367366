/* The raw peer (tests/interop/raw_peer.py): its control port, and what the tests send. */
#ifndef HARNESS_RAW_PEER_H
#define HARNESS_RAW_PEER_H

#include "check.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sends a line to the control port and returns the answer, NUL-terminated, for the caller to free; NULL when none comes in time. */
char *ask_peer(const char *format, ...) HARNESS_PRINTF(1, 2);

/* What the peer has counted under a token; 0 when nothing. */
long long peer_number(const char *token, const char *key);
int wait_peer(const char *file, int line, const char *token, const char *key, long long least);

/* Waits until the peer has counted so many. */
#define WAIT_PEER(token, key, least) wait_peer(__FILE__, __LINE__, token, key, least)
int check_peer_text(const char *file, int line, const char *token, const char *key, const char *expected);
#define CHECK_PEER_TEXT(token, key, expected) check_peer_text(__FILE__, __LINE__, token, key, expected)
void release_peer(const char *token);

/* A port of loopback that nobody else is given as long as the descriptor is open; a server of the test may listen on it. */
int refused_port(int *fd);

/* What the tests send: byte i is i modulo 251, as in the raw peer's pattern(). The caller frees it. */
char *pattern(size_t length);

/* Letters, which are also text. The caller frees them. */
char *letters(size_t length);

#ifdef __cplusplus
}
#endif

#endif
