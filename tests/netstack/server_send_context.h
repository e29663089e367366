#include "layer.h"
#include "websocket_exec_common.h"
