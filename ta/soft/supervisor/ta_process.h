/* The one TA process: started when a client needs it, again after it died. */
#ifndef SZ_TA_PROCESS_H
#define SZ_TA_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

struct sz_ta_process {
    const char *program;
    char **arguments; /* program first, NULL last */
    pid_t pid;        /* 0: not running */
    int control, storage;
};

/* Starts the process unless it runs. 0, or the TEE result for the client. */
uint32_t sz_ta_start(struct sz_ta_process *ta);

/* Passes a connection on. 0, or -1 when the process is dead. */
int sz_ta_hand_over(struct sz_ta_process *ta, int connection);

/* Forgets the process after its end; `status` as waitpid gave it. */
void sz_ta_ended(struct sz_ta_process *ta, int status);

/* Ends it: closes the control connection, waits a little, kills. */
void sz_ta_stop(struct sz_ta_process *ta);

#endif
