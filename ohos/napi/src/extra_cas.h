// The CAs that Node.js trusts besides the system's: those of NODE_EXTRA_CA_CERTS.
#pragma once

// A file of the system's CAs and those, for `ca_path`; null when the variable names no file that
// can be read. The environment is read once.
const char *with_extra_cas();
