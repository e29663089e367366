/* What the commands do. Each returns an exit code of exits.h. */

#ifndef NSWS_TOOL_COMMANDS_H
#define NSWS_TOOL_COMMANDS_H

struct options;

int run_connect(struct options *options);
int run_send(struct options *options);
int run_listen(struct options *options);
int run_echo(struct options *options);
int run_chat(struct options *options);
int run_bench(struct options *options);
int run_ping(struct options *options);
int run_cert(struct options *options);
int run_explain(struct options *options);

#endif
