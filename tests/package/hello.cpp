// As hello.c, in C++.

#include <netstack_websocket.hpp>

#include <chrono>
#include <iostream>

int main() {
    {
        nsws::Client client;
        if (client.connect("ftp://x") != nsws::error_code(NSWS_ERR_URL)) {
            return 1;
        }
    }
    std::cout << "netstack_websocket " << nsws_version() << "\n";
    return nsws::shutdown(std::chrono::seconds(5)).value();
}
