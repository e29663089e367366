// What the unchanged files of NetStack's JavaScript layer take from <libwebsockets.h>: how a
// context holds what is to be sent.
#pragma once

enum lws_write_protocol { LWS_WRITE_TEXT = 0, LWS_WRITE_BINARY = 1 };

// Room before the data, which the contexts keep and this engine doesn't need. Not 0: an empty
// message has an allocation.
#define LWS_SEND_BUFFER_PRE_PADDING 16
#define LWS_SEND_BUFFER_POST_PADDING 0
