/*
 * What every C test is made of: checks, the process, the raw peer, and a recorded client. Programs that include this run under
 * tests/interop/run.py.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include "check.h"
#include "process.h"
#include "raw_peer.h"
#include "recorder.h"

#endif
