/* Ways to the supervisor's socket. */
#ifndef SZ_CONNECTION_H
#define SZ_CONNECTION_H

/* The folder of the software TEE ($SMART_ZONE_TEE_DIR) as a descriptor, after making sure that somebody
 * listens there: starts the program $SMART_ZONE_TEE_SPAWN if nobody does. -1 when there is no TEE. */
int sz_connection_folder(void);

/* Connects to the socket in `folder`. -1 with errno. */
int sz_connection_open(int folder);

#endif
