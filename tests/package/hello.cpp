// As hello.c, in C++.

#include <netstack_websocket.h>
#include <cstring>
#include <iostream>

int main() {
    std::cout << "netstack_websocket " << nsws_version() << "\n";
    return std::strcmp(nsws_error_name(NSWS_ERR_URL), "NSWS_ERR_URL");
}
