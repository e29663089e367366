/* The name that OpenHarmony's SDK gives to Node-API. */
#ifndef STAND_IN_NATIVE_API_H
#define STAND_IN_NATIVE_API_H
#include "node_api.h"
#endif
