/*
 * Attackers of a server, as plain sockets in a process of their own. Each kind of attack goes on for
 * as long as the soak does, at a rate that a small machine bears.
 */
#ifndef ATTACK_H
#define ATTACK_H

/* Attacks these ports of loopback, of which every second one speaks TLS, until the standard input ends. */
int attack(const unsigned short *ports, int count);

#endif
